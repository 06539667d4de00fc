"""Events that have just been accepted set out: what of them is run here, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_dispatcher.durable.beside import Beside
from twisted_dispatcher.durable.journeys import Journey, Journeys
from twisted_dispatcher.durable.planning import PlannedEvent, Planner
from twisted_dispatcher.durable.worker import DeliveryWorker
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.records import Acceptance, Accepted
from twisted_dispatcher.registration.handlers import FailedMatch
from twisted_dispatcher.results import DispatchResult


@attrs.frozen
class Departure:
    """
    An event that was accepted.

    :ivar journey: where it was new, and this process may run it.
    :ivar is_all: whether there is nothing to wait for but handlers in memory.
    """

    acceptance: Acceptance
    journey: Journey | None = None
    is_all: bool = False


class Departures:
    """Lets the accepted events of one dispatcher set out."""

    def __init__(
        self,
        engine: Engine,
        planner: Planner,
        journeys: Journeys,
        worker: DeliveryWorker,
        clock: Callable[[], IReactorTime],
    ) -> None:
        self._engine = engine
        self._planner = planner
        self._journeys = journeys
        self._worker = worker
        self._clock = clock

    def set_out(self, accepted: list[Accepted], planned: PlannedEvent) -> Departure:
        """Run what the store has given this process of an event."""
        (one,) = accepted
        if not one.acceptance.new or planned.new.deliveries is None:
            return Departure(one.acceptance)
        journey = Journey(planned.event, planned.handlers, planned.new.lane)
        journey.beside = self._beside(planned, journey)
        self._note_failed_matches(planned, journey)
        event_id = one.acceptance.event_id
        if one.claims or journey.beside is not None:
            self._journeys.begin(event_id, journey)
        self._worker.run(one.claims)
        if planned.new.deliveries:
            return Departure(one.acceptance, journey)
        # It is delivered to nobody; handlers in memory still wait for its time.
        delay = planned.new.due - self._clock().seconds()
        if delay <= 0:
            return Departure(one.acceptance, journey, True)
        self._journeys.begin(event_id, journey)
        self._clock().callLater(delay, self._journeys.finished, event_id)
        return Departure(one.acceptance, journey)

    def acceptance_of(self, departure: Departure) -> Acceptance:
        """Give the acceptance, to who does not wait for the result."""
        if departure.is_all:
            self._journeys.finished(departure.acceptance.event_id)
        return departure.acceptance

    def result_of(self, departure: Departure) -> Deferred[DispatchResult]:
        """Give the result, when it is there, to who waits for it."""
        event_id = departure.acceptance.event_id
        if departure.journey is not None and self._journeys.get(event_id) is None:
            self._journeys.begin(event_id, departure.journey)
        result = self._journeys.result_of(event_id)
        if departure.is_all:
            self._journeys.finished(event_id)
        return result

    def _note_failed_matches(self, planned: PlannedEvent, journey: Journey) -> None:
        """Report the handlers that are not called because their predicates raised."""
        for handler in planned.handlers:
            if isinstance(handler, FailedMatch):
                failure = Failure(handler.error)
                self._engine.report(handler, planned.event, failure)
                journey.note(handler, failure)

    def _beside(self, planned: PlannedEvent, journey: Journey) -> Beside | None:
        memory = [
            (self._planner.rank(handler), handler)
            for handler in planned.handlers
            if handler.options.durable is False and not isinstance(handler, FailedMatch)
        ]
        return Beside(self._engine, planned.event, memory, journey.note) if memory else None
