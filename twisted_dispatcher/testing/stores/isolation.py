"""Isolation: many who ask in one turn, and some of them wrongly."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from twisted_dispatcher.errors import NotStorable
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, Scene, new_event, settlement


class IsolationContract(Scene):
    """What callers of one turn have to do with each other: nothing."""

    async def test_many_callers(self) -> None:
        """Each of thousands of callers of one turn is given its own answer."""
        asked = [self.store.accept([new_event(str(n), "a")], WORKER, NOW) for n in range(2500)]
        claims = [(await each)[0].claims[0] for each in asked]
        self.assertEqual([str(n) for n in range(2500)], [claim.key for claim in claims])
        settling = [self.store.settle([settlement(each)], WORKER, NOW) for each in claims]
        settled = [(await each)[0] for each in settling]

        self.assertEqual([(each.event_id,) for each in claims], [s.finished for s in settled])

    async def test_poison(self) -> None:
        """What cannot be stored fails alone, and everybody else is served."""
        bad = {3, 4, 50}
        asked = [
            self.store.accept([new_event("\ud800" if n in bad else str(n), "a")], WORKER, NOW)
            for n in range(100)
        ]
        for n, each in enumerate(asked):
            if n in bad:
                await self.failure_of(each, NotStorable)
            else:
                (accepted,) = await each
                self.assertEqual(
                    (str(n), True), (accepted.acceptance.key, accepted.acceptance.new)
                )
                self.assertEqual(1, len(accepted.claims))

    async def test_poison_of_another_kind(self) -> None:
        """What cannot be stored harms nothing of another kind that was asked for beside it."""
        claims = await self.claims_of(new_event("k", "a"))
        waiting = new_event("w", "b", due=NOW - 1)
        await self.store.accept([waiting], type(WORKER)("producer", frozenset()), NOW)
        bad = self.store.accept([new_event("\ud800", "a")], WORKER, NOW)
        settling = self.store.settle([settlement(claims["a"])], WORKER, NOW)
        claiming = self.store.claim(WORKER, NOW, 10)
        counting = self.store.counts()
        await self.failure_of(bad, NotStorable)

        self.assertTrue((await settling)[0].held)
        self.assertEqual(["w"], [claim.key for claim in await claiming])
        self.assertIn("open", await counting)

    async def test_cancel(self) -> None:
        """What is cancelled in the turn in which it was asked for does not happen."""
        asked = [self.store.accept([new_event(str(n), "a")], WORKER, NOW) for n in range(5)]
        for each in (asked[1], asked[3]):
            each.cancel()
            await self.failure_of(each, CancelledError)
        for n in (0, 2, 4):
            self.assertEqual(str(n), (await asked[n])[0].acceptance.key)

        self.assertEqual(["4", "2", "0"], [each.key for each in await self.store.events()])

    async def test_cancel_all(self) -> None:
        """When everybody has cancelled, the next one is served."""
        asked = [self.store.accept([new_event(str(n), "a")], WORKER, NOW) for n in range(3)]
        for each in asked:
            each.cancel()
            await self.failure_of(each, CancelledError)

        self.assertTrue((await self.accept_one(new_event("k", "a"))).acceptance.new)

    async def test_ask_in_an_answer(self) -> None:
        """Who asks again when an answer comes is answered as well."""
        end: Deferred[Any] = Deferred()

        def again(accepted: Any, left: int) -> None:
            if left:
                asked = self.store.accept([new_event(str(left), "a")], WORKER, NOW)
                asked.addCallback(again, left - 1).addErrback(end.errback)
            else:
                end.callback(accepted)

        again(None, 5)
        await end
        self.assertEqual(5, len(await self.store.events()))

    async def test_cancel_in_an_answer(self) -> None:
        """An answer that cancels another wait of its turn does no harm."""
        first = self.store.accept([new_event("1", "a")], WORKER, NOW)
        second = self.store.accept([new_event("2", "a")], WORKER, NOW)
        third = self.store.accept([new_event("3", "a")], WORKER, NOW)
        first.addCallback(lambda accepted: second.cancel())
        await first
        await self.failure_of(second, CancelledError)

        self.assertTrue((await third)[0].acceptance.new)
