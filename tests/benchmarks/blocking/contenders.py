"""Who calls into the reactor's thread: our connections, and what crochet and Twisted offer.

All of them use the one reactor of this process, which crochet runs in its thread. A turn is one
call: the function that it calls there is the handler of the scenario.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.contenders import Contender
from tests.benchmarks.handlers import EVENT, Count, Handler
from tests.benchmarks.timing import Burst
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.blocking import Connection, connect

# Seconds that a call may take: it never does.
LIMIT = 60.0
THREADS = 8

Build = Callable[[Sequence[Handler]], Burst]


def reactor() -> Any:
    """Gives the reactor, which runs in crochet's thread."""
    import crochet
    from twisted.internet import reactor

    crochet.setup()
    return reactor


@cache
def connection() -> Connection:
    """Gives the connection to a dispatcher in memory that all of ours use."""
    return connect({"keywords": ["kind"]}, timeout=LIMIT)


def later(count: Count | None) -> Handler:
    """Makes a function whose Deferred fires in the next turn of the reactor."""

    def handler(event: object) -> Any:
        from twisted.internet.task import deferLater

        if count is not None:
            count(event)
        return deferLater(reactor(), 0)

    return handler


def repeated(call: Callable[[], object]) -> Burst:
    """Gives the burst of which a turn is one call."""

    def burst(turns: int) -> None:
        for _ in range(turns):
            call()

    return burst


# Calling a function there


def ours(handlers: Sequence[Handler]) -> Burst:
    """Calls by way of a connection."""
    call, handler = connection().call, handlers[0]
    return repeated(lambda: call(handler, EVENT))


def crochets(handlers: Sequence[Handler]) -> Burst:
    """Calls by way of crochet's C{run_in_reactor}, and waits for its result."""
    import crochet

    reactor()
    run = crochet.run_in_reactor(handlers[0])
    return repeated(lambda: run(EVENT).wait(LIMIT))


def crochets_waiting(handlers: Sequence[Handler]) -> Burst:
    """Calls by way of crochet's C{wait_for}, which can cancel."""
    import crochet

    reactor()
    run = crochet.wait_for(LIMIT)(handlers[0])
    return repeated(lambda: run(EVENT))


def twisteds(handlers: Sequence[Handler]) -> Burst:
    """Calls by way of Twisted's C{blockingCallFromThread}, which has no time limit."""
    from twisted.internet.threads import blockingCallFromThread

    running, handler = reactor(), handlers[0]
    return repeated(lambda: blockingCallFromThread(running, handler, EVENT))


# Firing an event there


def registered(handlers: Sequence[Handler]) -> str:
    """Has the reactor's thread run the handlers of a new kind of events, and gives the kind."""
    kind = f"kind {next(_numbers)}"
    for handler in handlers:
        connection().call(connection().dispatcher.on(kind=kind), handler)
    return kind


_numbers = iter(range(10**9))


def our_fire(handlers: Sequence[Handler]) -> Burst:
    """Fires an event by way of a connection."""
    kind, fire = registered(handlers), connection().fire_event
    return repeated(lambda: fire(EVENT, kind=kind))


def crochets_fire(handlers: Sequence[Handler]) -> Burst:
    """Fires an event at the same dispatcher by way of crochet."""
    import crochet

    kind = registered(handlers)
    fire = crochet.run_in_reactor(connection().dispatcher.fire_event)
    return repeated(lambda: fire(EVENT, kind=kind).wait(LIMIT))


# Accepting an event in a store


@cache
def stored() -> Connection:
    """Gives the connection to a dispatcher with a store, whose events nobody handles here."""
    path = Path(_directory().name) / "events.db"
    return connect({"store": f"sqlite:///{path}", "keywords": ["kind"]}, timeout=LIMIT)


@cache
def _directory() -> TemporaryDirectory[str]:
    """Gives a directory that is removed when the process ends, after the reactor has."""
    return TemporaryDirectory(prefix="blocking-")


def told(handlers: Sequence[Handler]) -> str:
    """Registers a durable handler of a new kind of events, and gives the kind."""
    kind = f"kind {next(_numbers)}"
    options = HandlerOptions(name=kind, runner="reactor")
    stored().call(stored().dispatcher.on(kind=kind, options=options), handlers[0])
    return kind


def our_store(handlers: Sequence[Handler]) -> Burst:
    """Fires a durable event by way of a connection."""
    kind, fire = told(handlers), stored().fire_event
    return repeated(lambda: fire({}, kind=kind))


def crochets_store(handlers: Sequence[Handler]) -> Burst:
    """Fires a durable event at the same dispatcher by way of crochet."""
    import crochet

    kind = told(handlers)
    fire = crochet.run_in_reactor(stored().dispatcher.fire_event)
    return repeated(lambda: fire({}, kind=kind).wait(LIMIT))


# Many threads


def from_threads(build: Build) -> Build:
    """Has several threads make the calls of a turn at the same time, one each."""

    def build_many(handlers: Sequence[Handler]) -> Burst:
        one = build(handlers)

        def burst(turns: int) -> None:
            threads = [threading.Thread(target=one, args=(turns,)) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return burst

    return build_many


def calling(**more: Any) -> list[Contender]:
    """Gives all ways to call a function."""
    return [
        Contender("crochet, run_in_reactor", crochets, **more),
        Contender("ours", ours, **more),
        Contender("crochet, wait_for", crochets_waiting, **more),
        Contender("Twisted, blockingCallFromThread", twisteds, **more),
    ]


def calling_at_once() -> list[Contender]:
    """Gives the ways to call a function from many threads."""
    more: dict[str, Any] = {"calls": THREADS, "events": THREADS}
    return [
        Contender("crochet, run_in_reactor", from_threads(crochets), **more),
        Contender("ours", from_threads(ours), **more),
    ]


def firing() -> list[Contender]:
    """Gives the ways to fire an event in memory."""
    return [Contender("crochet, run_in_reactor", crochets_fire), Contender("ours", our_fire)]


def storing() -> list[Contender]:
    """Gives the ways to fire a durable event."""
    return [Contender("crochet, run_in_reactor", crochets_store), Contender("ours", our_store)]
