"""Fires many events before the first is answered; then a delayed call answers each.

The delayed calls are the real reactor's (its heap and its bookkeeping are part of what waiting
costs), without its sockets: C{task.Clock} sorts all that waits at each call, which would drown
what is to be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred

from tests.benchmarks.contenders import Contender, WrongCalls
from tests.benchmarks.handlers import EVENT, Count, Handler, counted
from tests.benchmarks.ours import dispatcher_of
from tests.benchmarks.timing import Burst
from tests.benchmarks.waiting import Dispatch

MakeDispatch = Callable[[Handler], Dispatch]


class DelayedCalls(ReactorBase):
    """The part of a reactor that keeps delayed calls, and no other; it is not installed."""

    def installWaker(self) -> None:  # noqa: N802
        """Needs no waker, as nothing ever waits for a descriptor."""

    def run_until_idle(self) -> None:
        """Runs what is due until nothing is left."""
        while self.getDelayedCalls():
            self.runUntilCurrent()


def deferreds(events: int) -> list[Contender]:
    """Gives a handler whose Deferred is fired by a delayed call, with so many events at once."""
    return flights(
        events,
        answering_later,
        {
            "bare": handler_alone,
            "async def by hand": awaiting_by_hand,
            "ours": fired_at,
        },
    )


def coroutines(events: int) -> list[Contender]:
    """Gives a coroutine handler that awaits such a Deferred."""
    return flights(
        events,
        awaiting_later,
        {
            "by hand, really waiting": started_by_hand,
            "ours, really waiting": fired_at,
        },
    )


def flights(
    events: int,
    maker: Callable[[DelayedCalls, Count | None], Handler],
    makers: dict[str, MakeDispatch],
) -> list[Contender]:
    """Gives a contender, with delayed calls of its own, for each way to dispatch."""
    everybody = []
    for name, make_dispatch in makers.items():
        calls = DelayedCalls()
        build = partial(flying, calls, events, make_dispatch)
        everybody.append(
            Contender(name, build, calls=events, events=events, maker=partial(maker, calls))
        )
    return everybody


def flying(
    calls: DelayedCalls, events: int, make_dispatch: MakeDispatch, handlers: Sequence[Handler]
) -> Burst:
    """Fires so many events in each turn, then lets all of them be answered."""
    dispatch = make_dispatch(*handlers)
    event = EVENT

    def burst(turns: int) -> None:
        for _ in repeat(None, turns):
            landed: list[object] = []
            for _ in repeat(None, events):
                dispatch(event).addCallback(landed.append)
            calls.run_until_idle()
            if len(landed) != events:
                raise WrongCalls(f"{len(landed)} of {events} events came to their end")

    return burst


def answering_later(calls: DelayedCalls, count: Count | None) -> Handler:
    """Makes a function whose Deferred is fired by a delayed call."""

    def handler(event: object) -> Deferred[None]:
        answer: Deferred[None] = Deferred()
        calls.callLater(0, answer.callback, None)
        return answer

    return handler if count is None else counted(handler, count)


def awaiting_later(calls: DelayedCalls, count: Count | None) -> Handler:
    """Makes a coroutine function that awaits such a Deferred."""

    async def handler(event: object) -> None:
        answer: Deferred[None] = Deferred()
        calls.callLater(0, answer.callback, None)
        await answer

    return handler if count is None else counted(handler, count)


def handler_alone(handler: Handler) -> Dispatch:
    """Calls the handler, and nothing more."""
    return lambda event: handler(event)


def awaiting_by_hand(handler: Handler) -> Dispatch:
    """Awaits the handler in a hand-written coroutine."""

    async def dispatch(event: object) -> None:
        await handler(event)

    return lambda event: Deferred.fromCoroutine(dispatch(event))


def started_by_hand(handler: Handler) -> Dispatch:
    """Starts the coroutine handler."""
    return lambda event: Deferred.fromCoroutine(handler(event))


def fired_at(handler: Handler) -> Dispatch:
    """Fires at the handler through our dispatcher."""
    fire = dispatcher_of([handler]).fire_event
    return lambda event: fire(event, event_type="login", user="ann", role="admin")
