"""Transactions: a handler's effects and the settling of its delivery, both or neither."""

from __future__ import annotations

from functools import partial
from typing import Any

from zope.interface.verify import verifyObject

from twisted_dispatcher.errors import TransactionMisused
from twisted_dispatcher.interfaces import ITransaction
from twisted_dispatcher.records import DONE, RUNNING, Claim, Settled
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    keys,
    new_event,
)


class Oops(Exception):
    """What a handler raises."""


class TransactingContract(Scene):
    """`IStore.transact`, with what every transaction can do: accept."""

    async def running(self, *ranks: str) -> Claim:
        """Accept an event, and give the first delivery of it."""
        accepted = await self.accept_one(new_event("k", *(ranks or ("a",))))
        return accepted.claims[0]

    async def test_transact(self) -> None:
        """The work's value is given, and its delivery is done."""
        claim = await self.running()
        value, settled = await self.store.transact(claim, lambda transaction: 42, WORKER, NOW)

        self.assertEqual((42, Settled(True, (), (claim.event_id,))), (value, settled))
        self.assertEqual({"a": DONE}, await self.statuses("k"))

    async def test_transaction_interface(self) -> None:
        """The work is given an ITransaction."""
        claim = await self.running()

        def work(transaction: Any) -> bool:
            return bool(verifyObject(ITransaction, transaction))

        value, _ = await self.store.transact(claim, work, WORKER, NOW)
        self.assertIs(True, value)

    async def test_transact_accepts(self) -> None:
        """An event that the work accepts is there, and its worker is given it to run."""
        claim = await self.running("a", "b")
        accepted = []

        def work(transaction: Any) -> None:
            accepted.append(transaction.accept(new_event("from a", "c")))
            accepted.append(transaction.accept(new_event("from a", "d")))

        _, settled = await self.store.transact(claim, work, WORKER, NOW)
        self.assertEqual([True, False], [each.new for each in accepted])
        self.assertEqual(["b", "c"], sorted(handlers(settled.opened)))
        self.assertEqual({"c": RUNNING}, await self.statuses("from a"))
        for each in settled.opened:
            self.assertTrue((await self.settle(each)).held)

    async def test_transact_fails(self) -> None:
        """What the work raises is given, nothing of it is kept, and its delivery still runs."""
        claim = await self.running("a", "b")
        oops = Oops("no")

        def work(transaction: Any) -> None:
            transaction.accept(new_event("from a", "c"))
            raise oops

        error = await self.failure_of(self.store.transact(claim, work, WORKER, NOW), Oops)
        self.assertIs(oops, error)
        self.assertEqual([], await self.store.events(keys=["from a"]))
        self.assertEqual(RUNNING, (await self.statuses("k"))["a"])
        self.assertTrue((await self.settle(claim)).held)

    async def test_transact_after_failing(self) -> None:
        """An event that a failed work had accepted can be accepted by the next attempt."""
        claim = await self.running()

        def fail(transaction: Any) -> None:
            transaction.accept(new_event("from a", "c"))
            raise Oops

        await self.failure_of(self.store.transact(claim, fail, WORKER, NOW), Oops)
        acceptance, settled = await self.store.transact(
            claim, lambda transaction: transaction.accept(new_event("from a", "c")), WORKER, NOW
        )

        self.assertTrue(acceptance.new)
        self.assertEqual(["from a"], keys(settled.opened))

    async def test_transact_lost(self) -> None:
        """When the worker does not hold the attempt any more, the work is not called."""
        claim = await self.running()
        await self.settle(claim)
        called: list[Any] = []

        self.assertEqual(
            (None, Settled(False)),
            await self.store.transact(claim, called.append, WORKER, NOW),
        )
        self.assertEqual([], called)

    async def test_transact_by_stranger(self) -> None:
        """A worker does no work for what another one runs."""
        claim = await self.running()
        called: list[Any] = []
        _, settled = await self.store.transact(claim, called.append, OTHER, NOW)

        self.assertEqual(([], False), (called, settled.held))

    async def test_transact_failing_beside_others(self) -> None:
        """What fails harms nothing that was asked for in the same turn."""
        accepted = await self.accept(*(new_event(str(n), "a") for n in range(9)))

        def work(n: int, transaction: Any) -> int:
            transaction.accept(new_event(f"from {n}", "b"))
            if n % 3 == 1:
                raise Oops
            return n

        asked = [
            self.store.transact(each.claims[0], partial(work, n), WORKER, NOW)
            for n, each in enumerate(accepted)
        ]
        for n, each in enumerate(asked):
            if n % 3 == 1:
                await self.failure_of(each, Oops)
            else:
                self.assertEqual(n, (await each)[0])
        kept = sorted(each.key for each in await self.store.events() if "from" in each.key)
        self.assertEqual([f"from {n}" for n in range(9) if n % 3 != 1], kept)

    async def test_transaction_is_over(self) -> None:
        """A transaction that is kept beyond its work can do nothing."""
        claim = await self.running()
        transaction, _ = await self.store.transact(claim, lambda it: it, WORKER, NOW)

        for use in (
            lambda: transaction.accept(new_event("late", "a")),
            lambda: transaction.execute("SELECT 1"),
            lambda: transaction.connection,
        ):
            self.assertRaises(TransactionMisused, use)


class SQLContract(Scene):
    """`IStore.transact` of stores whose transactions execute SQL."""

    async def table(self) -> Claim:
        """Make a table of the application's own, and give a delivery."""
        accepted = await self.accept_one(new_event("table", "a"))

        def work(transaction: Any) -> None:
            transaction.execute("CREATE TABLE application_effect (n INTEGER PRIMARY KEY)")

        await self.store.transact(accepted.claims[0], work, WORKER, NOW)
        return (await self.accept_one(new_event("k", "a"))).claims[0]

    async def effects(self) -> list[int]:
        """Give the rows of that table."""
        (claim,) = (await self.accept_one(new_event("look", "a"))).claims

        def work(transaction: Any) -> list[int]:
            found = transaction.execute("SELECT n FROM application_effect ORDER BY n")
            return [n for (n,) in found.fetchall()]

        value, _ = await self.store.transact(claim, work, WORKER, NOW)
        return list(value)

    async def test_effect(self) -> None:
        """What the work writes is there when its delivery is done."""
        claim = await self.table()
        await self.store.transact(
            claim,
            lambda transaction: transaction.execute("INSERT INTO application_effect VALUES (1)"),
            WORKER,
            NOW,
        )

        self.assertEqual([1], await self.effects())

    async def test_effect_undone(self) -> None:
        """What the work writes is not there when it fails, and its neighbours' is."""
        claim = await self.table()
        (good,) = (await self.accept_one(new_event("good", "a"))).claims

        def fail(transaction: Any) -> None:
            transaction.execute("INSERT INTO application_effect VALUES (1)")
            raise Oops

        def work(transaction: Any) -> None:
            transaction.execute("INSERT INTO application_effect VALUES (2)")

        failing = self.store.transact(claim, fail, WORKER, NOW)
        working = self.store.transact(good, work, WORKER, NOW)
        await self.failure_of(failing, Oops)
        await working

        self.assertEqual([2], await self.effects())

    async def test_wrong_statement(self) -> None:
        """A statement that the database refuses fails the work with the driver's own error."""
        claim = await self.table()
        raised: list[Exception] = []

        def work(transaction: Any) -> None:
            transaction.execute("INSERT INTO application_effect VALUES (1)")
            try:
                transaction.execute("INSERT INTO application_effect VALUES (1)")
            except Exception as error:
                raised.append(error)
                raise

        error = await self.failure_of(self.store.transact(claim, work, WORKER, NOW), Exception)
        self.assertIs(raised[0], error)
        self.assertEqual([], await self.effects())
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_commit(self) -> None:
        """A work that commits by itself fails, and nothing of it is kept."""
        for name in ("commit", "rollback"):
            claim = await (self.table() if name == "commit" else self.next())
            await self.misuse(claim, name)
        self.assertEqual([], await self.effects())

    async def next(self) -> Claim:
        """Give one more delivery."""
        return (await self.accept_one(new_event("next", "a"))).claims[0]

    async def misuse(self, claim: Claim, name: str) -> None:
        """Have a work end its transaction."""

        def work(transaction: Any) -> None:
            transaction.execute("INSERT INTO application_effect VALUES (1)")
            getattr(transaction.connection, name)()

        await self.failure_of(self.store.transact(claim, work, WORKER, NOW), TransactionMisused)
        self.assertEqual(RUNNING, (await self.of(claim.key, "a")).status)
