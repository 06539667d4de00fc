"""
A program that sweeps and processes a stream, and is there to be killed.

Each life resumes the sweep where the last one was killed, then processes a stream from its
beginning, and ends when everything is settled.

Usage: ``python -m tests.killing.sweeps URL JOURNAL OBJECTS``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from tests.killing.daemon import BETWEEN_LIVES, ClockAhead, open_carelessly, say
from twisted_dispatcher import DurableDispatcher, Event, HandlerOptions, RetryPolicy
from twisted_dispatcher.sources import EventSources, event, places

# So many events of a stream follow on the sweep.
STREAM = 40


class Program:
    """What sweeps, and keeps a journal of what it looks at and handles."""

    def __init__(self, path: str, objects: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._objects = objects

    def note(self, what: str) -> None:
        """Note something by a single call, and tell of it."""
        os.write(self._file, f"{what}\n".encode())
        say(what)

    def register(self, sources: EventSources) -> None:
        """Register the source, and two handlers, one of which has an effect in the database."""
        # A life that ends by a kill is a failed attempt of what was running.
        retry = RetryPolicy(max_attempts=1000, initial=0.003, factor=1, jitter=0)
        once = HandlerOptions(name="once", guarantee="exactly-once", retry=retry)
        sources.register_group_handler(handler=cast(Any, self.once), group="", options=once)
        least = HandlerOptions(name="least", retry=retry)
        sources.register_group_handler(handler=self.least, group="", options=least)
        sources.register_source(
            sender="numbers", source=self.look_at, objects=self.behind, position=int
        )

    def behind(self, position: int | None) -> Iterator[int]:
        """Give the objects behind one of them."""
        yield from range(0 if position is None else position + 1, self._objects)

    def look_at(self, number: int) -> Iterator[Any]:
        """Give two events of an object."""
        self.note(f"looked {number}")
        yield event("a", number)
        yield event("b", number)

    def once(self, given: Event, transaction: Any) -> None:
        """Have an effect."""
        transaction.execute("CREATE TABLE IF NOT EXISTS effect (what TEXT)")
        transaction.execute(f"INSERT INTO effect (what) VALUES ('{given.key}')")

    def least(self, given: Event) -> None:
        """Be called."""
        self.note(f"called {given.key}")


async def live(reactor: Any, url: str, path: str, objects: int, ahead: float) -> None:
    """Sweep, process the stream, and end when everything is settled."""
    places.OBJECTS = 10  # type: ignore[misc]
    store = open_carelessly(url)
    clock: Any = ClockAhead(reactor, ahead)
    dispatcher = DurableDispatcher(store, clock=clock)
    sources = EventSources(dispatcher)
    program = Program(path, objects)
    program.register(sources)
    dispatcher.start()
    await dispatcher.when_ready()
    await sources.sweep(resume=True, window=7)
    program.note("swept")
    await sources.process_events((event("c", number) for number in range(STREAM)), window=3)
    while (await store.counts())["open"]:
        await deferLater(reactor, 0.02)
    await dispatcher.stop()
    await store.close()


def main(url: str, path: str, objects: str) -> None:
    """Have a program born for every line on standard input, one after another."""
    Path(path).touch()
    for generation, _ in enumerate(sys.stdin):
        pid = os.fork()
        if not pid:
            say(f"born {os.getpid()}")
            react(_live, (url, path, int(objects), generation * BETWEEN_LIVES))
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


def _live(reactor: Any, *given: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(live(reactor, *given))


if __name__ == "__main__":
    main(*sys.argv[1:])
