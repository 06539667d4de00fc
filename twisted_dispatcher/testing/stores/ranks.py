"""Ranks: a phase opens when all of the one before is settled, unless a death stops the event."""

from __future__ import annotations

from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SKIPPED,
    NewDelivery,
    NewEvent,
    Settled,
    Worker,
)
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    new_event,
    settlement,
)


class RanksContract(Scene):
    """The order of an event's phases."""

    async def test_first_rank_only(self) -> None:
        """Deliveries of later phases cannot be claimed while an earlier one is open."""
        accepted = await self.accept_one(new_event("k", "a b", "c", "d"))

        self.assertEqual(["a", "b"], handlers(accepted.claims))
        self.assertEqual([], await self.claim(OTHER, now=NOW + 1e6))
        self.assertIs(None, (await self.of("k", "c")).due)

    async def test_next_rank_opens(self) -> None:
        """The worker that settles the last of a phase is given the next one to run."""
        claims = await self.claims_of(new_event("k", "a b", "c d", "e"))

        self.assertEqual(Settled(True), await self.settle(claims["a"]))
        settled = await self.settle(claims["b"])
        self.assertEqual((), settled.finished)
        self.assertEqual(["c", "d"], handlers(settled.opened))
        self.assertEqual(
            {"a": DONE, "b": DONE, "c": RUNNING, "d": RUNNING, "e": PENDING},
            await self.statuses("k"),
        )
        c = settled.opened[0]
        self.assertEqual(
            ("k", "phase-1", 1, 1, '"body"', '{"n":1}'),
            (c.key, c.phase, c.rank, c.attempt, c.body, c.details),
        )

    async def test_to_the_end(self) -> None:
        """Phase after phase is opened, and after the last one the event is finished."""
        (claim,) = (await self.claims_of(new_event("k", "a", "b", "c"))).values()
        run = [claim.handler]
        settled = await self.settle(claim)
        while settled.opened:
            run += handlers(settled.opened)
            settled = await self.settle(settled.opened[0])

        self.assertEqual(["a", "b", "c"], run)
        self.assertEqual((claim.event_id,), settled.finished)

    async def test_next_rank_for_others(self) -> None:
        """What the settling worker cannot run of the next phase is left to others, at once."""
        worker = Worker("some", frozenset("ab"))
        claims = await self.claims_of(new_event("k", "a", "b c"), worker)
        settled = await self.settle(claims["a"], worker=worker)

        self.assertEqual(["b"], handlers(settled.opened))
        self.assertEqual(["c"], handlers(await self.claim(OTHER)))

    async def test_retrying_holds_the_phase(self) -> None:
        """The next phase does not open while a delivery is still to be retried."""
        claims = await self.claims_of(new_event("k", "a b", "c"))
        await self.settle(claims["a"], RETRYING, due=NOW + 5)

        self.assertEqual(Settled(True), await self.settle(claims["b"]))
        (again,) = await self.claim(now=NOW + 5)
        self.assertEqual(["c"], handlers((await self.settle(again)).opened))

    async def test_dead_lets_go_on(self) -> None:
        """After a dead delivery that does not stop, the next phase opens."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        settled = await self.settle(claims["a"], DEAD, error="boom")

        self.assertEqual(["b"], handlers(settled.opened))

    async def test_dead_stops(self) -> None:
        """A dead delivery that stops has all later phases skipped."""
        claims = await self.claims_of(new_event("k", "a", "b", "c"))
        settled = await self.settle(claims["a"], DEAD, error="boom", stops=True)

        self.assertEqual(Settled(True, (), (claims["a"].event_id,)), settled)
        self.assertEqual({"a": DEAD, "b": SKIPPED, "c": SKIPPED}, await self.statuses("k"))

    async def test_dead_stops_after_its_phase(self) -> None:
        """What runs beside a dead delivery that stops comes to its own end."""
        claims = await self.claims_of(new_event("k", "a b", "c"))

        self.assertEqual(Settled(True), await self.settle(claims["a"], DEAD, stops=True))
        self.assertEqual({"a": DEAD, "b": RUNNING, "c": SKIPPED}, await self.statuses("k"))
        settled = await self.settle(claims["b"], RETRYING, due=NOW)
        self.assertEqual((), settled.finished)
        (again,) = await self.claim()
        self.assertEqual((again.event_id,), (await self.settle(again)).finished)

    async def test_last_two_at_once(self) -> None:
        """When two workers settle the last two of a phase in one turn, the next one opens once."""
        only = [Worker(name, frozenset({name, "c"})) for name in "ab"]
        accepted = await self.accept_one(new_event("k", "a b", "c"), only[0])
        mine = {claim.handler: claim for claim in accepted.claims}
        mine.update({claim.handler: claim for claim in await self.claim(only[1])})
        both = [self.store.settle([settlement(mine[each.id])], each, NOW) for each in only]
        settled = [(await each)[0] for each in both]

        self.assertEqual([True, True], [each.held for each in settled])
        opened = [claim for each in settled for claim in each.opened]
        self.assertEqual(["c"], handlers(opened))
        self.assertEqual(RUNNING, (await self.statuses("k"))["c"])

    async def test_gaps(self) -> None:
        """Phases without deliveries are passed over, in whatever order deliveries are given."""
        deliveries = tuple(NewDelivery(h, f"p{rank}", rank) for h, rank in (("a", 7), ("b", 2)))
        accepted = await self.accept_one(NewEvent("k", "1", "{}", None, NOW, deliveries))

        self.assertEqual(["b"], handlers(accepted.claims))
        self.assertEqual(["a"], handlers((await self.settle(accepted.claims[0])).opened))

    async def test_many_events_at_once(self) -> None:
        """Events that settle in one call each open a next phase of their own."""
        accepted = await self.accept(*(new_event(f"k{n}", "a", "b") for n in range(50)))
        settled = await self.store.settle(
            [settlement(each.claims[0]) for each in accepted], WORKER, NOW
        )

        self.assertEqual([f"k{n}" for n in range(50)], [each.opened[0].key for each in settled])
        self.assertEqual(["b"] * 50, [claim.handler for each in settled for claim in each.opened])
