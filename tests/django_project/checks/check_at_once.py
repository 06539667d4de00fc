"""Tests of events that are handled at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, connection, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from tests.django_project.club.models import Gift, Member
from tests.django_project.handling import handlers, source
from twisted_dispatcher import Event, HandlerOptions, current_delivery
from twisted_dispatcher.django import at_once, running
from twisted_dispatcher.django.api import event, process_events
from twisted_dispatcher.django.at_once import replay, skip
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.models import Delivery, OpenEvent
from twisted_dispatcher.django.models import Event as StoredEvent
from twisted_dispatcher.django.testing import AtOnceMixin, captured_events, deliver_at_once
from twisted_dispatcher.django.threads import in_thread
from twisted_dispatcher.errors import (
    EndlessEvents,
    HandlersFailed,
    HandlerWaits,
    ObjectGone,
    UnknownDelivery,
    WrongStatus,
)

if TYPE_CHECKING:
    from django.test import TestCase as _TestCase
else:
    _TestCase = object


class Refusal(Exception):
    """What handlers fail with."""


def joined(member: Member) -> list[dict[str, Any]]:
    """Say that somebody has joined."""
    return [event("joined", member.pk, {"member": member})]


class Scenes(AtOnceMixin, _TestCase):
    """What is the same where tests are rolled back and where they are not."""

    def setUp(self) -> None:
        """Have a source, and keep what handlers see."""
        super().setUp()
        self.seen: list[Any] = []
        self.enter(source(Member, joined))

    def enter(self, manager: Any) -> Any:
        """Enter a context that is left after the test."""
        entered = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return entered

    def see(self, event: Event) -> None:
        """Keep an event."""
        self.seen.append(event)

    def test_save(self) -> None:
        """What a source says of what is saved has been handled when that is saved."""
        with handlers((self.see, "joined")):
            member = Member.objects.create(name="Ann")

        (seen,) = self.seen
        self.assertEqual((seen.key, seen.group), (f"joined_{member.pk}", "joined"))
        self.assertEqual(seen["member"], member)
        self.assertIsNot(seen["member"], member)

    def test_written_down(self) -> None:
        """The event and its deliveries stand in their tables, and nothing waits."""
        with handlers((self.see, "joined")):
            Member.objects.create(name="Ann")

        stored = StoredEvent.objects.get()
        delivery = Delivery.objects.get()
        self.assertEqual((delivery.event_id, delivery.status), (stored.pk, "done"))
        self.assertEqual(delivery.phase, "during")
        self.assertEqual(stored.first_delivery, delivery.pk)
        self.assertEqual(self.waiting(), [])

    def waiting(self) -> list[Any]:
        """Give the events that a worker would look at."""
        waiting = OpenEvent.objects.all()
        if connection.vendor != "postgresql":
            waiting = StoredEvent.objects.filter(first_delivery=None)
        return list(waiting)

    def test_no_handler(self) -> None:
        """An event that nobody handles is recorded, and settled (S28)."""
        with handlers((self.see, "other")):
            process_events([event("joined", 1)])

        self.assertEqual(StoredEvent.objects.count(), 1)
        self.assertEqual(Delivery.objects.count(), 0)
        self.assertEqual(self.waiting(), [])

    def test_known(self) -> None:
        """What is known is not handled again (S23, S24, S41)."""
        with handlers((self.see, "joined")):
            member = Member.objects.create(name="Ann")
            member.save()
            process_events([event("joined", 7), event("joined", 7)])

        self.assertEqual([each.key for each in self.seen], [f"joined_{member.pk}", "joined_7"])

    def test_in_order(self) -> None:
        """Handlers are called in order of registration, and twice for two patterns (S25, S27)."""
        called: list[str] = []

        def first(event: Event) -> None:
            called.append("first")

        def second(event: Event) -> None:
            called.append("second")

        with handlers((first, "join"), (second, ""), (first, "ed$"), (second, "left")):
            process_events([event("joined", 1)])

        self.assertEqual(called, ["first", "second", "first"])
        self.assertEqual(len(set(Delivery.objects.values_list("handler", flat=True))), 3)

    def test_rolled_back(self) -> None:
        """What is rolled back has never happened (S30)."""
        with handlers((self.see, "joined")):
            try:
                with transaction.atomic():
                    Member.objects.create(name="Ann")
                    raise Refusal
            except Refusal:
                pass
            self.assertEqual(self.seen, [])
            self.assertEqual(StoredEvent.objects.count(), 0)
            with transaction.atomic():
                Member.objects.create(name="Bob")
                savepoint = transaction.savepoint()
                Member.objects.create(name="Cid")
                transaction.savepoint_rollback(savepoint)

        self.assertEqual([each["member"].name for each in self.seen], ["Bob"])

    def test_whole_transaction(self) -> None:
        """A handler sees all that its transaction has written, at its end and not before."""
        counted: list[int] = []

        def count(event: Event) -> None:
            counted.append(event["member"].gifts.count())

        with handlers((count, "joined")), transaction.atomic():
            member = Member.objects.create(name="Ann")
            with transaction.atomic():
                Gift.objects.create(member=member)
            Gift.objects.create(member=member)
            self.assertEqual(counted, [])

        self.assertEqual(counted, [2])

    def test_fails(self) -> None:
        """A handler that fails leaves save() and the others alone; its delivery is dead."""

        def fail(event: Event) -> None:
            Member.objects.filter(pk=event["member"].pk).update(active=False)
            raise Refusal("no")

        with handlers((fail, "joined"), (self.see, "joined")):
            member = Member.objects.create(name="Ann")

        (failed,) = self.delivered.take_failures()
        self.assertEqual(str(failed.error), "no")
        self.assertEqual(failed.event.key, f"joined_{member.pk}")
        dead, done = Delivery.objects.order_by("pk")
        self.assertEqual((dead.status, done.status), ("dead", "done"))
        self.assertIn("Refusal: no", dead.error)
        self.assertEqual(len(self.seen), 1)
        # Nobody gave the handler a transaction.
        member.refresh_from_db()
        self.assertFalse(member.active)

    def test_fails_in_the_database(self) -> None:
        """An error of the database spoils nothing but what its handler has written."""

        def fail(event: Event) -> None:
            Member.objects.create(pk=event["member"].pk, name="Twice")

        with handlers((fail, "joined"), (self.see, "joined")):
            Member.objects.create(name="Ann")

        (failed,) = self.delivered.take_failures()
        self.assertIsInstance(failed.error, IntegrityError)
        self.assertEqual(self.seen[0]["member"].name, "Ann")

    def test_nobody_looks(self) -> None:
        """At the end a test fails that has not looked at a failure, and is told of it."""

        def fail(event: Event) -> None:
            raise Refusal("no")

        with (
            handlers((fail, "joined")),
            self.assertRaises(HandlersFailed) as raised,
            deliver_at_once(),
        ):
            process_events([event("joined", 1)])

        self.assertIn("joined_1: Refusal('no')", str(raised.exception))
        self.assertIsInstance(raised.exception.__cause__, Refusal)
        self.assertEqual(len(self.delivered.take_failures()), 1)

    def test_follows(self) -> None:
        """What a handler records is handled when the handlers of its own event are done."""
        called: list[str] = []

        def first(event: Event) -> None:
            called.append("first")
            Member.objects.create(name="Next") if len(called) < 3 else None

        def second(event: Event) -> None:
            called.append("second")

        with handlers((first, "joined"), (second, "joined")):
            Member.objects.create(name="Ann")

        self.assertEqual(called, ["first", "second"] * 2)

    def test_endless(self) -> None:
        """What follows from itself without an end is ended."""

        def again(event: Event) -> None:
            process_events([{"group": "again", "key": f"{event['key']}."}])

        fewer = patch.object(at_once, "MOST_FOLLOWING", 20)
        with handlers((again, "again")), fewer, self.assertRaises(EndlessEvents):
            process_events([event("again", 1)])

    def test_gone(self) -> None:
        """A handler that asks for a row that is gone is told so."""

        def look(event: Event) -> None:
            self.seen.append(event["member"])

        with handlers((look, "joined")), transaction.atomic():
            Member.objects.create(name="Ann").delete()

        (failed,) = self.delivered.take_failures()
        self.assertIsInstance(failed.error, ObjectGone)

    def test_current_delivery(self) -> None:
        """A handler knows its delivery."""

        def look(event: Event) -> None:
            current = current_delivery()
            self.seen.append((current.id, current.key, current.attempt))

        with handlers((look, "joined")):
            process_events([event("joined", 1)])

        self.assertEqual(self.seen, [(Delivery.objects.get().pk, "joined_1", 1)])

    def test_replay_and_skip(self) -> None:
        """A dead delivery is run again, with another context too, or given up."""

        def fussy(event: Event) -> None:
            if not event["name"]:
                raise Refusal
            self.seen.append((event["name"], current_delivery().attempt))

        with handlers((fussy, "joined")):
            process_events([event("joined", 1, {"name": ""}), event("joined", 2, {"name": ""})])
            first, second = Delivery.objects.order_by("pk")
            replay(first.pk, {"name": "Ann"}, "default")
            skip(second.pk, "default")

        self.assertEqual(self.seen, [("Ann", 2)])
        self.assertEqual(len(self.delivered.take_failures()), 2)
        statuses = Delivery.objects.order_by("pk").values_list("status", "attempts")
        self.assertEqual(list(statuses), [("done", 2), ("skipped", 1)])
        self.assertIn("Refusal", Delivery.objects.get(pk=second.pk).error)

    def test_replay_and_skip_misused(self) -> None:
        """What is done is not given up, nor what is not there, as by any dispatcher."""
        with handlers((self.see, "joined")):
            process_events([event("joined", 1)])
            done = Delivery.objects.get()
            for wrong, error in ((done.pk, WrongStatus), (done.pk + 1, UnknownDelivery)):
                self.assertRaises(error, running.skip, wrong)
            self.assertRaises(UnknownDelivery, running.replay, done.pk + 1)
            Delivery.objects.update(status="running")
            self.assertRaises(WrongStatus, running.replay, done.pk)

        self.assertEqual(len(self.seen), 1)

    def test_exactly_once(self) -> None:
        """An exactly-once handler gets the transaction; what it writes stays if it succeeds."""

        def book(event: Event, transaction: Any) -> None:
            mark = "%s" if connection.vendor == "postgresql" else "?"
            table = Member._meta.db_table
            transaction.execute(f"UPDATE {table} SET name = {mark}", ("Changed",))
            transaction.accept_event(Event("booked", "booked_1"), group="booked")
            if event["key"] == "booking_2":
                raise Refusal

        once = HandlerOptions(guarantee="exactly-once")
        member = Member.objects.create(name="Ann")
        with handlers((book, "booking", once), (self.see, "booked")):
            process_events([event("booking", 2)])
            member.refresh_from_db()
            self.assertEqual((member.name, self.seen), ("Ann", []))
            process_events([event("booking", 1)])

        member.refresh_from_db()
        self.assertEqual(member.name, "Changed")
        self.assertEqual([each.key for each in self.seen], ["booked_1"])
        self.assertEqual(len(self.delivered.take_failures()), 1)

    def test_async(self) -> None:
        """An async handler runs in the reactor thread, and has this one do what needs the ORM."""

        async def look(event: Event) -> None:
            member = await in_thread(Member.objects.get, pk=event["pk"])
            self.seen.append(member)

        member = Member.objects.create(name="Ann")
        with handlers((look, "looked")):
            process_events([event("looked", 1, {"pk": member.pk})])

        self.assertEqual(self.seen, [member])

    def test_async_without_orm(self) -> None:
        """An async handler cannot use the ORM itself, as elsewhere."""

        async def look(event: Event) -> None:
            Member.objects.count()

        with handlers((look, "looked")):
            process_events([event("looked", 1)])

        (failed,) = self.delivered.take_failures()
        self.assertIsInstance(failed.error, SynchronousOnlyOperation)

    def test_waits(self) -> None:
        """A handler that waits in this thread, where no reactor runs, is told so."""
        from twisted.internet.defer import Deferred

        def wait(event: Event) -> Any:
            return Deferred()

        with handlers((wait, "joined")):
            process_events([event("joined", 1)])

        (failed,) = self.delivered.take_failures()
        self.assertIsInstance(failed.error, (HandlerWaits, TypeError))

    def test_captured(self) -> None:
        """What is recorded can be looked at, without what is rolled back."""
        with handlers(), captured_events() as events:
            member = Member.objects.create(name="Ann")
            try:
                with transaction.atomic():
                    Member.objects.create(name="Bob")
                    raise Refusal
            except Refusal:
                pass
            member.save()

        self.assertEqual([each.key for each in events], [f"joined_{member.pk}"])

    def test_rolled_back_before(self) -> None:
        """What takes the place of something that was rolled back is there once."""
        with handlers((self.see, "joined")), captured_events() as events, transaction.atomic():
            savepoint = transaction.savepoint()
            process_events([event("joined", "Ann")])
            transaction.savepoint_rollback(savepoint)
            process_events([event("joined", "Bob")])

        self.assertEqual([each.key for each in events], ["joined_Bob"])
        self.assertEqual([each.key for each in self.seen], ["joined_Bob"])


class RolledBackTests(Scenes, TestCase):
    """In a transaction that is rolled back after each test."""

    @classmethod
    def setUpTestData(cls) -> None:
        """Save something for all tests of the class."""
        with source(Member, joined), handlers():
            cls.founder = Member.objects.create(name="Founder")

    def setUp(self) -> None:
        """Begin without what the class has recorded."""
        super().setUp()
        self.assertEqual(StoredEvent.objects.count(), 1)
        StoredEvent.objects.all().delete()

    def test_callbacks(self) -> None:
        """Other callbacks wait for a commit as before."""
        called: list[str] = []
        capture = self.captureOnCommitCallbacks()
        with handlers((self.see, "joined")), capture as callbacks, transaction.atomic():
            transaction.on_commit(lambda: called.append("callback"))
            Member.objects.create(name="Ann")

        self.assertEqual((len(self.seen), len(callbacks), called), (1, 1, []))


class OtherDatabaseTests(AtOnceMixin, TestCase):
    """With a database in which no event lives, in transactions that are rolled back."""

    databases = {"default", "other"}

    def test_recorded(self) -> None:
        """What is saved in the other database has its events when its block ends."""
        seen: list[Any] = []
        with source(Member, joined), handlers((seen.append, "joined")):
            with transaction.atomic(using="other"):
                Member(name="Ada").save(using="other")
                self.assertEqual([], seen)
            Member(name="Grace").save(using="other")

        self.assertEqual(["Ada", "Grace"], [each["member"].name for each in seen])


class CommittedTests(Scenes, TransactionTestCase):
    """In transactions that are committed."""


@override_settings(LANGUAGE_CODE="fr")
class OverriddenTests(AtOnceMixin, TestCase):
    """A class that overrides settings itself."""

    def test_both(self) -> None:
        """Its own settings hold, as well as that events are handled at once."""
        self.assertEqual(settings.LANGUAGE_CODE, "fr")
        self.assertEqual(conf().run, "at-once")


class BadDataTests(TestCase):
    """A class whose data no handler can do anything with."""

    def test_data(self) -> None:
        """It says so before its tests, and leaves no transaction open."""

        def fail(event: Event) -> None:
            raise Refusal

        class Bad(AtOnceMixin, TestCase):
            """Saves something that fails."""

            @classmethod
            def setUpTestData(cls) -> None:
                """Save it."""
                process_events([event("joined", 1)])

        blocks = len(connection.atomic_blocks)
        with handlers((fail, "joined")), self.assertRaises(HandlersFailed):
            try:
                Bad.setUpClass()
            finally:
                Bad.doClassCleanups()

        self.assertEqual(len(connection.atomic_blocks), blocks)
        self.assertEqual(conf().run, settings.TWISTED_DISPATCHER["RUN"])


class LoggedTests(TestCase):
    """Where the setting alone says so."""

    def test_logged(self) -> None:
        """A failure that nobody watches is logged, with its traceback and without the context."""

        def fail(event: Event) -> None:
            raise Refusal("no")

        setting = self.settings(TWISTED_DISPATCHER={"RUN": "at-once"})
        logs = self.assertLogs("twisted_dispatcher.django", "ERROR")
        with handlers((fail, "joined")), setting, logs as logged:
            process_events([event("joined", 1, {"secret": "sesame"})])

        (line,) = logged.output
        self.assertIn("joined_1", line)
        self.assertIn("Refusal: no", line)
        self.assertNotIn("sesame", line)
