"""
Feeding a dispatcher: fires one event after the other, and counts what comes of it.

A log may have a million events, and every handler of every one of them may answer at once.
Nothing here recurses then, nothing piles up, and the reactor still gets its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.eventlogs import BadLine
from twisted_dispatcher.events import Event
from twisted_dispatcher.interfaces import IEventDispatcher, IHandler, IObserver
from twisted_dispatcher.results import DispatchResult

# For so many seconds events are fired before the reactor gets a turn: short enough for signals,
# timers and a progress bar, long enough for hundreds of events.
TURN: Final = 0.02


@attrs.define
class HandlerTally:
    """What one handler did: its calls, its failures, and the seconds that it took."""

    name: str
    phase: str
    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@implementer(IObserver)
class Tally:
    """
    Counts events and bad lines, and, as an observer, what the handlers do.

    `seconds` is how long the feeding took so far. The seconds of a handler are those from its
    call to its end, also where it waited meanwhile.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self.events = 0
        self.bad_lines = 0
        self.handlers: dict[int, HandlerTally] = {}
        self._clock = seconds
        self._began: float | None = None
        self._ended: float | None = None
        self._started: dict[tuple[int, int], float] = {}

    @property
    def calls(self) -> int:
        """How often handlers were called."""
        return sum(handler.calls for handler in self.handlers.values())

    @property
    def failures(self) -> int:
        """How often handlers failed."""
        return sum(handler.failures for handler in self.handlers.values())

    @property
    def seconds(self) -> float:
        """How long it took, or takes since it began."""
        if self._began is None:
            return 0.0
        return (self._clock() if self._ended is None else self._ended) - self._began

    def slowest(self, count: int) -> list[HandlerTally]:
        """Give the handlers that took longest altogether."""
        return sorted(self.handlers.values(), key=lambda handler: -handler.seconds)[:count]

    def begin(self) -> None:
        """Start to count the seconds."""
        self._began = self._clock()
        self._ended = None

    def end(self) -> None:
        """Count no further seconds."""
        self._ended = self._clock()

    # IObserver

    def fire_started(self, event: Any) -> None:
        """Do nothing: who feeds counts the events."""

    def fire_ended(self, event: Any, result: DispatchResult) -> None:
        """Do nothing: what counts are the handlers."""

    def handler_started(self, handler: IHandler, event: Any) -> None:
        """Count a call and note the time."""
        self._tally_of(handler).calls += 1
        self._started[handler.id, id(event)] = self._clock()

    def handler_ended(self, handler: IHandler, event: Any, value: Any) -> None:
        """Add the seconds that the call took."""
        began = self._started.pop((handler.id, id(event)), None)
        if began is not None:
            took = self._clock() - began
            tally = self.handlers[handler.id]
            tally.seconds += took
            if took > tally.longest:
                tally.longest = took

    def handler_failed(self, handler: IHandler, event: Any, failure: Any) -> None:
        """Count a failure, and add the seconds."""
        self._tally_of(handler).failures += 1
        self.handler_ended(handler, event, None)

    def _tally_of(self, handler: IHandler) -> HandlerTally:
        tally = self.handlers.get(handler.id)
        if tally is None:
            tally = self.handlers[handler.id] = HandlerTally(handler.name, handler.phase)
        return tally


Item = Event | BadLine | Deferred[Any]


def feed(
    items: Iterable[Item],
    dispatcher: IEventDispatcher,
    *,
    clock: IReactorTime,
    tally: Tally,
    concurrency: int = 1,
    on_bad_line: Callable[[BadLine], object] = lambda bad_line: None,
    on_turn: Callable[[], object] = lambda: None,
    seconds: Callable[[], float] = time.perf_counter,
) -> Deferred[None]:
    """
    Fire events at a dispatcher, in their order.

    Each event's details are what `Event.details` makes of it for the dispatcher's keywords.
    The caller adds the tally to the dispatcher's observers.

    :param items: events to be fired, bad lines to be counted, and Deferreds to be waited for.
    :param clock: its reactor gets a turn every `TURN` seconds.
    :param concurrency: how many events may be on their way at once. With 1, the next one is fired
        when all handlers of the one before are done.
    :param on_bad_line: called with each bad line. What it raises ends the feed.
    :param on_turn: called before each turn of the reactor.
    :param seconds: tells the time by which turns are taken.
    :return: a Deferred that fires when all events were handled. It fails with what `items`,
        `on_bad_line` or a fire raised, when all that was fired before has been handled.
        Cancelling it cancels what is on its way.
    :raises InvalidOptions: for a concurrency below 1.
    """
    if concurrency < 1:
        raise InvalidOptions(f"concurrency must be a whole number from 1, not {concurrency!r}")
    feeding = _feed(items, dispatcher, clock, tally, concurrency, on_bad_line, on_turn, seconds)
    return Deferred.fromCoroutine(feeding)


async def _feed(
    items: Iterable[Item],
    dispatcher: IEventDispatcher,
    clock: IReactorTime,
    tally: Tally,
    concurrency: int,
    on_bad_line: Callable[[BadLine], object],
    on_turn: Callable[[], object],
    seconds: Callable[[], float],
) -> None:
    window = _Window(concurrency)
    turn_ends = seconds() + TURN
    tally.begin()
    try:
        for item in items:
            if isinstance(item, Event):
                tally.events += 1
                details = item.details(dispatcher.allowed_keywords)
                await window.admit(dispatcher.fire_event(item, **details))
            elif isinstance(item, BadLine):
                tally.bad_lines += 1
                on_bad_line(item)
            else:
                await item
            if seconds() >= turn_ends:
                on_turn()
                await deferLater(clock, 0)
                turn_ends = seconds() + TURN
    except CancelledError:
        window.cancel()
        raise
    finally:
        await window.emptied()
        tally.end()


class _Window:
    """Lets a limited number of fires be on their way at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._limit = size
        self._flying: dict[Deferred[Any], None] = {}  # in their order
        self._landing: Deferred[None] | None = None
        self._failure: Failure | None = None

    def admit(self, fire: Deferred[Any]) -> Deferred[Any]:
        """Let one more in; give what to wait for before the next one."""
        if self._size == 1 or fire.called:
            return fire
        self._flying[fire] = None
        fire.addBoth(self._landed, fire)
        return self._until_fewer_than(self._size)

    def emptied(self) -> Deferred[None]:
        """Give what fires when none is on its way, or fails as the first one did that failed."""
        return self._until_fewer_than(1)

    def cancel(self) -> None:
        """Cancel all that are on their way."""
        self._landing = None
        for fire in list(self._flying):
            fire.cancel()

    def _until_fewer_than(self, limit: int) -> Deferred[None]:
        self._limit = limit
        landing = self._landing = Deferred()
        self._tell()
        return landing

    def _landed(self, result: Any, fire: Deferred[Any]) -> None:
        del self._flying[fire]
        if isinstance(result, Failure) and not result.check(CancelledError):
            self._failure = self._failure or result
        self._tell()

    def _tell(self) -> None:
        landing = self._landing
        if landing is None or len(self._flying) >= self._limit:
            return
        self._landing = None
        failure, self._failure = self._failure, None
        if failure is None:
            landing.callback(None)
        else:
            landing.errback(failure)
