"""How PostgreSQL finds what the store asks it for: never by looking through what grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

from psycopg import ClientCursor, Cursor
from twisted.trial.unittest import TestCase

from tests.asking import ask_everything
from tests.test_store_postgresql import PostgreSQLScene
from twisted_dispatcher import open_store
from twisted_dispatcher.stores.postgresql.accepting_one import AcceptMessage
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.settling_one import SettleMessage
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, new_event, settlement

GROWING = {"twisted_dispatcher_event", "twisted_dispatcher_delivery"}
# These hold what is not settled, or what has failed: they are small, whatever has been done.
SMALL = {"twisted_dispatcher_delivery_due", "twisted_dispatcher_delivery_failed"}


class PlanTests(PostgreSQLScene, TestCase):
    """The plans of all statements."""

    def make_store(self) -> Any:
        """Open a store in a new schema: plans depend on what has been in the tables."""
        return open_store(self.make_schema())

    async def statements(self) -> dict[str, Any]:
        """Have everything done by threads; give what was executed, with some parameters of it."""
        executed: dict[str, Any] = {}

        def noting(name: str) -> Any:
            method = getattr(Ledger, name)

            def note(ledger: Ledger, *arguments: Any) -> Any:
                sql, *parameters = arguments[name != "read" :]
                executed[sql] = parameters[0] if parameters else ()
                return method(ledger, *arguments)

            return note

        names = ("read", "write", "change")
        with mock.patch.multiple(Ledger, **{name: noting(name) for name in names}):
            await ask_everything(self.store)
        return executed

    def looked_through(self, plan: dict[str, Any], is_limited: bool = False) -> Iterator[str]:
        """Give what a plan looks through of what grows."""
        is_limited = is_limited or plan["Node Type"] == "Limit"
        if plan.get("Relation Name") in GROWING and "Scan" in plan["Node Type"]:
            is_by_index = "Index Cond" in plan or plan["Node Type"] == "Bitmap Heap Scan"
            is_small = plan.get("Index Name") in SMALL
            if not (is_by_index or is_small or (is_limited and "Index Name" in plan)):
                yield f"{plan['Node Type']} of {plan['Relation Name']}"
        for each in plan.get("Plans", ()):
            yield from self.looked_through(each, is_limited)

    async def test_threads(self) -> None:
        """No statement that a thread executes looks through all events or all deliveries."""
        self.by_threads(self.store)
        executed = await self.statements()
        found = []
        with self.store._connect() as connection:
            for sql, parameters in executed.items():
                plan = Cursor(connection).execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
                ((rows,),) = plan.fetchall()
                found += [(each, sql) for each in self.looked_through(rows[0]["Plan"])]

        self.assertGreater(len(executed), 40)
        self.assertEqual([], found)

    async def test_messages(self) -> None:
        """Nor does a statement that the reactor sends, whatever it is prepared for."""
        claims = await self.claims_of(new_event("k", "a"))
        messages: list[Any] = [
            AcceptMessage([(new_event(str(n), "a"), WORKER, NOW) for n in range(3)]),
            SettleMessage([(settlement(claims["a"]), WORKER, NOW)]),
        ]
        with self.store._connect_prepared() as connection:
            for message in messages:
                values = [b"connection", b"1", *message.parameters]
                places = ", ".join(["%s"] * len(values))
                sql = f"EXPLAIN (FORMAT JSON) EXECUTE {message.name.decode()} ({places})"
                # EXPLAIN takes no parameters: they are written into the statement.
                texts = [each.decode() for each in values]
                plan = ClientCursor(connection).execute(sql, texts)
                ((rows,),) = plan.fetchall()
                self.assertEqual([], list(self.looked_through(rows[0]["Plan"])))
