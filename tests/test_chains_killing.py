"""Tests of killing real daemons that execute chains, at random moments and again and again."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import ProcessDone
from twisted.trial.unittest import TestCase

import tests
from tests.killing.chains import read_calls
from tests.killing.nursery import Nursery as OneNursery
from tests.killing.orders import complaints, create_effect
from tests.postgresql import PostgreSQL
from twisted_dispatcher import open_store

SEED = 20270116
# What a daemon tells of before it is killed: this many things at most.
LONGEST_LIFE = 60


class Nursery(OneNursery):
    """Has daemons born that are told how late it is, in lives."""

    late = 0

    async def birth(self) -> None:
        """Have a daemon born, and wait until it is."""
        self.told.clear()
        waiting = self.wait(lambda: True)
        self.transport.write(f"{self.late}\n".encode())  # type: ignore[union-attr]
        await waiting


class KillingTestCase(TestCase):
    """Daemons on a store that are killed while chains are executed."""

    timeout = 600

    def open_nursery(self, url: str, orders: int) -> Nursery:
        """Open a nursery."""
        nursery = Nursery()
        arguments = [sys.executable, "-m", "tests.killing.chains", url, self.journal, str(orders)]
        root = str(Path(tests.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": root}
        reactor.spawnProcess(nursery, sys.executable, arguments, environment)
        self.addCleanup(self.close, nursery)
        return nursery

    async def close(self, nursery: Nursery) -> None:
        """Close a nursery."""
        nursery.transport.closeStdin()  # type: ignore[union-attr]
        try:
            await nursery.ended
        except ProcessDone:
            return

    def setUp(self) -> None:
        """Choose a file for the journal."""
        self.journal = self.mktemp()

    async def live(self, nursery: Nursery, things: int | None) -> bool:
        """Have a daemon live until it has told some things, then kill it; tell whether it was."""
        nursery.late += 1
        await nursery.birth()
        if things != 0:
            await nursery.wait(lambda: things is not None and len(nursery.told) > things)
        if nursery.told[-1].startswith("ended"):
            self.assertEqual("ended 0", nursery.told[-1], nursery.errors.decode()[-3000:])
            return False
        await nursery.kill()
        return True

    async def check(self, orders: int, query: Any) -> None:
        """See that every promise was kept."""
        calls = read_calls(self.journal)
        wanted = [str(n) for n in range(orders)]
        self.assertEqual([], list(complaints(wanted, calls, query)))
        # Some calls had to be made again after kills; none was left out.
        self.assertGreaterEqual(len(calls), 6 * orders)

    async def kill_again_and_again(self, url: str, kills: int, orders: int) -> None:
        """Kill one daemon after another, and let the last one do what is left."""
        chance = random.Random(SEED)
        nursery = self.open_nursery(url, orders)
        killed = 0
        for _ in range(kills):
            killed += await self.live(
                nursery, chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE)))
            )
        self.assertFalse(await self.live(nursery, None))
        self.assertEqual(kills, killed)


class SQLiteKillingTests(KillingTestCase):
    """A daemon on a SQLite file."""

    async def test_killed_again_and_again(self) -> None:
        """No transition is lost or made twice, over dozens of kills."""
        path = self.mktemp()
        await open_store(f"sqlite:///{path}").close()
        with closing(sqlite3.connect(path)) as connection:
            create_effect(connection.execute)
        await self.kill_again_and_again(f"sqlite:///{path}", 40, 200)

        def query(sql: str) -> list[Any]:
            with closing(sqlite3.connect(path)) as connection:
                return connection.execute(sql).fetchall()

        await self.check(200, query)


class PostgreSQLKillingTests(PostgreSQL, KillingTestCase):
    """Daemons on a PostgreSQL database."""

    async def prepare(self) -> str:
        """Make the tables."""
        url = self.make_schema()
        await open_store(url).close()
        create_effect(self.sql.execute)
        return url

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        return self.sql.execute(sql.encode()).fetchall()

    async def test_killed_again_and_again(self) -> None:
        """No transition is lost or made twice, over dozens of kills."""
        await self.kill_again_and_again(await self.prepare(), 25, 120)
        await self.check(120, self.query)

    async def test_two_daemons(self) -> None:
        """So it is where two daemons share the chains, and both are killed."""
        url = await self.prepare()
        chance = random.Random(SEED)
        both = [self.open_nursery(url, 120) for _ in range(2)]
        lives = [0, 0]
        for nursery in both:
            nursery.late = 1
            await nursery.birth()
        for late in range(2, 22):
            nursery = both[late % 2]
            things = chance.randrange(1, LONGEST_LIFE)
            if not nursery.told[-1].startswith("ended"):
                await nursery.wait(lambda: len(nursery.told) > things)  # noqa: B023
            if nursery.told[-1].startswith("ended"):
                self.assertEqual("ended 0", nursery.told[-1], nursery.errors.decode()[-3000:])
            else:
                await nursery.kill()
                lives[late % 2] += 1
            nursery.late = late
            await nursery.birth()
        for nursery in both:
            if not nursery.told[-1].startswith("ended"):
                await nursery.wait(lambda: False)
            self.assertEqual("ended 0", nursery.told[-1], nursery.errors.decode()[-3000:])

        self.assertGreater(sum(lives), 0)
        await self.check(120, self.query)
