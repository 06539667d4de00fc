"""Fires one event at all of a few handlers, with our own dispatcher in its several ways.

Three keywords are allowed and every event is fired with all three, whatever the specs name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat
from typing import Any

from zope.interface import implementer

from tests.benchmarks.contenders import Build, Contender
from tests.benchmarks.handlers import EVENT, Handler, Maker, answering, plain
from tests.benchmarks.timing import Burst
from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.interfaces import IHandler, IObserver
from twisted_dispatcher.results import DispatchResult

KEYWORDS = ("event_type", "user", "role")


def contenders(handlers: int) -> list[Contender]:
    """Gives our dispatcher with so many handlers, in each of the ways that are measured."""

    def contender(name: str, build: Build, maker: Maker = plain) -> Contender:
        return Contender(name, build, handlers=handlers, calls=handlers, maker=maker)

    return [
        contender("ours", fires),
        contender("ours, values", fires, answering),
        contender("ours, outcomes read", fires_and_reads),
        contender("ours, held weakly", partial(fires, weakly=True)),
        contender("ours, one observer", partial(fires, observers=(Onlooker(),))),
    ]


@implementer(IObserver)
class Onlooker:
    """An observer that does nothing."""

    def fire_started(self, event: Any) -> None:
        """Sees an event."""

    def fire_ended(self, event: Any, result: DispatchResult) -> None:
        """Sees a result."""

    def handler_started(self, handler: IHandler, event: Any) -> None:
        """Sees a handler."""

    def handler_ended(self, handler: IHandler, event: Any, value: Any) -> None:
        """Sees a value."""

    def handler_failed(self, handler: IHandler, event: Any, failure: Any) -> None:
        """Sees a failure."""


def dispatcher_of(
    handlers: Sequence[Handler],
    phases: Sequence[str] = ("during",),
    weakly: bool = False,
    observers: Sequence[Onlooker] = (),
) -> EventDispatcher:
    """Gives a started dispatcher; the handlers are registered for the given phases in turn."""
    dispatcher = EventDispatcher(KEYWORDS, observers=observers)
    dispatcher.start()
    for place, handler in enumerate(handlers):
        phase = phases[place % len(phases)]
        dispatcher.add_event_handler(handler, phase, weakly, event_type="login")
    return dispatcher


def fires(
    handlers: Sequence[Handler],
    phases: Sequence[str] = ("during",),
    weakly: bool = False,
    observers: Sequence[Onlooker] = (),
) -> Burst:
    """Fires, and leaves the result in its Deferred."""
    dispatcher = dispatcher_of(handlers, phases, weakly, observers)
    event = EVENT
    held = list(handlers)

    def burst(turns: int) -> object:
        fire = dispatcher.fire_event
        for _ in repeat(None, turns):
            fire(event, event_type="login", user="ann", role="admin")
        return held

    return burst


def fires_and_reads(handlers: Sequence[Handler]) -> Burst:
    """Fires, and looks at every outcome in a callback."""
    dispatcher = dispatcher_of(handlers)
    event = EVENT

    def read(result: DispatchResult) -> None:
        for _outcome in result.outcomes:
            pass

    def burst(turns: int) -> None:
        fire = dispatcher.fire_event
        for _ in repeat(None, turns):
            fire(event, event_type="login", user="ann", role="admin").addCallback(read)

    return burst
