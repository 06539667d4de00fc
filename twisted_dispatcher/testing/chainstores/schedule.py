"""The schedule: which chains are due, and who executes them."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from twisted_dispatcher.testing.chainstores.scene import LEASE, Scene
from twisted_dispatcher.testing.stores.scene import NOW


class ScheduleContract(Scene):
    """Due chains are found in order, and each is given to one."""

    async def claimed(self, now: float = NOW, limit: int = 100) -> list[str]:
        """Claim due chains; give their ids."""
        claimed = await self.chains.claim_due("order", now + LEASE, now, limit)
        self.assertTrue(all(each.held for each in claimed))
        return [each.chain.id for each in claimed]

    async def test_due(self) -> None:
        """Those that are due are claimed, the first due first, and no others."""
        for name, due in (("a", NOW - 1), ("b", NOW - 3), ("c", NOW + 1), ("d", NOW - 2)):
            await self.made(name, due=due)
        await self.made("e", due=None)
        await self.made("f", chain_type="refund")
        self.assertEqual(NOW - 3, await self.chains.next_due("order"))
        self.assertEqual(["b", "d", "a"], [c.id for c in await self.chains.due("order", NOW, 9)])

        self.assertEqual(["b", "d"], await self.claimed(limit=2))
        self.assertEqual(["a"], await self.claimed())
        self.assertEqual([], await self.claimed())
        self.assertEqual(NOW + 1, await self.chains.next_due("order"))

    async def test_claim_at_once(self) -> None:
        """Several processes claim each chain once."""
        for n in range(30):
            await self.made(f"c{n}")
        other = getattr(await self.second_store(), "chains")  # noqa: B009
        claimed = await gatherResults(
            [each.claim_due("order", NOW + LEASE, NOW, 8) for each in (self.chains, other) * 4]
        )
        ids = [each.chain.id for some in claimed for each in some]

        self.assertEqual(len(ids), len(set(ids)))
        rest = await self.claimed()
        self.assertEqual({f"c{n}" for n in range(30)}, {*ids, *rest})

    async def test_death(self) -> None:
        """What the dead had is due when their locks end."""
        await self.made()
        await self.claimed()

        self.assertEqual(NOW + LEASE, await self.chains.next_due("order"))
        self.assertEqual([], await self.claimed(NOW + LEASE - 1))
        self.assertEqual(["c"], await self.claimed(NOW + LEASE))

    async def test_claim_locked(self) -> None:
        """A chain that somebody has locked for himself is not claimed."""
        await self.held()

        self.assertEqual([], await self.claimed())

    async def test_signals(self) -> None:
        """With a chain comes what has arrived for it."""
        await self.made()
        await self.chains.signal("c", "paid", "[1,17]", NOW)
        (claimed,) = await self.chains.claim_due("order", NOW + LEASE, NOW, 9)

        self.assertEqual({"paid": "[1,17]"}, claimed.signals)

    async def test_claim_disabled(self) -> None:
        """A disabled chain is not due until it is enabled, also when it was being executed."""
        chain = await self.held()
        await self.chains.set_disabled("c", True, NOW)
        await self.release(chain)
        self.assertEqual([], await self.claimed())
        await self.chains.set_disabled("c", False, NOW)

        self.assertEqual(["c"], await self.claimed())

    async def test_news(self) -> None:
        """Who listens is told of chains that are due now."""
        told: list[str] = []
        stop = self.store.listen(told.append)
        await self.made()
        # News are told after the answer.
        await self.chains.counts()
        stop()

        self.assertIn("chains", told)
