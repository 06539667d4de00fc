"""
What opens when something is settled: the next rank of an event, or the next event of its lane.

An event that is *going* has a delivery that runs, or that is due at some time. When none is left,
its next rank opens; when there is no rank left either, it is settled, and leaves the open ones.

Two workers may settle the last two deliveries of a rank at once. Each of them has written its own
before it locks the event, and looks at the others after that: the second one sees what the first
has written, since every statement sees what was committed before it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from twisted_dispatcher.records import PENDING, RETRYING, RUNNING, Claim, Worker
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, EVENT, HAS_DIED, OPEN, listed

UNSETTLED = f"('{PENDING}', '{RUNNING}', '{RETRYING}')"

_LOCK = f"""
    SELECT id, lane, first_delivery, last_delivery FROM {OPEN}
    WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"""
_UNSETTLED_OF = f"""
    SELECT o.id, d.due IS NOT NULL OR d.status = '{RUNNING}',
        d.id, d.handler, d.phase, d.rank, d.attempts, d.excused,
        {HAS_DIED}
    FROM {OPEN} o JOIN {DELIVERY} d ON d.id BETWEEN o.first_delivery AND o.last_delivery
    WHERE o.id = ANY(%s::bigint[]) AND d.status IN {UNSETTLED} ORDER BY d.id"""
_EVENTS = f"SELECT id, key, body, details FROM {EVENT} WHERE id = ANY(%s::bigint[])"
_RUN = f"""
    UPDATE {DELIVERY}
    SET status = '{RUNNING}', attempts = attempts + 1, due = NULL, worker = %s, changed = %s
    WHERE id = ANY(%s::bigint[])"""
_WAIT = f"UPDATE {DELIVERY} SET due = %s WHERE id = ANY(%s::bigint[])"
_FINISH = f"DELETE FROM {OPEN} WHERE id = ANY(%s::bigint[])"
_NEXT_OF_LANE = f"""
    SELECT id, due, first_delivery FROM {OPEN} WHERE lane = %s ORDER BY id LIMIT 1"""

NOBODY = Worker("", frozenset())


@attrs.frozen
class Standing:
    """An open event of which something was just settled: its lane, and where it began and ends."""

    lane: str | None
    first: int
    last: int
    worker: Worker


@attrs.frozen
class Progress:
    """How an event went on: what its worker is to run now, and whether it is settled."""

    opened: tuple[Claim, ...]
    finished: bool


def lock_events(ledger: Ledger, workers: Mapping[int, Worker]) -> dict[int, Standing]:
    """
    Keep others from letting open events go on, and from changing their lanes.

    :param workers: by the id of each event, who shall run what opens of it.
    """
    found = ledger.read(_LOCK, (listed(workers),))
    ledger.lock_lanes([row[1] for row in found if row[1] is not None])
    return {
        event_id: Standing(lane, first, last, workers[event_id])
        for event_id, lane, first, last in found
    }


class Opening:
    """Opens deliveries: the worker runs what it can, and the rest is due."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._now = now
        self._run: dict[str, list[int]] = {}
        self._wait: dict[float, list[int]] = {}
        self._opened: set[int] = set()

    def open(self, event_id: int, unsettled: list[Any], due: float, worker: Worker) -> list[Any]:
        """
        Open the first rank of an event's unsettled deliveries.

        :return: the rows of those that the worker is to run.
        """
        if event_id in self._opened:
            return []
        self._opened.add(event_id)
        rank = min(row[5] for row in unsettled)
        to_run = []
        for row in unsettled:
            if row[5] != rank:
                continue
            if due <= self._now and row[3] in worker.handlers:
                to_run.append(row)
                self._run.setdefault(worker.id, []).append(row[2])
            else:
                self._wait.setdefault(due, []).append(row[2])
                self._ledger.news.add("work")
        if to_run:
            self._ledger.vouch(worker, self._now)
        return to_run

    def write(self) -> None:
        """Write what was opened."""
        for worker_id, ids in self._run.items():
            self._ledger.write("open to run", _RUN, (worker_id, self._now, listed(ids)))
        for due, ids in self._wait.items():
            self._ledger.write("open to wait", _WAIT, (due, listed(ids)))


def advance(ledger: Ledger, events: Mapping[int, Standing], now: float) -> dict[int, Progress]:
    """
    Let events go on of which at least one delivery was just settled.

    :param events: they are locked, and so are their lanes.
    """
    if not events:
        return {}
    opening = Opening(ledger, now)
    to_run: dict[int, list[Any]] = {}
    unsettled = _unsettled_of(ledger, events)
    for event_id, left in unsettled.items():
        if not _is_going(left):
            to_run[event_id] = opening.open(event_id, left, now, events[event_id].worker)
    ended = [event_id for event_id in events if event_id not in unsettled]
    if ended:
        ledger.write("finish", _FINISH, (listed(ended),))
        ledger.news.add("settled")
    for event_id in ended:
        standing = events[event_id]
        to_run[event_id] = _open_next(ledger, opening, standing.lane, standing.worker, now)
    opening.write()
    claims = _claims(ledger, to_run)
    return {event_id: Progress(claims[event_id], event_id not in unsettled) for event_id in to_run}


def _is_going(unsettled: Iterable[Any]) -> bool:
    return any(row[1] for row in unsettled)


def _unsettled_of(ledger: Ledger, event_ids: Iterable[int]) -> dict[int, list[Any]]:
    """Give the rows of the unsettled deliveries of events, as `Opening` takes them."""
    found: dict[int, list[Any]] = {}
    for row in ledger.read(_UNSETTLED_OF, (listed(event_ids),)):
        found.setdefault(row[0], []).append(row)
    return found


def _open_next(
    ledger: Ledger, opening: Opening, lane: str | None, worker: Worker, now: float
) -> list[Any]:
    """Open the first event of a lane whose first event has just been settled."""
    found = [] if lane is None else ledger.read(_NEXT_OF_LANE, (lane,))
    if not found:
        return []
    ((event_id, due, first),) = found
    if first is None:
        # It is opened by whoever plans it.
        ledger.news.add("work")
        return []
    unsettled = _unsettled_of(ledger, (event_id,)).get(event_id)
    if not unsettled or _is_going(unsettled):
        return []
    return opening.open(event_id, unsettled, max(due, now), worker)


def _claims(ledger: Ledger, to_run: Mapping[int, list[Any]]) -> dict[int, tuple[Claim, ...]]:
    """Give the claims of rows that are to be run."""
    event_ids = {row[0] for opened in to_run.values() for row in opened}
    known = {}
    if event_ids:
        for event_id, key, body, details in ledger.read(_EVENTS, (listed(event_ids),)):
            known[event_id] = (key, body, details)
    return {
        name: tuple(_claim(row, *known[row[0]]) for row in opened)
        for name, opened in to_run.items()
    }


def _claim(row: Any, key: str, body: str, details: str) -> Claim:
    event_id, _, delivery_id, handler, phase, rank, attempts, *more = row
    return Claim(
        *(delivery_id, event_id, key, handler, phase, rank, attempts + 1, body, details), *more
    )
