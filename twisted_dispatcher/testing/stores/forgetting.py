"""Forgetting: what is old goes, and nothing that is still needed."""

from __future__ import annotations

from twisted_dispatcher.errors import PayloadGone, UnknownDelivery
from twisted_dispatcher.records import DEAD, RETRYING, Claim, Worker
from twisted_dispatcher.testing.stores.scene import NOW, Scene, keys, new_event, unplanned_event


class ForgettingContract(Scene):
    """`IStore.purge`."""

    async def done(self, key: str, at: float) -> Claim:
        """Have an event that was accepted and settled at a time."""
        (claim,) = (await self.accept_one(new_event(key, "a", due=at), now=at)).claims
        await self.settle(claim, now=at)
        return claim

    async def bodies(self) -> dict[str, str | None]:
        """Give the bodies of all events, by key."""
        return {each.key: each.body for each in await self.store.events()}

    async def test_forget_nothing(self) -> None:
        """Where no time is given nothing is forgotten."""
        await self.done("k", NOW)

        self.assertEqual(0, await self.store.purge(None, None, 100))
        self.assertEqual({"k": '"body"'}, await self.bodies())

    async def test_payloads(self) -> None:
        """The bodies of what was settled before a time are forgotten, and the keys are not."""
        claim = await self.done("old", NOW - 20)
        await self.done("new", NOW - 5)

        self.assertEqual(1, await self.store.purge(NOW - 10, None, 100))
        self.assertEqual({"old": None, "new": '"body"'}, await self.bodies())
        self.assertEqual({"a": "done"}, await self.statuses("old"))
        self.assertFalse((await self.accept_one(new_event("old", "a"))).acceptance.new)
        await self.failure_of(self.store.body_of(claim.delivery_id), PayloadGone)
        self.assertEqual(0, await self.store.purge(NOW - 10, None, 100))

    async def test_settled_time_counts(self) -> None:
        """What counts is when an event was settled, not when it was accepted."""
        (claim,) = (await self.accept_one(new_event("k", "a"), now=NOW)).claims
        await self.settle(claim, now=NOW + 50)

        self.assertEqual(0, await self.store.purge(NOW + 40, NOW + 40, 100))
        self.assertEqual({"k": '"body"'}, await self.bodies())
        self.assertEqual(1, await self.store.purge(NOW + 51, None, 100))

    async def test_open_stays(self) -> None:
        """Nothing of an event that is not settled is forgotten, however old it is."""
        await self.accept_one(new_event("running", "a"))
        await self.accept_one(new_event("waiting", "x"))
        await self.accept_one(unplanned_event("unplanned"))
        claims = await self.claims_of(new_event("retrying", "a b"))
        await self.settle(claims["a"])
        await self.settle(claims["b"], RETRYING, due=NOW)

        self.assertEqual(0, await self.store.purge(NOW + 1e6, NOW + 1e6, 100))
        self.assertEqual({'"body"'}, set((await self.bodies()).values()))

    async def test_replay_without_payload(self) -> None:
        """What has no body any more can be replayed with a new one only."""
        (claim,) = (await self.accept_one(new_event("k", "a"))).claims
        await self.settle(claim, DEAD)
        await self.store.purge(NOW + 1, None, 100)

        await self.failure_of(self.store.replay(claim.delivery_id, None, NOW), PayloadGone)
        await self.store.replay(claim.delivery_id, '"new"', NOW)
        (again,) = await self.claim()
        self.assertEqual('"new"', again.body)

    async def test_keys(self) -> None:
        """Of what was settled before the other time nothing is left, and its key is new again."""
        claim = await self.done("old", NOW - 20)
        await self.done("new", NOW - 5)
        await self.done("newest", NOW)

        self.assertEqual(1, await self.store.purge(None, NOW - 10, 100))
        self.assertEqual(["newest", "new"], [each.key for each in await self.store.events()])
        await self.failure_of(self.store.delivery(claim.delivery_id), UnknownDelivery)
        self.assertTrue(await self.is_settled(claim.event_id))
        self.assertTrue((await self.accept_one(new_event("old", "a"))).acceptance.new)

    async def test_no_id_twice(self) -> None:
        """Ids that were forgotten are not given again."""
        claims = [await self.done(f"k{n}", NOW) for n in range(3)]
        await self.accept_one(new_event("for nobody"))
        while await self.store.purge(NOW + 10, NOW + 10, 100):
            pass
        for n in range(5):
            claim = await self.done(f"l{n}", NOW + 20)
            self.assertNotIn(claim.event_id, [each.event_id for each in claims])
            self.assertNotIn(claim.delivery_id, [each.delivery_id for each in claims])
            claims.append(claim)

    async def test_little_by_little(self) -> None:
        """Each call forgets no more than its limit, and many calls forget everything."""
        for n in range(10):
            await self.done(f"k{n}", NOW)
        counts = [await self.store.purge(NOW + 1, None, 3) for _ in range(5)]

        self.assertEqual(10, sum(counts))
        self.assertLessEqual(max(counts), 3)
        self.assertEqual({None}, set((await self.bodies()).values()))

    async def test_past_what_stays(self) -> None:
        """What stays does not keep the walk from what comes after it."""
        for n in range(10):
            await self.accept_one(new_event(f"open{n}", "x"))
        await self.done("old", NOW)
        await self.done("last", NOW + 5)
        counts = [await self.store.purge(NOW + 1, NOW + 1, 3) for _ in range(10)]

        self.assertEqual(1, len([each for each in counts if each]))
        self.assertNotIn("old", await self.bodies())
        self.assertEqual(10, len(keys(await self.claim(Worker("x", frozenset("x"))))))
