"""How SQLite finds what the store asks it for: never by looking through what grows."""

from __future__ import annotations

import re
import sqlite3

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.asking import ask_everything
from twisted_dispatcher import open_store
from twisted_dispatcher.stores.sqlite import SQLiteStore
from twisted_dispatcher.testing import pump

GROWING = r"(twisted_dispatcher_event|twisted_dispatcher_delivery|e|d)"
# These hold what is not settled, or what has failed: they are small, whatever has been done.
SMALL = "USING INDEX twisted_dispatcher_(event_unplanned|delivery_(unsettled|failed|due))"
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
        pump(self.clock, Deferred.fromCoroutine(ask_everything(self.store)))
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
