"""
Settling deliveries that come one by one, are done, and end their events, as one statement.

By far the most frequent case: nothing follows from the end of an event's only delivery, unless the
event is in a lane. What is not so, or was lost, is left to a thread, and nothing of it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from psycopg import Cursor

from twisted_dispatcher.records import DONE, RUNNING, Settled, Settlement
from twisted_dispatcher.stores.postgresql.marks import WRITTEN
from twisted_dispatcher.stores.postgresql.messages import (
    LEFT,
    Done,
    marked,
    numbers_in,
    text_array,
)
from twisted_dispatcher.stores.postgresql.settling import SettleRequest
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, OPEN, listed

_SETTLED: Final = f"""
    unnest($4::bigint[], $5::int[], $6::int[]) s (id, attempt, worker), {OPEN} o
    WHERE d.id = s.id AND d.attempts = s.attempt AND d.status = '{RUNNING}'
    AND d.worker = ($7::text[])[s.worker]
    AND o.id = d.event_id AND o.first_delivery = o.last_delivery AND o.lane IS NULL"""
# Where there is nothing of the kind, nothing is written, and the disk not waited for.
_SETTLE: Final = f"""
    {marked(f"WHERE EXISTS (SELECT 1 FROM {DELIVERY} d, {_SETTLED})")}, held AS (
        UPDATE {DELIVERY} d
        SET status = '{DONE}', worker = NULL, error = NULL, changed = $3::float8
        FROM marked, {_SETTLED}
        RETURNING d.id, d.attempts, d.event_id
    ), finished AS (
        DELETE FROM {OPEN} o USING held WHERE o.id = held.event_id
    )
    SELECT ARRAY(SELECT id FROM held), ARRAY(SELECT attempts FROM held)"""
_RECALL: Final = f"""
    SELECT id, attempts FROM {DELIVERY} WHERE id = ANY(%(ids)s::bigint[]) AND {WRITTEN}"""
_NEWS: Final = frozenset({"settled"})


class SettleMessage:
    """Some settlements."""

    name: ClassVar[bytes] = b"settle"
    step: ClassVar[str] = "settle"
    sql: ClassVar[str] = _SETTLE

    def __init__(self, requests: Sequence[SettleRequest]) -> None:
        self._settlements = [request[0] for request in requests]
        workers: dict[str, int] = {}
        # Of those who settle the same attempt only the first one is written.
        first: dict[tuple[int, int], int] = {}
        for made, worker, _ in requests:
            number = workers.setdefault(worker.id, len(workers) + 1)
            first.setdefault((made.delivery_id, made.attempt), number)
        held = sorted((*attempt, number) for attempt, number in first.items())
        self._ids = listed(each[0] for each in held)
        self.parameters: Sequence[bytes] = [
            repr(max(request[2] for request in requests)).encode(),
            self._ids.encode(),
            listed(each[1] for each in held).encode(),
            listed(each[2] for each in held).encode(),
            text_array(workers),
        ]

    @staticmethod
    def suits(settlement: Settlement) -> bool:
        """Tell whether a settlement is of the kind that it is for."""
        return settlement.status == DONE

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        ((ids, attempts),) = found
        return self._done(set(zip(numbers_in(ids), numbers_in(attempts))))

    def recall(self, cursor: Cursor[Any], connection: str) -> Done:
        values = {"ids": self._ids, "connection": connection}
        return self._done(set(cursor.execute(_RECALL, values).fetchall()))

    def _done(self, held: set[tuple[int, int]]) -> Done:
        news = _NEWS if held else frozenset()
        return Done([self._outcome(each, held) for each in self._settlements], news)

    @staticmethod
    def _outcome(settlement: Settlement, held: set[tuple[int, int]]) -> Any:
        """Tell what came of a settlement; of those of the same attempt the first counts."""
        attempt = (settlement.delivery_id, settlement.attempt)
        if attempt not in held:
            return LEFT
        held.remove(attempt)
        return Settled(True, (), (settlement.event_id,))
