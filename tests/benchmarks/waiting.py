"""Fires at handlers that could answer later, and do not: fired Deferreds, and coroutines.

The peers of the other scenarios do not wait.  What ours is held against here is what a Twisted
programmer would write by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from tests.benchmarks.contenders import Build, Contender
from tests.benchmarks.handlers import Handler, awaiting, coroutine, deferring
from tests.benchmarks.ours import fires
from tests.benchmarks.peers import bare_loop, calling
from tests.benchmarks.timing import Burst

PHASES = ("before", "during", "after")
Dispatch = Callable[[object], "Deferred[Any]"]


def three_phases() -> list[Contender]:
    """Gives three phases with one handler each, whose Deferred has already fired."""
    builds: dict[str, Build] = {
        "bare": bare_loop,
        "async def by hand": lambda handlers: calling(awaiting_in_turn(handlers)),
        "inlineCallbacks by hand": lambda handlers: calling(yielding_in_turn(handlers)),
        "ours": partial(fires, phases=PHASES),
    }
    return [
        Contender(name, build, handlers=3, calls=3, maker=deferring)
        for name, build in builds.items()
    ]


def coroutines() -> list[Contender]:
    """Gives one coroutine handler that does not wait, or only for what has already fired."""
    return [
        Contender(f"{who}, {what}", build, maker=maker)
        for what, maker in (("not waiting", coroutine), ("awaiting a fired Deferred", awaiting))
        for who, build in (("by hand", started_by_hand), ("ours", fires))
    ]


def awaiting_in_turn(handlers: Sequence[Handler]) -> Dispatch:
    """Gives the hand-written coroutine function for as many phases as there are handlers."""
    before, during, after = handlers

    async def dispatch(event: object) -> None:
        await before(event)
        await during(event)
        await after(event)

    return lambda event: Deferred.fromCoroutine(dispatch(event))


def yielding_in_turn(handlers: Sequence[Handler]) -> Dispatch:
    """Gives the same in the older style."""
    before, during, after = handlers

    @inlineCallbacks
    def dispatch(event: object) -> Generator[Deferred[Any], Any, None]:
        yield before(event)
        yield during(event)
        yield after(event)

    return dispatch


def started_by_hand(handlers: Sequence[Handler]) -> Burst:
    """Starts the one coroutine handler as Twisted's documentation says."""
    (handler,) = handlers
    return calling(lambda event: Deferred.fromCoroutine(handler(event)))
