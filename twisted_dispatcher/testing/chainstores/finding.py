"""Finding chains: exactly, with more than was asked for, and making them."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from twisted_dispatcher.testing.chainstores.scene import Scene, new_chain
from twisted_dispatcher.testing.stores.scene import NOW

STRANGE = ("it's 100%", '"; DROP TABLE x; --', "\N{PARTY POPPER} äöü", "x" * 10_000, " ", "%s")


class FindingContract(Scene):
    """A chain is found by its resources."""

    async def test_make(self) -> None:
        """A chain that nobody has made is stored as it was given."""
        found = await self.find("c", "user 2", "item 1")

        assert found.chain is not None
        self.assertTrue(found.new)
        self.assertEqual((("item", "1"), ("user", "2")), found.chain.pairs)
        self.assertEqual(found.chain, await self.stored())
        self.assertEqual(
            ("c", "order", "new", 0, NOW, NOW, False, False, "definition"),
            (
                *(found.chain.id, found.chain.chain_type, found.chain.state),
                *(found.chain.version, found.chain.next_update, found.chain.due),
                *(found.chain.disabled, found.chain.ended, found.chain.definition),
            ),
        )

    async def test_again(self) -> None:
        """A chain is found again by exactly its resources."""
        await self.made("c", "item 1", "user 2")
        found = await self.find("d", "item 1", "user 2")

        assert found.chain is not None
        self.assertEqual(("c", False), (found.chain.id, found.new))

    async def test_types(self) -> None:
        """Chains of another type are not looked at."""
        await self.made("c", "item 1", chain_type="order")
        found = await self.find("d", "item 1", chain_type="refund")

        self.assertTrue(found.new)

    async def test_superset(self) -> None:
        """The only chain that has more is found, unless exactly what was given is wanted."""
        await self.made("c", "item 1", "user 2", "shop 3")
        found = await self.find("d", "shop 3", "item 1")
        exactly = await self.find("e", "shop 3", "item 1", exact=True)

        assert found.chain is not None
        self.assertEqual("c", found.chain.id)
        self.assertTrue(exactly.new)

    async def test_exact_wins(self) -> None:
        """A chain with exactly the resources wins over those that have more."""
        await self.made("c", "item 1", "user 2")
        await self.made("d", "item 1", "user 3")
        await self.made("e", "item 1")
        found = await self.find("f", "item 1")

        assert found.chain is not None
        self.assertEqual("e", found.chain.id)

    async def test_some_only(self) -> None:
        """A chain that has only some of the resources is not found."""
        await self.made("c", "item 1", "user 2")
        for more in ("user 3", "shop 4"):
            self.assertTrue((await self.find(more, "item 1", more)).new)

    async def test_several(self) -> None:
        """Where several could be meant they are listed, and nothing is stored."""
        for n in range(12):
            await self.made(f"c{n}", "item 1", f"user {n}")
        found = await self.find("d", "item 1")

        self.assertIsNone(found.chain)
        self.assertEqual([f"c{n}" for n in range(10)], sorted(c.id for c in found.several))
        self.assertEqual(12, len(await self.chains.chains("order")))

    async def test_hot(self) -> None:
        """Chains are found by resources that many others have, too."""
        for n in range(30):
            await self.made(f"c{n}", "shop 1", "land 2", f"item {n}", f"user {n % 7}")
        found = await self.find("d", "shop 1", "user 3", "item 17", "land 2")
        by_three = await self.find("d", "shop 1", "land 2", "item 9")
        missing = await self.find("d", "shop 1", "land 2", "item 9", "user 3")

        assert found.chain is not None and by_three.chain is not None
        self.assertEqual(("c17", "c9"), (found.chain.id, by_three.chain.id))
        self.assertTrue(missing.new)

    async def test_find_at_once(self) -> None:
        """Many who ask for the same at once are given the same chain, which one has made."""
        asked = [
            self.chains.find(new_chain(f"c{n}", "item 1", "user 2"), False, NOW) for n in range(50)
        ]
        found = await gatherResults(asked)

        self.assertEqual(1, len({each.chain.id for each in found if each.chain is not None}))
        self.assertEqual(1, sum(each.new for each in found))

    async def test_find_at_once_elsewhere(self) -> None:
        """The same holds for several processes."""
        other = await self.second_store()
        asked = [
            chains.find(new_chain(f"{name}{n}", f"item {n}"), False, NOW)
            for n in range(20)
            for name, chains in (("a", self.chains), ("b", getattr(other, "chains")))  # noqa: B009
        ]
        found = await gatherResults(asked)
        for n in range(20):
            first, second = found[2 * n : 2 * n + 2]
            self.assertEqual(first.chain.id, second.chain.id)
            self.assertEqual({True, False}, {first.new, second.new})

    async def test_strange_names(self) -> None:
        """Whatever is text names a resource, and means nothing else."""
        for n, name in enumerate(STRANGE):
            new = new_chain(f"c{n}", chain_type="order")
            new = type(new)(new.id, "order", "new", ((name, name),), "d", None, None)
            self.assertTrue((await self.chains.find(new, False, NOW)).new)
            found = await self.chains.find(new, False, NOW)
            assert found.chain is not None
            self.assertEqual(((name, name),), found.chain.pairs)
        self.assertEqual(len(STRANGE), len(await self.chains.chains()))
