"""
Finding the chains with some resources, or storing them, as one statement.

It does what `finding` does in several ones. Where somebody else is just storing a chain with the
same resources, a thread looks again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from twisted_dispatcher.chainrecords import FoundChain, NewChain, StoredChain
from twisted_dispatcher.stores.postgresql.chains.finding import (
    FOUND,
    NEW,
    WANTED,
    FindRequest,
    row_of,
    storing,
)
from twisted_dispatcher.stores.postgresql.chains.rows import CHAIN, COLUMNS, chain_of
from twisted_dispatcher.stores.postgresql.marks import WRITTEN
from twisted_dispatcher.stores.postgresql.messages import LEFT, Done, Reader, marked
from twisted_dispatcher.stores.postgresql.tables import rows

_LOOKING: Final = f"""
    given AS MATERIALIZED (
        SELECT *, decode(hash, 'hex') AS bytes
        FROM json_to_recordset($3::json) AS given (place int, is_exact bool, {NEW})
    ), wanted AS MATERIALIZED (
        SELECT wanted.place, {WANTED}
        FROM (SELECT place, hash, CASE WHEN NOT is_exact THEN hashes END AS pairs
            FROM given) AS wanted
    ), found AS MATERIALIZED (
        SELECT wanted.place, found.position, json_build_array({COLUMNS}) AS chain FROM {FOUND}
    ), missing AS MATERIALIZED (
        SELECT * FROM given WHERE place NOT IN (SELECT place FROM found)
    ),"""
# Where nothing is missing, nothing is written, and the disk not waited for.
_FIND: Final = f"""
    {marked("WHERE EXISTS (SELECT 1 FROM missing)", _LOOKING)}, new AS MATERIALIZED (
        SELECT DISTINCT ON (missing.bytes) missing.* FROM marked, missing
        ORDER BY missing.bytes, missing.place
    ), {storing("new")}
    SELECT (SELECT json_agg(json_build_array(place, chain) ORDER BY place, position)
            FROM found),
        (SELECT coalesce(json_agg(id), '[]') FROM stored)"""
_RECALL: Final = f"SELECT id FROM {CHAIN} WHERE id = ANY(%(ids)s::text[]) AND {WRITTEN}"


class FindMessage:
    """Some chains that are looked for."""

    name: ClassVar[bytes] = b"find"
    step: ClassVar[str] = "find"
    sql: ClassVar[str] = _FIND

    def __init__(self, requests: Sequence[FindRequest]) -> None:
        self._requests = requests
        self._digests = [new.set_hash for new, _, _ in requests]
        given = [
            {"place": place, "is_exact": is_exact, **row_of(digest, new, now)}
            for place, ((new, is_exact, now), digest) in enumerate(zip(requests, self._digests))
        ]
        self.parameters: Sequence[bytes] = [rows(given).encode()]

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        ((chains, stored),) = found
        by_place: dict[int, list[StoredChain]] = {}
        for place, row in json.loads(chains or b"[]"):
            by_place.setdefault(place, []).append(chain_of(tuple(row)))
        return self._done(by_place, frozenset(json.loads(stored or b"[]")))

    def recall(self, cursor: Reader, connection: str) -> Done:
        values = {"ids": [new.id for new, _, _ in self._requests], "connection": connection}
        return self._done({}, frozenset(each for (each,) in cursor.execute(_RECALL, values)))

    def _done(self, found: dict[int, list[StoredChain]], stored: frozenset[str]) -> Done:
        outcomes: list[Any] = []
        # Of those who ask for the same at once, the first makes it.
        made: dict[bytes, StoredChain] = {}
        for place, ((new, _, now), digest) in enumerate(zip(self._requests, self._digests)):
            if place in found:
                outcomes.append(_found(found[place]))
                continue
            if new.id in stored:
                made[digest] = _born(new, now)
            chain = made.get(digest)
            outcomes.append(LEFT if chain is None else FoundChain(chain, new.id in stored))
        is_news = any(chain.due is not None for chain in made.values())
        return Done(outcomes, frozenset({"chains"}) if is_news else frozenset())


def _found(chains: Sequence[StoredChain]) -> FoundChain:
    return FoundChain(chains[0]) if len(chains) == 1 else FoundChain(None, False, tuple(chains))


def _born(new: NewChain, now: float) -> StoredChain:
    """Give a chain as it has just been stored."""
    return StoredChain(
        id=new.id,
        chain_type=new.chain_type,
        state=new.state,
        version=0,
        pairs=new.pairs,
        definition=new.definition,
        next_update=new.next_update,
        due=new.due,
        disabled=False,
        ended=new.due is None,
        locked_until=0.0,
        fence=0,
        failures=0,
        parked=False,
        error=None,
        refusals=None,
        tried=None,
        created=now,
        entered=now,
    )
