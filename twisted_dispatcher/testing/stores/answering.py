"""Answering: the contract of what `IAnsweringStore` adds to a store."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from twisted_dispatcher.errors import NotStorable, StoreClosed
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import DONE, Accepted, NewEvent, Settled, Settlement
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, Scene, new_event, settlement


class AnsweringContract(Scene):
    """What a store does that calls back, beside all that `StoreContract` says."""

    @property
    def answering(self) -> IAnsweringStore:
        """The store, as who asks for one event sees it."""
        return cast(IAnsweringStore, self.store)

    def ask_to_accept(self, event: NewEvent) -> Deferred[Any]:
        """Accept an event; give a Deferred of the first answer."""
        told: Deferred[Any] = Deferred()
        self.answering.accept_one(event, WORKER, NOW, told.callback)
        return told

    def ask_to_settle(self, made: Settlement) -> Deferred[Any]:
        """Settle a delivery; give a Deferred of the first answer."""
        told: Deferred[Any] = Deferred()
        self.answering.settle_one(made, WORKER, NOW, told.callback)
        return told

    def test_provides(self) -> None:
        """It says that it calls back, and its class says so too."""
        self.assertTrue(verifyObject(IAnsweringStore, self.store))
        self.assertTrue(IAnsweringStore.implementedBy(type(self.store)))

    async def test_one_life(self) -> None:
        """An event is accepted and settled by way of answers, as it is by way of Deferreds."""
        accepted: Accepted = await self.ask_to_accept(new_event("k", "a"))
        (claim,) = accepted.claims
        settled: Settled = await self.ask_to_settle(settlement(claim))

        self.assertEqual(("k", True), (accepted.acceptance.key, accepted.acceptance.new))
        self.assertEqual((accepted.acceptance.event_id,), settled.finished)
        self.assertEqual({"a": DONE}, await self.statuses("k"))

    async def test_known(self) -> None:
        """A key that is known, whichever way it came, has the id of the first one."""
        first = await self.accept_one(new_event("1", "a"))
        asked = [self.ask_to_accept(new_event(key, "a")) for key in ("1", "2", "2")]
        one, two, again = [(await each).acceptance for each in asked]

        self.assertEqual(first.acceptance.event_id, one.event_id)
        self.assertEqual(two.event_id, again.event_id)
        self.assertEqual([False, True], [one.new, two.new or again.new])
        self.assertNotEqual(two.new, again.new)

    async def test_both_ways(self) -> None:
        """Who asks in one way and who asks in the other, in one turn, get their own answers."""
        asked = [
            self.ask_to_accept(new_event(str(n), "a"))
            if n % 2
            else self.store.accept([new_event(str(n), "a")], WORKER, NOW).addCallback(_only)
            for n in range(100)
        ]
        claims = [(await each).claims[0] for each in asked]
        settling = [
            self.store.settle([settlement(each)], WORKER, NOW).addCallback(_only)
            if n % 3
            else self.ask_to_settle(settlement(each))
            for n, each in enumerate(claims)
        ]

        self.assertEqual([str(n) for n in range(100)], [claim.key for claim in claims])
        finished = [(await each).finished for each in settling]
        self.assertEqual([(claim.event_id,) for claim in claims], finished)

    async def test_lost_lease(self) -> None:
        """Who does not hold the attempt any more is told so."""
        (claim,) = (await self.ask_to_accept(new_event("k", "a"))).claims
        await self.ask_to_settle(settlement(claim))

        self.assertFalse((await self.ask_to_settle(settlement(claim))).held)

    async def test_poison_for_one(self) -> None:
        """What cannot be stored is answered with its failure, and harms nobody else."""
        bad = self.ask_to_accept(new_event("\ud800", "a"))
        good = self.ask_to_accept(new_event("k", "a"))
        await self.failure_of(bad, NotStorable)

        self.assertTrue((await good).acceptance.new)

    async def test_ask_when_answered(self) -> None:
        """Who asks for more when an answer comes is answered as well, however often."""
        end: Deferred[Any] = Deferred()
        left = list("54321")

        def again(outcome: Any) -> None:
            if left:
                self.answering.accept_one(new_event(left.pop(), "a"), WORKER, NOW, again)
            else:
                end.callback(outcome)

        again(None)
        await end
        self.assertEqual(5, len(await self.store.events()))

    async def test_ask_when_closed(self) -> None:
        """A closed store answers with that."""
        await self.store.close()
        answers: list[Any] = []
        self.answering.accept_one(new_event("k", "a"), WORKER, NOW, answers.append)
        settled = Settlement(1, 1, 1, DONE)
        self.answering.settle_one(settled, WORKER, NOW, answers.append)

        for answer in answers:
            self.assertIsInstance(answer, Failure)
            self.assertTrue(answer.check(StoreClosed))
        self.assertEqual(2, len(answers))


def _only(answers: list[Any]) -> Any:
    (answer,) = answers
    return answer
