"""
What opens when something is settled: the next rank of an event, or the next event of its lane.

An event that is *going* has a delivery that runs, or that is due at some time. When none is left,
its next rank opens; when there is no rank left either, it is settled, and leaves its lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from twisted_dispatcher.records import RUNNING, Claim, Worker
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, HAS_DIED, LANE, ByIds

_UNSETTLED = ByIds(f"""
    SELECT event_id, due IS NOT NULL OR status = '{RUNNING}', id, handler, phase, rank, attempts,
        excused, {HAS_DIED}
    FROM {DELIVERY} WHERE event_id {{ids}} AND settled IS NULL ORDER BY event_id, id""")
_LANES = ByIds(f"SELECT event_id, lane FROM {LANE} WHERE event_id {{ids}}")
_LEAVE_LANE = ByIds(f"DELETE FROM {LANE} WHERE event_id {{ids}}")
_FIRST_OF_LANE = f"""
    SELECT e.id, e.due, e.first_delivery FROM {LANE} l JOIN {EVENT} e ON e.id = l.event_id
    WHERE l.lane = ? ORDER BY l.event_id LIMIT 1"""
_EVENT = f"SELECT key, body, details FROM {EVENT} WHERE id = ?"
_RUN = ByIds(f"""
    UPDATE OR FAIL {DELIVERY}
    SET status = '{RUNNING}', attempts = attempts + 1, due = NULL, worker = ?3
    WHERE id {{ids}}""")
_WAIT = ByIds(f"UPDATE OR FAIL {DELIVERY} SET due = ?3 WHERE id {{ids}}")

NOBODY = Worker("", frozenset())


@attrs.frozen
class Progress:
    """How an event went on: what its worker is to run now, and whether it is settled."""

    opened: tuple[Claim, ...]
    finished: bool


FINISHED = Progress((), True)


class Opening:
    """Opens deliveries: the worker runs what it can, and the rest is due."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._now = now
        self._run: dict[int, list[int]] = {}
        self._wait: dict[float, list[int]] = {}

    def open(
        self, event_id: int, unsettled: list[Any], due: float, worker: Worker
    ) -> tuple[Claim, ...]:
        """
        Open the first rank of an event's unsettled deliveries.

        :param unsettled: their rows, as `unsettled_of` gives them.
        :return: those that the worker is to run.
        """
        rank = min(row[5] for row in unsettled)
        to_run = []
        for row in unsettled:
            if row[5] != rank:
                continue
            if due <= self._now and row[3] in worker.handlers:
                to_run.append(row)
            else:
                self._wait.setdefault(due, []).append(row[2])
                self._ledger.news.add("work")
        if not to_run:
            return ()
        number = self._ledger.vouched_number_of(worker, self._now)
        self._run.setdefault(number, []).extend(row[2] for row in to_run)
        ((key, body, details),) = self._ledger.read(_EVENT, (event_id,))
        return tuple(
            Claim(
                *(delivery_id, event_id, key, handler, phase, rank, attempts + 1, body, details),
                *(excused, died),
            )
            for _, _, delivery_id, handler, phase, rank, attempts, excused, died in to_run
        )

    def write(self) -> None:
        """Write what was opened."""
        for number, ids in self._run.items():
            self._ledger.write_about("open to run", _RUN, ids, number)
        for due, ids in self._wait.items():
            self._ledger.write_about("open to wait", _WAIT, ids, due)


def advance(ledger: Ledger, events: Mapping[int, Worker], now: float) -> dict[int, Progress]:
    """
    Let events go on of which at least one delivery was just settled.

    :param events: by their ids, who can run what opens.
    :return: how those went on that are not simply settled.
    """
    if not events:
        return {}
    opening = Opening(ledger, now)
    progress: dict[int, Progress] = {}
    unsettled = unsettled_of(ledger, [*events])
    for event_id, left in unsettled.items():
        opened = () if is_going(left) else opening.open(event_id, left, now, events[event_id])
        progress[event_id] = Progress(opened, False)
    if len(unsettled) < len(events):
        ledger.news.add("settled")
        settled = [event_id for event_id in events if event_id not in unsettled]
        lanes = ledger.read_about(_LANES, settled)
        ledger.write_about("leave lanes", _LEAVE_LANE, [event_id for event_id, _ in lanes])
        for lane, event_id in {lane: event_id for event_id, lane in lanes}.items():
            opened = _open_first(ledger, opening, lane, events[event_id], now)
            progress[event_id] = Progress(opened, True)
    opening.write()
    return progress


def is_going(unsettled: Iterable[Any]) -> bool:
    """Tell whether any of an event's unsettled deliveries is open."""
    return any(row[1] for row in unsettled)


def unsettled_of(ledger: Ledger, event_ids: list[int]) -> dict[int, list[Any]]:
    """
    Find the unsettled deliveries of events.

    :return: by the event's id, rows of: its id, whether the delivery is open, the delivery's id,
        handler, phase, rank, attempts, excused, died.
    """
    found: dict[int, list[Any]] = {}
    for row in ledger.read_about(_UNSETTLED, event_ids):
        found.setdefault(row[0], []).append(row)
    return found


def _open_first(
    ledger: Ledger, opening: Opening, lane: str, worker: Worker, now: float
) -> tuple[Claim, ...]:
    """Open the first event of a lane that another event has just left."""
    found = ledger.read(_FIRST_OF_LANE, (lane,))
    if not found:
        return ()
    ((event_id, due, first),) = found
    if first is None:
        # It is opened by whoever plans it.
        ledger.news.add("work")
        return ()
    unsettled = unsettled_of(ledger, [event_id])[event_id]
    if is_going(unsettled):
        return ()
    return opening.open(event_id, unsettled, max(due, now), worker)
