"""Lists, histories and counts."""

from __future__ import annotations

from twisted_dispatcher.testing.chainstores.scene import Scene


class ReadingContract(Scene):
    """What people ask of chains."""

    async def test_chains(self) -> None:
        """Chains are listed by type, state and resource, the newest first."""
        await self.made("a", "item 1", "user 1")
        await self.made("b", "item 2", "user 1", state="paid")
        await self.made("c", "item 3", "user 2", chain_type="refund")

        async def listed(*given: object) -> str:
            return "".join([each.id for each in await self.chains.chains(*given)])  # type: ignore[arg-type]

        self.assertEqual("cba", await listed())
        self.assertEqual("ba", await listed("order"))
        self.assertEqual("b", await listed("order", "paid"))
        self.assertEqual("b", await listed(None, "paid"))
        self.assertEqual("ba", await listed("order", None, ("user", "1")))
        self.assertEqual("", await listed("refund", None, ("user", "1")))
        self.assertEqual("cb", "".join([c.id for c in await self.chains.chains(limit=2)]))

    async def test_parked(self) -> None:
        """Parked chains are listed on request."""
        chain = await self.held("a")
        await self.made("b")
        await self.release(chain, due=None, error="boom", failures=1, parked=True)

        self.assertEqual(["a"], [c.id for c in await self.chains.chains(parked=True)])
        self.assertEqual(["a"], [c.id for c in await self.chains.chains("order", parked=True)])

    async def test_history(self) -> None:
        """The history has the transitions in order; of many the last ones."""
        await self.made()
        for state in ("paid", "packed", "sent"):
            await self.move((await self.lock()).chain, state=state)

        rows = await self.chains.history("c")
        self.assertEqual(["paid", "packed", "sent"], [row.state for row in rows])
        self.assertEqual([1, 2, 3], [row.version for row in rows])
        rows = await self.chains.history("c", 2)
        self.assertEqual(["packed", "sent"], [row.state for row in rows])

    async def test_counts(self) -> None:
        """Chains are counted by type and state."""
        await self.made("a")
        await self.made("b")
        await self.made("c", state="paid")
        await self.made("d", chain_type="refund")

        expected = {("order", "new"): 2, ("order", "paid"): 1}
        self.assertEqual(expected, dict(await self.chains.counts("order")))
        self.assertEqual({**expected, ("refund", "new"): 1}, dict(await self.chains.counts()))
