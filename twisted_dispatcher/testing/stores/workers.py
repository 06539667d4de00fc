"""Workers: who is alive, and what becomes of what a dead one was running."""

from __future__ import annotations

from twisted_dispatcher.records import DEAD, PENDING, RETRYING, RUNNING, Settled
from twisted_dispatcher.testing.stores.scene import NOW, OTHER, WORKER, Scene, keys, new_event


class WorkersContract(Scene):
    """`IStore.heartbeat` and `IStore.release_dead`."""

    async def test_heartbeat(self) -> None:
        """A store says whether it knew the worker."""
        self.assertIs(False, await self.store.heartbeat(WORKER, NOW + 10, NOW))
        self.assertIs(True, await self.store.heartbeat(WORKER, NOW + 20, NOW))

    async def test_live_worker(self) -> None:
        """What a live worker runs is not taken away, as long as it renews its lease."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        await self.accept_one(new_event("k", "a"))
        await self.store.heartbeat(WORKER, NOW + 20, NOW + 9)

        self.assertEqual(0, await self.store.release_dead(NOW + 15))
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_dead_worker(self) -> None:
        """What a dead worker was running is due, and its next attempt is another worker's."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        await self.store.heartbeat(OTHER, NOW + 100, NOW)
        claims = await self.claims_of(new_event("k", "a b", "c"))
        await self.accept_one(new_event("l", "a"), OTHER)
        await self.settle(claims["b"])

        self.assertEqual(1, await self.store.release_dead(NOW + 10))
        self.assertEqual({"a": PENDING, "b": "done", "c": PENDING}, await self.statuses("k"))
        (claim,) = await self.claim(OTHER, now=NOW + 10)
        self.assertEqual(("k", "a", 2), (claim.key, claim.handler, claim.attempt))
        self.assertEqual(0, await self.store.release_dead(NOW + 11))

    async def test_death_counts(self) -> None:
        """An attempt in which the worker died counts, and the delivery's error tells of it."""
        await self.accept_one(new_event("k", "a"))
        for attempt in (1, 2, 3):
            await self.store.release_dead(NOW + attempt)

            self.assertEqual(
                f"its worker died in attempt {attempt} (exit unknown)",
                (await self.of("k", "a")).error,
            )
            (claim,) = await self.claim(OTHER, now=NOW + attempt)
            self.assertEqual((attempt + 1, 0), (claim.attempt, claim.excused))
            self.assertTrue(claim.died)

    async def test_death_is_remembered(self) -> None:
        """That a worker died is known until the delivery fails in another way."""
        await self.accept_one(new_event("k", "a"))
        await self.store.release_dead(NOW)
        seen = []
        for status, error in ((PENDING, None), (RETRYING, "boom"), (PENDING, None)):
            (claim,) = await self.claim()
            seen.append(bool(claim.died))
            await self.settle(claim, status, due=NOW, error=error)

        self.assertEqual([True, True, False], seen)

    async def test_death_after_failure(self) -> None:
        """Deaths and failures count alike, and the last of them is the delivery's error."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"], RETRYING, due=NOW, error="boom")
        await self.claim()
        await self.store.release_dead(NOW + 1)
        (claim,) = await self.claim(OTHER, now=NOW + 1)

        self.assertEqual(3, claim.counted)
        await self.settle(claim, DEAD, worker=OTHER)
        self.assertIn("attempt 2", (await self.of("k", "a")).error or "")

    async def test_back_from_the_dead(self) -> None:
        """A worker that comes back late settles nothing of what others run, or may run."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        claims = await self.claims_of(new_event("k", "a b"))
        await self.store.release_dead(NOW + 20)
        again = {claim.handler: claim for claim in await self.claim(OTHER, NOW + 20, limit=1)}
        (taken,) = again

        for claim in claims.values():
            self.assertEqual(Settled(False), await self.settle(claim))
        self.assertIs(False, await self.store.heartbeat(WORKER, NOW + 40, NOW + 30))
        for claim in claims.values():
            self.assertEqual(Settled(False), await self.settle(claim))
        self.assertTrue((await self.settle(again[taken], worker=OTHER)).held)

    async def test_late_but_not_released(self) -> None:
        """A worker whose lease has run out can settle what nobody has taken away yet."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        claims = await self.claims_of(new_event("k", "a"))

        self.assertTrue((await self.settle(claims["a"], now=NOW + 50)).held)

    async def test_never_heard_of(self) -> None:
        """What runs for a worker that never said to be alive is released."""
        await self.accept_one(new_event("k", "a"))
        await self.accept_one(new_event("l", "a", due=NOW + 1))
        await self.claim(OTHER, now=NOW + 1)

        self.assertEqual(2, await self.store.release_dead(NOW + 1))
        self.assertEqual(["k", "l"], sorted(keys(await self.claim(now=NOW + 1))))

    async def test_forgotten_worker_goes_on(self) -> None:
        """A worker that was found dead, and takes on more all the same, does not lose that."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        await self.accept_one(new_event("1", "a"))
        await self.store.release_dead(NOW + 20)
        await self.accept_one(new_event("2", "a", "b"), now=NOW + 21)

        self.assertEqual(1, await self.store.release_dead(NOW + 22))
        self.assertEqual({"a": PENDING, "b": PENDING}, await self.statuses("2"))

    async def test_what_opened_is_released(self) -> None:
        """What a dead worker was given when a phase opened is released as well."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        claims = await self.claims_of(new_event("k", "a", "b"))
        await self.settle(claims["a"])

        self.assertEqual(1, await self.store.release_dead(NOW + 10))
        (claim,) = await self.claim(OTHER, now=NOW + 10)
        self.assertEqual(("b", 2), (claim.handler, claim.attempt))

    async def test_time_goes_back(self) -> None:
        """A clock that goes back releases nothing."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        await self.accept_one(new_event("k", "a"))

        self.assertEqual(0, await self.store.release_dead(NOW - 1000))

    async def test_workers_of_another_process(self) -> None:
        """A worker is seen, and its deliveries are released, from another process."""
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        await self.accept_one(new_event("k", "a"))
        another = await self.second_store()

        self.assertEqual(0, await another.release_dead(NOW + 5))
        self.assertEqual(1, await another.release_dead(NOW + 10))
        self.assertEqual(["k"], keys(await another.claim(OTHER, NOW + 10, 10)))
