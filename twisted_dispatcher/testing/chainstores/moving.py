"""Transitions: stored once, with their history and the event of the new state."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from twisted_dispatcher.chainrecords import HistoryRow
from twisted_dispatcher.errors import NotStorable
from twisted_dispatcher.testing.chainstores.scene import LEASE, Scene, move_of
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, new_event


class MovingContract(Scene):
    """A transition is stored wholly, and once."""

    async def test_move(self) -> None:
        """The state, the history and the event change together, and the chain is free again."""
        chain = await self.held()
        moved = await self.move(chain, now=NOW + 1, state="paid")
        stored = await self.stored()

        self.assertTrue(moved.held)
        self.assertEqual(
            ("paid", 1, 0.0, NOW + 1, NOW),
            (stored.state, stored.version, stored.locked_until, stored.entered, stored.due),
        )
        self.assertEqual(
            [HistoryRow("c", 1, "new", "paid", "Pay", "somebody", NOW + 1)],
            await self.chains.history("c"),
        )
        assert moved.accepted is not None
        self.assertEqual("chain/c/1", moved.accepted.acceptance.key)
        self.assertEqual(["a"], [claim.handler for claim in moved.accepted.claims])
        self.assertEqual({"a": "running"}, await self.statuses("chain/c/1"))

    async def test_move_once(self) -> None:
        """Of those who make the same transition at once, one does."""
        chain = await self.held()
        asked = [self.chains.move(move_of(chain), WORKER, NOW) for _ in range(8)]
        moved = await gatherResults(asked)

        self.assertEqual(1, sum(each.held for each in moved))
        self.assertEqual(1, len(await self.chains.history("c")))
        self.assertEqual(1, len(await self.store.events()))

    async def test_move_many(self) -> None:
        """The transitions of many chains are stored at once, each for itself."""
        held = [await self.held(f"c{n}") for n in range(20)]
        asked = [
            self.chains.move(move_of(each, state=f"s{n}"), WORKER, NOW)
            for n, each in enumerate(held)
        ]
        moved = await gatherResults(asked)
        for n, each in enumerate(moved):
            assert each.accepted is not None
            self.assertEqual(f"chain/c{n}/1", each.accepted.acceptance.key)
            self.assertEqual(f"s{n}", (await self.stored(f"c{n}")).state)

    async def test_keep(self) -> None:
        """Who has more to do with a chain goes on having it."""
        chain = await self.held()
        await self.move(chain, locked_until=NOW + 2 * LEASE)
        self.assertFalse((await self.lock(now=NOW + LEASE)).held)
        stored = await self.stored()
        moved = await self.move(stored, state="sent")

        self.assertTrue(moved.held)
        self.assertEqual(("sent", 2), ((await self.stored()).state, (await self.stored()).version))

    async def test_unlocked(self) -> None:
        """A chain that nobody has makes no transition."""
        chain = await self.made()

        self.assertFalse((await self.move(chain)).held)
        self.assertEqual("new", (await self.stored()).state)
        self.assertEqual([], await self.store.events())

    async def test_end(self) -> None:
        """A chain at its end is never due."""
        chain = await self.held()
        await self.move(chain, state="done", due=None, ended=True)
        stored = await self.stored()

        self.assertEqual((True, None), (stored.ended, stored.due))
        self.assertIsNone(await self.chains.next_due("order"))

    async def test_poison(self) -> None:
        """A transition that cannot be stored fails alone."""
        held = [await self.held(f"c{n}") for n in range(5)]
        asked = [
            self.chains.move(move_of(each, event=new_event("\ud800" if n == 2 else f"k{n}", "a")),
                             WORKER, NOW)
            for n, each in enumerate(held)
        ]  # fmt: skip
        for n, each in enumerate(asked):
            if n == 2:
                await self.failure_of(each, NotStorable)
            else:
                self.assertTrue((await each).held)
        stored = await self.stored("c2")

        self.assertEqual(("new", 0), (stored.state, stored.version))
        self.assertTrue((await self.move(stored)).held)

    async def test_without_handlers(self) -> None:
        """The event of a state is there also when nobody waits for it."""
        chain = await self.held()
        await self.move(chain, event=new_event("chain/c/1"))
        (event,) = await self.store.events()

        self.assertTrue(await self.is_settled(event.id))

    async def test_transact(self) -> None:
        """Some work and the transition happen together, and the work's events too."""
        chain = await self.held()

        def work(transaction: Any) -> str:
            transaction.accept(new_event("more", "b"))
            return "value"

        value, moved = await self.chains.transact(move_of(chain), work, WORKER, NOW)

        self.assertEqual(("value", True), (value, moved.held))
        self.assertEqual(["b"], [claim.handler for claim in moved.claims])
        self.assertEqual("paid", (await self.stored()).state)
        self.assertEqual({"chain/c/1", "more"}, {e.key for e in await self.store.events()})

    async def test_transact_fails(self) -> None:
        """Where the work fails nothing happens, and its error is told."""
        chain = await self.held()

        def work(transaction: Any) -> None:
            transaction.accept(new_event("more", "b"))
            raise KeyError("boom")

        asked = self.chains.transact(move_of(chain), work, WORKER, NOW)
        error = await self.failure_of(asked, KeyError)

        self.assertEqual(("boom",), error.args)
        self.assertEqual([], await self.store.events())
        self.assertEqual("new", (await self.stored()).state)
        self.assertTrue((await self.move(chain)).held)

    async def test_transact_lost(self) -> None:
        """Where the chain was taken over the work is not called."""
        chain = await self.held()
        await self.lock(now=NOW + LEASE)
        called: list[Any] = []
        _, moved = await self.chains.transact(move_of(chain), called.append, WORKER, NOW)

        self.assertEqual((False, []), (moved.held, called))


class SQLChainContract(Scene):
    """What a work writes by SQL."""

    async def test_effect(self) -> None:
        """What a work writes is there if, and only if, the transition is."""
        chain = await self.held()

        def fails(transaction: Any) -> None:
            transaction.execute("CREATE TABLE effect (n INTEGER)")
            transaction.execute("INSERT INTO effect VALUES (1)")
            raise KeyError

        await self.failure_of(self.chains.transact(move_of(chain), fails, WORKER, NOW), KeyError)

        def works(transaction: Any) -> Any:
            transaction.execute("CREATE TABLE effect (n INTEGER)")
            transaction.execute("INSERT INTO effect VALUES (2)")
            return transaction.execute("SELECT n FROM effect").fetchall()

        value, moved = await self.chains.transact(move_of(chain), works, WORKER, NOW)

        self.assertEqual([(2,)], [tuple(row) for row in value])
        self.assertTrue(moved.held)
