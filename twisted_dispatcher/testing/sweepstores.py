"""
The contract of `ISweepStore` as tests, which any store can be held against.

::

    class MySweepsTests(SweepStoreContract, TestCase):
        def make_store(self):
            return MyStore(...)

The store is an `IStore` whose attribute ``sweeps`` is what is tested.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import gatherResults

from twisted_dispatcher.sweeprecords import SweepRow
from twisted_dispatcher.sweepstore import ISweepStore
from twisted_dispatcher.testing.stores.scene import NOW, Scene

ROW = SweepRow("shop", 1000, '{"1":7}', NOW, NOW + 0.125, None)


class SweepStoreContract(Scene):
    """All that every store of sweeps must do; `scene.Scene` has what a subclass overrides."""

    @property
    def sweeps(self) -> ISweepStore:
        """What is tested."""
        return self.store.sweeps  # type: ignore[no-any-return, attr-defined]

    async def test_nothing_known(self) -> None:
        """Of a sweep that was never kept nothing is known."""
        self.assertIsNone(await self.sweeps.sweep("shop"))
        self.assertEqual(await self.sweeps.sweeps(), [])

    async def test_kept(self) -> None:
        """What is kept is given back as it was, to the last digit."""
        for row in (
            ROW,
            attrs.evolve(ROW, position=None, ended=NOW + 1 / 3),
            attrs.evolve(ROW, objects=2**40, position='"\N{SNOWMAN}"'),
        ):
            await self.sweeps.keep(row)

            self.assertEqual(await self.sweeps.sweep("shop"), row)

        self.assertEqual(len(await self.sweeps.sweeps()), 1)

    async def test_names(self) -> None:
        """Sweeps of other names are other sweeps, whatever the names are like."""
        names = ["shop", "Shop", "shop ", "shop%", "'", "\N{SNOWMAN}", "x" * 500]
        for number, name in enumerate(names):
            await self.sweeps.keep(attrs.evolve(ROW, name=name, objects=number))

        found = [await self.sweeps.sweep(name) for name in names]

        self.assertEqual([each and each.objects for each in found], list(range(len(names))))

    async def test_at_once(self) -> None:
        """Of what is kept in one turn under one name, the last is there."""
        await gatherResults(
            [self.sweeps.keep(attrs.evolve(ROW, objects=number)) for number in range(20)]
        )

        self.assertEqual(await self.sweeps.sweep("shop"), attrs.evolve(ROW, objects=19))

    async def test_lists(self) -> None:
        """Sweeps are listed by when they were noted, the last one first."""
        for name, changed in (("a", NOW), ("b", NOW + 2), ("c", NOW + 1), ("d", NOW + 1)):
            await self.sweeps.keep(attrs.evolve(ROW, name=name, changed=changed))

        self.assertEqual([each.name for each in await self.sweeps.sweeps()], ["b", "c", "d", "a"])
        self.assertEqual([each.name for each in await self.sweeps.sweeps(limit=2)], ["b", "c"])

    async def test_forgets(self) -> None:
        """A sweep can be forgotten, and no other one is then."""
        await self.sweeps.keep(ROW)
        await self.sweeps.keep(attrs.evolve(ROW, name="other"))

        self.assertTrue(await self.sweeps.forget("shop"))
        self.assertFalse(await self.sweeps.forget("shop"))

        self.assertEqual([each.name for each in await self.sweeps.sweeps()], ["other"])

    async def test_another_process(self) -> None:
        """What one process has kept another one finds, and goes on with."""
        other: ISweepStore = (await self.second_store()).sweeps  # type: ignore[attr-defined]
        await self.sweeps.keep(ROW)
        self.assertEqual(await other.sweep("shop"), ROW)

        further = attrs.evolve(ROW, objects=2000)
        await other.keep(further)

        self.assertEqual(await self.sweeps.sweep("shop"), further)

    async def test_two_at_once(self) -> None:
        """Two processes that keep under one name hold one another up no longer than it takes."""
        other: ISweepStore = (await self.second_store()).sweeps  # type: ignore[attr-defined]
        await gatherResults(
            [
                sweeps.keep(attrs.evolve(ROW, name=name, objects=number))
                for number in range(10)
                for name in ("a", "b", "c")
                for sweeps in (self.sweeps, other)
            ]
        )

        self.assertEqual({each.objects for each in await self.sweeps.sweeps()}, {9})
