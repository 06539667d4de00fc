"""Tests of killing a real program that sweeps and processes a stream, on both stores."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import TestCase

import tests
from tests.killing.nursery import Nursery
from tests.killing.sweeps import STREAM
from tests.postgresql import PostgreSQL

if TYPE_CHECKING:
    _TestCase = TestCase
else:
    _TestCase = object

SEED = 20270117
KILLS = 20
OBJECTS = 150
LONGEST_LIFE = 60


class Killing(_TestCase):
    """A program that is killed while it sweeps, and while it processes a stream."""

    timeout = 240

    def make_url(self) -> str:
        """Give the URL of an empty store."""
        raise NotImplementedError

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the nursery."""
        from twisted.internet import reactor

        self.journal = self.mktemp()
        self.nursery = Nursery()
        arguments = [sys.executable, "-m", "tests.killing.sweeps"]
        arguments += [self.make_url(), self.journal, str(OBJECTS)]
        root = str(Path(tests.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": root}
        reactor.spawnProcess(self.nursery, sys.executable, arguments, environment)
        self.addCleanup(self.nursery.close)

    async def test_killed_again_and_again(self) -> None:
        """No object is missed and no event lost; effects are there once; sweeps are resumed."""
        chance = random.Random(SEED)
        for _ in range(KILLS):
            self.assertTrue(
                await self.nursery.live(chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE))))
            )
        self.assertFalse(await self.nursery.live(None))

        keys = {f"{group}_{number}" for number in range(OBJECTS) for group in "ab"}
        keys |= {f"c_{number}" for number in range(STREAM)}
        effects = [what for (what,) in self.query("SELECT what FROM effect")]
        self.assertEqual(sorted(effects), sorted(keys))
        notes = Path(self.journal).read_text().split("\n")
        self.assertEqual({f"called {key}" for key in keys} - set(notes), set())
        looked = [note for note in notes if note.startswith("looked")]
        self.assertEqual(len(set(looked)), OBJECTS)
        # Each life but the first went on near where the one before it was killed.
        self.assertLess(len(looked), 3 * OBJECTS)
        [(objects, ended)] = self.query("SELECT objects, ended FROM twisted_dispatcher_sweep")
        self.assertEqual(objects, OBJECTS)
        self.assertIsNotNone(ended)


class SQLiteTests(Killing, TestCase):
    """On a file."""

    def make_url(self) -> str:
        self.path = self.mktemp()
        return f"sqlite:///{self.path}"

    def query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            return connection.execute(sql).fetchall()


class PostgreSQLTests(PostgreSQL, Killing, TestCase):
    """On a server."""

    def make_url(self) -> str:
        url = self.make_schema()
        self.sql.execute("CREATE TABLE effect (what TEXT)")
        return str(url)

    def query(self, sql: str) -> list[Any]:
        return self.sql.execute(sql).fetchall()
