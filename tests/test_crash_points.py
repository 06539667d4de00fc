"""Tests of dying at every point: crashes at each of them in turn, and what is left."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Problem
from tests.durable import attempts
from tests.killing.shop import KEYWORDS, Call, Shop, complaints
from tests.postgresql import PostgreSQL
from twisted_dispatcher import DurableDispatcher, HandlerOptions
from twisted_dispatcher.testing.clocked import NeverSettled
from twisted_dispatcher.testing.crashes import (
    BEGINNING,
    Crashed,
    Death,
    Life,
    crash_everywhere,
)
from twisted_dispatcher.testing.stores.crashes import ProcessDied

if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    _TestCase = object

# The orders that are accepted, all by one user, and after how many seconds they are due.
ORDERS = {"order 1": 0.0, "order 2": 0.3}


def act(dispatcher: DurableDispatcher) -> Any:
    """Accept all orders, as their customers would who got no answer."""
    return gatherResults(
        dispatcher.accept_event(key, key=key, kind="order", user="bob", at=BEGINNING + after)
        for key, after in ORDERS.items()
    )


def query_of_file(path: str) -> Callable[[str], list[Any]]:
    """Give what asks the database in a file."""

    def query(sql: str) -> list[Any]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(sql).fetchall()

    return query


def check(calls: list[Call], query: Callable[[str], list[Any]], said: str) -> None:
    """Raise an error unless everything was handled as it was promised."""
    found = list(complaints(dict.fromkeys(ORDERS, "bob"), calls, query))
    if found:
        raise AssertionError("\n".join([said, *found, *map(str, calls)]))


class CrashPoints(_TestCase):
    """
    Crashes at every crash point, with a restart after them.

    :cvar every: one of so many points is tried.
    """

    every: ClassVar[int] = 1

    def setUp(self) -> None:
        """Have a list of all calls of handlers."""
        self.calls: list[Call] = []

    def make_place(self) -> str:
        """Give the path or the URL of an empty store."""
        raise NotImplementedError

    def query(self, crash: Crashed) -> Callable[[str], list[Any]]:
        """Give what asks the database."""
        raise NotImplementedError

    def new_place(self) -> str:
        """Give a new store, without a past."""
        self.calls.clear()
        return self.make_place()

    def open_shop(self, dispatcher: DurableDispatcher) -> None:
        """Register the handlers of a new process."""
        Shop(self.calls.append, dispatcher._current_clock(), 0.2).setup(dispatcher)

    def crashes(self, **options: Any) -> Iterator[Crashed]:
        """Crash everywhere."""
        options["order_by"] = ("user",)
        return crash_everywhere(self.new_place, KEYWORDS, self.open_shop, act, **options)

    def test_every_point(self) -> None:
        """Wherever a process dies, the next one finishes what it began, and doubles nothing."""
        points = []
        for crash in self.crashes(every=self.every):
            points.append(crash.point)
            check(self.calls, self.query(crash), f"crashed at point {crash.number}, {crash.point}")

        self.assertIsNone(points[-1])
        self.assertTrue(len(points) > 100 / self.every, points)
        self.assertTrue(
            {"before commit", "after commit", "after begin"} < set(points) or self.every > 1,
            points,
        )

    def test_two_crashes(self) -> None:
        """That holds as well if the next process dies in turn, at any of its own points."""
        for crash in self.crashes(
            every=2 * self.every - 1, then_at=lambda number: 1 + number * 7 % 61
        ):
            said = f"crashed at point {crash.number}, {crash.point}, and once more"
            check(self.calls, self.query(crash), said)


class CrashPointsOnSQLiteTests(CrashPoints, SynchronousTestCase):
    """On SQLite files."""

    def make_place(self) -> str:
        """Give the path of a new file."""
        return str(self.mktemp())

    def query(self, crash: Crashed) -> Callable[[str], list[Any]]:
        """Give what asks the database."""
        return query_of_file(crash.path)


class CrashPointsOnPostgreSQLTests(CrashPoints, PostgreSQL, SynchronousTestCase):
    """
    On PostgreSQL, where a life takes longer: not every point is tried every time.

    All of them are, in some minutes, with TWISTED_DISPATCHER_TEST_CRASHES=all.
    """

    every = 1 if os.environ.get("TWISTED_DISPATCHER_TEST_CRASHES") == "all" else 7

    def setUp(self) -> None:
        """Have a schema."""
        super().setUp()
        self.place = self.make_schema()

    def make_place(self) -> str:
        """Empty the schema."""
        self.sql.execute("SET client_min_messages = warning")
        self.sql.execute(f"DROP SCHEMA {self.schema} CASCADE; CREATE SCHEMA {self.schema}")
        return self.place

    def query(self, crash: Crashed) -> Callable[[str], list[Any]]:
        """Give what asks the database."""
        return lambda sql: self.sql.execute(sql).fetchall()


class HelperTests(SynchronousTestCase):
    """The helper itself."""

    def test_what_is_left(self) -> None:
        """For every point it tells of the file, the point, and its number."""
        paths: list[str] = []

        def new_path() -> str:
            paths.append(self.mktemp())
            return paths[-1]

        crashes = list(
            crash_everywhere(
                new_path, (), lambda dispatcher: None, lambda each: each.accept_event("x", key="x")
            )
        )

        self.assertEqual(paths, [crash.path for crash in crashes])
        self.assertEqual(list(range(1, len(crashes) + 1)), [crash.number for crash in crashes])
        self.assertEqual(Crashed(paths[0], 1, "before begin"), crashes[0])
        self.assertIsNone(crashes[-1].point)
        self.assertNotIn(None, [crash.point for crash in crashes[:-1]])

    def test_finds_what_is_lost(self) -> None:
        """A handler that forgets when it is killed is found out."""
        forgetful: list[str] = []
        lost = []

        def setup(dispatcher: DurableDispatcher) -> None:
            options = HandlerOptions(guarantee="at-most-once", name="forgetful")
            dispatcher.on(options=options)(forgetful.append)

        def new_path() -> str:
            forgetful.clear()
            return str(self.mktemp())

        for crash in crash_everywhere(
            new_path, (), setup, lambda each: each.accept_event("x", key="x")
        ):
            if not forgetful:
                lost.append(crash.point)

        self.assertEqual(["after commit"], lost)

    def test_finds_what_is_doubled(self) -> None:
        """A handler whose effect is doubled by a kill is found out."""
        doubled: list[str] = []
        found = 0

        def new_path() -> str:
            doubled.clear()
            return str(self.mktemp())

        for _ in crash_everywhere(
            new_path,
            (),
            lambda each: each.on(options=HandlerOptions(name="doubled"))(doubled.append),
            lambda each: each.accept_event("x", key="x"),
        ):
            found += len(doubled) > 1

        self.assertTrue(found > 0)

    def test_what_never_settles(self) -> None:
        """Events that do not get on end the life with an error that names them."""

        def setup(dispatcher: DurableDispatcher) -> None:
            @dispatcher.on(options=HandlerOptions(name="stuck", retry=attempts(99)))
            def stuck(event: Any) -> None:
                raise Problem

        life = Life(self.mktemp(), BEGINNING, (), setup)

        error = self.assertRaises(
            NeverSettled, life.live, lambda each: each.accept_event("x"), limit=60
        )
        self.assertIn("stuck", str(error))

    def test_points_after_a_crash(self) -> None:
        """Who has caught a death dies again at the next point."""
        death = Death(2)
        death("first")
        for name in ("second", "third"):
            self.assertRaisesRegex(ProcessDied, "second", death, name)

        self.assertEqual((["first", "second"], "second"), (death.passed, death.point))
