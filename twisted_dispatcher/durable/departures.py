"""Events that are being accepted set out: what of them is run here, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_dispatcher.durable.beside import Beside
from twisted_dispatcher.durable.journeys import Journey, Journeys
from twisted_dispatcher.durable.planning import Plan
from twisted_dispatcher.durable.worker import DeliveryWorker
from twisted_dispatcher.firing.deadlocks import WatchedDeferred
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import Acceptance, Accepted, Claim, NewEvent


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
        return departure.promise

    def record(self, event: Any, plan: Plan, new: NewEvent, now: float) -> Recording:
        """Have an event accepted, and give the journey, which tells of that and of its end."""
        recording = Recording(self, event, plan, new.due)
        self._store.accept_one(new, self.worker.acceptor, now, recording.answered)
        return recording

    def set_out(self, event: Any, plan: Plan, due: float, accepted: Accepted) -> None:
        """Let an event set out that was accepted elsewhere, with something else."""
        Departure(self, event, plan, due, is_fired=False).answered(accepted)

    def until(self, due: float) -> float:
        """Give the seconds until a time."""
        return due - self._clock().seconds()

    def finish_at(self, due: float, event_id: int) -> None:
        """Know, when its time has come, that an event has nothing left to do."""
        self._clock().callLater(self.until(due), self.journeys.finished, event_id)


class Departure(Journey):
    """
    The journey of an event that is accepted here, from the moment at which that is asked for.

    There is one for every event, so it does for most of them what there is to do in a few steps.

    :ivar promise: what who waits was given: a Deferred of the result, or of the acceptance alone.
    """

    __slots__ = ("_departures", "_due", "_is_fired", "_joined", "_plan", "promise")

    def __init__(
        self, departures: Departures, event: Any, plan: Plan, due: float, is_fired: bool
    ) -> None:
        super().__init__(event, plan.handlers, plan.lane)
        self._departures = departures
        self._plan = plan
        self._due = due
        self._is_fired = is_fired
        self._joined: Journey | None = None
        if is_fired:
            self.context = copy_context()
        self.promise: Deferred[Any]
        if not is_fired:
            self.promise = Deferred()
        elif plan.lane is None:
            self.promise = Deferred(self._cancelled)
        else:
            self.promise = WatchedDeferred(self._cancelled, self._waited_for)

    def _cancelled(self, promise: Deferred[Any]) -> None:
        (self._joined or self).wait_no_more(promise)

    def _waited_for(self) -> None:
        (self._joined or self).suspect()

    def answered(self, outcome: Accepted | Failure) -> None:
        """Take what the store has answered, and run what it has given this process to run."""
        promise = self.promise
        if isinstance(outcome, Failure):
            if not promise.called:
                promise.errback(outcome)
            return
        acceptance = outcome.acceptance
        if acceptance.new and self._plan.deliveries is not None:
            if self._is_fired or self._plan.handlers:
                self._set_out(acceptance.event_id, outcome.claims)
        elif self._is_fired and not promise.called:
            self._joined = self._departures.journeys.join(acceptance.event_id, promise)
        if not self._is_fired and not promise.called:
            promise.callback(acceptance)

    def _set_out(self, event_id: int, claims: tuple[Claim, ...]) -> None:
        """Begin the journey, which this process may run."""
        departures, plan = self._departures, self._plan
        if plan.beside or plan.failed:
            self._note_beside()
        if self._is_fired and not self.promise.called:
            self.waiting.append(self.promise)
            departures.journeys.begin_waiting(event_id, self)
        elif claims or plan.beside:
            departures.journeys.begin(event_id, self)
        if claims:
            departures.worker.run(claims)
        elif not plan.deliveries:
            self._go_nowhere(event_id)

    def _note_beside(self) -> None:
        """Prepare for the handlers that are called in memory only, or not at all."""
        engine = self._departures.engine
        if self._plan.beside:
            self.beside = Beside(engine, self.event, self._plan.beside, self.note, self.context)
        for handler in self._plan.failed:
            failure = Failure(cast(Any, handler).error)
            engine.report(handler, self.event, failure)
            self.note(handler, failure)

    def _go_nowhere(self, event_id: int) -> None:
        """End what is delivered to nobody; handlers in memory still wait for its time."""
        departures = self._departures
        if departures.until(self._due) > 0:
            departures.journeys.begin(event_id, self)
            departures.finish_at(self._due, event_id)
        else:
            departures.journeys.finished(event_id)


class Recording(Departure):
    """
    The journey of an event of which one wants to know that it is recorded, and then its end.

    :ivar recorded: fires with the acceptance, or fails.
    :ivar promise: fires with the result, of an event that was not known before; else never.
    """

    __slots__ = ("recorded",)

    def __init__(self, departures: Departures, event: Any, plan: Plan, due: float) -> None:
        super().__init__(departures, event, plan, due, is_fired=True)
        self.recorded: Deferred[Acceptance] = Deferred()

    def answered(self, outcome: Accepted | Failure) -> None:
        """Take what the store has answered; an event that was known before does not set out."""
        if isinstance(outcome, Failure):
            if not self.recorded.called:
                self.recorded.errback(outcome)
            return
        if outcome.acceptance.new:
            super().answered(outcome)
        if not self.recorded.called:
            self.recorded.callback(outcome.acceptance)
