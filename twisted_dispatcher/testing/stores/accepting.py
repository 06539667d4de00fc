"""Accepting: each event once by its key, and what the acceptor can run is its own."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from twisted_dispatcher.errors import NotStorable
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import PENDING, RUNNING, Acceptance, Accepted, Claim, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    handlers,
    keys,
    new_event,
)


class AcceptingContract(Scene):
    """`IStore.accept`."""

    def test_interface(self) -> None:
        """A store provides IStore."""
        self.assertTrue(verifyObject(IStore, self.store))

    async def test_accept_nothing(self) -> None:
        """To accept no events gives no results."""
        self.assertEqual([], await self.store.accept([], WORKER, NOW))

    async def test_accept_new(self) -> None:
        """An event that is due, and that the acceptor can run, is born running for it."""
        accepted = await self.accept_one(new_event("k", "a"))

        event_id = accepted.acceptance.event_id
        self.assertEqual(Acceptance(event_id, "k", True), accepted.acceptance)
        (claim,) = accepted.claims
        self.assertEqual(
            Claim(claim.delivery_id, event_id, "k", "a", "phase-0", 0, 1, '"body"', '{"n":1}'),
            claim,
        )
        delivery = await self.store.delivery(claim.delivery_id)
        self.assertEqual(
            (event_id, "k", "a", "phase-0", RUNNING, 1, None, None),
            (
                *(delivery.event_id, delivery.key, delivery.handler, delivery.phase),
                *(delivery.status, delivery.attempts, delivery.due, delivery.error),
            ),
        )

    async def test_born_running_is_not_claimed(self) -> None:
        """What was born running for the acceptor is not claimed by anybody."""
        await self.accept(new_event("k", "a"))

        self.assertEqual([], await self.claim(OTHER))
        self.assertEqual([], await self.claim(WORKER))

    async def test_accept_known(self) -> None:
        """A key that is known is not accepted again: the first one's id, no claims, no change."""
        first = await self.accept_one(new_event("k", "a"))
        again = await self.accept_one(new_event("k", "b c", body='"other"'))

        self.assertEqual(Accepted(Acceptance(first.acceptance.event_id, "k", False)), again)
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))
        (event,) = await self.store.events(keys=["k"])
        self.assertEqual('"body"', event.body)

    async def test_accept_twice_in_one_call(self) -> None:
        """Of two events with one key in one call the first is accepted."""
        first, second = await self.accept(new_event("k", "a"), new_event("k", "b"))

        self.assertEqual((True, False), (first.acceptance.new, second.acceptance.new))
        self.assertEqual(first.acceptance.event_id, second.acceptance.event_id)
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_accept_twice_in_one_turn(self) -> None:
        """Of two calls in one turn with one key, exactly one has accepted it."""
        both = [self.store.accept([new_event("k", "a")], each, NOW) for each in (WORKER, OTHER)]
        accepted = [(await each)[0] for each in both]

        self.assertEqual([False, True], sorted(each.acceptance.new for each in accepted))
        self.assertEqual([0, 1], sorted(len(each.claims) for each in accepted))
        self.assertEqual(1, len({each.acceptance.event_id for each in accepted}))

    async def test_accept_known_among_new(self) -> None:
        """Known and new events in one call each get their own result, in order."""
        await self.accept(*(new_event(f"k{n}", "a") for n in range(0, 100, 2)))
        accepted = await self.accept(*(new_event(f"k{n}", "a b") for n in range(100)))

        self.assertEqual([f"k{n}" for n in range(100)], [a.acceptance.key for a in accepted])
        self.assertEqual([bool(n % 2) for n in range(100)], [a.acceptance.new for a in accepted])
        for one in accepted:
            expected = ["a", "b"] if one.acceptance.new else []
            self.assertEqual(expected, handlers(one.claims))
            for claim in one.claims:
                delivery = await self.store.delivery(claim.delivery_id)
                self.assertEqual(
                    (claim.key, claim.handler, claim.event_id),
                    (delivery.key, delivery.handler, delivery.event_id),
                )

    async def test_accept_many(self) -> None:
        """A call with many events has a result for each, with ids of their own."""
        accepted = await self.accept(*(new_event(f"k{n}", "a b", "c") for n in range(333)))

        self.assertEqual([f"k{n}" for n in range(333)], [a.acceptance.key for a in accepted])
        self.assertEqual(333, len({a.acceptance.event_id for a in accepted}))
        claims = [claim for a in accepted for claim in a.claims]
        self.assertEqual(666, len({claim.delivery_id for claim in claims}))

    async def test_accept_for_later(self) -> None:
        """What is due later is claimed then, and not before."""
        accepted = await self.accept_one(new_event("k", "a", due=NOW + 10))

        self.assertEqual((), accepted.claims)
        delivery = await self.of("k", "a")
        self.assertEqual(
            (PENDING, 0, NOW + 10), (delivery.status, delivery.attempts, delivery.due)
        )
        self.assertEqual([], await self.claim(now=NOW + 9.9))
        self.assertEqual(["k"], keys(await self.claim(now=NOW + 10)))

    async def test_accept_for_others(self) -> None:
        """What the acceptor cannot run is left to those who can."""
        producer = Worker("producer", frozenset({"a"}))
        accepted = await self.accept_one(new_event("k", "a b"), producer)

        self.assertEqual(["a"], handlers(accepted.claims))
        self.assertEqual({"a": RUNNING, "b": PENDING}, await self.statuses("k"))
        self.assertEqual(["b"], handlers(await self.claim(OTHER)))

    async def test_accept_without_deliveries(self) -> None:
        """An event that goes to nobody is settled at once, and its key is known."""
        accepted = await self.accept_one(new_event("k"))

        self.assertEqual((True, ()), (accepted.acceptance.new, accepted.claims))
        self.assertTrue(await self.is_settled(accepted.acceptance.event_id))
        self.assertFalse((await self.accept_one(new_event("k", "a"))).acceptance.new)

    async def test_accept_all_or_nothing(self) -> None:
        """When one event of a call cannot be stored, none is."""
        events = [new_event("good", "a"), new_event("bad \ud800", "a"), new_event("fine", "a")]

        await self.failure_of(self.store.accept(events, WORKER, NOW), NotStorable)

        self.assertEqual([], await self.store.events())
        self.assertEqual([], await self.store.deliveries())

    async def test_accept_any_text(self) -> None:
        """Keys, bodies, details and names come back as they were given."""
        odd = "'\"\\%s :a ?1 \n\té漢\U0001f600"
        worker = Worker(odd, frozenset({odd}))
        new = new_event(odd, "a", lane=odd, body=odd * 10_000)
        (delivery,) = new.deliveries or ()
        new = type(new)(
            *(new.key, new.body, odd, new.lane, new.due),
            (type(delivery)(odd, odd, 0),),
        )
        (claim,) = (await self.accept_one(new, worker)).claims

        self.assertEqual(
            (odd, odd * 10_000, odd, odd, odd),
            (claim.key, claim.body, claim.details, claim.handler, claim.phase),
        )
        (event,) = await self.store.events(keys=[odd])
        self.assertEqual((odd, odd * 10_000, odd, odd), (*_texts(event), event.lane))

    async def test_accept_lasts(self) -> None:
        """What was accepted is there when the store is opened again."""
        accepted = await self.accept_one(new_event("k", "a", due=NOW + 10))
        again = await self.second_store()

        self.assertEqual(["k"], keys(await again.claim(OTHER, NOW + 10, 10)))
        (known,) = await again.accept([new_event("k", "a")], OTHER, NOW)
        self.assertEqual(Acceptance(accepted.acceptance.event_id, "k", False), known.acceptance)


def _texts(event: object) -> tuple[str, str, str]:
    return (event.key, event.body, event.details)  # type: ignore[attr-defined]
