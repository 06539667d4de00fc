"""Storing what attempts came to: the fence, the new status, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RUNNING,
    SETTLED,
    Settled,
    Settlement,
    Worker,
)
from twisted_dispatcher.stores.postgresql.advancing import Progress, advance, lock_events
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.stopping import stop_event
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, OPEN, listed, rows

# A settlement, whose it is, and when; and some of them in one call.
SettleRequest = tuple[Settlement, Worker, float]
SettleAllRequest = tuple[Sequence[Settlement], Worker, float]

LOST = Settled(False)
HELD = Settled(True)

_FENCE = f"d.id = s.id AND d.attempts = s.attempt AND d.status = '{RUNNING}'"
# By far the most frequent case in one statement: nothing follows from the end of an event's only
# delivery, unless it is in a lane.
_DONE = f"""
    WITH held AS (
        UPDATE {DELIVERY} d
        SET status = '{DONE}', worker = NULL, error = NULL, changed = %s
        FROM unnest(%s::bigint[], %s::int[]) s (id, attempt)
        WHERE {_FENCE} AND d.worker = %s
        RETURNING d.id, d.attempts, d.event_id
    ), finished AS (
        DELETE FROM {OPEN} o USING held
        WHERE o.id = held.event_id AND o.first_delivery = o.last_delivery AND o.lane IS NULL
        RETURNING o.id
    )
    SELECT ARRAY(SELECT id FROM held), ARRAY(SELECT attempts FROM held),
        ARRAY(SELECT id FROM finished)"""
# The ids are given twice, so that a plan that is made for few deliveries finds them by their ids.
_OTHERWISE = f"""
    UPDATE {DELIVERY} d
    SET status = s.status, due = s.due, error = coalesce(s.error, d.error), stops = s.stops,
        worker = NULL, changed = %s, excused = excused + (s.status = '{PENDING}')::int
    FROM json_to_recordset(%s::json) AS s (
        id bigint, attempt int, status text, due float8, error text, stops bool)
    WHERE {_FENCE} AND d.worker = %s AND d.id = ANY(%s::bigint[])
    RETURNING d.id, d.attempts"""


def settle_all(ledger: Ledger, requests: Sequence[SettleAllRequest]) -> list[list[Settled]]:
    """Store the settlements of some calls of `IStore.settle`."""
    each = [(one, worker, now) for settlements, worker, now in requests for one in settlements]
    settled = iter(settle_each(ledger, each))
    return [list(islice(settled, len(settlements))) for settlements, _, _ in requests]


def settle_each(ledger: Ledger, requests: Sequence[SettleRequest]) -> list[Settled]:
    """Store settlements, and open what follows from them."""
    if not requests:
        return []
    batch = _Batch(ledger, max(request[2] for request in requests))
    for settlement, worker, _ in requests:
        batch.take(settlement, worker)
    progress = batch.write()
    return [batch.tell(settlement, worker, progress) for settlement, worker, _ in requests]


class _Batch:
    """Settlements that are written together."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._now = now
        self._workers: dict[str, Worker] = {}
        # By worker and delivery; a delivery may be settled twice at once, under other attempts.
        self._done: dict[str, dict[tuple[int, int], Settlement]] = {}
        self._otherwise: dict[str, dict[tuple[int, int], Settlement]] = {}
        self._held: dict[tuple[str, int], Settlement] = {}
        self._finished: frozenset[int] = frozenset()

    def take(self, settlement: Settlement, worker: Worker) -> None:
        """Take in a settlement of a worker; of those of the same attempt the first one counts."""
        self._workers[worker.id] = worker
        done = self._done.setdefault(worker.id, {})
        otherwise = self._otherwise.setdefault(worker.id, {})
        attempt = (settlement.delivery_id, settlement.attempt)
        if attempt not in done and attempt not in otherwise:
            (done if settlement.status == DONE else otherwise)[attempt] = settlement

    def write(self) -> dict[int, Progress]:
        """Write the settlements that are held, and let their events go on."""
        for worker_id, done in self._done.items():
            self._write_done(worker_id, done)
        for worker_id, otherwise in self._otherwise.items():
            self._write_otherwise(worker_id, otherwise)
        if self._finished:
            self._ledger.news.add("settled")
        touched = {
            each.event_id: self._workers[worker_id]
            for (worker_id, _), each in self._held.items()
            if each.status in SETTLED and each.event_id not in self._finished
        }
        if not touched:
            return {}
        standings = lock_events(self._ledger, touched)
        for each in self._held.values():
            if each.status == DEAD and each.stops and each.event_id in standings:
                own = standings[each.event_id]
                stop_event(self._ledger, each.delivery_id, own.first, own.last, self._now)
        return advance(self._ledger, standings, self._now)

    def _write_done(self, worker_id: str, done: dict[tuple[int, int], Settlement]) -> None:
        if not done:
            return
        attempts = sorted(done)
        ((ids, held, finished),) = self._ledger.change(
            "settle done",
            _DONE,
            (
                self._now,
                listed([delivery_id for delivery_id, _ in attempts]),
                listed([attempt for _, attempt in attempts]),
                worker_id,
            ),
        )
        self._note(worker_id, done, zip(ids, held))
        self._finished |= frozenset(finished)

    def _write_otherwise(self, worker_id: str, own: dict[tuple[int, int], Settlement]) -> None:
        if not own:
            return
        new = [self._row(own[attempt]) for attempt in sorted(own)]
        ids = listed(row["id"] for row in new)
        found = self._ledger.change(
            "settle otherwise", _OTHERWISE, (self._now, rows(new), worker_id, ids)
        )
        self._note(worker_id, own, found)
        if any(row["due"] is not None for row in new):
            self._ledger.news.add("work")

    def _row(self, settlement: Settlement) -> dict[str, Any]:
        due = None
        if settlement.status not in SETTLED:
            due = self._now if settlement.due is None else settlement.due
        return {
            "id": settlement.delivery_id,
            "attempt": settlement.attempt,
            "status": settlement.status,
            "due": due,
            "error": settlement.error,
            "stops": settlement.status == DEAD and settlement.stops,
        }

    def _note(
        self,
        worker_id: str,
        own: dict[tuple[int, int], Settlement],
        held: Iterable[tuple[int, int]],
    ) -> None:
        for attempt in held:
            self._held[worker_id, attempt[0]] = own[attempt]

    def tell(
        self, settlement: Settlement, worker: Worker, progress: dict[int, Progress]
    ) -> Settled:
        """Tell what followed from a settlement; of an event's progress only the first is told."""
        held = self._held.get((worker.id, settlement.delivery_id))
        if held is not settlement:
            return LOST
        del self._held[worker.id, settlement.delivery_id]
        event_id = settlement.event_id
        if event_id in self._finished:
            return Settled(True, (), (event_id,))
        if event_id not in progress or settlement.status not in SETTLED:
            return HELD
        made = progress.pop(event_id)
        return Settled(True, made.opened, (event_id,) if made.finished else ())
