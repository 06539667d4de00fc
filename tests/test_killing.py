"""Tests of killing real daemons, at random moments and again and again, on both stores."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.killing.daemon import BETWEEN_LIVES, key_of, read_journal, user_of
from tests.killing.nursery import Nursery
from tests.killing.shop import INVOICE, ORDERED, Call, complaints
from tests.postgresql import PostgreSQL

if TYPE_CHECKING:
    _TestCase = TestCase
else:
    _TestCase = object

SEED = 20270115
# What a daemon tells of before it is killed: this many things at most.
LONGEST_LIFE = 150
# The lease of daemons that live at the same time, in seconds: none of them is to lose it while the
# machine is busy, and after the last kill it is waited for.
LEASE = 6.0


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


class Killing(_TestCase):
    """
    Daemons on one store that are killed while orders flow.

    :cvar orders: how many there are.
    """

    timeout = 600
    orders = 300

    def make_url(self) -> str:
        """Give the URL of a new store."""
        raise NotImplementedError

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        raise NotImplementedError

    def open_nurseries(self, count: int, *arguments: object) -> list[Nursery]:
        """Open nurseries on one store, for daemons that share a journal."""
        from twisted.internet import reactor

        url, self.journal = self.make_url(), self.mktemp()
        nurseries = [Nursery() for _ in range(count)]
        for place, nursery in enumerate(nurseries):
            nursery.open(reactor, url, self.journal, self.orders, place, *arguments)
            self.addCleanup(nursery.close)
        return nurseries

    def check(self, several: bool = False) -> int:
        """
        What was promised must hold, of everything that the journal and the store say.

        :return: how often handlers were called.
        """
        journal = read_journal(self.journal)
        accepted = {each["number"] for each in journal if each["what"] == "accepted"}
        self.assertEqual(set(range(self.orders)), accepted)
        calls = [
            Call(each["key"], each["handler"], each["attempt"], each["idempotency_key"])
            for each in journal
            if each["what"] == "called"
        ]
        users = {key_of(number): user_of(number) for number in range(self.orders)}
        ids = "SELECT key FROM twisted_dispatcher_event ORDER BY id"
        orders = {key: users[key] for (key,) in self.query(ids) if key in users}
        was_late = any(each["what"] == "late" for each in journal)
        found = complaints(orders, calls, self.query, several=several, was_late=was_late)
        self.assertEqual([], list(found))
        return len(calls)

    async def killed_again_and_again(self, kills: int) -> None:
        """Kill one daemon after another, each of which finds the lease of the last one over."""
        (nursery,) = self.open_nurseries(1, 60.0, BETWEEN_LIVES)
        chance = random.Random(SEED)
        killed = 0
        for _ in range(kills):
            things = chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE)))
            killed += await nursery.live(things)
        self.assertFalse(await nursery.live(None))

        self.assertEqual(kills, killed)
        # The kills did hit something: some calls had to be made again.
        self.assertGreater(self.check(), 9 * self.orders)

    async def killed_side_by_side(self, workers: int, kills: int) -> None:
        """Kill each of some daemons that work at the same time, so often."""
        nurseries = self.open_nurseries(workers, LEASE, 0.0)

        async def lives(nursery: Nursery, chance: random.Random) -> int:
            killed = 0
            for _ in range(kills):
                things = chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE)))
                killed += await nursery.live(things)
            await nursery.live(None)
            return killed

        killed = await gatherResults(
            [
                Deferred.fromCoroutine(lives(nursery, random.Random(SEED + place)))
                for place, nursery in enumerate(nurseries)
            ],
            consumeErrors=True,
        )

        # On a machine that is quick, everything may be done before the last ones of them.
        self.assertTrue(all(killed), killed)
        self.check(several=True)


class KillingOnSQLiteTests(Killing, TestCase):
    """On a SQLite file."""

    orders = 600

    def make_url(self) -> str:
        """Give the URL of a new file."""
        self.path = self.mktemp()
        return f"sqlite:///{self.path}"

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            return connection.execute(sql).fetchall()

    async def test_killed_again_and_again(self) -> None:
        """Nothing accepted is lost, nothing doubled, and all in order, over dozens of kills."""
        await self.killed_again_and_again(50)

    async def test_two_workers(self) -> None:
        """The same holds of two daemons on one file."""
        await self.killed_side_by_side(2, 5)


class KillingOnPostgreSQLTests(Killing, PostgreSQL, TestCase):
    """On PostgreSQL."""

    def make_url(self) -> str:
        """Give the URL of a new schema, in which there is what handlers write to."""
        url = self.make_schema()
        self.sql.execute("CREATE TABLE booked (what TEXT)")
        return url

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        return self.sql.execute(sql).fetchall()

    async def test_killed_again_and_again(self) -> None:
        """Nothing accepted is lost, nothing doubled, and all in order, over dozens of kills."""
        await self.killed_again_and_again(30)

    async def test_two_workers(self) -> None:
        """The same holds of two daemons at once that are killed and start again."""
        await self.killed_side_by_side(2, 8)

    async def test_four_workers(self) -> None:
        """The same holds of four daemons."""
        await self.killed_side_by_side(4, 4)
