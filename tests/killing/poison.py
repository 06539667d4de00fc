"""
An application with handlers that kill their own process, born again until everything is settled.

Each life is forked from a process that has imported everything; the clock of each is so far ahead
of the one's before that the lease of its predecessor has run out. On standard output stands, for
each call of a handler, its event and name, and for each life its exit code.

Usage: ``python -m tests.killing.poison URL MAX_ATTEMPTS``
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from tests.killing.daemon import BETWEEN_LIVES, ClockAhead, open_carelessly, say
from twisted_dispatcher import (
    DurableDispatcher,
    HandlerOptions,
    RetryPolicy,
    current_delivery,
)

# The events, and the guarantees of the handlers that kill at some of them.
PLAIN = ("one", "two", "three", "four")
DEADLY = {"exits": "at-least-once", "is killed": "exactly-once", "is over": "at-most-once"}
EVENTS = (*PLAIN[:2], *DEADLY, *PLAIN[2:])
MOST_LIVES = 20


def exit_at_once(event: str) -> None:
    """End the process."""
    note()
    os._exit(7)


def kill_itself(event: str, transaction: Any) -> None:
    """Have the system end the process, within a transaction."""
    note()
    transaction.execute(f"INSERT INTO booked (what) VALUES ('{event} and killed')")
    os.kill(os.getpid(), signal.SIGKILL)


def note() -> None:
    """Tell of a call."""
    current = current_delivery()
    say(f"called {current.key}/{current.handler}")


def check(event: str) -> None:
    """Succeed."""
    note()


def book(event: str, transaction: Any) -> None:
    """Write something down, exactly once."""
    note()
    transaction.execute(f"INSERT INTO booked (what) VALUES ('{event}')")


def setup(dispatcher: DurableDispatcher, attempts: int) -> None:
    """Register the handlers: those that kill, and those that stand beside them."""
    retry = RetryPolicy(attempts, initial=0.01, jitter=0)
    deadly: dict[str, Any] = {
        "exits": exit_at_once,
        "is killed": kill_itself,
        "is over": exit_at_once,
    }
    for kind, handler in deadly.items():
        own = None if kind == "is over" else retry
        options = HandlerOptions(name=kind, guarantee=DEADLY[kind], retry=own)
        dispatcher.on("during", kind=kind, options=options)(handler)
    others: tuple[tuple[str, str, Any, str | None], ...] = (
        ("during", "check", check, None),
        ("during", "book", book, "exactly-once"),
        ("after", "close", check, None),
    )
    for phase, name, handler, guarantee in others:
        dispatcher.on(phase, options=HandlerOptions(name=name, guarantee=guarantee))(handler)


async def live(reactor: Any, url: str, attempts: int, ahead: float) -> None:
    """Accept the events, which is done once, and work until all of them are settled."""
    store = open_carelessly(url)
    clock: Any = ClockAhead(reactor, ahead)
    dispatcher = DurableDispatcher(store, ("kind",), clock=clock)
    setup(dispatcher, attempts)
    dispatcher.start()
    await dispatcher.when_ready()
    await gatherResults(
        [dispatcher.accept_event(event, key=event, kind=event) for event in EVENTS]
    )
    while (await store.counts())["open"]:
        await deferLater(reactor, 0.02)
    await dispatcher.stop()
    await store.close()


def main(url: str, attempts: str) -> None:
    """Have one life follow another until one has come to its end."""
    for generation in range(MOST_LIVES):
        pid = os.fork()
        if not pid:
            react(_live, (url, int(attempts), generation * BETWEEN_LIVES))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        say(f"ended {code}")
        if not code:
            return
    sys.exit("it has never come to its end")


def _live(reactor: Any, *given: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(live(reactor, *given))


if __name__ == "__main__":
    main(*sys.argv[1:])
