"""
Finding the chains with some resources, or storing them.

Exactly these resources are one look into an index of hashes; for chains that have more, see the
function in ``0002_chains.sql``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from twisted_dispatcher.chainrecords import FoundChain, NewChain, StoredChain, pair_hashes
from twisted_dispatcher.stores.postgresql.chains.rows import (
    CHAIN,
    CHAINS_WITH,
    COLUMNS,
    PAIR,
    chain_of,
)
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import rows

# What is looked for, whether exactly that, and when.
FindRequest = tuple[NewChain, bool, float]

# So many are listed where several could be meant.
MOST_LISTED: Final = 10

_EXACT: Final = f"""
    SELECT c.set_hash, {COLUMNS} FROM {CHAIN} c WHERE c.set_hash = ANY(%s::bytea[])"""
_SUPERSETS: Final = f"""
    SELECT place, {CHAINS_WITH}(
        ARRAY(SELECT decode(pair, 'hex') FROM unnest(wanted.pairs) pair), {MOST_LISTED})
    FROM json_to_recordset(%s::json) AS wanted (place int, pairs text[])"""
_BY_NUMBERS: Final = f"""
    SELECT {COLUMNS} FROM {CHAIN} c WHERE c.number = ANY(%s::bigint[])"""
_STORE: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT *, decode(hash, 'hex') AS bytes FROM json_to_recordset(%s::json) AS wanted (
            id text, chain_type text, hash text, pairs text, definition text, state text,
            next_update float8, due float8, now float8, hashes text[])
    ), stored AS (
        INSERT INTO {CHAIN} (id, chain_type, set_hash, pairs, definition, state, next_update, due,
            ended, created, entered)
        SELECT id, chain_type, bytes, pairs, definition, state, next_update, due, due IS NULL,
            now, now
        FROM wanted
        ON CONFLICT (set_hash) DO NOTHING
        RETURNING *
    ), entered AS (
        INSERT INTO {PAIR} (pair, chain)
        SELECT decode(pair, 'hex'), stored.number
        FROM stored JOIN wanted ON wanted.bytes = stored.set_hash, unnest(wanted.hashes) pair
    )
    SELECT c.set_hash, {COLUMNS} FROM stored c"""

_Found = dict[bytes, StoredChain]


def find_all(ledger: Ledger, requests: Sequence[FindRequest]) -> list[FoundChain]:
    """Find chains, or store them; see `IChainStore.find`."""
    hashes = [new.set_hash for new, _, _ in requests]
    exact = _exact(ledger, hashes)
    several = _supersets(
        ledger,
        [
            (place, new)
            for place, (new, is_exact, _) in enumerate(requests)
            if not is_exact and hashes[place] not in exact
        ],
    )
    missing = {
        hashes[place]: (new, now)
        for place, (new, _, now) in reversed(list(enumerate(requests)))
        if hashes[place] not in exact and not several.get(place)
    }
    stored = _store(ledger, missing) if missing else {}
    exact.update(stored)
    results = []
    for place, (new, _, _) in enumerate(requests):
        chain = exact.get(hashes[place])
        listed = several.get(place, ())
        if chain is not None:
            # Of those who ask for the same at once, one has made it.
            is_new = hashes[place] in stored and chain.id == new.id
            results.append(FoundChain(chain, is_new))
        elif len(listed) == 1:
            results.append(FoundChain(listed[0]))
        else:
            results.append(FoundChain(None, False, tuple(listed)))
    return results


def _exact(ledger: Ledger, hashes: Iterable[bytes]) -> _Found:
    return {row[0]: chain_of(row[1:]) for row in ledger.read(_EXACT, (list(hashes),))}


def _supersets(
    ledger: Ledger, wanted: Sequence[tuple[int, NewChain]]
) -> dict[int, list[StoredChain]]:
    """Give by their places the chains that have what is looked for, and more."""
    if not wanted:
        return {}
    asked = [
        {"place": place, "pairs": [each.hex() for each in pair_hashes(new.chain_type, new.pairs)]}
        for place, new in wanted
    ]
    numbers = dict(ledger.read(_SUPERSETS, (rows(asked),)))
    all_numbers = [number for each in numbers.values() for number in each]
    if not all_numbers:
        return {}
    found = {row[0]: chain_of(row) for row in ledger.read(_BY_NUMBERS, (all_numbers,))}
    return {
        place: [found[number] for number in own if number in found]
        for place, own in numbers.items()
    }


def _store(ledger: Ledger, missing: dict[bytes, tuple[NewChain, float]]) -> _Found:
    ledger.mark()
    values = [_row(digest, *missing[digest]) for digest in sorted(missing)]
    stored = {
        row[0]: chain_of(row[1:])
        for row in ledger.change("insert chains", _STORE, (rows(values),))
    }
    others = [digest for digest in missing if digest not in stored]
    if others:
        # Somebody else has made them meanwhile.
        stored.update(_exact(ledger, others))
    if any(new.due is not None for new, _ in missing.values()):
        ledger.news.add("chains")
    return stored


def _row(digest: bytes, new: NewChain, now: float) -> dict[str, Any]:
    return {
        "id": new.id,
        "chain_type": new.chain_type,
        "hash": digest.hex(),
        "pairs": json.dumps(new.pairs, separators=(",", ":")),
        "definition": new.definition,
        "state": new.state,
        "next_update": new.next_update,
        "due": new.due,
        "now": now,
        "hashes": [each.hex() for each in pair_hashes(new.chain_type, new.pairs)],
    }
