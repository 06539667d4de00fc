"""
A daemon that is there to be killed, and the nursery that it is born in.

The nursery has imported everything, so that a daemon is there within milliseconds: for each line
that it reads it forks one, and waits for its end. What a daemon does stands in a journal, one line
of JSON for each event; what is in there has happened, since lines are written at once and by a
single call. A line on standard output tells that something has happened.

Usage: ``python -m tests.killing.daemon URL JOURNAL ORDERS PLACE LEASE BETWEEN``, where the place
is a daemon's among those that work at once, and the clock of each is BETWEEN seconds ahead of the
one's before it in the same nursery, as if it had been started so much later: by then the lease of
its predecessor has run out.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import cooperate, deferLater, react
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.killing.shop import KEYWORDS, Call, Shop
from twisted_dispatcher import DurableDispatcher, open_store

# For a lease of a minute.
BETWEEN_LIVES = 61.0
USERS = 7
# So many orders are accepted at once.
CUSTOMERS = 5


def say(what: str) -> None:
    """Tell whoever has started this, by a single call."""
    os.write(1, f"{what}\n".encode())


class Journal:
    """What has happened, in a file that outlives its writers."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def called(self, call: Call) -> None:
        """Take note of a call."""
        self._write("called", **attrs.asdict(call))

    def accepted(self, number: int) -> None:
        """Take note of an order that the dispatcher has accepted."""
        self._write("accepted", number=number)

    def observe(self, event: LogEvent) -> None:
        """Take note of a lease that was lost by who lives."""
        text = str(event.get("log_format"))
        if "was taken for dead" in text or "had lost its lease" in text:
            self._write("late")

    def _write(self, what: str, **facts: Any) -> None:
        os.write(self._file, json.dumps({"what": what, **facts}).encode() + b"\n")
        say(what)


def read_journal(path: str) -> list[dict[str, Any]]:
    """Give everything that stands in a journal."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def key_of(number: int) -> str:
    """Give the key of an order."""
    return f"order {number}"


def user_of(number: int) -> str:
    """Give the user whose order it is."""
    return f"user {number % USERS}"


@implementer(IDelayedCall)
class CallAhead:
    """A call that is due when a clock that is some seconds ahead says so."""

    def __init__(self, call: Any, seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self.cancel = call.cancel
        self.delay = call.delay
        self.reset = call.reset
        self.active = call.active

    def getTime(self) -> float:  # noqa: N802
        """Give the time at which it is due."""
        return float(self._call.getTime()) + self._seconds


@implementer(IReactorTime)
class ClockAhead:
    """
    The reactor's clock, some seconds ahead.

    :ivar is_dead: whether nothing happens any more of what is still asked for.
    """

    def __init__(self, reactor: Any, seconds: float) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self.is_dead = False

    def seconds(self) -> float:
        """Give the time."""
        return float(self._reactor.seconds()) + self._seconds

    def callLater(self, *given: Any, **named: Any) -> CallAhead:  # noqa: N802
        """Have something called, after some seconds."""
        if self.is_dead:
            given, named = (0, lambda: None), {}
        return CallAhead(self._reactor.callLater(*given, **named), self._seconds)

    def getDelayedCalls(self) -> list[CallAhead]:  # noqa: N802
        """Give what is still to be called."""
        return [CallAhead(each, self._seconds) for each in self._reactor.getDelayedCalls()]


def open_carelessly(url: str) -> Any:
    """Open a store that does not wait for the disk: processes die here, and no machine does."""
    store: Any = open_store(url)
    if url.startswith("sqlite:"):
        store._ledger.connection.execute("PRAGMA synchronous = OFF")
    return store


async def live(
    reactor: Any, url: str, path: str, orders: int, place: int, lease: float, ahead: float
) -> None:
    """Accept the orders that are not accepted yet, and work until everything is settled."""
    accepted = {each.get("number") for each in read_journal(path)}
    journal = Journal(path)
    globalLogPublisher.addObserver(cast(ILogObserver, journal.observe))
    store = open_carelessly(url)
    clock: Any = ClockAhead(reactor, ahead)
    dispatcher = DurableDispatcher(store, KEYWORDS, order_by=("user",), clock=clock, lease=lease)
    Shop(journal.called, reactor, 0.003).setup(dispatcher)
    dispatcher.start()
    await dispatcher.when_ready()
    say("ready")

    async def accept(number: int) -> None:
        key, user = key_of(number), user_of(number)
        await dispatcher.accept_event(key, key=key, kind="order", user=user)
        journal.accepted(number)
        await deferLater(reactor, 0.001)

    # Some begin at the one end and some at the other.
    numbers = range(orders)[:: -1 if place % 2 else 1]
    missing = (number for number in numbers if number not in accepted)
    customers = [
        cooperate(Deferred.fromCoroutine(accept(number)) for number in missing)
        for _ in range(CUSTOMERS)
    ]
    for customer in customers:
        await customer.whenDone()
    while (await store.counts())["open"]:
        await deferLater(reactor, 0.02)
    await dispatcher.stop()
    await store.close()


def main(url: str, path: str, orders: str, place: str, lease: str, between: str) -> None:
    """Have a daemon born for every line on standard input, one after another."""
    Path(path).touch()
    for generation, _ in enumerate(sys.stdin):
        pid = os.fork()
        if not pid:
            say(f"born {os.getpid()}")
            ahead = generation * float(between)
            react(_live, (url, path, int(orders), int(place), float(lease), ahead))
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


def _live(reactor: Any, *given: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(live(reactor, *given))


if __name__ == "__main__":
    main(*sys.argv[1:])
