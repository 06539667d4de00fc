"""A durable dispatcher whose time is yours, and how to see it killed and started again."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.task import Clock

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.stores import open_store
from twisted_dispatcher.testing.clocked import NeverSettled, _SameThread, pump

# So many seconds of the clock may pass until a dispatcher has started.
LONGEST_START: Final = 600.0


def clocked_durable_dispatcher(
    *keywords: str, store: IStore | str = "sqlite://", clock: Clock | None = None, **options: Any
) -> tuple[DurableDispatcher, Clock]:
    """
    Give a durable dispatcher that has been started, and the clock that it and its store go by.

    Two of them, with the same clock and the same store, are two processes. One whose clock does
    not move any more is a process that was killed: give the next one `later`.

    Every answer of a store takes a turn of the reactor, and so has to be pumped for. A worker
    looks for work again and again, so that there is always something scheduled: give `pump` a
    limit where a Deferred may never fire. Handlers with the runner ``"thread"`` run in the thread
    of the test.

    :param keywords: its allowed match-spec keywords.
    :param store: a store that goes by the clock, or the URL of a SQLite store, which is opened. By
        default it is in memory.
    :param clock: by default a new one.
    :param options: what else `DurableDispatcher` takes.
    :raises StoreClosed: when the store was closed before.
    :raises NeverSettled: when it does not start within ten minutes of the clock, or not at all, as
        on a store that goes by another clock.
    """
    if clock is None:
        clock = Clock()
    if isinstance(store, str):
        store = open_store(store, reactor=clock)
    options.setdefault("runners", {"thread": _SameThread()})
    dispatcher = DurableDispatcher(store, keywords, clock=clock, **options)
    dispatcher.start()
    _pump_start(clock, dispatcher)
    return dispatcher, clock


def _pump_start(clock: Clock, dispatcher: DurableDispatcher) -> None:
    try:
        pump(clock, dispatcher.when_ready(), LONGEST_START)
    except NeverSettled:
        if clock.getDelayedCalls():
            raise
        # A start waits for nothing but answers of the store.
        raise NeverSettled(
            "the store does not answer, and nothing is scheduled on the clock: the store goes by "
            "another clock, give open_store(url, reactor=clock)"
        ) from None


def later(clock: Clock, seconds: float = 61.0) -> Clock:
    """
    Give a new clock on which so much time has passed since the old one stood still.

    By default that is a little more than the lease for which a worker is believed to be alive.
    """
    after = Clock()
    after.advance(clock.seconds() + seconds)
    return after
