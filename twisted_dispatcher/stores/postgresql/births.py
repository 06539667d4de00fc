"""How the deliveries of events come into the world: running, waiting for their time, or shut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from twisted_dispatcher.records import PENDING, RUNNING, Claim, NewDelivery, NewEvent, Worker
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, OPEN, listed, rows

# Inserts deliveries, counting ids from a base. Most of those of a group are alike but for their
# ids, so that what is alike is written once.
INSERT_BORN: Final = f"""
    INSERT INTO {DELIVERY}
        (id, event_id, handler, phase, rank, status, attempts, due, worker, changed)
    SELECT base.delivery + new.id, base.event + new.event_id, handler, phase, rank, status,
        attempts, due, worker, %(now)s
    FROM base, json_to_recordset(%(born)s::json) AS alike (
        handler text, phase text, rank int, status text, attempts int, due float8, worker text,
        ids bigint[], event_ids bigint[]),
    unnest(alike.ids, alike.event_ids) AS new (id, event_id)"""
_INSERT: Final = f"""
    WITH base AS (SELECT %(event)s::bigint AS event, %(delivery)s::bigint AS delivery)
    {INSERT_BORN}"""
_TAKEN: Final = f"""
    SELECT lane FROM unnest(%s::text[]) lane
    WHERE EXISTS (SELECT 1 FROM {OPEN} o WHERE o.lane = lane.lane)"""

# A delivery, when it is due, and which worker runs it.
_Alike = tuple[NewDelivery, "float | None", "str | None"]


def taken_among(ledger: Ledger, lanes: Iterable[str]) -> frozenset[str]:
    """Lock lanes, and give those in which an event is open."""
    wanted = list(set(lanes))
    if not wanted:
        return frozenset()
    ledger.lock_lanes(wanted)
    return frozenset(lane for (lane,) in ledger.read(_TAKEN, (wanted,)))


class Births:
    """
    The deliveries of events that are being stored, to be written together.

    Ids are counted from a base, which may be known only when the events have been stored.

    :ivar workers: by their ids, those who are to run something.
    """

    def __init__(self, news: set[str], now: float, taken: frozenset[str] = frozenset()) -> None:
        """
        :param news: what others may care for is added to it.
        :param taken: the lanes in which an earlier event is open.
        """
        self.workers: dict[str, Worker] = {}
        self._news = news
        self._now = now
        self._taken = set(taken)
        # The ids, and those of their events, of deliveries that are alike.
        self._alike: dict[_Alike, tuple[list[int], list[int]]] = {}
        # By event, what a worker is to run at once.
        self._running: dict[int, list[tuple[int, NewDelivery]]] = {}

    def enter(self, event_id: int, event: NewEvent, first: int, worker: Worker) -> None:
        """
        Enter a new event.

        :param first: the id of its first delivery, the others following.
        """
        deliveries, lane = event.deliveries, event.lane
        if deliveries is not None and not deliveries:
            return
        is_free = True
        if lane is not None:
            is_free = lane not in self._taken
            self._taken.add(lane)
        if deliveries is None:
            self._news.add("work")
        else:
            self.bear(event_id, event.due, deliveries, first, worker, is_free)

    def bear(
        self,
        event_id: int,
        due: float,
        deliveries: Sequence[NewDelivery],
        first: int,
        worker: Worker,
        is_free: bool,
    ) -> None:
        """
        Enter the deliveries of an event.

        :param is_free: whether no earlier event of its lane is open.
        """
        rank = deliveries[0].rank
        if len(deliveries) > 1:
            rank = min(each.rank for each in deliveries)
        runs = is_free and due <= self._now
        for delivery_id, each in enumerate(deliveries, first):
            own_due, runner = None, None
            if runs and each.rank == rank and each.handler in worker.handlers:
                runner = worker.id
                self.workers[runner] = worker
                self._running.setdefault(event_id, []).append((delivery_id, each))
            elif is_free and each.rank == rank:
                own_due = due
                self._news.add("work")
            ids, event_ids = self._alike.setdefault((each, own_due, runner), ([], []))
            ids.append(delivery_id)
            event_ids.append(event_id)

    def rows(self) -> str:
        """Give what is to be written, for `INSERT_BORN`."""
        return rows([_row(alike, *ids) for alike, ids in self._alike.items()])

    def write(self, ledger: Ledger, base_event: int = 0, base_delivery: int = 0) -> None:
        """Write the deliveries."""
        for worker in self.workers.values():
            ledger.vouch(worker, self._now)
        values = {"event": base_event, "delivery": base_delivery, "now": self._now}
        ledger.write("insert deliveries", _INSERT, {**values, "born": self.rows()})

    def claims(
        self, event_id: int, event: NewEvent, base_event: int = 0, base_delivery: int = 0
    ) -> tuple[Claim, ...]:
        """Give what a worker is to run of an event."""
        key, body, details = event.key, event.body, event.details
        own_id = base_event + event_id
        return tuple(
            Claim(
                *(base_delivery + delivery_id, own_id, key, new.handler, new.phase, new.rank),
                *(1, body, details),
            )
            for delivery_id, new in self._running.get(event_id, ())
        )


def _row(alike: _Alike, ids: list[int], event_ids: list[int]) -> dict[str, Any]:
    delivery, due, worker = alike
    return {
        "handler": delivery.handler,
        "phase": delivery.phase,
        "rank": delivery.rank,
        "status": PENDING if worker is None else RUNNING,
        "attempts": 0 if worker is None else 1,
        "due": due,
        "worker": worker,
        "ids": listed(ids),
        "event_ids": listed(event_ids),
    }
