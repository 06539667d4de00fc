"""
A daemon with chains that is there to be killed, and the nursery that it is born in.

See `tests.killing.daemon`. Several nurseries may share a store and a journal.

Usage: ``python -m tests.killing.chains URL JOURNAL ORDERS``
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import cooperate, deferLater, react

from tests.killing.daemon import BETWEEN_LIVES, ClockAhead, open_carelessly, say
from tests.killing.orders import Call, Orders
from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.chains import DONE

# So many orders are placed at once.
CUSTOMERS = 5
CALLBACK = 0.002


def read_calls(path: str) -> list[Call]:
    """Give all calls that stand in a journal."""
    return [Call(**json.loads(line)) for line in Path(path).read_text().splitlines()]


class Journal:
    """The calls that were made, in a file that outlives its writers."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, call: Call) -> None:
        """Take note of a call, and tell of it."""
        os.write(self._file, json.dumps(attrs.asdict(call)).encode() + b"\n")
        say("called")


async def live(reactor: Any, url: str, path: str, orders: int, ahead: float) -> None:
    """Place the orders, let the schedule execute them, and end when all are at their end."""
    store = open_carelessly(url)
    clock: Any = ClockAhead(reactor, ahead)
    dispatcher = DurableDispatcher(store, clock=clock)
    shop = Orders(dispatcher, Journal(path).note, clock, CALLBACK, at_once=20)
    dispatcher.start()
    await dispatcher.when_ready()
    shop.chains.start(shop.callback)
    say("ready")
    customers = [
        cooperate(Deferred.fromCoroutine(shop.place(str(n))) for n in range(k, orders, CUSTOMERS))
        for k in range(CUSTOMERS)
    ]
    for customer in customers:
        await customer.whenDone()
    while (await shop.chains.counts()).get(DONE) != orders or (await store.counts())["open"]:
        await deferLater(reactor, 0.02)
    await shop.chains.stop()
    await dispatcher.stop()
    await store.close()


def main(url: str, path: str, orders: str) -> None:
    """Have a daemon born for every line on standard input, which says how late it is."""
    Path(path).touch()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            say(f"born {os.getpid()}")
            react(_live, (url, path, int(orders), float(line) * BETWEEN_LIVES))
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


def _live(reactor: Any, *given: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(live(reactor, *given))


if __name__ == "__main__":
    main(*sys.argv[1:])
