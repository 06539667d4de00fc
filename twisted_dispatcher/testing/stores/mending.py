"""Mending: what an operator can do with a delivery."""

from __future__ import annotations

from twisted_dispatcher.errors import UnknownDelivery, WrongStatus
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SKIPPED,
    Claim,
    Settled,
)
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    keys,
    new_event,
    settlement,
)

LATER = NOW + 100


class MendingContract(Scene):
    """`IStore.replay` and `IStore.skip`."""

    async def dead(self, *ranks: str, stops: bool = False, key: str = "k") -> Claim:
        """Accept an event whose first delivery dies."""
        accepted = await self.accept_one(new_event(key, *(ranks or ("a",))))
        await self.settle(accepted.claims[0], DEAD, error="boom", stops=stops)
        return accepted.claims[0]

    # Replay

    async def test_replay_dead(self) -> None:
        """A dead delivery that is replayed is due, and its event is settled again afterwards."""
        claim = await self.dead()
        await self.store.replay(claim.delivery_id, None, LATER)

        delivery = await self.store.delivery(claim.delivery_id)
        self.assertEqual((PENDING, 1, LATER), (delivery.status, delivery.attempts, delivery.due))
        self.assertFalse(await self.is_settled(claim.event_id))
        (again,) = await self.claim(now=LATER)
        self.assertEqual((claim.delivery_id, 2), (again.delivery_id, again.attempt))
        self.assertEqual((claim.event_id,), (await self.settle(again)).finished)
        self.assertTrue(await self.is_settled(claim.event_id))

    async def test_replay_done(self) -> None:
        """A delivery that is done can be run again, and what came after it is not."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        (b,) = (await self.settle(claims["a"])).opened
        await self.settle(b)
        await self.store.replay(claims["a"].delivery_id, None, LATER)

        (again,) = await self.claim(now=LATER)
        self.assertEqual("a", again.handler)
        self.assertEqual(Settled(True, (), (again.event_id,)), await self.settle(again))
        self.assertEqual({"a": DONE, "b": DONE}, await self.statuses("k"))

    async def test_replay_with_another_body(self) -> None:
        """A replay can replace the body of the event."""
        claim = await self.dead()
        await self.store.replay(claim.delivery_id, '"changed"', LATER)

        (again,) = await self.claim(now=LATER)
        self.assertEqual('"changed"', again.body)
        self.assertEqual('"changed"', await self.store.body_of(claim.delivery_id))

    async def test_replay_what_is_not_settled(self) -> None:
        """What runs or waits cannot be replayed."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        error = await self.failure_of(
            self.store.replay(claims["a"].delivery_id, '"changed"', NOW), WrongStatus
        )

        self.assertEqual((claims["a"].delivery_id, RUNNING), (error.delivery_id, error.status))
        waiting = await self.of("k", "b")
        await self.failure_of(self.store.replay(waiting.id, None, NOW), WrongStatus)
        self.assertEqual({"a": RUNNING, "b": PENDING}, await self.statuses("k"))
        self.assertEqual('"body"', await self.store.body_of(waiting.id))

    async def test_unknown_delivery(self) -> None:
        """A delivery that is not there can be neither replayed nor skipped."""
        for asked in (self.store.replay(4711, None, NOW), self.store.skip(4711, NOW)):
            error = await self.failure_of(asked, UnknownDelivery)
            self.assertEqual(4711, error.delivery_id)

    async def test_replay_revives(self) -> None:
        """When what had stopped an event is replayed, what was skipped for it has its turn."""
        claim = await self.dead("a", "b", "c", stops=True)
        await self.store.replay(claim.delivery_id, None, LATER)

        self.assertEqual({"a": PENDING, "b": PENDING, "c": PENDING}, await self.statuses("k"))
        (again,) = await self.claim(now=LATER)
        self.assertEqual(["b"], handlers((await self.settle(again)).opened))

    async def test_replay_one_of_two_stoppers(self) -> None:
        """While another delivery has stopped an event, what was skipped stays skipped."""
        claims = await self.claims_of(new_event("k", "a b", "c"))
        for claim in claims.values():
            await self.settle(claim, DEAD, stops=True)
        await self.store.replay(claims["a"].delivery_id, None, LATER)
        (again,) = await self.claim(now=LATER)

        self.assertEqual((again.event_id,), (await self.settle(again)).finished)
        self.assertEqual({"a": DONE, "b": DEAD, "c": SKIPPED}, await self.statuses("k"))
        await self.store.replay(claims["b"].delivery_id, None, LATER)
        (again,) = await self.claim(now=LATER)
        self.assertEqual(["c"], handlers((await self.settle(again)).opened))

    async def test_replay_skipped_waits_for_its_phase(self) -> None:
        """A skipped delivery that is replayed while an earlier phase is open waits for it."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        b = await self.of("k", "b")
        await self.store.skip(b.id, NOW)
        await self.store.replay(b.id, None, NOW)

        self.assertEqual([], await self.claim(now=LATER))
        self.assertEqual(["b"], handlers((await self.settle(claims["a"])).opened))

    async def test_replay_waits_for_a_later_phase(self) -> None:
        """A delivery replayed while a later phase is open runs between that and the next."""
        claims = await self.claims_of(new_event("k", "a", "b", "c"))
        (b,) = (await self.settle(claims["a"], DEAD, error="boom")).opened
        await self.store.replay(claims["a"].delivery_id, None, LATER)
        self.assertEqual([], await self.claim(now=LATER))

        (again,) = (await self.settle(b)).opened
        self.assertEqual(("a", 2), (again.handler, again.attempt))
        self.assertEqual(["c"], handlers((await self.settle(again)).opened))

    async def test_replay_in_a_lane(self) -> None:
        """An event that is replayed does not run beside the one of its lane that is open."""
        first = await self.accept_one(new_event("1", "a", lane="lane"))
        settled = await self.settle_dead_with_next(first.claims[0], "2")
        await self.store.replay(first.claims[0].delivery_id, None, LATER)

        self.assertEqual([], await self.claim(now=LATER))
        settled = await self.settle(settled.opened[0])
        self.assertEqual(["1"], keys(settled.opened))
        self.assertEqual((), (await self.settle(settled.opened[0])).opened)

    async def settle_dead_with_next(self, claim: Claim, key: str) -> Settled:
        """Let a delivery die while another event of its lane waits."""
        await self.accept_one(new_event(key, "a", lane="lane"))
        settled = await self.settle(claim, DEAD)
        self.assertEqual([key], keys(settled.opened))
        return settled

    async def test_replay_in_a_free_lane(self) -> None:
        """An event that is replayed in a free lane runs, and holds the lane meanwhile."""
        first = await self.accept_one(new_event("1", "a", lane="lane"))
        await self.settle(first.claims[0])
        await self.store.replay(first.claims[0].delivery_id, None, NOW)
        second = await self.accept_one(new_event("2", "a", lane="lane"))

        (again,) = await self.claim(OTHER)
        self.assertEqual(("1", ()), (again.key, second.claims))
        self.assertEqual(["2"], keys((await self.settle(again, worker=OTHER)).opened))

    # Skip

    async def test_skip_waiting(self) -> None:
        """A delivery that waits can be skipped, and its event goes on without it."""
        event = await self.accept_one(new_event("k", "x", "b"))
        x = await self.of("k", "x")
        await self.store.skip(x.id, LATER)

        self.assertEqual({"x": SKIPPED, "b": PENDING}, await self.statuses("k"))
        (b,) = await self.claim(now=LATER)
        self.assertEqual((event.acceptance.event_id,), (await self.settle(b)).finished)

    async def test_skip_the_last(self) -> None:
        """An event of which the last delivery is skipped is settled."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"], RETRYING, due=LATER, error="boom")
        await self.store.skip(claims["a"].delivery_id, NOW)

        self.assertTrue(await self.is_settled(claims["a"].event_id))
        self.assertEqual([], await self.claim(now=LATER))
        self.assertEqual("boom", (await self.of("k", "a")).error)

    async def test_skip_running(self) -> None:
        """A worker that runs what is skipped cannot settle it any more."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        await self.store.skip(claims["a"].delivery_id, NOW)

        self.assertEqual(Settled(False), await self.settle(claims["a"]))
        self.assertEqual(["b"], handlers(await self.claim()))

    async def test_skip_dead(self) -> None:
        """A dead delivery that is skipped needs no more attention."""
        claim = await self.dead()
        await self.store.skip(claim.delivery_id, NOW)

        self.assertEqual({"a": SKIPPED}, await self.statuses("k"))
        self.assertTrue(await self.is_settled(claim.event_id))

    async def test_skip_what_has_stopped(self) -> None:
        """An event goes on with its later phases when what had stopped it is skipped."""
        claim = await self.dead("a", "b", stops=True)
        await self.store.skip(claim.delivery_id, LATER)

        self.assertEqual({"a": SKIPPED, "b": PENDING}, await self.statuses("k"))
        (b,) = await self.claim(now=LATER)
        self.assertEqual((claim.event_id,), (await self.settle(b)).finished)

    async def test_skip_settled(self) -> None:
        """What is done or skipped cannot be skipped."""
        claims = await self.claims_of(new_event("k", "a b"))
        await self.settle(claims["a"])
        await self.store.skip(claims["b"].delivery_id, NOW)

        for claim in claims.values():
            await self.failure_of(self.store.skip(claim.delivery_id, NOW), WrongStatus)

    async def test_skip_in_a_waiting_event(self) -> None:
        """To skip something of an event that waits in its lane does not open the rest."""
        first = await self.accept_one(new_event("1", "a", lane="lane"))
        await self.accept_one(new_event("2", "a b", lane="lane"))
        await self.store.skip((await self.of("2", "a")).id, NOW)

        self.assertEqual([], await self.claim(now=LATER))
        self.assertEqual(["b"], handlers((await self.settle(first.claims[0])).opened))

    async def test_skip_all_of_a_waiting_event(self) -> None:
        """An event that is skipped as a whole while it waits in its lane holds nobody."""
        first = await self.accept_one(new_event("1", "a", lane="lane"))
        await self.accept_one(new_event("2", "a", lane="lane"))
        await self.accept_one(new_event("3", "a", lane="lane"))
        await self.store.skip((await self.of("2", "a")).id, NOW)

        self.assertEqual({"a": RUNNING}, await self.statuses("1"))
        self.assertEqual(["3"], keys((await self.settle(first.claims[0])).opened))

    async def test_skip_lets_the_lane_go_on(self) -> None:
        """The next event of a lane opens when the last delivery of the first one is skipped."""
        first = await self.accept_one(new_event("1", "a", lane="lane"))
        await self.accept_one(new_event("2", "a", lane="lane"))
        await self.store.skip(first.claims[0].delivery_id, NOW)

        self.assertEqual(["2"], keys(await self.claim()))

    async def test_mend_among_others(self) -> None:
        """What cannot be mended harms nothing that was asked for in the same turn."""
        claims = await self.claims_of(new_event("k", "a"))
        wrong = self.store.replay(4711, None, NOW)
        right = self.store.settle([settlement(claims["a"])], WORKER, NOW)
        late = self.store.skip(4711, NOW)
        await self.failure_of(wrong, UnknownDelivery)
        await self.failure_of(late, UnknownDelivery)

        self.assertTrue((await right)[0].held)
