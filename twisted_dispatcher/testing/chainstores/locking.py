"""Locks: one has a chain at a time, and the fence keeps out who has lost it."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.testing.chainstores.scene import LEASE, Scene
from twisted_dispatcher.testing.stores.scene import NOW


class LockingContract(Scene):
    """Who executes a chain has it for himself."""

    async def test_lock(self) -> None:
        """A free chain is had by who asks first, and by nobody else then."""
        await self.made()
        first = await self.lock()
        second = await self.lock()

        self.assertEqual((True, 1, NOW + LEASE), (first.held, first.chain.fence, NOW + LEASE))
        self.assertFalse(second.held)
        self.assertEqual(first.chain, second.chain)
        self.assertEqual(first.chain, await self.stored())

    async def test_lock_at_once(self) -> None:
        """Of eight who ask at once one has it."""
        await self.made()
        asked = [self.chains.lock("c", NOW + LEASE, NOW) for _ in range(8)]
        locked = await gatherResults(asked)

        self.assertEqual(1, sum(each.held for each in locked))
        self.assertEqual({1}, {each.chain.fence for each in locked})

    async def test_lock_at_once_elsewhere(self) -> None:
        """Of eight processes that ask at once, one has it."""
        await self.made()
        others = [self.chains]
        for _ in range(3):
            others.append(getattr(await self.second_store(), "chains"))  # noqa: B009
        locked = await gatherResults([each.lock("c", NOW + LEASE, NOW) for each in others * 2])

        self.assertEqual(1, sum(each.held for each in locked))

    async def test_lock_many(self) -> None:
        """Many chains are locked at once."""
        for n in range(20):
            await self.made(f"c{n}")
        locked = await gatherResults(
            [self.chains.lock(f"c{n}", NOW + LEASE, NOW) for n in range(20)]
        )

        self.assertEqual([f"c{n}" for n in range(20)], [each.chain.id for each in locked])
        self.assertTrue(all(each.held for each in locked))

    async def test_over(self) -> None:
        """A lock that has run out is taken over, and who had it writes nothing any more."""
        first = await self.held()
        second = await self.lock(now=NOW + LEASE)

        self.assertTrue(second.held)
        self.assertEqual(2, second.chain.fence)
        self.assertFalse((await self.move(first)).held)
        self.assertFalse(await self.release(first))
        self.assertEqual(second.chain, await self.stored())
        self.assertTrue((await self.move(second.chain)).held)

    async def test_renew(self) -> None:
        """A lock that is renewed holds longer, unless it was taken over."""
        first = await self.held()
        await self.chains.renew([("c", first.fence), ("unknown", 1)], NOW + 2 * LEASE)
        self.assertFalse((await self.lock(now=NOW + LEASE)).held)
        self.assertTrue((await self.lock(now=NOW + 2 * LEASE)).held)
        await self.chains.renew([("c", first.fence)], NOW + 9 * LEASE)

        self.assertEqual(NOW + 3 * LEASE, (await self.stored()).locked_until)

    async def test_release(self) -> None:
        """A chain that is given back is free, and what was found out stands in it."""
        chain = await self.held()
        given = await self.release(chain, NOW + 1, due=NOW + 5, refusals='{"<Pay>": ["no"]}')
        stored = await self.stored()

        self.assertTrue(given)
        self.assertEqual(
            (0.0, NOW + 5, NOW + 1, '{"<Pay>": ["no"]}', 1),
            (stored.locked_until, stored.due, stored.tried, stored.refusals, stored.fence),
        )
        self.assertTrue((await self.lock()).held)

    async def test_release_twice(self) -> None:
        """A chain is given back once."""
        chain = await self.held()
        await self.release(chain)

        self.assertFalse(await self.release(chain))
        self.assertFalse((await self.move(chain)).held)

    async def test_failure(self) -> None:
        """A failure is kept with the chain, until it makes a transition."""
        chain = await self.held()
        await self.release(chain, due=None, error="Traceback", failures=3, parked=True)
        stored = await self.stored()
        self.assertEqual(
            ("Traceback", 3, True, None),
            (stored.error, stored.failures, stored.parked, stored.due),
        )
        locked = await self.lock()
        await self.move(locked.chain)
        stored = await self.stored()

        self.assertEqual((None, 0, False), (stored.error, stored.failures, stored.parked))

    async def test_lock_disabled(self) -> None:
        """A disabled chain is not locked."""
        await self.made()
        await self.chains.set_disabled("c", True, NOW)
        locked = await self.lock()

        self.assertEqual((False, True), (locked.held, locked.chain.disabled))

    async def test_early(self) -> None:
        """A chain that is not to be executed yet is not locked, once it has made a transition."""
        chain = await self.held()
        await self.move(chain, next_update=NOW + 10)

        self.assertFalse((await self.lock(now=NOW + 9)).held)
        self.assertTrue((await self.lock(now=NOW + 10)).held)

    async def test_new_one_of_a_fast_clock(self) -> None:
        """A chain that was just made is locked also by a clock that is behind."""
        await self.made()

        self.assertTrue((await self.lock(now=NOW - 3600)).held)

    async def test_lock_unknown(self) -> None:
        """There is no lock for what is not there, and others are served beside it."""
        await self.made()
        unknown = self.chains.lock("unknown", NOW + LEASE, NOW)
        known = self.chains.lock("c", NOW + LEASE, NOW)
        await self.failure_of(unknown, UnknownChain)

        self.assertTrue((await known).held)
