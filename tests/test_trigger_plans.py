"""How SQLite finds sessions and instances: never by looking through all of them."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import UnknownSession
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump
from twisted_dispatcher.triggers import (
    TriggerManager,
    TriggerStorage,
    expire_sessions,
    forget_session,
    list_sessions,
)

OURS = re.compile(r"twisted_dispatcher_(session|instance)")
SCAN = re.compile(r"^SCAN (s|i|twisted_dispatcher_(session|instance))\b(?! USING INDEX)")


class PlanTests(SynchronousTestCase):
    """The plans of all statements about sessions."""

    def setUp(self) -> None:
        """Write down each statement that the store executes."""
        self.dispatcher, self.clock = clocked_durable_dispatcher()
        store: Any = self.dispatcher._store
        self.addCleanup(store.close)
        self.statements: set[str] = set()
        self.connection = store._ledger.connection
        self.connection.set_trace_callback(self.statements.add)

    def plans(self) -> dict[str, list[str]]:
        """Give the plan of each statement that is about sessions."""
        self.connection.set_trace_callback(None)
        return {
            sql: [row[3] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in self.statements
            if OURS.search(sql)
        }

    def test_no_scans(self) -> None:
        """No statement looks through all sessions, or all instances of a session."""
        manager = TriggerManager(TriggerStorage("s/1", self.dispatcher))
        task = {"after": [], "andEvery": "x", "run": "tests.trigger_tasks:Nothing"}
        pump(self.clock, manager.update_configuration({"a": task}))
        pump(self.clock, manager.fire("x"))
        pump(self.clock, manager.join_all())
        pump(self.clock, list_sessions(self.dispatcher, "s/"))
        pump(self.clock, expire_sessions(self.dispatcher, -1))
        pump(self.clock, forget_session(self.dispatcher, "s/2"))
        self.assertRaises(UnknownSession, pump, self.clock, manager.storage.load())

        plans = self.plans()

        self.assertGreater(len(plans), 10)
        for sql, plan in plans.items():
            for line in plan:
                self.assertIsNone(SCAN.search(line), f"{sql}\n{plan}")
