"""Planning: events that were accepted where nobody knew the handlers."""

from __future__ import annotations

from twisted_dispatcher.records import PENDING, RUNNING, Acceptance, Accepted, Unplanned, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    planned,
    unplanned_event,
)

PRODUCER = Worker("producer", frozenset())


class PlanningContract(Scene):
    """`IStore.unplanned` and `IStore.plan`."""

    async def accept_unplanned(self, key: str, due: float = NOW) -> int:
        """Accept an event that has to be planned; give its id."""
        accepted = await self.accept_one(unplanned_event(key, due=due), PRODUCER)
        return accepted.acceptance.event_id

    async def test_unplanned(self) -> None:
        """An event without a plan is listed, and not settled."""
        event_id = await self.accept_unplanned("k")

        self.assertEqual(
            [Unplanned(event_id, "k", '"body"', '{"n":1}', None)],
            await self.store.unplanned(WORKER, NOW, 10),
        )
        self.assertFalse(await self.is_settled(event_id))

    async def test_unplanned_in_order(self) -> None:
        """Unplanned events are listed when they are due, the first due first, up to a limit."""
        for key, due in (("c", NOW - 1), ("a", NOW - 3), ("b", NOW - 2), ("later", NOW + 1)):
            await self.accept_unplanned(key, due)

        listed = await self.store.unplanned(WORKER, NOW, 10)
        self.assertEqual(["a", "b", "c"], [each.key for each in listed])
        listed = await self.store.unplanned(WORKER, NOW, 2)
        self.assertEqual(["a", "b"], [each.key for each in listed])

    async def test_plan(self) -> None:
        """Who plans an event is given what it can run of it, and it is unplanned no more."""
        event_id = await self.accept_unplanned("k")
        worker = Worker("planner", frozenset({"a", "c"}))
        plan = await self.store.plan(event_id, planned("a b", "c"), worker, NOW)

        assert plan is not None
        self.assertEqual(Acceptance(event_id, "k", True), plan.acceptance)
        self.assertEqual(["a"], handlers(plan.claims))
        self.assertEqual(('"body"', '{"n":1}'), (plan.claims[0].body, plan.claims[0].details))
        self.assertEqual({"a": RUNNING, "b": PENDING, "c": PENDING}, await self.statuses("k"))
        self.assertEqual(["b"], handlers(await self.claim(OTHER)))
        self.assertEqual([], await self.store.unplanned(WORKER, NOW, 10))

    async def test_plan_for_nobody(self) -> None:
        """An event that turns out to go to nobody is settled."""
        event_id = await self.accept_unplanned("k")

        self.assertEqual(
            Accepted(Acceptance(event_id, "k", True)),
            await self.store.plan(event_id, (), WORKER, NOW),
        )
        self.assertTrue(await self.is_settled(event_id))
        self.assertEqual([], await self.store.unplanned(WORKER, NOW, 10))

    async def test_plan_twice(self) -> None:
        """An event is planned once, whoever tries in the same turn or later."""
        event_id = await self.accept_unplanned("k")
        both = [self.store.plan(event_id, planned("a"), each, NOW) for each in (WORKER, OTHER)]
        plans = [await each for each in both]

        self.assertEqual(1, len([each for each in plans if each is not None]))
        self.assertIs(None, await self.store.plan(event_id, planned("b"), WORKER, NOW))
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_plan_together(self) -> None:
        """What is planned in the same turn is planned as it would be each by itself."""
        first, second, nobody, later = [
            (await self.accept_one(unplanned_event(*each), PRODUCER)).acceptance.event_id
            for each in (("1", "lane"), ("2", "lane"), ("nobody",), ("later", None, NOW + 1))
        ]
        asked = [
            self.store.plan(event_id, planned(*ranks), worker, NOW)
            for event_id, ranks, worker in (
                (later, ("a",), WORKER),
                (second, ("a b", "c"), WORKER),
                (12345, ("a",), WORKER),
                (nobody, (), OTHER),
                (first, ("a", "b"), OTHER),
                (first, ("c",), WORKER),
            )
        ]
        plans = [await each for each in asked]

        found = [None if each is None else (each.acceptance.key, each.claims) for each in plans]
        claims = found[4][1] if found[4] else ()
        self.assertEqual(
            [("later", ()), ("2", ()), None, ("nobody", ()), ("1", claims), None], found
        )
        self.assertEqual(["a"], handlers(claims))
        self.assertEqual({"a": RUNNING, "b": PENDING}, await self.statuses("1"))
        self.assertEqual({"a": PENDING, "b": PENDING, "c": PENDING}, await self.statuses("2"))
        self.assertEqual({"a": PENDING}, await self.statuses("later"))
        self.assertTrue(await self.is_settled(nobody))
        self.assertEqual([], await self.claim(WORKER))
        opened = (await self.settle(claims[0], worker=OTHER)).opened
        self.assertEqual([("1", "b")], [(each.key, each.handler) for each in opened])
        opened = (await self.settle(opened[0], worker=OTHER)).opened
        self.assertEqual([("2", "a"), ("2", "b")], [(each.key, each.handler) for each in opened])

    async def test_plan_unknown(self) -> None:
        """There is nothing to plan of an event that is not there."""
        self.assertIs(None, await self.store.plan(12345, planned("a"), WORKER, NOW))

    async def test_plan_planned(self) -> None:
        """An event that came with its deliveries is not planned again."""
        accepted = await self.accept_one(unplanned_event("k"), PRODUCER)
        event_id = accepted.acceptance.event_id
        await self.store.plan(event_id, (), WORKER, NOW)

        self.assertIs(None, await self.store.plan(event_id, planned("a"), WORKER, NOW))
        self.assertEqual({}, await self.statuses("k"))
