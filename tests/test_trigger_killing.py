"""Tests of killing a real daemon that runs the tasks of trigger sessions."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import gatherResults
from twisted.internet.error import ProcessDone
from twisted.trial.unittest import TestCase

import tests
from tests.killing.daemon import read_journal
from tests.killing.nursery import Nursery
from tests.killing.sessions import uid_of
from tests.postgresql import PostgreSQL
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.triggers import TriggerManager, TriggerStorage

if TYPE_CHECKING:
    _TestCase = TestCase
else:
    _TestCase = object

SEED = 20270116
KILLS = 24
SESSIONS = 100
LONGEST_LIFE = 40
EXPECTED = {
    "join#0": "finished",
    "each#0": "finished",
    "never#0": "abandoned",
    "end#0": "finished",
}


class Killing(_TestCase):
    """A daemon that is killed while sessions go on."""

    timeout = 240

    def make_url(self) -> str:
        """Give the URL of an empty store."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the nursery."""
        from twisted.internet import reactor

        self.url, self.journal = self.make_url(), self.mktemp()
        self.nursery = Nursery()
        arguments = [sys.executable, "-m", "tests.killing.sessions"]
        arguments += [self.url, self.journal, str(SESSIONS)]
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

    async def statuses(self) -> list[dict[str, Any]]:
        """Give the status of every instance of every session."""
        store = open_store(self.url)
        self.addCleanup(store.close)
        dispatcher = DurableDispatcher(store)
        storages = [TriggerStorage(uid_of(number), dispatcher) for number in range(SESSIONS)]
        await gatherResults([each.load() for each in storages])
        return [{each.name: each.status for each in storage} for storage in storages]

    async def test_killed_again_and_again(self) -> None:
        """No trigger, no task and no cascade is lost or doubled, over dozens of kills."""
        chance = random.Random(SEED)
        kills = 0
        for _ in range(KILLS):
            kills += await self.live(chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE))))
        self.assertFalse(await self.live(None))

        self.assertEqual(kills, KILLS)
        self.assertEqual(await self.statuses(), [EXPECTED] * SESSIONS)
        journal = read_journal(self.journal)
        calls = Counter(
            (each["uid"], each["instance"]) for each in journal if each["what"] == "called"
        )
        ran = [name for name, status in EXPECTED.items() if status == "finished"]
        wanted = {(uid_of(number), name) for number in range(SESSIONS) for name in ran}
        self.assertEqual(set(calls), wanted)


class SQLiteKillingTests(Killing, TestCase):
    """On a file."""

    def make_url(self) -> str:
        return f"sqlite:///{self.mktemp()}"


class PostgreSQLKillingTests(PostgreSQL, Killing, TestCase):
    """On a server."""

    def make_url(self) -> str:
        return str(self.make_schema())


class SharingTests(PostgreSQL, TestCase):
    """Many processes that fire into one session."""

    timeout = 240
    PROCESSES = 4
    FIRES = 30

    async def test_thirty_managers(self) -> None:
        """Thirty managers in each of four processes fire at once: each fire counts once (T034)."""
        from twisted.internet import reactor
        from twisted.internet.utils import getProcessOutputAndValue

        url = str(self.make_schema())
        store = open_store(url)
        self.addCleanup(store.close)
        dispatcher = DurableDispatcher(store)
        manager = TriggerManager(TriggerStorage("shared", dispatcher))
        every = {"after": [], "andEvery": "x", "run": "tests.trigger_tasks:Nothing"}
        await manager.update_configuration({"every": every})
        root = str(Path(tests.__file__).parent.parent)
        arguments = ["-m", "tests.killing.sharing", url, str(self.FIRES)]
        environment = {**os.environ, "PYTHONPATH": root}
        ended = await gatherResults(
            getProcessOutputAndValue(sys.executable, arguments, environment, reactor=reactor)
            for _ in range(self.PROCESSES)
        )

        self.assertEqual([code for _, _, code in ended], [0] * self.PROCESSES, ended)
        await manager.storage.load()
        statuses = Counter(each.status for each in manager.storage)
        self.assertEqual(statuses, {"finished": self.PROCESSES * self.FIRES})
