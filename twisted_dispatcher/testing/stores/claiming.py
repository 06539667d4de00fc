"""Claiming: what is due, to whom can run it, and to nobody else at the same time."""

from __future__ import annotations

from twisted_dispatcher.records import RUNNING, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    keys,
    new_event,
    unplanned_event,
)

PRODUCER = Worker("producer", frozenset())


class ClaimingContract(Scene):
    """`IStore.claim`, `IStore.next_due` and `IStore.orphans`."""

    async def wait(self, *events: tuple[str, str, float]) -> None:
        """Have events wait: key, handlers, and when they are due."""
        for key, names, due in events:
            await self.accept_one(new_event(key, names, due=due), PRODUCER)

    async def test_claim(self) -> None:
        """A claim has all that is needed to run it, and runs for the worker."""
        await self.wait(("k", "a", NOW))
        (claim,) = await self.claim()

        self.assertEqual(
            ("k", "a", "phase-0", 0, 1, '"body"', '{"n":1}'),
            (
                *(claim.key, claim.handler, claim.phase, claim.rank),
                *(claim.attempt, claim.body, claim.details),
            ),
        )
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))
        self.assertTrue((await self.settle(claim)).held)

    async def test_claim_in_order(self) -> None:
        """What is due first is claimed first, whatever its handler, up to a limit."""
        await self.wait(
            ("3", "a", NOW - 1), ("1", "b", NOW - 3), ("2", "a", NOW - 2), ("4", "b", NOW)
        )

        self.assertEqual(["1", "2", "3"], keys(await self.claim(limit=3)))
        self.assertEqual(["4"], keys(await self.claim(limit=3)))
        self.assertEqual([], await self.claim(limit=3))

    async def test_claim_none(self) -> None:
        """A limit of nothing gives nothing."""
        await self.wait(("k", "a", NOW))

        self.assertEqual([], await self.claim(limit=0))

    async def test_claim_known_handlers(self) -> None:
        """A worker is given nothing that it cannot run."""
        await self.wait(("1", "a b c", NOW))

        self.assertEqual(["b"], handlers(await self.claim(Worker("w", frozenset("bz")))))
        self.assertEqual([], await self.claim(Worker("w", frozenset())))

    async def test_claim_once(self) -> None:
        """Two workers that claim in one turn share what is due."""
        await self.wait(*((str(n), "a", NOW) for n in range(20)))
        both = [self.store.claim(each, NOW, 15) for each in (WORKER, OTHER)]
        claimed = [claim.key for each in both for claim in await each]

        self.assertEqual(20, len(claimed))
        self.assertEqual(20, len(set(claimed)))

    async def test_claim_past_orphans(self) -> None:
        """Whatever waits for a handler that nobody has stands in nobody's way."""
        orphans = [new_event(f"o{n}", "nobody", due=NOW - 1) for n in range(300)]
        await self.accept(*orphans, worker=PRODUCER)
        await self.wait(("k", "a", NOW))

        self.assertEqual(["k"], keys(await self.claim(limit=1)))

    async def test_next_due(self) -> None:
        """The next due time is the earliest of what the worker can claim."""
        await self.wait(("1", "a", NOW + 20), ("2", "b", NOW + 10), ("3", "nobody", NOW + 5))

        self.assertEqual(NOW + 10, await self.store.next_due(WORKER, NOW))
        self.assertEqual(NOW + 20, await self.store.next_due(Worker("w", frozenset("a")), NOW))

    async def test_next_due_to_plan(self) -> None:
        """What is to be planned is due as well, for any worker."""
        await self.wait(("1", "a", NOW + 20))
        await self.accept_one(unplanned_event("k", due=NOW + 10), PRODUCER)

        self.assertEqual(NOW + 10, await self.store.next_due(WORKER, NOW))
        self.assertEqual(NOW + 10, await self.store.next_due(PRODUCER, NOW))

    async def test_next_due_none(self) -> None:
        """When nothing waits, or only what another delivery has to open, nothing is due."""
        self.assertIs(None, await self.store.next_due(WORKER, NOW))
        await self.accept_one(new_event("k", "a", "b"))

        self.assertIs(None, await self.store.next_due(WORKER, NOW))

    async def test_next_due_past(self) -> None:
        """What was due some time ago is still due."""
        await self.wait(("k", "a", NOW - 100))

        self.assertEqual(NOW - 100, await self.store.next_due(WORKER, NOW))

    async def test_orphans(self) -> None:
        """Handlers that something waits for and no live worker has are listed, with since when."""
        await self.store.heartbeat(WORKER, NOW + 60, NOW)
        await self.wait(
            ("1", "a", NOW - 50), ("2", "x", NOW - 30), ("3", "y", NOW - 20), ("4", "x", NOW - 40)
        )

        found = await self.store.orphans(NOW, NOW)
        self.assertEqual(
            [("x", NOW - 40), ("y", NOW - 20)],
            sorted((each.handler, each.since) for each in found),
        )

    async def test_orphans_of_the_dead(self) -> None:
        """The handlers of a worker that is not alive any more count for nothing."""
        await self.store.heartbeat(WORKER, NOW + 60, NOW)
        await self.wait(("1", "a", NOW))

        self.assertEqual([], await self.store.orphans(NOW + 59, NOW + 59))
        (orphan,) = await self.store.orphans(NOW + 61, NOW + 61)
        self.assertEqual("a", orphan.handler)

    async def test_orphans_before(self) -> None:
        """What waits only since a while ago is not listed yet."""
        await self.wait(("1", "x", NOW - 10), ("2", "y", NOW - 30))

        found = await self.store.orphans(NOW - 20, NOW)
        self.assertEqual(["y"], [each.handler for each in found])
        self.assertEqual(1, len(await self.store.orphans(NOW, NOW, limit=1)))

    async def test_bury(self) -> None:
        """What waits for a handler that nobody has can be claimed in its name, and settled."""
        await self.wait(("k", "x", NOW))
        sexton = Worker("sexton", frozenset({"x"}))
        (claim,) = await self.claim(sexton)

        self.assertTrue((await self.settle(claim, "dead", sexton, error="nobody")).finished)
        self.assertEqual([], await self.store.orphans(NOW + 1, NOW + 1))
