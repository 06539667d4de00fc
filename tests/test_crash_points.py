"""Tests of dying at every point: crashes at each of them in turn, and what is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Problem
from tests.durable import DurableTests, attempts, file_of, on_stores
from tests.killing.shop import KEYWORDS, Call, Shop, complaints
from twisted_dispatcher import DurableDispatcher, HandlerOptions, errors
from twisted_dispatcher.testing.clocked import NeverSettled
from twisted_dispatcher.testing.crashes import (
    BEGINNING,
    Crashed,
    Death,
    Life,
    crash_everywhere,
)
from twisted_dispatcher.testing.stores.crashes import CrashPoint, ProcessDied

# The orders that are accepted, all by one user, and after how many seconds they are due.
ORDERS = {"order 1": 0.0, "order 2": 0.3}


def act(dispatcher: DurableDispatcher) -> Any:
    """Accept all orders, as their customers would who got no answer."""
    return gatherResults(
        dispatcher.accept_event(key, key=key, kind="order", user="bob", at=BEGINNING + after)
        for key, after in ORDERS.items()
    )


def check(calls: list[Call], path: str, said: str) -> None:
    """Raise an error unless everything was handled as it was promised."""
    with closing(sqlite3.connect(path)) as connection:
        found = list(
            complaints(
                dict.fromkeys(ORDERS, "bob"), calls, lambda sql: connection.execute(sql).fetchall()
            )
        )
    if found:
        raise AssertionError("\n".join([said, *found, *map(str, calls)]))


class CrashPointTests(SynchronousTestCase):
    """Crashes at every crash point, with a restart after them."""

    def setUp(self) -> None:
        """Have a list of all calls of handlers."""
        self.calls: list[Call] = []

    def new_path(self) -> str:
        """Give a new file, without a past."""
        self.calls.clear()
        return str(self.mktemp())

    def open_shop(self, dispatcher: DurableDispatcher) -> None:
        """Register the handlers of a new process."""
        Shop(self.calls.append, dispatcher._current_clock(), 0.2).setup(dispatcher)

    def crashes(self, **options: Any) -> Iterator[Crashed]:
        """Crash everywhere."""
        options["order_by"] = ("user",)
        return crash_everywhere(self.new_path, KEYWORDS, self.open_shop, act, **options)

    def test_every_point(self) -> None:
        """Wherever a process dies, the next one finishes what it began, and doubles nothing."""
        points = []
        for crash in self.crashes():
            points.append(crash.point)
            check(self.calls, crash.path, f"crashed at point {crash.number}, {crash.point}")

        self.assertIsNone(points[-1])
        self.assertTrue(len(points) > 100, points)
        self.assertTrue({"before commit", "after commit", "after begin"} < set(points), points)

    def test_two_crashes(self) -> None:
        """That holds as well if the next process dies in turn, at any of its own points."""
        for crash in self.crashes(then_at=lambda number: 1 + number * 7 % 61):
            said = f"crashed at point {crash.number}, {crash.point}, and once more"
            check(self.calls, crash.path, said)


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


class Stumbling(CrashPoint):
    """Has what is done at one point fail, once; the process lives on."""

    def __call__(self, point: str) -> None:
        """Pass a point, or fail there."""
        try:
            super().__call__(point)
        except ProcessDied:
            raise sqlite3.OperationalError("disk I/O error") from None


class StumblingTests(DurableTests):
    """Statements and commits that fail at every point in turn, in a process that lives on."""

    async def accepted(self, dispatcher: DurableDispatcher, key: str) -> None:
        """Accept an order, again and again until it is accepted."""
        for _ in range(3):
            try:
                await self.result(dispatcher.accept_event(key, key=key, kind="order", user="bob"))
                return
            except errors.StoreUnavailable:
                continue
        self.fail(f"{key} was not accepted")

    async def test_every_point(self) -> None:
        """Whatever statement or commit fails, once, everything is handled as it was promised."""
        number = passed = 1
        while number <= passed:
            calls, stumbling = list[Call](), Stumbling(number)
            self.url = self.backend.new_url(self)
            link = self.connect()
            link.store.on_point = stumbling  # type: ignore[attr-defined]
            dispatcher = self.make(*KEYWORDS, link=link, order_by=("user",))
            Shop(calls.append, self.clock, 0.2).setup(dispatcher)
            await self.start(dispatcher)
            for key in ORDERS:
                await self.accepted(dispatcher, key)
            await self.until_settled(dispatcher)
            await self.result(dispatcher.stop())

            said = f"failed at point {number}, {stumbling.passed[number - 1 : number]}"
            check(calls, str(file_of(self.url)), said)
            link.cut()
            self.flushLoggedErrors(errors.StoreUnavailable)
            number, passed = number + 1, len(stumbling.passed)
        self.assertTrue(number > 80, number)


globals().update(on_stores(StumblingTests, that_outlive=True))
