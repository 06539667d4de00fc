"""
Locking chains, as one statement, whose durability nobody waits for.

A lock that is lost with the server has run out: as after any lock that has, the next transition is
made but once, by whoever stores it first. What could not be locked is left to a thread, which
tells why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from twisted_dispatcher.chainrecords import LockedChain
from twisted_dispatcher.stores.postgresql.chains.locking import (
    SET,
    TAKEN,
    LockRequest,
    locked_of,
)
from twisted_dispatcher.stores.postgresql.chains.rows import CHAIN, COLUMNS, SIGNALS
from twisted_dispatcher.stores.postgresql.marks import WRITTEN
from twisted_dispatcher.stores.postgresql.messages import LEFT, Done, Reader, marked
from twisted_dispatcher.stores.postgresql.tables import rows

_LOCK: Final = f"""
    {marked()}, taken AS MATERIALIZED (
        SELECT c.number, wanted.until
        FROM marked, json_to_recordset($3::json) AS wanted (id text, until float8, now float8)
        {TAKEN}
    ), locked AS (
        UPDATE {CHAIN} c SET {SET} FROM taken WHERE c.number = taken.number
        RETURNING json_build_array({COLUMNS}, {SIGNALS}) AS chain
    )
    SELECT set_config('synchronous_commit', 'off', true),
        (SELECT coalesce(json_agg(chain), '[]') FROM locked)
    FROM marked"""
# One that somebody has changed meanwhile is not found: it is free when the lock runs out.
_RECALL: Final = f"""
    SELECT {COLUMNS}, {SIGNALS} FROM {CHAIN} c
    WHERE c.id = ANY(%(ids)s::text[]) AND c.{WRITTEN}"""


class LockMessage:
    """Some chains that are to be locked."""

    name: ClassVar[bytes] = b"lock"
    step: ClassVar[str] = "lock"
    sql: ClassVar[str] = _LOCK

    def __init__(self, requests: Sequence[LockRequest]) -> None:
        self._ids = [chain_id for chain_id, _, _ in requests]
        # Of those who want the same one, the first may have it.
        wanted: dict[str, dict[str, Any]] = {}
        for chain_id, until, now in requests:
            wanted.setdefault(chain_id, {"id": chain_id, "until": until, "now": now})
        self.parameters: Sequence[bytes] = [rows(list(wanted.values())).encode()]

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        ((_, chains),) = found
        return self._done(json.loads(chains or b"[]"))

    def recall(self, cursor: Reader, connection: str) -> Done:
        values = {"ids": self._ids, "connection": connection}
        return self._done(cursor.execute(_RECALL, values).fetchall())

    def _done(self, found: Sequence[Sequence[Any]]) -> Done:
        locked = {row[1]: locked_of(tuple(row)) for row in found}
        return Done([self._outcome(each, locked) for each in self._ids])

    @staticmethod
    def _outcome(chain_id: str, locked: dict[str, LockedChain]) -> Any:
        return locked.pop(chain_id, LEFT)
