"""The read model over a store: how things stand, why they have not gone on, and until when."""

from __future__ import annotations

import math
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Problem, Recorder, Waiting, failing
from tests.durable import EPOCH, ONCE, DurableTests, attempts, on_stores
from twisted_dispatcher.errors import InvalidOptions, UnknownDelivery
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SKIPPED,
    STATUSES,
    Delivery,
    StoredEvent,
)
from twisted_dispatcher.status import Counts, Explained, Reason, Status, Story, reading
from twisted_dispatcher.status.reasons import (
    CODES,
    DUE,
    EARLIER_EVENT,
    EARLIER_PHASE,
    EVENT_SETTLED,
    LATER_PHASE,
    NO_WORKER,
    NOT_DUE,
    NOT_PLANNED,
    UNDER_WAY,
    Surroundings,
    in_utc,
    last_line,
    reason_of,
    reason_of_event,
)

NOW = 1000.0
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py"\nValueError: no such user\n'
EVENT = StoredEvent(7, "order-7", "[1,{}]", "[1,{}]", None, 900.0, 900.0, True, None)


def delivery(number: int = 1, status: str = PENDING, **other: Any) -> Delivery:
    """Give a delivery of the event."""
    given = {"phase": "during", "attempts": 1, "due": None, "error": None, **other}
    return Delivery(number, 7, "order-7", f"shop.handler{number}", status=status, **given)


def around(*siblings: Delivery, **other: Any) -> Surroundings:
    """Give what is around deliveries."""
    given = {"event": EVENT, "orphaned": frozenset(), "ahead": None, "now": NOW, **other}
    return Surroundings(siblings=siblings, **given)


class DeliveryReasonTests(SynchronousTestCase):
    """The rules for one delivery."""

    def reason(self, one: Delivery, *before: Delivery, **other: Any) -> Reason:
        """Give the reason of a delivery, after others of its event."""
        reason = reason_of(one, around(*before, one, **other))
        self.assertIn(reason.code, CODES)
        return reason

    def test_every_status(self) -> None:
        """There is a reason for every status, and a settled or running one says its status."""
        for status in STATUSES:
            self.assertTrue(self.reason(delivery(status=status)).text)
        for status in (DONE, DEAD, SKIPPED, RUNNING):
            self.assertEqual(self.reason(delivery(status=status)).code, status)

    def test_not_due(self) -> None:
        """A delivery that is due later says when."""
        self.assertEqual(
            self.reason(delivery(due=NOW + 60)),
            Reason(NOT_DUE, "not due until 1970-01-01T00:17:40.000Z", NOW + 60),
        )

    def test_due(self) -> None:
        """A delivery that is due waits for a worker."""
        reason = self.reason(delivery(due=NOW - 1))

        self.assertEqual((reason.code, reason.until), (DUE, None))
        self.assertIn("1970-01-01T00:16:39.000Z", reason.text)

    def test_retrying(self) -> None:
        """A delivery that is retried says when, which attempt failed, and how."""
        reason = self.reason(delivery(status=RETRYING, due=NOW + 1, attempts=3, error=TRACEBACK))

        self.assertEqual((reason.code, reason.until), (RETRYING, NOW + 1))
        self.assertIn("attempt 3 failed: ValueError: no such user", reason.text)

    def test_no_worker(self) -> None:
        """A delivery whose handler no live worker has names it, and the ways out."""
        for status in (PENDING, RETRYING):
            one = delivery(12, status, due=NOW)
            reason = self.reason(one, orphaned=frozenset({"shop.handler12"}))

            self.assertEqual(reason.code, NO_WORKER)
            self.assertIn("shop.handler12", reason.text)
            self.assertIn("register", reason.text)
            self.assertIn("twisted-dispatcher skip 12", reason.text)

    def test_not_due_before_no_worker(self) -> None:
        """What is not due yet does not complain that its handler is missing."""
        one = delivery(12, due=NOW + 1)

        self.assertEqual(self.reason(one, orphaned=frozenset({one.handler})).code, NOT_DUE)

    def test_running(self) -> None:
        """A delivery that runs says at which attempt."""
        self.assertIn("attempt 2", self.reason(delivery(status=RUNNING, attempts=2)).text)

    def test_dead(self) -> None:
        """A dead delivery says after how many attempts, the error, and both ways out."""
        reason = self.reason(delivery(5, DEAD, attempts=4, error=TRACEBACK))

        self.assertIn("after 4 attempts: ValueError: no such user.", reason.text)
        self.assertIn("twisted-dispatcher replay 5", reason.text)
        self.assertIn("twisted-dispatcher skip 5", reason.text)

    def test_earlier_phase(self) -> None:
        """A delivery that is not open names the deliveries of earlier phases that are not over."""
        reason = self.reason(
            delivery(4, phase="after"),
            delivery(1, DONE, phase="before"),
            delivery(2, RUNNING, phase="before"),
            delivery(3, DEAD),
        )

        self.assertEqual((reason.code, reason.deliveries), (EARLIER_PHASE, (2,)))
        self.assertIn("delivery 2 to shop.handler2 (running)", reason.text)
        self.assertIn("(before)", reason.text)

    def test_many_in_earlier_phase(self) -> None:
        """Of many deliveries the first three are named in the text, and all in the ids."""
        before = [delivery(each, RUNNING, phase="before") for each in range(1, 6)]
        reason = self.reason(delivery(6), *before)

        self.assertEqual(reason.deliveries, (1, 2, 3, 4, 5))
        self.assertIn("delivery 3 to shop.handler3 (running) and 2 more", reason.text)

    def test_earlier_event(self) -> None:
        """A delivery held back by its lane names the event that comes first, if it was found."""
        first = attrs.evolve(EVENT, id=3, key="order-3")
        known = self.reason(delivery(), ahead=first)
        unknown = self.reason(delivery())

        self.assertEqual((known.code, known.event_key), (EARLIER_EVENT, "order-3"))
        self.assertIn("order-3", known.text)
        self.assertEqual((unknown.code, unknown.event_key), (EARLIER_EVENT, None))

    def test_skipped_for_a_dead_one(self) -> None:
        """A delivery that a dead one of an earlier phase has stopped names that."""
        reason = self.reason(delivery(2, SKIPPED), delivery(1, DEAD, phase="before"))

        self.assertEqual(reason.deliveries, (1,))
        self.assertIn("delivery 1 of an earlier phase is dead", reason.text)
        self.assertIn("replay 1`", reason.text)

    def test_skipped_by_hand(self) -> None:
        """A delivery that somebody gave up says how to have it run."""
        reason = self.reason(delivery(2, SKIPPED), delivery(1, DONE, phase="before"))

        self.assertEqual(reason.deliveries, ())
        self.assertIn("replay 2`", reason.text)

    def test_last_line(self) -> None:
        """What was wrong is the last line of a traceback, if there is one."""
        self.assertEqual(last_line(TRACEBACK), "ValueError: no such user")
        self.assertEqual(last_line(None), "no error was kept")

    def test_times_far_away(self) -> None:
        """Times beyond the calendar are told in words."""
        self.assertEqual(in_utc(math.inf), "never")
        self.assertEqual(in_utc(-1e20), "before all time")


class EventReasonTests(SynchronousTestCase):
    """The rules for a whole event."""

    def reason(self, *deliveries: Delivery, **other: Any) -> Reason:
        """Give the reason of the event with some deliveries."""
        reason = reason_of_event(around(*deliveries, **other))
        self.assertIn(reason.code, CODES)
        return reason

    def test_settled(self) -> None:
        """A settled event says since when, what is dead of it, and if nobody wanted it."""
        settled = attrs.evolve(EVENT, settled=950.0)
        when = "settled at 1970-01-01T00:15:50.000Z"

        self.assertEqual(
            self.reason(delivery(status=DONE), event=settled), Reason(EVENT_SETTLED, when)
        )
        self.assertIn("no handler matched", self.reason(event=settled).text)
        dead = self.reason(delivery(9, DEAD), event=settled)
        self.assertEqual(dead.deliveries, (9,))
        self.assertIn("dead: delivery 9", dead.text)

    def test_not_planned(self) -> None:
        """An event that nobody has planned is not due, or waits for a worker."""
        unplanned = attrs.evolve(EVENT, planned=False)
        later = attrs.evolve(unplanned, due=NOW + 5)

        self.assertEqual(self.reason(event=unplanned).code, NOT_PLANNED)
        self.assertIn("worker=True", self.reason(event=unplanned).text)
        self.assertEqual(self.reason(event=later).code, NOT_DUE)
        self.assertEqual(self.reason(event=later).until, NOW + 5)

    def test_under_way(self) -> None:
        """An event of which something runs, or is due, says how far it is."""
        for status, due in ((RUNNING, None), (PENDING, NOW)):
            reason = self.reason(delivery(1, DONE), delivery(2, status, due=due))

            self.assertEqual((reason.code, reason.deliveries), (UNDER_WAY, (2,)))
            self.assertIn("1 of 2", reason.text)

    def test_all_wait(self) -> None:
        """An event that only waits says for what comes first."""
        reason = self.reason(
            delivery(1, RETRYING, due=NOW + 9), delivery(2, RETRYING, due=NOW + 3)
        )

        self.assertEqual((reason.code, reason.until), (RETRYING, NOW + 3))

    def test_no_worker(self) -> None:
        """An event that waits for a missing handler says so, if nothing else of it goes on."""
        lost, retried = delivery(1, due=NOW), delivery(2, RETRYING, due=NOW + 3)
        orphaned = frozenset({lost.handler})

        self.assertEqual(self.reason(lost, retried, orphaned=orphaned).code, NO_WORKER)
        running = delivery(3, RUNNING)
        self.assertEqual(self.reason(lost, running, orphaned=orphaned).code, UNDER_WAY)

    def test_held_back(self) -> None:
        """An event of which nothing is open is held back by its lane."""
        self.assertEqual(self.reason(delivery()).code, EARLIER_EVENT)


class StatusTests(DurableTests):
    """What is told of a real store."""

    def setUp(self) -> None:
        """Have a store to ask."""
        super().setUp()
        self.link = self.connect()
        self.status = Status(self.link, self.clock)

    async def story(self, key: str) -> Story:
        """Give the story of an event that is there."""
        story = await self.result(self.status.story(key=key))
        assert story is not None
        return story

    async def test_counts(self) -> None:
        """Events that are open and deliveries by status are counted."""
        one = await self.started("kind", link=self.link)
        self.add(one, failing(Problem()), name="fails", spec={"kind": 1}, retry=ONCE)
        self.add(one, Waiting(), name="waits", spec={"kind": 2})
        await self.fire(one, kind=1)
        await self.result(one.accept_event(1, kind=2))
        await self.result(one.accept_event(1, kind=2, at=EPOCH + 60))
        self.flushLoggedErrors(Problem)

        self.assertEqual(
            await self.result(self.status.counts()),
            Counts(open=2, pending=1, running=1, retrying=0, dead=1, skipped=0),
        )

    async def test_lists(self) -> None:
        """Events and deliveries are listed, the newest first, as many as are wanted."""
        one = await self.started(link=self.link)
        self.add(one, Waiting(), name="waits")
        for key in ("a", "b", "c"):
            await self.result(one.accept_event(1, key=key))
        self.add(one, failing(Problem()), name="other")

        events = await self.result(self.status.events(limit=2))
        self.assertEqual([each.key for each in events], ["c", "b"])
        self.assertEqual(await self.result(self.status.events(open=False)), [])
        deliveries = await self.result(self.status.deliveries(RUNNING, key="a", handler="waits"))
        self.assertEqual([each.key for each in deliveries], ["a"])

    async def test_unknown_status(self) -> None:
        """A status that is none is refused at once."""
        self.assertRaises(InvalidOptions, self.status.deliveries, "deaad")

    async def test_dead(self) -> None:
        """What is dead is listed with the error and the cure."""
        one = await self.started(link=self.link)
        self.add(one, failing(Problem("no disk")), name="fails", retry=ONCE)
        await self.fire(one, key="a")
        self.flushLoggedErrors(Problem)

        (dead,) = await self.result(self.status.dead())
        self.assertEqual((dead.delivery.key, dead.reason.code), ("a", DEAD))
        self.assertIn("Problem: no disk", dead.reason.text)
        self.assertEqual(await self.result(self.status.dead(handler="another")), [])

    async def test_waiting(self) -> None:
        """What waits is listed in the order in which it is due, what is held back at the end."""
        one = await self.started(link=self.link)
        self.add(one, failing(Problem()), name="retried", retry=attempts(2, initial=10))
        self.add(one, Waiting(), "after", name="last")
        await self.result(one.accept_event(1, key="late", at=EPOCH + 3600))
        await self.result(one.accept_event(1, key="failed"))
        await self.quiet()

        found = await self.result(self.status.waiting())

        self.assertEqual(
            [(each.delivery.key, each.delivery.handler, each.reason.code) for each in found],
            [
                ("failed", "retried", RETRYING),
                ("late", "retried", NOT_DUE),
                ("late", "last", EARLIER_PHASE),
                ("failed", "last", EARLIER_PHASE),
            ],
        )
        until = found[0].reason.until
        assert until is not None
        self.assertTrue(EPOCH < until <= EPOCH + 20, until)
        first = await self.result(self.status.waiting(limit=1))
        self.assertEqual([each.delivery for each in first], [found[0].delivery])

    async def test_story(self) -> None:
        """A story has the event, and its deliveries in the order of their phases."""
        one = await self.started("kind", link=self.link)
        waiting = Waiting()
        self.add(one, Waiting(), "after", name="last")
        self.add(one, waiting, "before", name="first")
        acceptance = await self.result(one.accept_event(1, key="a", kind=1))

        story = await self.story("a")

        self.assertEqual(story.event.id, acceptance.event_id)
        self.assertEqual(story.reason.code, UNDER_WAY)
        self.assertEqual(
            [(each.delivery.handler, each.reason.code) for each in story.deliveries],
            [("first", RUNNING), ("last", EARLIER_PHASE)],
        )
        by_id = await self.result(self.status.story(event_id=acceptance.event_id))
        self.assertEqual(by_id, story)

    async def test_unknown(self) -> None:
        """There is no story of an unknown event, and asking for an unknown delivery fails."""
        self.assertIsNone(await self.result(self.status.story(key="nothing")))
        self.assertIsNone(await self.result(self.status.story(event_id=99)))
        with self.assertRaises(UnknownDelivery):
            await self.result(self.status.why(99))

    async def test_why(self) -> None:
        """One delivery is explained by its id."""
        one = await self.started(link=self.link)
        self.add(one, Waiting(), name="waits")
        await self.result(one.accept_event(1, key="a"))
        (known,) = await self.result(one.deliveries())

        explained = await self.result(self.status.why(known.id))

        self.assertIsInstance(explained, Explained)
        self.assertEqual((explained.delivery, explained.reason.code), (known, RUNNING))

    async def test_lane(self) -> None:
        """An event that waits in its lane names the one before it, and no event of another."""
        self.patch(reading, "STEP", 2)
        one = await self.started("user", link=self.link, order_by=("user",))
        self.add(one, Waiting(), name="waits")
        for key, user in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 1), ("g", 1)]:
            await self.result(one.accept_event(1, key=key, user=user))

        self.assertEqual((await self.story("e")).reason.code, UNDER_WAY)
        for key, ahead in (("f", "a"), ("g", "f")):
            reason = (await self.story(key)).reason
            self.assertEqual((reason.code, reason.event_key), (EARLIER_EVENT, ahead))

    async def test_lane_far_away(self) -> None:
        """Where the event before it is too far away, an event says that there is one."""
        self.patch(reading, "STEP", 1)
        self.patch(reading, "LOOK_BACK", 2)
        one = await self.started("user", link=self.link, order_by=("user",))
        self.add(one, Waiting(), name="waits")
        for key, user in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 1)]:
            await self.result(one.accept_event(1, key=key, user=user))

        reason = (await self.story("e")).reason
        self.assertEqual((reason.code, reason.event_key), (EARLIER_EVENT, None))

    async def test_no_worker(self) -> None:
        """When nobody has a handler any more, what waits for it says so."""
        one = await self.started(link=self.link)
        gone = self.add(one, Waiting(), name="gone")
        await self.result(one.accept_event(1, key="a", at=EPOCH + 10))
        await self.result(one.remove_event_handler(gone))
        await self.pass_time(60)

        reason = (await self.story("a")).reason

        self.assertEqual(reason.code, NO_WORKER)
        self.assertIn("gone", reason.text)

    async def test_later_phase(self) -> None:
        """What was replayed while a later phase is open waits for that, and says so."""
        one = await self.started(link=self.link)
        slow = Waiting()
        self.add(one, Recorder(), "before", name="early")
        self.add(one, slow, "during", name="late")
        await self.result(one.accept_event(1, key="a"))
        await self.quiet()
        (early,) = await self.result(one.deliveries(handler="early"))
        await self.result(one.replay(early.id))

        story = await self.story("a")
        reason = next(each.reason for each in story.deliveries if each.delivery.id == early.id)
        self.assertEqual(LATER_PHASE, reason.code)
        self.assertIn("a later phase is open (during)", reason.text)
        slow.pending[0].callback(None)
        await self.until_settled(one)

    async def test_not_planned(self) -> None:
        """What a producer has accepted waits for somebody who works."""
        producer = await self.started(link=self.link, worker=False)
        await self.result(producer.accept_event(1, key="a"))

        self.assertEqual((await self.story("a")).reason.code, NOT_PLANNED)


globals().update(on_stores(StatusTests))
del StatusTests
