"""Events that are being accepted set out: what of them is run here, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_dispatcher.durable.beside import Beside
from twisted_dispatcher.durable.journeys import Journey, Journeys
from twisted_dispatcher.durable.planning import Plan
from twisted_dispatcher.durable.worker import DeliveryWorker
from twisted_dispatcher.errors import EventGoesOn
from twisted_dispatcher.firing.deadlocks import WatchedDeferred
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import Accepted, Claim, NewEvent


class Departures:
    """Has the events of one dispatcher accepted, and lets them set out."""

    def __init__(
        self,
        store: IAnsweringStore,
        engine: Engine,
        journeys: Journeys,
        worker: DeliveryWorker,
        clock: Callable[[], IReactorTime],
    ) -> None:
        self._store = store
        self._clock = clock
        self.engine = engine
        self.journeys = journeys
        self.worker = worker

    def accept(
        self, event: Any, body: str, plan: Plan, key: str, due: float, now: float, is_fired: bool
    ) -> Deferred[Any]:
        """
        Have an event accepted.

        :param is_fired: whether its result is waited for, or else its acceptance.
        :return: a Deferred that fires with that.
        """
        departure = Departure(self, event, plan, due, is_fired)
        new = NewEvent(key, body, plan.details, plan.lane, due, plan.deliveries)
        self._store.accept_one(new, self.worker.acceptor, now, departure.answered)
        return departure.waiting

    def until(self, due: float) -> float:
        """Give the seconds until a time."""
        return due - self._clock().seconds()

    def finish_at(self, due: float, event_id: int) -> None:
        """Know, when its time has come, that an event has nothing left to do."""
        self._clock().callLater(self.until(due), self.journeys.finished, event_id)


class Departure:
    """
    An event that is being accepted, and who waits: for its result, or for the acceptance alone.

    There is one for every event, so it does for most of them what there is to do in a few steps.
    """

    __slots__ = ("_departures", "_due", "_event", "_is_fired", "_journey", "_plan", "waiting")

    def __init__(
        self, departures: Departures, event: Any, plan: Plan, due: float, is_fired: bool
    ) -> None:
        self._departures = departures
        self._event = event
        self._plan = plan
        self._due = due
        self._is_fired = is_fired
        self._journey: Journey | None = None
        self.waiting: Deferred[Any]
        if not is_fired:
            self.waiting = Deferred()
        elif plan.lane is None:
            self.waiting = Deferred(self._wait_no_more)
        else:
            self.waiting = WatchedDeferred(self._wait_no_more, self._suspect)

    def _wait_no_more(self, waiting: Deferred[Any]) -> None:
        """Take note that the wait was cancelled; the event goes on."""
        if self._journey is not None:
            self._journey.waiting.remove(waiting)

    def _suspect(self) -> None:
        if self._journey is not None:
            self._journey.suspect()

    def answered(self, outcome: Accepted | Failure) -> None:
        """Take what the store has answered, and run what it has given this process to run."""
        waiting = self.waiting
        if isinstance(outcome, Failure):
            if not waiting.called:
                waiting.errback(outcome)
            return
        acceptance = outcome.acceptance
        if acceptance.new and self._plan.deliveries is not None:
            if self._is_fired or self._plan.handlers:
                self._set_out(acceptance.event_id, outcome.claims)
        elif self._is_fired and not waiting.called:
            self._journey = self._departures.journeys.join(acceptance.event_id, waiting)
        if not self._is_fired and not waiting.called:
            waiting.callback(acceptance)

    def _set_out(self, event_id: int, claims: tuple[Claim, ...]) -> None:
        """Begin a journey that this process may run."""
        departures, plan = self._departures, self._plan
        journey = Journey(self._event, plan.handlers, plan.lane)
        if plan.beside:
            journey.beside = Beside(departures.engine, self._event, plan.beside, journey.note)
        for handler in plan.failed:
            failure = Failure(cast(Any, handler).error)
            departures.engine.report(handler, self._event, failure)
            journey.note(handler, failure)
        if claims or self._is_fired or plan.beside:
            departures.journeys.begin(event_id, journey)
        if self._is_fired and not self.waiting.called:
            self._journey = journey
            journey.wait(self.waiting)
            if departures.journeys.closed:
                journey.fail(EventGoesOn())
        if claims:
            departures.worker.run(claims)
        elif not plan.deliveries:
            self._go_nowhere(event_id, journey)

    def _go_nowhere(self, event_id: int, journey: Journey) -> None:
        """End what is delivered to nobody; handlers in memory still wait for its time."""
        departures = self._departures
        if departures.until(self._due) > 0:
            departures.journeys.begin(event_id, journey)
            departures.finish_at(self._due, event_id)
        else:
            departures.journeys.finished(event_id)
