"""Signals, disabling, resuming, another definition, and forgetting."""

from __future__ import annotations

from typing import Any

from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.testing.chainstores.scene import LEASE, Scene
from twisted_dispatcher.testing.stores.scene import NOW


class MendingContract(Scene):
    """What is done to chains from outside."""

    async def test_signal(self) -> None:
        """A signal is remembered with its last value, and makes the chain due."""
        await self.made(due=NOW + 100)
        await self.chains.signal("c", "paid", "1", NOW)
        await self.chains.signal("c", "paid", "2", NOW)
        await self.chains.signal("c", "it's 100%", "3", NOW)

        self.assertEqual({"paid": "2", "it's 100%": "3"}, await self.chains.signals("c"))
        self.assertEqual(NOW, (await self.stored()).due)

    async def test_signal_not_before(self) -> None:
        """A signal does not make a chain due before its time."""
        chain = await self.held()
        await self.move(chain, next_update=NOW + 10, due=NOW + 10)
        await self.chains.signal("c", "paid", "1", NOW)

        self.assertEqual(NOW + 10, (await self.stored()).due)

    async def test_signal_while_locked(self) -> None:
        """A signal that arrives while a chain is executed is looked at afterwards."""
        chain = await self.held()
        await self.chains.signal("c", "paid", "1", NOW)
        self.assertEqual(NOW + LEASE, (await self.stored()).due)
        await self.release(chain, now=NOW + 1, due=NOW + 3600)

        self.assertEqual(NOW + 1, (await self.stored()).due)

    async def test_signal_at_the_end(self) -> None:
        """A chain at its end stays there."""
        await self.made(due=None)
        await self.chains.signal("c", "paid", "1", NOW)

        self.assertIsNone((await self.stored()).due)

    async def test_used_up(self) -> None:
        """The signals that a transition has used are gone, and no others."""
        chain = await self.held()
        for name in ("paid", "packed", "seen"):
            await self.chains.signal("c", name, "1", NOW)
        await self.move(chain, signals=("paid", "packed"))

        self.assertEqual({"seen": "1"}, await self.chains.signals("c"))

    async def test_resume(self) -> None:
        """A parked chain that is resumed is due now."""
        chain = await self.held()
        await self.release(chain, due=None, error="boom", failures=9, parked=True)
        await self.chains.signal("c", "paid", "1", NOW)
        self.assertIsNone((await self.stored()).due)
        await self.chains.resume("c", NOW + 5)
        stored = await self.stored()

        self.assertEqual((False, 0, NOW + 5), (stored.parked, stored.failures, stored.due))

    async def test_enable_at_the_end(self) -> None:
        """Enabling makes due what has a way on, and nothing else."""
        await self.made(due=None)
        await self.chains.set_disabled("c", True, NOW)
        await self.chains.set_disabled("c", False, NOW)

        self.assertIsNone((await self.stored()).due)

    async def test_unknown(self) -> None:
        """Nothing can be done to a chain that is not there."""
        for asked in (
            self.chains.signal("c", "paid", "1", NOW),
            self.chains.set_disabled("c", True, NOW),
            self.chains.resume("c", NOW),
            self.chains.chain("c"),
            self.chains.signals("c"),
            self.chains.history("c"),
        ):
            error: Any = await self.failure_of(asked, UnknownChain)
            self.assertEqual("c", error.chain_id)

    async def test_adopt(self) -> None:
        """Chains of another definition get the new one, with renamed states."""
        await self.made("a", state="old")
        await self.made("b", state="end", due=None)
        await self.made("c", state="new")
        await self.made("d", state="old", chain_type="refund")
        given = ("order", "next", {"old": "now"}, ["now", "end"], NOW + 1)
        self.assertEqual(3, await self.chains.adopt(*given))
        self.assertEqual(0, await self.chains.adopt(*given))
        states = {
            name: (each.state, each.ended, each.due, each.definition)
            for name in "abcd"
            for each in [await self.stored(name)]
        }

        self.assertEqual(
            {
                "a": ("now", False, NOW, "next"),
                "b": ("end", False, NOW + 1, "next"),
                "c": ("new", True, None, "next"),
                "d": ("old", False, NOW, "definition"),
            },
            states,
        )

    async def test_adopt_some(self) -> None:
        """No more chains are changed at a time than is allowed."""
        for n in range(5):
            await self.made(f"c{n}")
        given: Any = ("order", "next", {}, ["new"], NOW, 2)
        counts = [await self.chains.adopt(*given) for _ in range(4)]

        self.assertEqual([2, 2, 1, 0], counts)

    async def test_purge(self) -> None:
        """Chains that have been at their end for long are forgotten, with all that is theirs."""
        for name, ended, now in (("a", True, NOW), ("b", True, NOW + 9), ("c", False, NOW)):
            chain = await self.held(name)
            await self.chains.signal(name, "paid", "1", NOW)
            await self.move(chain, now=now, ended=ended, due=None if ended else NOW)

        self.assertEqual(1, await self.chains.purge("order", NOW + 5, 10))
        await self.failure_of(self.chains.chain("a"), UnknownChain)
        self.assertEqual(["c", "b"], [each.id for each in await self.chains.chains()])
        self.assertTrue((await self.find("d", "item a")).new)
        self.assertEqual([], await self.chains.history("d"))
        self.assertEqual({}, await self.chains.signals("d"))
