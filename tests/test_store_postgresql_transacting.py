"""Transactions of handlers on PostgreSQL: what is the database's own."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.test_store_postgresql import PostgreSQLScene
from twisted_dispatcher.errors import (
    TransactionMisused,
)
from twisted_dispatcher.records import RUNNING, Worker
from twisted_dispatcher.stores.postgresql.connections import ends_transaction
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    WORKER,
    new_event,
)

PRODUCER = Worker("producer", frozenset())


class TransactionTests(PostgreSQLScene, TestCase):
    """What is PostgreSQL's own in transactions of handlers."""

    async def misuse(self, *statements: str) -> None:
        """Have a work execute SQL that it must not."""
        await self.accept_one(new_event("k", "a"), PRODUCER)
        (claim,) = await self.claim()

        def work(transaction: Any) -> None:
            for each in statements:
                transaction.execute(each)

        await self.failure_of(self.store.transact(claim, work, WORKER, NOW), TransactionMisused)
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_commit_in_sql(self) -> None:
        """A work that commits by SQL fails, and nothing of it is kept."""
        await self.misuse("CREATE TABLE application_effect (n INTEGER)", "COMMIT")
        found = self.sql.execute("SELECT to_regclass('application_effect')").fetchone()

        self.assertEqual((None,), found)

    async def test_failed_statement_that_is_passed_over(self) -> None:
        """A work that passes over a failed statement fails, and is told why."""
        claims = await self.claims_of(new_event("k", "a"))

        def work(transaction: Any) -> None:
            with contextlib.suppress(psycopg.errors.DivisionByZero):
                transaction.execute("SELECT 1 / 0")

        error = await self.failure_of(
            self.store.transact(claims["a"], work, WORKER, NOW), TransactionMisused
        )
        self.assertIn("connection.transaction()", str(error))

    async def test_savepoint(self) -> None:
        """A work may undo a part of what it does, in a savepoint."""
        claims = await self.claims_of(new_event("k", "a"))

        def work(transaction: Any) -> int:
            try:
                with transaction.connection.transaction():
                    transaction.execute("SELECT 1 / 0")
            except psycopg.errors.DivisionByZero:
                return 42
            return 0

        value, settled = await self.store.transact(claims["a"], work, WORKER, NOW)
        self.assertEqual((42, True), (value, settled.held))

    async def test_connection_is_over(self) -> None:
        """A connection that is kept beyond its work can do nothing."""
        claims = await self.claims_of(new_event("k", "a"))
        kept, _ = await self.store.transact(claims["a"], lambda it: it.connection, WORKER, NOW)

        self.assertRaises(TransactionMisused, kept.execute, "SELECT 1")

    async def test_constraint_at_the_end(self) -> None:
        """A constraint that is checked at the commit fails the work with the driver's error."""
        self.sql.execute("CREATE TABLE one (n INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        claims = await self.claims_of(new_event("k", "a"))

        def work(transaction: Any) -> None:
            transaction.execute("INSERT INTO one VALUES (1), (1)")

        await self.failure_of(
            self.store.transact(claims["a"], work, WORKER, NOW), psycopg.errors.UniqueViolation
        )
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_slow_work(self) -> None:
        """While handlers work for long, the store does other things."""
        accepted = await self.accept(*(new_event(str(n), "a") for n in range(5)))
        begun: list[int] = []
        go_on = threading.Event()

        def work(transaction: Any) -> None:
            begun.append(1)
            go_on.wait(60)

        working = [self.store.transact(each.claims[0], work, WORKER, NOW) for each in accepted]
        await self.until(lambda: begun)
        self.assertTrue((await self.accept_one(new_event("k", "a"))).acceptance.new)
        go_on.set()
        await gatherResults(working)
        self.assertEqual([1] * 5, begun)


class MisuseTests(SynchronousTestCase):
    """Telling SQL that ends a transaction from SQL that does not."""

    def test_ends(self) -> None:
        """What begins or ends a transaction is noticed, also behind other things."""
        for sql in (
            "COMMIT",
            " commit ;",
            "begin",
            "START TRANSACTION",
            "end",
            "abort",
            "rollback",
            "ROLLBACK WORK",
            "prepare transaction 'x'",
            "INSERT INTO t VALUES (1); COMMIT",
            "/* a comment */ COMMIT",
            "-- a comment\nCOMMIT",
            "SELECT 'it''s'; ROLLBACK",
        ):
            self.assertTrue(ends_transaction(sql), sql)

    def test_does_not_end(self) -> None:
        """What only looks like it is let through."""
        for sql in (
            "SELECT 'a; COMMIT'",
            'SELECT 1 AS "; COMMIT"',
            "ROLLBACK TO SAVEPOINT here",
            "rollback work to here",
            "SAVEPOINT here",
            "RELEASE here",
            "PREPARE plan AS SELECT 1",
            "DO $$ BEGIN PERFORM 1; END $$",
            "CREATE FUNCTION f() AS $body$ BEGIN; COMMIT; END $body$",
            "SELECT commit FROM git -- ; COMMIT",
            "SELECT 1 /* ; COMMIT */",
            "SELECT beginning",
        ):
            self.assertFalse(ends_transaction(sql), sql)
