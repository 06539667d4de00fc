"""Tests of killing a real daemon, at random moments and again and again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import tests
from tests.killing.daemon import key_of, read_journal, user_of
from tests.killing.shop import INVOICE, ORDERED, Call, complaints

SEED = 20270115
KILLS = 50
ORDERS = 600
# What a daemon tells of before it is killed: this many things at most.
LONGEST_LIFE = 150


class Nursery(ProcessProtocol):
    """
    Has daemons born and killed.

    :ivar told: what the present daemon has told.
    :ivar errors: what came on standard error.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.errors = b""
        self.ended: Deferred[None] = Deferred()
        self._rest = b""
        self._pid = 0
        self._until: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Take what a daemon tells."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.told.append(line.decode())
            if line.startswith(b"born"):
                self._pid = int(line.split()[1])
            waiting = self._waiting
            if waiting is not None and (self._until() or line.startswith(b"ended")):
                self._waiting = None
                waiting.callback(None)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        """Keep it for the report."""
        self.errors += data

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        """Tell that the nursery itself has ended."""
        self.ended.errback(reason)

    def wait(self, until: Callable[[], bool]) -> Deferred[None]:
        """Give a Deferred that fires when something was told, or when the daemon has ended."""
        self._until = until
        self._waiting = Deferred()
        return self._waiting

    async def birth(self) -> None:
        """Have a daemon born, and wait until it is."""
        self.told.clear()
        waiting = self.wait(lambda: True)
        self.transport.write(b"\n")  # type: ignore[union-attr]
        await waiting

    async def kill(self) -> None:
        """Kill the daemon."""
        waiting = self.wait(lambda: False)
        os.kill(self._pid, signal.SIGKILL)
        await waiting


class ComplaintsTests(SynchronousTestCase):
    """What is complained of, shown on accounts that are made up."""

    ORDERS = {"order 1": "bob", "order 2": "bob"}

    def setUp(self) -> None:
        """Make an account of which there is nothing to complain."""
        self.calls = [
            Call(key, handler, 1, f"{key}/{handler}") for key in self.ORDERS for handler in ORDERED
        ]
        self.calls += [
            Call(INVOICE + key, "send", 1, f"{INVOICE}{key}/send") for key in self.ORDERS
        ]
        self.deliveries = [(call.key, call.handler, "done") for call in self.calls]
        self.booked = [(key,) for key in self.ORDERS]

    def complaints(self) -> list[str]:
        """Give what there is to complain of."""

        def query(sql: str) -> list[Any]:
            return self.booked if "booked" in sql else self.deliveries

        return list(complaints(self.ORDERS, self.calls, query))

    def test_nothing(self) -> None:
        """Where every promise was kept there is nothing to complain of."""
        self.assertEqual([], self.complaints())

    def test_again_at_once(self) -> None:
        """A handler that is called again before the next phase is no reason to complain."""
        self.calls.insert(1, Call("order 1", "check", 2, "order 1/check"))

        self.assertEqual([], self.complaints())

    def test_lost(self) -> None:
        """A delivery that is not done, or not there, is lost."""
        for lost in ([("order 1", "check", "pending")], []):
            self.deliveries[:1] = lost

            self.assertIn("lost: [('order 1', 'check', 'done')]", self.complaints())

    def test_never_called(self) -> None:
        """A handler that was done without a call is complained of."""
        del self.calls[0]

        self.assertEqual(["never called for order 1: ['check']"], self.complaints())

    def test_doubled(self) -> None:
        """An effect that is there twice, or not at all, is complained of."""
        for booked in ([("order 1",)] * 2 + [("order 2",)], [("order 2",)]):
            self.booked = booked

            self.assertIn("booked", self.complaints()[0])

    def test_notified_twice(self) -> None:
        """A second call of what is to be called at most once is complained of."""
        place = [call.handler for call in self.calls].index("notify")
        self.calls.insert(place, Call("order 1", "notify", 2, "order 1/notify"))

        self.assertIn("notified 2 times of order 1", self.complaints())

    def test_phases(self) -> None:
        """A call after one of a later phase is complained of."""
        self.calls.insert(6, Call("order 1", "check", 2, "order 1/check"))

        self.assertIn("phases of order 1 not in order: [0, 0, 1, 1, 1, 2, 0]", self.complaints())

    def test_lanes(self) -> None:
        """An order that was begun before the one before it was done is complained of."""
        self.calls.insert(1, Call("order 2", "check", 1, "order 2/check"))

        self.assertTrue(any("orders of bob" in each for each in self.complaints()))

    def test_attempts(self) -> None:
        """An attempt that was made twice is complained of."""
        self.calls.insert(1, self.calls[0])

        self.assertEqual(["attempts of ('order 1', 'check'): [1, 1]"], self.complaints())

    def test_idempotency_keys(self) -> None:
        """A key that changes, or that two deliveries have, is complained of."""
        changed = [Call("order 1", "check", 2, "another"), *self.calls[1:]]
        shared = [Call("order 1", "check", 1, "order 2/check"), *self.calls[1:]]
        for calls in ([self.calls[0], *changed], shared):
            self.calls = calls

            self.assertIn("idempotency key", "".join(self.complaints()))
            self.setUp()


class KillingTests(TestCase):
    """A daemon on a SQLite file that is killed while orders flow."""

    timeout = 120

    def setUp(self) -> None:
        """Open the nursery."""
        from twisted.internet import reactor

        self.path, self.journal = self.mktemp(), self.mktemp()
        self.nursery = Nursery()
        arguments = [sys.executable, "-m", "tests.killing.daemon"]
        arguments += [f"sqlite:///{self.path}", self.journal, str(ORDERS)]
        root = str(Path(tests.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": root}
        reactor.spawnProcess(self.nursery, sys.executable, arguments, environment)
        self.addCleanup(self.close)

    async def close(self) -> None:
        """Close the nursery."""
        self.nursery.transport.closeStdin()  # type: ignore[union-attr]
        try:
            await self.nursery.ended
        except ProcessDone:
            return

    async def live(self, things: int | None) -> bool:
        """Have a daemon live until it has told some things, then kill it; tell whether it was."""
        nursery = self.nursery
        await nursery.birth()
        if things != 0:
            await nursery.wait(lambda: things is not None and len(nursery.told) > things)
        if nursery.told[-1].startswith("ended"):
            self.assertEqual("ended 0", nursery.told[-1], nursery.errors.decode()[-3000:])
            return False
        await nursery.kill()
        return True

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    async def test_killed_again_and_again(self) -> None:
        """Nothing accepted is lost, nothing doubled, and all in order, over dozens of kills."""
        chance = random.Random(SEED)
        kills = 0
        for _ in range(KILLS):
            kills += await self.live(chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE))))
        self.assertFalse(await self.live(None))

        self.assertEqual(KILLS, kills)
        journal = read_journal(self.journal)
        accepted = {each["number"] for each in journal if each["what"] == "accepted"}
        self.assertEqual(set(range(ORDERS)), accepted)
        calls = [
            Call(each["key"], each["handler"], each["attempt"], each["idempotency_key"])
            for each in journal
            if each["what"] == "called"
        ]
        users = {key_of(number): user_of(number) for number in range(ORDERS)}
        ids = "SELECT key FROM twisted_dispatcher_event ORDER BY id"
        orders = {key: users[key] for (key,) in self.query(ids) if key in users}
        self.assertEqual([], list(complaints(orders, calls, self.query)))
        # The kills did hit something: some calls had to be made again.
        self.assertTrue(len(calls) > 9 * ORDERS, len(calls))
