"""How SQLite finds what the store asks it for: never by looking through what grows."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.records import DEAD, DONE, PENDING, RETRYING, Claim, Worker
from twisted_dispatcher.stores.sqlite import SQLiteStore
from twisted_dispatcher.testing import pump
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    new_event,
    planned,
    settlement,
    unplanned_event,
)

GROWING = r"(twisted_dispatcher_event|twisted_dispatcher_delivery|e|d)"
# These hold what is not settled, or what has failed: they are small, whatever has been done.
SMALL = "USING INDEX twisted_dispatcher_delivery_(unsettled|failed|due)"
# The newest are found from the end, as many as are wanted.
NEWEST = re.compile(r"ORDER BY [de]\.id DESC LIMIT")


class PlanTests(SynchronousTestCase):
    """The plans of all statements."""

    def setUp(self) -> None:
        """Write down each statement that the store executes."""
        self.clock = Clock()
        store = open_store("sqlite://", reactor=self.clock)
        assert isinstance(store, SQLiteStore)
        self.store = store
        self.addCleanup(store.close)
        self.statements: set[str] = set()
        self.connection = store._ledger.connection
        self.connection.set_trace_callback(self.statements.add)

    def do(self, deferred: Deferred[Any]) -> Any:
        """Wait for the store's answer."""
        return pump(self.clock, deferred)

    def write(self) -> list[Claim]:
        """Do everything that writes; give what was claimed first."""
        events = [new_event(str(n), "a b", "c", lane="lane" if n % 2 else None) for n in range(20)]
        accepted = self.do(self.store.accept(events, WORKER, NOW))
        self.do(self.store.accept([new_event("1", "a"), new_event("late", "x")], WORKER, NOW))
        unplanned = self.do(self.store.accept([unplanned_event("u")], WORKER, NOW))
        event_id = unplanned[0].acceptance.event_id
        self.do(self.store.plan(event_id, planned("x", "y"), WORKER, NOW))
        claims: list[Claim] = [claim for each in accepted for claim in each.claims]
        made = [settlement(claim) for claim in claims[::3]]
        made += [settlement(claim, DEAD, stops=True) for claim in claims[1::3]]
        made += [settlement(claim, RETRYING, due=NOW) for claim in claims[2::3]]
        self.do(self.store.settle(made, WORKER, NOW))
        self.do(self.store.settle(made, WORKER, NOW))
        for claim in self.do(self.store.claim(OTHER, NOW, 5)):
            self.do(self.store.transact(claim, lambda transaction: None, OTHER, NOW))
        self.do(self.store.heartbeat(WORKER, NOW, NOW))
        self.do(self.store.release_dead(NOW + 1))
        return claims

    def mend_and_forget(self, claims: list[Claim]) -> None:
        """Do what is asked for rarely."""
        self.do(self.store.replay(claims[0].delivery_id, "1", NOW))
        self.do(self.store.replay(claims[1].delivery_id, None, NOW))
        self.do(self.store.skip(claims[1].delivery_id, NOW))
        self.do(self.store.purge(NOW + 9, NOW + 9, 5))

    def read(self) -> None:
        """Ask everything."""
        store = self.store
        for status in (None, DONE, DEAD, PENDING):
            for handler in (None, "a"):
                self.do(store.deliveries(status=status, handler=handler))
                self.do(store.deliveries(status=status, handler=handler, key="1"))
        for ids, keys, opened in ((None, None, None), ([1], None, True), (None, ["1"], False)):
            self.do(store.events(ids=ids, keys=keys, open=opened))
            self.do(store.events(open=opened))
        asked: list[Deferred[Any]] = [
            store.delivery(1),
            store.body_of(1),
            store.deliveries_of(1),
            store.settled([1, 2]),
            store.counts(),
            store.unplanned(WORKER, NOW, 5),
            store.next_due(Worker("w", frozenset("abx")), NOW),
            store.orphans(NOW + 1, NOW),
        ]
        for each in asked:
            self.do(each)

    def plan_of(self, statement: str) -> list[str]:
        """Give how SQLite executes a statement."""
        try:
            rows = self.connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        except sqlite3.Error:
            # Nothing to be planned: the beginning of a transaction, say.
            return []
        return [row[3] for row in rows]

    def test_no_scan(self) -> None:
        """No statement looks through all events or all deliveries."""
        claims = self.write()
        self.mend_and_forget(claims)
        self.read()
        self.connection.set_trace_callback(None)
        plans = {statement: self.plan_of(statement) for statement in self.statements}
        self.assertGreater(len([plan for plan in plans.values() if plan]), 50)
        scans = [
            (step, statement)
            for statement, plan in plans.items()
            for step in plan
            if re.match(rf"SCAN {GROWING}\b", step)
            and not re.search(SMALL, step)
            and not NEWEST.search(statement)
        ]

        self.assertEqual([], scans)
