"""What other users of a dispatcher's store need of it: to accept events within their writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.departures import Departures, Recording
from twisted_dispatcher.durable.keys import KeyMaker, due_at
from twisted_dispatcher.durable.planning import Plan, Planner
from twisted_dispatcher.durable.transactions import AcceptIn, Transaction
from twisted_dispatcher.durable.worker import Chore, DeliveryWorker
from twisted_dispatcher.interfaces import IStore, Listener
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.records import Accepted, Claim, NewEvent, Worker
from twisted_dispatcher.registration.handlers import Place
from twisted_dispatcher.registration.keywords import check_known
from twisted_dispatcher.results import DispatchResult


@attrs.frozen(eq=False)
class PlannedEvent:
    """An event that is about to be stored: itself, to whom it goes, and how it is written down."""

    event: Any
    plan: Plan
    new: NewEvent


@attrs.frozen(eq=False)
class Backstage:
    """
    The inner side of a durable dispatcher.

    An event is written down with `write`, stored by whoever writes what belongs to it, in the same
    transaction and for `acceptor`, and sets out with `set_out` after the commit. One that belongs
    to nothing else is stored with `record`.

    :ivar clock: gives the dispatcher's clock.
    """

    store: IStore
    codec: Codec
    clock: Callable[[], IReactorTime]
    keys: KeyMaker
    _planner: Planner
    _departures: Departures
    _worker: DeliveryWorker
    _accept_in: AcceptIn
    _allowed: Callable[[], tuple[str, ...]]
    _register: Callable[..., int]

    @property
    def acceptor(self) -> Worker:
        """Whose events these are."""
        return self._worker.acceptor

    def now(self) -> float:
        """Give the time, in seconds since the epoch."""
        return float(self.clock().seconds())

    def write(
        self, event: Any, key: str | None, at: datetime | float | None, details: Mapping[str, Any]
    ) -> PlannedEvent:
        """
        Write an event down and find out to whom it goes.

        :raises NotEncodable, UnknownKeyword, InvalidKey, InvalidTime: as `accept_event` does.
        """
        given = dict(details)
        check_known(given, self._allowed())
        now = self.now()
        key, due = self.keys.key_of(event, key, now), due_at(at, now)
        body = self.codec.encode(event)
        plan = self._planner.kept(given) or self._planner.plan(given)
        new = NewEvent(key, body, plan.details, plan.lane, due, plan.deliveries)
        return PlannedEvent(event, plan, new)

    def plan(self, details: Mapping[str, Any]) -> Plan:
        """Find out to whom an event with some details goes, without storing anything."""
        return self._planner.plan(details)

    def set_out(self, accepted: Accepted, planned: PlannedEvent) -> None:
        """Run what of a stored event is to be run here, in memory too."""
        self._departures.set_out(planned.event, planned.plan, planned.new.due, accepted)

    def record(self, event: Any, details: Mapping[str, Any]) -> Recording:
        """
        Have an event stored and set out.

        :raises NotEncodable, UnknownKeyword, InvalidKey: as `accept_event` does.
        """
        planned = self.write(event, None, None, details)
        return self._departures.record(event, planned.plan, planned.new, self.now())

    def end_of(self, event_id: int) -> Deferred[DispatchResult]:
        """
        Give a Deferred that fires with the result of an event that was accepted before.

        It fails with `EventGoesOn` where the dispatcher is stopped. Cancelling it ends the wait.
        """
        waiting: Deferred[DispatchResult] = Deferred(lambda _: journey.wait_no_more(waiting))
        journey = self._departures.journeys.join(event_id, waiting)
        return waiting

    def register(
        self,
        listen_fn: Listener,
        phase: str,
        options: HandlerOptions | None,
        match_spec: Mapping[str, Any],
        place: Place,
    ) -> int:
        """Register a handler, held strongly, as from a place in somebody's code."""
        return self._register(listen_fn, phase, options, match_spec, place)

    def run(self, claims: Iterable[Claim]) -> None:
        """Run deliveries that the store has given to `acceptor`."""
        self._worker.run(claims)

    def wake(self) -> None:
        """Look for what others have just stored; see `DeliveryWorker.look_soon`."""
        self._worker.look_soon()

    async def is_idle(self, until: float) -> bool:
        """Tell whether nothing runs here, and nothing that can is due before a time."""
        return await self._worker.is_idle(until)

    def at_each_beat(self, chore: Chore) -> None:
        """Have something done by the worker each time that it renews its lease; it is short."""
        self._worker.chores.append(chore)

    def transaction(self, store: Any) -> Transaction:
        """Give a store's side of a transaction as handlers know it."""
        return Transaction(store, self._accept_in)
