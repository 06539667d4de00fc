"""
Events on their way, as far as somebody in this process has an interest in them.

The store knows what became of every delivery. What it does not know are the event as it was
before it was written down, the values that handlers gave here, and who waits for the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.beside import Beside
from twisted_dispatcher.errors import DeliveryDied, EventGoesOn, WouldDeadlock
from twisted_dispatcher.firing.deadlocks import Blocker, Watchman, reached_from
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DEAD, SKIPPED, Delivery
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED, CalledHandler, DispatchResult

# So often, in seconds, the store is asked about events that others finish.
POLL = 1.0

_BEHIND = "the event is queued (order_by) behind the one whose handler waits for it"

_log = Logger()


class Journey:
    """
    One event on its way.

    :ivar event: the event itself, as it was fired here; None where it was not.
    :ivar lane: what it is ordered by, or None.
    :ivar running: how many of its deliveries are under way here.
    :ivar runs: the runs of these, where it is in a lane.
    :ivar is_over: whether the store says so, while nobody here has seen the last of it yet.
    :ivar beside: calls its handlers that are no deliveries, if it has any.
    :ivar context: the context variables of whoever fired it here; None where nobody did.
    """

    __slots__ = (
        "_handlers",
        "_values",
        "beside",
        "context",
        "event",
        "is_over",
        "journeys",
        "lane",
        "running",
        "runs",
        "waiting",
    )

    def __init__(
        self, event: Any, handlers: Sequence[CalledHandler], lane: str | None = None
    ) -> None:
        """:param handlers: those that the event was planned for, in order."""
        self.event = event
        self.beside: Beside | None = None
        self.context: Context | None = None
        self.is_over = False
        self.lane = lane
        self.running = 0
        self.runs: set[Blocker] | None = None if lane is None else set()
        self.journeys: Journeys | None = None
        self._handlers = handlers
        self._values: list[Any] = [NOT_CALLED] * len(handlers)
        self.waiting: list[Deferred[DispatchResult]] = []

    def began(self, run: Blocker) -> None:
        """Know that one of its deliveries is run here."""
        self.running += 1
        if self.runs is not None:
            self.runs.add(run)

    def ended(self, run: Blocker) -> None:
        """Know that this run has come to its end."""
        self.running -= 1
        if self.runs is not None:
            self.runs.discard(run)

    def note(self, handler: Handler, value: Any) -> None:
        """Keep what a handler came to at last: its value, or the `Failure` that ended it."""
        for position, each in enumerate(self._handlers):
            if each is handler:
                self._values[position] = value

    def wait_no_more(self, waiting: Deferred[DispatchResult]) -> None:
        """Take note that somebody has cancelled a wait; the event goes on."""
        if waiting in self.waiting:
            self.waiting.remove(waiting)

    # Whether who waits for it makes it wait: see `twisted_dispatcher.firing.deadlocks`.

    def suspect(self) -> None:
        """Be suspected, having somebody who waits for it."""
        if self.lane is not None and self.journeys is not None:
            self.journeys.watchman.suspect(self)

    def examine(self) -> None:
        """Refuse a wait for an event that follows, in its lane, the one whose handler waits."""
        if self.journeys is None:
            return
        before = {id(run) for journey in self.journeys.before(self) for run in journey.runs or ()}
        for waiting in list(self.waiting) if before else ():
            if before & reached_from(waiting):
                self.waiting.remove(waiting)
                waiting.errback(WouldDeadlock(_BEHIND))

    def examine_at_last(self) -> None:
        self.examine()

    def end(self, result: DispatchResult | None = None) -> None:
        """Give the result, by default that of the handlers that ran here, to who waits for it."""
        if result is None:
            result = DispatchResult(self._handlers, self._values)
        waiting, self.waiting = self.waiting, []
        for deferred in waiting:
            # Somebody who was told a moment ago may have cancelled this.
            if not deferred.called:
                deferred.callback(result)

    def fail(self, error: Exception) -> None:
        """Tell who waits that there is no result."""
        waiting, self.waiting = self.waiting, []
        for deferred in waiting:
            if not deferred.called:
                deferred.errback(error)


class Journeys:
    """
    The journeys that are known here, by the event's id.

    :ivar known: the journeys.
    :ivar closed: whether nobody here will know of a result any more.
    """

    def __init__(
        self, store: IStore, clock: Callable[[], IReactorTime], watchman: Watchman
    ) -> None:
        self.watchman = watchman
        self._lanes: dict[str, list[Journey]] = {}
        self._store = store
        self._clock = clock
        self.known: dict[int, Journey] = {}
        self._poll: IDelayedCall | None = None
        self.closed = False

    def get(self, event_id: int) -> Journey | None:
        """Give the journey of an event, if it is known here."""
        return self.known.get(event_id)

    def open(self) -> None:
        """Ask the store for what others finish, from now on."""
        self.closed = False

    def begin(self, event_id: int, journey: Journey) -> None:
        """Know an event that sets out here; to know it already is harmless."""
        known = self.known.get(event_id)
        if known is journey:
            return
        if known is not None:
            # Who has fired it again may have been answered first.
            journey.waiting += known.waiting
        self.known[event_id] = journey
        journey.journeys = self
        if journey.lane is not None:
            self._lanes.setdefault(journey.lane, []).append(journey)
        if self._poll is None:
            self._poll_later()

    def _pop(self, event_id: int) -> Journey | None:
        journey = self.known.pop(event_id, None)
        if journey is not None and journey.lane is not None:
            lane = self._lanes[journey.lane]
            lane.remove(journey)
            if not lane:
                del self._lanes[journey.lane]
        return journey

    def before(self, journey: Journey) -> list[Journey]:
        """Give those that go before a journey in its lane, as far as they are known here."""
        lane = self._lanes.get(journey.lane, []) if journey.lane is not None else []
        return lane[: lane.index(journey)] if journey in lane else []

    def behind(self, journey: Journey) -> list[Journey]:
        """Give those that go behind a journey in its lane, as far as they are known here."""
        lane = self._lanes.get(journey.lane, []) if journey.lane is not None else []
        return lane[lane.index(journey) + 1 :] if journey in lane else []

    def join(self, event_id: int, waiting: Deferred[DispatchResult]) -> Journey:
        """
        Have a Deferred fire with the result of an event that was accepted before, by whomever.

        :return: the journey that is waited for.
        """
        journey = self.known.get(event_id)
        if journey is None:
            journey = Journey(None, ())
        journey.waiting.append(waiting)
        self.begin_waiting(event_id, journey)
        return journey

    def begin_waiting(self, event_id: int, journey: Journey) -> None:
        """Know an event that somebody waits for; it fails when nobody will know of its end."""
        if self.closed:
            journey.fail(EventGoesOn())
            return
        self.begin(event_id, journey)
        if journey.lane is not None:
            journey.suspect()

    def finished(self, event_id: int) -> None:
        """Know that an event has nothing left to do: this process has seen to the last of it."""
        journey = self._pop(event_id)
        if journey is None:
            return
        if journey.beside is None:
            journey.end()
        else:
            journey.beside.finish().addCallback(lambda _: journey.end())

    def ask_soon(self) -> None:
        """Ask the store at once, if there is anything to ask: something was finished."""
        if self._poll is not None and self._poll.active() and any(self._elsewhere()):
            self._poll.reset(0)

    def _elsewhere(self) -> Iterator[int]:
        """Give the events of which nothing runs here; of the others the end is seen here."""
        return (event_id for event_id, each in self.known.items() if not each.running)

    def close(self) -> None:
        """Ask no more; who waits is told that the result will not be known here."""
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        self._poll = None
        self.closed = True
        journeys, self.known = self.known, {}
        self._lanes.clear()
        for journey in journeys.values():
            journey.fail(EventGoesOn())

    def _poll_later(self) -> None:
        if self._poll is None and self.known and not self.closed:
            self._poll = self._clock().callLater(POLL, self._poll_now)

    def _poll_now(self) -> None:
        self._poll = None
        asking = Deferred.fromCoroutine(self._ask(list(self._elsewhere())))
        asking.addErrback(self._not_asked).addCallback(lambda _: self._poll_later())

    def _not_asked(self, failure: Failure) -> None:
        _log.failure("The store could not be asked which events are finished", failure)

    async def _ask(self, event_ids: Sequence[int]) -> None:
        for event_id in await self._store.settled(event_ids) if event_ids else ():
            journey = self.known.get(event_id)
            if journey is None or journey.running:
                continue
            if journey.event is not None and not journey.is_over:
                # What ran here is about to be told here, with its values.
                journey.is_over = True
                continue
            result = result_from(await self._store.deliveries_of(event_id))
            if self._pop(event_id) is not None:
                journey.end(result)


@attrs.frozen
class _HandlerElsewhere:
    """Stands in a result for a handler that ran in another process."""

    id: int
    name: str
    phase: str


def result_from(deliveries: Iterable[Delivery]) -> DispatchResult:
    """Make the result of what the store knows: no values, and failures by their traceback."""
    called = [each for each in deliveries if each.status != SKIPPED]
    handlers = [_HandlerElsewhere(each.id, each.handler, each.phase) for each in called]
    values = [
        Failure(DeliveryDied(each.id, each.handler, each.error or ""))
        if each.status == DEAD
        else None
        for each in called
    ]
    return DispatchResult(handlers, values)
