"""How deliveries come into the world: running, due at some time, or shut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted_dispatcher.records import PENDING, RUNNING, Claim, NewDelivery, NewEvent, Worker
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, LANE, Insert

_DELIVERIES = Insert(
    DELIVERY,
    *("id", "event_id", "handler", "phase", "rank", "status", "attempts", "due", "worker"),
)
_LANES = Insert(LANE, "event_id", "lane")
_LANE_TAKEN = f"SELECT 1 FROM {LANE} WHERE lane = ? LIMIT 1"


class Births:
    """Gathers the rows of new events and deliveries, to be written together."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._now = now
        self._deliveries: list[Any] = []
        self._in_lanes: list[Any] = []
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def enter(
        self, event_id: int, event: NewEvent, first: int | None, worker: Worker
    ) -> tuple[Claim, ...]:
        """
        Enter an event that has just been stored.

        :param first: the id of its first delivery, the others following.
        :return: what the worker is to run of it.
        """
        deliveries = event.deliveries
        if deliveries == ():
            return ()
        if deliveries and len(deliveries) == 1 and first is not None and event.lane is None:
            # This is what `bear` does, for most events.
            (one,) = deliveries
            if event.due <= self._now and one.handler in worker.handlers:
                return (self._running(first, event_id, event, one, worker),)
            self._waiting(first, event_id, one, event.due)
            return ()
        is_free = event.lane is None or self._takes(event.lane, event_id)
        if deliveries is None or first is None:
            self._ledger.news.add("work")
            return ()
        return self.bear(event_id, event, deliveries, first, worker, is_free)

    def bear(
        self,
        event_id: int,
        event: NewEvent,
        deliveries: Sequence[NewDelivery],
        first: int,
        worker: Worker,
        is_free: bool,
    ) -> tuple[Claim, ...]:
        """
        Enter the deliveries of an event; give those that the worker is to run.

        :param is_free: whether no earlier event of its lane is open.
        """
        rank = deliveries[0].rank
        if len(deliveries) > 1:
            rank = min([each.rank for each in deliveries])
        runs = is_free and event.due <= self._now
        claims = []
        for delivery_id, each in enumerate(deliveries, first):
            if runs and each.rank == rank and each.handler in worker.handlers:
                claims.append(self._running(delivery_id, event_id, event, each, worker))
            else:
                due = event.due if is_free and each.rank == rank else None
                self._waiting(delivery_id, event_id, each, due)
        return tuple(claims)

    def _running(
        self, delivery_id: int, event_id: int, event: NewEvent, new: NewDelivery, worker: Worker
    ) -> Claim:
        handler, phase, rank = new.handler, new.phase, new.rank
        number = self._numbers.get(worker.id)
        if number is None:
            number = self._ledger.vouched_number_of(worker, self._now)
            self._numbers[worker.id] = number
        self._deliveries += (delivery_id, event_id, handler, phase, rank, RUNNING, 1, None, number)
        return Claim(
            delivery_id, event_id, event.key, handler, phase, rank, 1, event.body, event.details
        )

    def _waiting(
        self, delivery_id: int, event_id: int, new: NewDelivery, due: float | None
    ) -> None:
        self._deliveries += (
            *(delivery_id, event_id, new.handler, new.phase, new.rank),
            *(PENDING, 0, due, None),
        )
        if due is not None:
            self._ledger.news.add("work")

    def _takes(self, lane: str, event_id: int) -> bool:
        """Have an event stand in a lane; tell whether it is the first one there."""
        self._in_lanes += (event_id, lane)
        if lane in self._taken:
            return False
        self._taken.add(lane)
        return not self._ledger.read(_LANE_TAKEN, (lane,))

    def write(self) -> None:
        """Write the rows."""
        self._ledger.insert("insert deliveries", _DELIVERIES, self._deliveries)
        self._ledger.insert("insert lanes", _LANES, self._in_lanes)
