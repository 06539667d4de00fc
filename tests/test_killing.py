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
from twisted.trial.unittest import TestCase

import tests
from tests.killing.daemon import key_of, read_journal, user_of
from tests.killing.shop import Call, complaints

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
