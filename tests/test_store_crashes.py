"""The SQLite store after the death of its process at every point where it writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.records import PENDING, RETRYING, Claim, NewEvent, Worker
from twisted_dispatcher.stores.sqlite import SQLiteStore
from twisted_dispatcher.testing import pump
from twisted_dispatcher.testing.stores.crashes import CrashPoint, ProcessDied
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    new_event,
    planned,
    settlement,
    unplanned_event,
)

HANDLERS = frozenset("abc")
# To whom the events of a life go; those of one lane are ordered.
PLANS = {
    "phases": ("a b", "c"),
    "first in lane": ("a",),
    "second in lane": ("b",),
    "unplanned": ("a", "b"),
    "retried": ("c",),
    "later": ("a",),
    "from a": ("b",),
}
IN_LANE = ("first in lane", "second in lane")


class Process:
    """
    A program that works with the store until it dies.

    Its handlers write a row in a table of their own, in the transaction that settles them. What
    it was promised is kept by the test, beyond its death.
    """

    def __init__(self, test: CrashTests, name: str, now: float, point: CrashPoint) -> None:
        self.promised = test.promised
        self.worker = Worker(name, HANDLERS)
        self.clock = Clock()
        self.now = now
        opened = open_store(f"sqlite:///{test.path}", reactor=self.clock)
        assert isinstance(opened, SQLiteStore)
        self.store = opened
        # It is the process that dies, not the machine.
        opened._ledger.connection.execute("PRAGMA synchronous = OFF")
        opened.on_point = point
        self.queue: list[Claim] = []

    def do(self, deferred: Deferred[Any]) -> Any:
        """Wait for the store's answer."""
        return pump(self.clock, deferred)

    def accept(self, *events: NewEvent) -> None:
        """Accept events, and remember what was promised."""
        for accepted in self.do(self.store.accept(events, self.worker, self.now)):
            self.promised.add(accepted.acceptance.key)
            self.queue += accepted.claims

    def begin(self) -> None:
        """Sign on, and take over what others have left."""
        self.do(self.store.heartbeat(self.worker, self.now + 50, self.now))
        self.do(self.store.release_dead(self.now))

    def live(self) -> None:
        """Accept everything, with a failure and a few other things on the way."""
        self.accept(
            new_event("phases", *PLANS["phases"]),
            *(new_event(key, *PLANS[key], lane="lane") for key in IN_LANE),
        )
        self.accept(unplanned_event("unplanned"), new_event("retried", *PLANS["retried"]))
        self.accept(new_event("later", *PLANS["later"], due=NOW + 5))
        failing = next(claim for claim in self.queue if claim.key == "retried")
        self.queue.remove(failing)
        for status in (RETRYING, PENDING):
            made = settlement(failing, status, due=self.now, error="boom")
            self.do(self.store.settle([made], self.worker, self.now))
            (failing,) = self.do(self.store.claim(self.worker, self.now, 1))
        self.queue.append(failing)
        self.finish()

    def finish(self) -> None:
        """Run whatever there is to run."""
        self.now += 10
        while True:
            self.run_queue()
            self.queue += self.do(self.store.claim(self.worker, self.now, 2))
            for each in self.do(self.store.unplanned(self.worker, self.now, 5)):
                deliveries = planned(*PLANS[each.key])
                plan = self.do(self.store.plan(each.event_id, deliveries, self.worker, self.now))
                self.queue += plan.claims
            if not self.queue:
                return

    def run_queue(self) -> None:
        """Run what this process holds, two at a time."""
        while self.queue:
            claims, self.queue = self.queue[:2], self.queue[2:]
            asked = [
                self.store.transact(claim, self.handler_of(claim), self.worker, self.now)
                for claim in claims
            ]
            for each in asked:
                _, settled = self.do(each)
                self.queue += settled.opened

    def handler_of(self, claim: Claim) -> Any:
        """Give the handler of a delivery: its effect is a row, and sometimes an event."""

        def work(transaction: Any) -> None:
            transaction.execute("CREATE TABLE IF NOT EXISTS effect (key, handler, rank)")
            row = (claim.key, claim.handler, claim.rank)
            transaction.execute("INSERT INTO effect VALUES (?, ?, ?)", row)
            if row[:2] == ("phases", "a"):
                transaction.accept(new_event("from a", *PLANS["from a"]))

        return work

    def effects(self) -> list[tuple[str, str, int]]:
        """Give all effects, in the order in which they happened."""
        sql = "SELECT key, handler, rank FROM effect ORDER BY rowid"
        return self.store._ledger.connection.execute(sql).fetchall()


class CrashTests(SynchronousTestCase):
    """A process that dies, and another one that goes on."""

    def setUp(self) -> None:
        """Nothing was promised yet."""
        self.promised: set[str] = set()

    def lives(self) -> Iterator[str | None]:
        """Live again and again, dying at each point once; then live to the end."""
        for nth in itertools.count(1):
            self.path = f"{self.mktemp()}.db"
            self.promised.clear()
            process = Process(self, "first", NOW, CrashPoint(nth))
            try:
                process.begin()
                process.live()
            except ProcessDied as death:
                process.store.crash()
                yield str(death)
            else:
                process.store.close()
                yield None
                return

    def test_every_point(self) -> None:
        """Whatever was promised happens once and in order, wherever the process dies."""
        deaths = []
        for death in self.lives():
            deaths.append(death)
            follower = Process(self, "second", NOW + 100, CrashPoint())
            follower.begin()
            follower.finish()
            if death is None:
                self.assertEqual({*PLANS} - {"from a"}, self.promised)
            self.check(follower, str(death))
            follower.store.close()

        self.assertGreater(len(deaths), 100)
        for name in (
            "commit",
            "insert events",
            "insert deliveries",
            "settle done",
            "claim",
            "plan",
        ):
            self.assertIn(f"before {name}", deaths)
            self.assertIn(f"after {name}", deaths)

    def check(self, process: Process, death: str) -> None:
        """See that what is there is complete, that it happened once, and in order."""
        accepted = {each.key for each in process.do(process.store.events())}
        self.assertLessEqual(self.promised, accepted, death)
        self.assertEqual("phases" in accepted, "from a" in accepted, death)
        expected = [
            (key, handler, rank)
            for key in accepted
            for rank, names in enumerate(PLANS[key])
            for handler in names.split()
        ]
        happened = process.effects() if accepted else []
        self.assertEqual(sorted(expected), sorted(happened), death)
        for key in accepted:
            ranks = [rank for each, _, rank in happened if each == key]
            self.assertEqual(sorted(ranks), ranks, death)
        in_lane = [key for key, _, _ in happened if key in IN_LANE]
        self.assertEqual([key for key in IN_LANE if key in accepted], in_lane, death)
        self.assertEqual(0, process.do(process.store.counts())["open"], death)

    def test_after_death(self) -> None:
        """A store whose process has died answers nobody, and is asked in vain."""
        self.path = f"{self.mktemp()}.db"
        process = Process(self, "first", NOW, CrashPoint(3))
        asked = process.store.accept([new_event("phases", "a")], process.worker, NOW)
        self.assertRaises(ProcessDied, process.clock.advance, 0)

        self.assertNoResult(asked)
        again = process.store.accept([new_event("phases", "a")], process.worker, NOW)
        self.failureResultOf(again, StoreClosed)
        process.store.crash()
