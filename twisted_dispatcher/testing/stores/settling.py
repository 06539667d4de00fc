"""Settling: the fence, and each thing that an attempt can come to."""

from __future__ import annotations

from typing import Any

import attrs

from twisted_dispatcher.records import DEAD, DONE, PENDING, RETRYING, RUNNING, Settled
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    new_event,
    settlement,
)


class SettlingContract(Scene):
    """`IStore.settle` of events with one phase."""

    async def test_done(self) -> None:
        """An event whose only delivery is done is finished."""
        claims = await self.claims_of(new_event("k", "a"))
        settled = await self.settle(claims["a"])

        self.assertEqual(Settled(True, (), (claims["a"].event_id,)), settled)
        delivery = await self.of("k", "a")
        self.assertEqual(
            (DONE, 1, None, None),
            (delivery.status, delivery.attempts, delivery.due, delivery.error),
        )
        self.assertTrue(await self.is_settled(claims["a"].event_id))

    async def test_one_of_two(self) -> None:
        """An event is finished when the last of its deliveries is, and that is told once."""
        claims = await self.claims_of(new_event("k", "a b"))

        self.assertEqual(Settled(True), await self.settle(claims["a"]))
        self.assertFalse(await self.is_settled(claims["a"].event_id))
        self.assertEqual((claims["b"].event_id,), (await self.settle(claims["b"])).finished)

    async def test_both_at_once(self) -> None:
        """When two settlements finish an event in one call, one of them tells it."""
        claims = await self.claims_of(new_event("k", "a b"))
        settled = await self.store.settle(
            [settlement(each) for each in claims.values()], WORKER, NOW
        )

        self.assertEqual([True, True], [each.held for each in settled])
        finished = [event_id for each in settled for event_id in each.finished]
        self.assertEqual([claims["a"].event_id], finished)

    async def test_many(self) -> None:
        """Settlements of one call each have their result, in order."""
        accepted = await self.accept(*(new_event(f"k{n}", "a") for n in range(200)))
        settled = await self.store.settle(
            [settlement(each.claims[0]) for each in reversed(accepted)], WORKER, NOW
        )

        expected = [(each.acceptance.event_id,) for each in reversed(accepted)]
        self.assertEqual(expected, [each.finished for each in settled])

    async def test_settle_nothing(self) -> None:
        """To settle nothing gives no results."""
        self.assertEqual([], await self.store.settle([], WORKER, NOW))

    # The fence

    async def test_twice(self) -> None:
        """A delivery that is settled is not settled again."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"])

        self.assertEqual(Settled(False), await self.settle(claims["a"], DEAD, error="late"))
        self.assertEqual({"a": DONE}, await self.statuses("k"))

    async def test_twice_at_once(self) -> None:
        """Of two settlements of one attempt in one call, one holds."""
        claims = await self.claims_of(new_event("k", "a"))
        settled = await self.store.settle([settlement(claims["a"])] * 2, WORKER, NOW)

        self.assertEqual([True, False], [each.held for each in settled])
        self.assertEqual((claims["a"].event_id,), settled[0].finished)

    async def test_stranger(self) -> None:
        """A worker does not settle what another one runs."""
        claims = await self.claims_of(new_event("k", "a"))

        self.assertEqual(Settled(False), await self.settle(claims["a"], worker=OTHER))
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_earlier_attempt(self) -> None:
        """A worker does not settle a later attempt with an earlier one, also of its own."""
        first = (await self.claims_of(new_event("k", "a")))["a"]
        await self.settle(first, PENDING, due=NOW)
        (second,) = await self.claim()

        self.assertEqual((1, 2), (first.attempt, second.attempt))
        self.assertEqual(Settled(False), await self.settle(first))
        self.assertTrue((await self.settle(second)).held)

    async def test_unknown(self) -> None:
        """What was never stored is not held."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.store.accept([new_event("l", "a")], OTHER, NOW)
        wrong = attrs.evolve(claims["a"], delivery_id=99999)

        self.assertEqual(Settled(False), await self.settle(wrong))

    async def test_lost_among_held(self) -> None:
        """What is not held keeps nobody else in the call from settling."""
        accepted = await self.accept(*(new_event(f"k{n}", "a") for n in range(6)))
        claims = [each.claims[0] for each in accepted]
        await self.settle(claims[1])
        await self.settle(claims[4], PENDING, due=NOW)
        settled = await self.store.settle([settlement(each) for each in claims], WORKER, NOW)

        self.assertEqual([True, False, True, True, False, True], [s.held for s in settled])
        self.assertEqual({"a": PENDING}, await self.statuses("k4"))
        self.assertEqual({"a": DONE}, await self.statuses("k5"))

    # What else an attempt comes to

    async def test_retrying(self) -> None:
        """What is to be retried is claimed when it is due, with the next attempt."""
        claims = await self.claims_of(new_event("k", "a"))
        settled = await self.settle(claims["a"], RETRYING, due=NOW + 5, error="boom")

        self.assertEqual(Settled(True), settled)
        delivery = await self.of("k", "a")
        self.assertEqual(
            (RETRYING, 1, NOW + 5, "boom"),
            (delivery.status, delivery.attempts, delivery.due, delivery.error),
        )
        self.assertEqual([], await self.claim(now=NOW + 4))
        (again,) = await self.claim(OTHER, now=NOW + 5)
        self.assertEqual((claims["a"].delivery_id, 2), (again.delivery_id, again.attempt))
        self.assertFalse(await self.is_settled(claims["a"].event_id))

    async def test_done_after_failing(self) -> None:
        """A delivery whose last attempt went well has no error."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"], RETRYING, due=NOW, error="boom")
        (again,) = await self.claim()
        await self.settle(again)

        self.assertIs(None, (await self.of("k", "a")).error)

    async def test_given_back(self) -> None:
        """What is given back can be claimed by another worker, and keeps its last error."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"], RETRYING, due=NOW, error="boom")
        (again,) = await self.claim()
        await self.settle(again, PENDING, due=NOW)

        delivery = await self.of("k", "a")
        self.assertEqual(
            (PENDING, 2, "boom"), (delivery.status, delivery.attempts, delivery.error)
        )
        (third,) = await self.claim(OTHER)
        self.assertEqual((3, 1), (third.attempt, third.excused))

    async def test_dead(self) -> None:
        """A dead delivery keeps its error, and its event has nothing left to do."""
        claims = await self.claims_of(new_event("k", "a"))
        settled = await self.settle(claims["a"], DEAD, error="Traceback ...")

        self.assertEqual((claims["a"].event_id,), settled.finished)
        delivery = await self.of("k", "a")
        self.assertEqual(
            (DEAD, None, "Traceback ..."), (delivery.status, delivery.due, delivery.error)
        )
        self.assertEqual([], await self.claim(now=NOW + 1e6))

    async def test_all_kinds_at_once(self) -> None:
        """Settlements of all kinds go together in one call."""
        accepted = await self.accept(*(new_event(f"k{n}", "a") for n in range(4)))
        ends: list[dict[str, Any]] = [
            {},
            {"status": DEAD},
            {"status": RETRYING, "due": NOW + 1},
            {"status": PENDING},
        ]
        settled = await self.store.settle(
            [settlement(each.claims[0], **end) for each, end in zip(accepted, ends)], WORKER, NOW
        )

        self.assertEqual([1, 1, 0, 0], [len(each.finished) for each in settled])
        statuses = [(await self.statuses(f"k{n}"))["a"] for n in range(4)]
        self.assertEqual([DONE, DEAD, RETRYING, PENDING], statuses)
