"""Listening and closing."""

from __future__ import annotations

from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.records import RETRYING, Worker
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, Scene, new_event, unplanned_event

PRODUCER = Worker("producer", frozenset())


class ListeningContract(Scene):
    """`IStore.listen` and `IStore.close`."""

    async def test_told_of_work(self) -> None:
        """Who listens is told when something waits for somebody, and the waiting one is there."""
        told: list[str] = []
        self.store.listen(told.append)
        await self.accept_one(new_event("1", "a"), PRODUCER)
        await self.accept_one(new_event("2", "a"))

        self.assertIn("work", told)
        del told[:]
        await self.accept_one(unplanned_event("3"), PRODUCER)
        await self.accept_one(new_event("4", "a"))
        self.assertIn("work", told)

    async def test_told_of_retry(self) -> None:
        """Who listens is told when something is to be run again."""
        claims = await self.claims_of(new_event("k", "a"))
        told: list[str] = []
        self.store.listen(told.append)
        await self.settle(claims["a"], RETRYING, due=NOW + 5)
        await self.accept_one(new_event("2", "a"))

        self.assertIn("work", told)

    async def test_told_of_settled(self) -> None:
        """Who listens is told when an event is settled."""
        claims = await self.claims_of(new_event("k", "a"))
        told: list[str] = []
        self.store.listen(told.append)
        await self.settle(claims["a"])
        await self.accept_one(new_event("2", "a"))

        self.assertIn("settled", told)

    async def test_listen_no_more(self) -> None:
        """Who has stopped to listen is told nothing, and the others still are."""
        told: list[str] = []
        others: list[str] = []
        stop = self.store.listen(told.append)
        self.store.listen(others.append)
        stop()
        stop()
        await self.accept_one(new_event("1", "a"), PRODUCER)
        await self.accept_one(new_event("2", "a"))

        self.assertEqual([], told)
        self.assertIn("work", others)

    async def test_failing_listener(self) -> None:
        """A listener that fails is logged, and harms nobody."""
        told: list[str] = []

        def fail(news: str) -> None:
            raise ZeroDivisionError

        self.store.listen(fail)
        self.store.listen(told.append)
        await self.accept_one(new_event("1", "a"), PRODUCER)
        await self.accept_one(new_event("2", "a"))

        self.assertIn("work", told)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    async def test_close(self) -> None:
        """What was asked for before the store is closed is done."""
        accepting = self.store.accept([new_event("k", "a")], WORKER, NOW)
        closing = self.store.close()
        await closing

        self.assertTrue((await accepting)[0].acceptance.new)

    async def test_closed(self) -> None:
        """A store that is closed does nothing more, and says so."""
        await self.store.close()
        await self.store.close()

        for asked in (
            self.store.accept([new_event("k", "a")], WORKER, NOW),
            self.store.counts(),
        ):
            await self.failure_of(asked, StoreClosed)
