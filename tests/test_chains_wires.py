"""Chains on PostgreSQL's connections on the reactor: what is sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from psycopg import ClientCursor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.test_store_postgresql_lost import lose_connection
from tests.test_store_postgresql_wires import WiredScene
from twisted_dispatcher.stores.postgresql.chains.finding_one import FindMessage
from twisted_dispatcher.stores.postgresql.chains.locking_one import LockMessage
from twisted_dispatcher.stores.postgresql.chains.moving_one import MoveMessage
from twisted_dispatcher.testing.chainstores import scene
from twisted_dispatcher.testing.chainstores.scene import LEASE, move_of, new_chain
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, new_event

STEPS = ("find", "lock", "move")
SENDING = [f"{place} sending {step}" for step in STEPS for place in ("before", "after")]

T = TypeVar("T")


def together(asked: Iterable[Coroutine[Deferred[T], Any, T]]) -> Deferred[list[T]]:
    """Ask for several things in one turn."""
    return gatherResults([Deferred.fromCoroutine(each) for each in asked])


class ChainMessageTests(WiredScene, scene.Scene, TestCase):
    """What is done without a thread, and what is not."""

    async def test_one_statement_each(self) -> None:
        """A chain is found, locked and moved without a thread."""
        passed = self.points()
        chain = await self.held()
        moved = await self.move(chain)

        self.assertTrue(moved.held)
        self.assertEqual(SENDING, passed)
        self.assertEqual("paid", (await self.stored()).state)

    async def test_answers(self) -> None:
        """What is told of a new chain and of a locked one is what is stored."""
        made = await self.made("c", "item 1", "user 2")
        self.assertEqual(await self.stored(), made)
        self.assertEqual(made, (await self.find("other", "item 1", "user 2")).chain)

        locked = await self.lock()
        self.assertEqual(await self.stored(), locked.chain)

    async def test_nothing_to_write(self) -> None:
        """Where nothing is missing nothing is written: the disk is not waited for."""
        await self.made("c", "item 1")
        before = self.marks()
        found = await together([self.find(str(each), "item 1") for each in range(3)])

        self.assertEqual([(False, "c")] * 3, [(f.new, f.chain and f.chain.id) for f in found])
        self.assertEqual(before, self.marks())

    def marks(self) -> set[Any]:
        """Give the marks of all connections."""
        found = self.sql.execute("SELECT connection, number FROM twisted_dispatcher_commit")
        return {*found.fetchall()}

    async def test_found_together(self) -> None:
        """Of those who ask for the same in one turn, one makes it; all are given it."""
        found = await together([self.find(each, "item 1") for each in "abc"])

        self.assertEqual([True, False, False], [each.new for each in found])
        self.assertEqual({"a"}, {each.chain.id for each in found if each.chain is not None})

    async def test_locked_together(self) -> None:
        """Of those who want the same chain in one turn, one has it."""
        await self.made()
        locked = await together([self.lock() for _ in range(3)])

        self.assertEqual([True, False, False], [each.held for each in locked])

    async def test_known_key(self) -> None:
        """Where the event of a transition is known, a thread stores the transition alone."""
        chain = await self.held()
        known = await self.accept_one(new_event("chain/c/1", "a"))
        passed = self.points()
        moved = await self.move(chain)

        assert moved.accepted is not None
        self.assertFalse(moved.accepted.acceptance.new)
        self.assertEqual(known.acceptance.event_id, moved.accepted.acceptance.event_id)
        self.assertIn("before commit", passed)
        self.assertEqual(1, (await self.stored()).version)

    async def test_taken_over(self) -> None:
        """Of transitions in one turn, those of chains that were taken over are not stored."""
        mine, other = await self.held("mine"), await self.held("other")
        await self.lock("other", NOW + LEASE)
        moved = await together([self.move(mine), self.move(other)])

        self.assertEqual([True, False], [each.held for each in moved])
        self.assertEqual("new", (await self.stored("other")).state)
        self.assertEqual([], await self.store.events(keys=["chain/other/1"]))


class LostTests(WiredScene, scene.Scene, TestCase):
    """Connections that are lost on the way."""

    async def test_everywhere(self) -> None:
        """Wherever a connection is lost, what was asked for is done, once, and told so."""
        for point in SENDING:
            await self.until(self.is_wired)
            self.at(point, lose_connection)
            found = await self.find(point, f"item {point}")
            self.assertTrue(found.new)
            locked = await self.lock(point)
            self.assertTrue(locked.held)
            self.assertEqual(1, locked.chain.fence)
            moved = await self.move(locked.chain)

            assert moved.accepted is not None
            (claim,) = moved.accepted.claims
            self.assertEqual(claim.key, (await self.store.delivery(claim.delivery_id)).key)
            self.assertEqual(1, len(await self.chains.history(point)))

    def is_wired(self) -> bool:
        """Tell whether the reactor has a connection, and have one made where it has none."""
        self.store._crew.begin()
        if not len(self.store._crew.wires):
            self.store._crew.wires.take(self.store._crew.reactor)
        return len(self.store._crew.wires) > 0


class ChainPlanTests(WiredScene, scene.Scene, TestCase):
    """How the server does what is sent."""

    async def test_by_index(self) -> None:
        """No statement looks through a table of chains, whatever it is prepared for."""
        chain = await self.held()
        messages: list[Any] = [
            FindMessage([(new_chain(str(each), "item 1"), False, NOW) for each in range(3)]),
            LockMessage([("c", NOW + LEASE, NOW)]),
            MoveMessage([(move_of(chain), WORKER, NOW)]),
        ]
        with self.store._connect_prepared() as connection:
            for message in messages:
                values = ["connection", "1", *(each.decode() for each in message.parameters)]
                places = ", ".join(["%s"] * len(values))
                sql = f"EXPLAIN (FORMAT JSON) EXECUTE {message.name.decode()} ({places})"
                # EXPLAIN takes no parameters: they are written into the statement.
                ((plans,),) = ClientCursor(connection).execute(sql, values).fetchall()
                self.assertEqual([], list(looked_through(plans[0]["Plan"])), message.name)


def looked_through(plan: dict[str, Any]) -> Iterator[str]:
    """Give what a plan looks through from its beginning to its end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for each in plan.get("Plans", ()):
        yield from looked_through(each)
