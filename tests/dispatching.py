"""What the tests of the dispatcher share: a dispatcher on a clock, and handlers to look at."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import DispatchResult, EventDispatcher, HandlerOptions


class Problem(Exception):
    """What handlers fail with."""


class Recorder:
    """A handler that keeps the events it was called with, and answers always the same."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.events: list[Any] = []

    def __call__(self, event: Any) -> Any:
        """Take the event."""
        self.events.append(event)
        return self.answer


class Waiting:
    """A handler that answers each call with a new Deferred, which the test fires."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.pending: list[Deferred[Any]] = []
        self.cancelled: list[Deferred[Any]] = []

    def __call__(self, event: Any) -> Deferred[Any]:
        """Take the event and let it wait."""
        self.events.append(event)
        pending: Deferred[Any] = Deferred(self.cancelled.append)
        self.pending.append(pending)
        return pending


def failing(error: Exception) -> Callable[[Any], Any]:
    """Give a handler that raises the error."""

    def fail(event: Any) -> Any:
        raise error

    return fail


def answering(answers: list[Any]) -> Callable[[Any], Any]:
    """Give a handler that answers with one after another; an exception it raises."""

    def handler(event: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def noting(log: list[str], name: str) -> Callable[[Any], Any]:
    """Give a handler that writes its name into the log and answers with it."""

    def note(event: Any) -> str:
        log.append(name)
        return name

    return note


def calls_of(function: Callable[[], object]) -> int:
    """Give how many calls of functions are made while a function runs, but by the collector."""
    calls = 0

    def count(frame: object, what: str, argument: object) -> None:
        nonlocal calls
        calls += what == "call"

    before = sys.getprofile()
    collecting = gc.isenabled()
    gc.disable()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
    return calls


class DispatcherTestCase(SynchronousTestCase):
    """A test with a clock; `make` gives dispatchers that run on it."""

    def setUp(self) -> None:
        """Make the clock."""
        self.clock = Clock()

    def make(self, *keywords: str, **options: Any) -> EventDispatcher:
        """Give a started dispatcher on the clock that allows the keywords."""
        dispatcher = EventDispatcher(keywords, **{"clock": self.clock, **options})
        dispatcher.start()
        return dispatcher

    def add(
        self,
        dispatcher: EventDispatcher,
        function: Callable[[Any], Any],
        phase: str = "during",
        options: HandlerOptions | None = None,
        **spec: Any,
    ) -> int:
        """Register a handler, held strongly, and give its id."""
        adding = dispatcher.add_event_handler(function, phase, False, options=options, **spec)
        return self.successResultOf(adding)

    def fire(
        self, dispatcher: EventDispatcher, event: Any = "event", **details: Any
    ) -> DispatchResult:
        """Fire an event whose handlers are done at once, and give the result."""
        return self.successResultOf(dispatcher.fire_event(event, **details))

    def log_from_now(self) -> list[LogEvent]:
        """Give a list to which everything logged from now on is added."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return events


class OptionsTestCase(DispatcherTestCase):
    """A dispatcher, and a short way to register with options."""

    def setUp(self) -> None:
        """Make the dispatcher."""
        super().setUp()
        self.dispatcher = self.make("user")

    def opt(self, handler: Callable[[Any], Any], phase: str = "during", **options: Any) -> int:
        """Register a handler with options."""
        return self.add(self.dispatcher, handler, phase, HandlerOptions(**options))

    def seconds(self, count: int, step: float = 1.0) -> None:
        """Let seconds pass, one by one."""
        for _ in range(count):
            self.clock.advance(step)

    def registered(self) -> int:
        """Tell how many handlers are registered."""
        return len(self.dispatcher.describe())

    def assert_no_timers(self) -> None:
        """Nothing is left to happen on the clock."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
