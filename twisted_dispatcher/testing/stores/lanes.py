"""Lanes: events that are ordered among each other run one after another, as they were accepted."""

from __future__ import annotations

from twisted_dispatcher.records import DEAD, PENDING, RETRYING, RUNNING, NewEvent, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    keys,
    new_event,
    planned,
    settlement,
    unplanned_event,
)

PRODUCER = Worker("producer", frozenset())


def in_lane(key: str, *ranks: str, due: float = NOW) -> NewEvent:
    """Make an event of the lane that most tests have."""
    return new_event(key, *(ranks or ("a",)), lane="lane", due=due)


class LanesContract(Scene):
    """The order of the events in a lane."""

    async def test_lane_waits(self) -> None:
        """An event waits while an earlier one of its lane is open, however long."""
        first = await self.accept_one(in_lane("1"))
        second = await self.accept_one(in_lane("2"))

        self.assertEqual((["1"], []), (keys(first.claims), keys(second.claims)))
        self.assertEqual({"a": PENDING}, await self.statuses("2"))
        self.assertIs(None, (await self.of("2", "a")).due)
        self.assertEqual([], await self.claim(OTHER, now=NOW + 1e6))

    async def test_lane_goes_on(self) -> None:
        """Who settles the first event of a lane is given the second one to run."""
        first, second, third = await self.accept(*map(in_lane, "123"))
        settled = await self.settle(first.claims[0])

        self.assertEqual((first.acceptance.event_id,), settled.finished)
        self.assertEqual(["2"], keys(settled.opened))
        self.assertEqual(["3"], keys((await self.settle(settled.opened[0])).opened))
        self.assertEqual((second.claims, third.claims), ((), ()))

    async def test_lane_over_phases(self) -> None:
        """The next event of a lane waits for all phases of the one before."""
        first, _ = await self.accept(in_lane("1", "a b", "c"), in_lane("2", "d"))
        a, b = first.claims

        self.assertEqual([], keys((await self.settle(a)).opened))
        (c,) = (await self.settle(b)).opened
        self.assertEqual(("1", "c"), (c.key, c.handler))
        self.assertEqual(["2"], keys((await self.settle(c)).opened))

    async def test_lanes_are_apart(self) -> None:
        """Events of different lanes, and those without one, do not wait for each other."""
        accepted = await self.accept(
            new_event("1", "a", lane="x"),
            new_event("2", "a", lane="y"),
            new_event("3", "a"),
            new_event("4", "a"),
            new_event("5", "a", lane=""),
        )

        self.assertEqual([1] * 5, [len(each.claims) for each in accepted])

    async def test_lane_is_free_again(self) -> None:
        """A lane whose events are all settled is free."""
        for key in "123":
            (claim,) = (await self.accept_one(in_lane(key))).claims
            self.assertEqual((), (await self.settle(claim)).opened)

    async def test_lane_next_for_others(self) -> None:
        """When the settling worker cannot run the next event of a lane, others can."""
        worker = Worker("some", frozenset("a"))
        first, _ = await self.accept(in_lane("1", "a"), in_lane("2", "b"), worker=worker)
        settled = await self.settle(first.claims[0], worker=worker)

        self.assertEqual((), settled.opened)
        self.assertEqual(["2"], keys(await self.claim(OTHER)))

    async def test_retrying_holds_the_lane(self) -> None:
        """A lane waits for an event that is to be retried."""
        first, _ = await self.accept(in_lane("1"), in_lane("2"))
        await self.settle(first.claims[0], RETRYING, due=NOW + 5)

        (again,) = await self.claim(now=NOW + 5)
        self.assertEqual("1", again.key)
        self.assertEqual(["2"], keys((await self.settle(again)).opened))

    async def test_dead_lets_the_lane_go_on(self) -> None:
        """After an event that died, the next one of its lane opens."""
        first, _ = await self.accept(in_lane("1", "a", "b"), in_lane("2"))
        settled = await self.settle(first.claims[0], DEAD, stops=True)

        self.assertEqual(["2"], keys(settled.opened))

    async def test_later_event_holds_the_lane(self) -> None:
        """An event that is due later holds those that were accepted after it."""
        await self.accept(in_lane("1", due=NOW + 10), in_lane("2"))

        self.assertEqual([], await self.claim(now=NOW + 5))
        (first,) = await self.claim(now=NOW + 10)
        self.assertEqual("1", first.key)
        self.assertEqual(["2"], keys((await self.settle(first, now=NOW + 10)).opened))

    async def test_next_event_is_due_later(self) -> None:
        """An event whose turn comes before it is due waits until then."""
        first, _ = await self.accept(in_lane("1"), in_lane("2", due=NOW + 10))

        self.assertEqual((), (await self.settle(first.claims[0])).opened)
        self.assertEqual([], await self.claim(now=NOW + 9))
        self.assertEqual(["2"], keys(await self.claim(now=NOW + 10)))

    async def test_event_for_nobody_holds_no_lane(self) -> None:
        """An event that goes to nobody neither waits in a lane nor holds it."""
        first, nobody, second = await self.accept(
            in_lane("1"), new_event("-", lane="lane"), in_lane("2")
        )

        self.assertTrue(await self.is_settled(nobody.acceptance.event_id))
        self.assertEqual(["2"], keys((await self.settle(first.claims[0])).opened))
        self.assertEqual((), second.claims)

    async def test_known_event_holds_no_lane(self) -> None:
        """An event that is not accepted again does not stand in a lane again."""
        first, known, second = await self.accept(in_lane("1"), in_lane("1"), in_lane("2"))

        self.assertFalse(known.acceptance.new)
        self.assertEqual(["2"], keys((await self.settle(first.claims[0])).opened))
        self.assertEqual((), second.claims)

    async def test_several_lanes_at_once(self) -> None:
        """Lanes that go on in one call each go on with their own next event."""
        accepted = await self.accept(
            *(new_event(f"{lane}{n}", "a", lane=lane) for n in range(3) for lane in "xyz")
        )
        settled = await self.store.settle(
            [settlement(each.claims[0]) for each in accepted[:3]], WORKER, NOW
        )

        self.assertEqual(["x1", "y1", "z1"], [each.opened[0].key for each in settled])

    async def test_unplanned_holds_the_lane(self) -> None:
        """An event that nobody has planned yet holds the events after it."""
        unplanned = await self.accept_one(unplanned_event("1", lane="lane"), PRODUCER)
        second = await self.accept_one(in_lane("2"))

        self.assertEqual((), second.claims)
        self.assertEqual([], await self.claim(now=NOW + 1e6))
        plan = await self.store.plan(unplanned.acceptance.event_id, planned("a"), WORKER, NOW)
        assert plan is not None
        self.assertEqual(["1"], keys(plan.claims))
        self.assertEqual(["2"], keys((await self.settle(plan.claims[0])).opened))

    async def test_plan_in_a_lane(self) -> None:
        """An event that is planned while an earlier one is open waits for it."""
        first = await self.accept_one(in_lane("1"))
        second = await self.accept_one(unplanned_event("2", lane="lane"), PRODUCER)
        plan = await self.store.plan(second.acceptance.event_id, planned("b"), WORKER, NOW)

        assert plan is not None
        self.assertEqual((), plan.claims)
        self.assertEqual([], await self.claim(now=NOW + 1e6))
        self.assertEqual(["b"], handlers((await self.settle(first.claims[0])).opened))

    async def test_unplanned_in_its_turn(self) -> None:
        """An event whose turn comes before it is planned is run when it is."""
        first = await self.accept_one(in_lane("1"))
        second = await self.accept_one(unplanned_event("2", lane="lane"), PRODUCER)
        self.assertEqual((), (await self.settle(first.claims[0])).opened)
        plan = await self.store.plan(second.acceptance.event_id, planned("b"), WORKER, NOW)

        assert plan is not None
        self.assertEqual(["b"], handlers(plan.claims))

    async def test_planned_for_nobody_lets_the_lane_go_on(self) -> None:
        """An event that turns out to go to nobody lets the next one of its lane go on."""
        first = await self.accept_one(unplanned_event("1", lane="lane"), PRODUCER)
        await self.accept_one(in_lane("2"))
        plan = await self.store.plan(first.acceptance.event_id, (), WORKER, NOW)

        assert plan is not None
        self.assertEqual(["2"], keys(plan.claims))
        self.assertEqual({"a": RUNNING}, await self.statuses("2"))
