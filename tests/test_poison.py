"""Tests of handlers that kill their own process, in processes that they kill."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

import tests
from tests.killing.poison import DEADLY, EVENTS
from tests.postgresql import PostgreSQL

if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    _TestCase = object

# Seconds; on a quiet machine it takes three.
LONGEST = 300


class PoisonTests(_TestCase):
    """An application that is started again and again."""

    def make_url(self) -> str:
        """Give the URL of a new store."""
        raise NotImplementedError

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        raise NotImplementedError

    def live(self, attempts: int) -> tuple[list[str], Counter[str]]:
        """Have lives follow one another; give how they ended, and the calls that were made."""
        url = self.make_url()
        self.query("CREATE TABLE booked (what TEXT)")
        root = str(Path(tests.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, "-m", "tests.killing.poison", url, str(attempts)],
            env={**os.environ, "PYTHONPATH": root},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr[-3000:])
        lines = done.stdout.splitlines()
        ends = [line.removeprefix("ended ") for line in lines if line.startswith("ended")]
        calls = [line.removeprefix("called ") for line in lines if line.startswith("called")]
        # No life ends but by its work, or by what kills it.
        self.assertLessEqual(set(ends), {"7", "-9", "0"}, done.stderr[-3000:])
        return ends, Counter(calls)

    def deliveries(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Give status and error of each delivery, by event and handler."""
        found = self.query(
            "SELECT e.key, d.handler, d.status, d.error FROM twisted_dispatcher_delivery d "
            "JOIN twisted_dispatcher_event e ON e.id = d.event_id"
        )
        return {(key, handler): (status, error) for key, handler, status, error in found}

    def check_dead(self, kind: str) -> None:
        """
        What killed its worker is dead, and says so.

        The attempt has any number: in some it may have died of others, before it was called.
        """
        status, error = self.deliveries()[kind, kind]
        self.assertEqual("dead", status)
        self.assertRegex(error or "", r"^its worker died in attempt \d+ \(exit unknown\)$")

    def check_the_others(self) -> None:
        """Whatever stood beside what was deadly is done, and exactly-once effects are there."""
        found = self.deliveries()
        for event in EVENTS:
            for handler in ("check", "book", "close"):
                self.assertEqual(("done", None), found[event, handler], (event, handler))
        booked = sorted(what for (what,) in self.query("SELECT what FROM booked"))
        self.assertEqual(sorted(EVENTS), booked)

    def test_five_attempts(self) -> None:
        """What kills its process is dead after its attempts, and takes nobody else with it."""
        ends, calls = self.live(5)

        for kind in ("exits", "is killed"):
            self.check_dead(kind)
            self.assertTrue(1 <= calls[f"{kind}/{kind}"] <= 5, calls)
        self.assertTrue(calls["is over/is over"] <= 1)
        self.assertEqual({"7", "-9", "0"}, set(ends))
        self.check_the_others()

    def test_one_attempt(self) -> None:
        """With one attempt, what kills its process is never called again."""
        _, calls = self.live(1)

        for kind in DEADLY:
            self.assertTrue(calls[f"{kind}/{kind}"] <= 1, calls)
        self.check_dead("exits")
        self.check_the_others()


class PoisonOnSQLiteTests(PoisonTests, SynchronousTestCase):
    """On SQLite, in a file."""

    def make_url(self) -> str:
        """Give the URL of a new file."""
        self.path = self.mktemp()
        return f"sqlite:///{self.path}"

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            return connection.execute(sql).fetchall()


class PoisonOnPostgreSQLTests(PoisonTests, PostgreSQL, SynchronousTestCase):
    """On PostgreSQL."""

    def make_url(self) -> str:
        """Give the URL of a new schema."""
        return self.make_schema()

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        cursor = self.sql.execute(sql)
        return cursor.fetchall() if cursor.description else []
