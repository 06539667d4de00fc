"""Tests of a process that handles its events itself: ``RUN`` is ``"here"``."""

from __future__ import annotations

import sys
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any
from unittest.mock import patch

from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from tests.django_project.club.models import Member
from tests.django_project.handling import handlers, source
from twisted_dispatcher import Event, HandlerOptions, RetryPolicy
from twisted_dispatcher.django import running
from twisted_dispatcher.django.api import event, process_events, register_group_handler
from twisted_dispatcher.django.models import Delivery
from twisted_dispatcher.django.models import Event as StoredEvent
from twisted_dispatcher.django.writing import writing
from twisted_dispatcher.errors import UnknownDelivery
from twisted_dispatcher.service import DispatcherService

# Far more than anything here takes.
LIMIT = 60.0
SETTING = {"RUN": "here", "DRAIN": 20.0}
NO_RETRY = HandlerOptions(retry=RetryPolicy(max_attempts=1))


class Refusal(Exception):
    """What handlers fail with."""


def joined(member: Member) -> list[dict[str, Any]]:
    """Say that somebody has joined."""
    return [event("joined", member.pk, {"member": member})]


SET_UP: list[DispatcherService] = []


def set_up(service: DispatcherService) -> None:
    """Take note of a service that starts."""
    SET_UP.append(service)


@override_settings(TWISTED_DISPATCHER=SETTING)
class HereTests(TransactionTestCase):
    """Everything is real: the reactor's thread, the store, and the threads of handlers."""

    def setUp(self) -> None:
        """Have a source and a handler, and stop what was started after the test."""
        self.seen: SimpleQueue[Any] = SimpleQueue()
        for manager in (source(Member, joined), handlers((self.see, "joined"))):
            manager.__enter__()
            self.addCleanup(manager.__exit__, None, None, None)
        self.addCleanup(running.stop)

    def see(self, event: Event) -> None:
        """Keep what a handler sees."""
        self.seen.put((event["member"].name, get_ident()))

    def next(self) -> Any:
        """Give what a handler has seen next."""
        try:
            return self.seen.get(timeout=LIMIT)[0]
        except Empty:
            self.fail(f"nothing was handled in {LIMIT} seconds")

    def settle(self) -> None:
        """Wait until everything is handled, by stopping when it is."""
        running.stop()

    def test_autocommit(self) -> None:
        """What is saved is handled, in another thread, and settled."""
        Member.objects.create(name="Ann")

        name, ident = self.seen.get(timeout=LIMIT)
        self.settle()
        self.assertEqual(name, "Ann")
        self.assertNotEqual(ident, get_ident())
        self.assertEqual(Delivery.objects.get().status, "done")

    def test_stop_waits_for_all(self) -> None:
        """What was recorded just before the end is waited for, also what is told together."""
        with patch("twisted_dispatcher.django.waking.GATHER", LIMIT):
            Member.objects.create(name="Ann")
            self.next()
            names = [f"Bob{number}" for number in range(20)]
            for name in names:
                Member.objects.create(name=name)
            self.settle()

        self.assertEqual(sorted(names), sorted(self.next() for _ in names))
        self.assertEqual({"done"}, set(Delivery.objects.values_list("status", flat=True)))

    def test_stop_lets_go(self) -> None:
        """When it has stopped, the threads of the handlers hold no connection."""
        used: list[Any] = []

        def ask(event: Event) -> None:
            used.append((event["member"], connections["default"]))

        with handlers((ask, "joined")):
            Member.objects.create(name="Ann")
            self.settle()

        self.assertEqual([own.connection for _, own in used], [None])

    def test_after_commit(self) -> None:
        """Nothing starts before the commit, and nothing of what is rolled back is handled."""
        with transaction.atomic():
            Member.objects.create(name="Ann")
            savepoint = transaction.savepoint()
            Member.objects.create(name="Bob")
            transaction.savepoint_rollback(savepoint)
            with transaction.atomic():
                Member.objects.create(name="Cid")
            self.assertEqual(running._dwellers, {})
        self.assertEqual({self.next(), self.next()}, {"Ann", "Cid"})

        self.settle()
        self.assertEqual(StoredEvent.objects.count(), 2)
        self.assertTrue(self.seen.empty())

    def test_all_rolled_back(self) -> None:
        """What is rolled back altogether starts nothing."""
        with self.assertRaises(Refusal), transaction.atomic():
            Member.objects.create(name="Ann")
            raise Refusal

        self.assertEqual(running._dwellers, {})
        self.assertEqual(StoredEvent.objects.count(), 0)

    def test_select_for_update(self) -> None:
        """A row that the transaction holds locked is what the handler sees afterwards."""
        member = Member(name="Ann")
        member.save()
        self.assertEqual(self.next(), "Ann")
        # A transaction of SQLite that has read is refused when it writes, if others have written
        # meanwhile; and before Django 5.1 none can be begun otherwise but by this.
        with writing("default"):
            locked = Member.objects.select_for_update().get(pk=member.pk)
            locked.name = "Bea"
            process_events([event("joined", "again", {"member": locked})])
            locked.save()

        self.assertEqual(self.next(), "Bea")

    def test_by_hand(self) -> None:
        """Where transactions are managed by hand, events are found after the commit."""
        transaction.set_autocommit(False)
        try:
            Member.objects.create(name="Ann")
            transaction.commit()
        finally:
            transaction.set_autocommit(True)

        self.assertEqual(self.next(), "Ann")

    def test_by_hand_for_long(self) -> None:
        """So they are while nobody says that transactions are not managed by hand any more."""
        transaction.set_autocommit(False)
        try:
            Member.objects.create(name="Ann")
            transaction.commit()
            self.assertEqual(self.next(), "Ann")
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_others_raise(self) -> None:
        """What somebody else does at the commit, and fails with, keeps no event waiting."""

        def fail() -> None:
            raise Refusal

        with self.assertRaises(Refusal), transaction.atomic():
            transaction.on_commit(fail)
            Member.objects.create(name="Ann")

        self.assertEqual(self.next(), "Ann")

    def test_fails(self) -> None:
        """A handler that fails is none of the business of whoever saves; it can be replayed."""
        failing = [True]

        def fail(event: Event) -> None:
            if failing[0]:
                raise Refusal
            self.see(event)

        with handlers((fail, "joined", NO_RETRY)):
            Member.objects.create(name="Ann")
            self.settle()
            delivery = Delivery.objects.get()
            self.assertEqual(delivery.status, "dead")
            self.assertIn("Refusal", delivery.error)
            failing.clear()
            failing.append(False)
            running.replay(delivery.pk)
            self.assertEqual(self.next(), "Ann")

    def test_skips(self) -> None:
        """A delivery can be given up; one that is not there is said not to be."""

        def fail(event: Event) -> None:
            raise Refusal

        with handlers((fail, "joined", NO_RETRY)):
            Member.objects.create(name="Ann")
            self.settle()
            running.skip(Delivery.objects.get().pk)
            with self.assertRaises(UnknownDelivery):
                running.skip(10**9)
        self.assertEqual(Delivery.objects.get().status, "skipped")

    def test_async(self) -> None:
        """An async handler runs in the reactor's thread."""

        async def look(event: Event) -> None:
            self.seen.put((event["context"]["member"].model, get_ident()))

        with handlers((look, "joined")):
            Member.objects.create(name="Ann")
            model, ident = self.seen.get(timeout=LIMIT)

        self.assertEqual(model, Member._meta.label)
        self.assertEqual(ident, running.connection().call(get_ident))

    def test_late(self) -> None:
        """A handler that is registered after the start is called as well."""
        Member.objects.create(name="Ann")
        self.next()
        running.connection()
        called: SimpleQueue[str] = SimpleQueue()

        def late(event: Event) -> None:
            called.put(event["key"])

        register_group_handler(handler=late, group="late")
        running.connection().call(lambda: None)
        process_events([event("late", 1)])

        self.assertEqual(called.get(timeout=LIMIT), "late_1")

    def test_follows(self) -> None:
        """What a handler saves is handled, too."""

        def introduce(event: Event) -> None:
            if event["member"].name == "Ann":
                Member.objects.create(name="Bob")
            self.see(event)

        with handlers((introduce, "joined")):
            Member.objects.create(name="Ann")

            self.assertEqual({self.next(), self.next()}, {"Ann", "Bob"})

    def test_stops_when_handled(self) -> None:
        """Stopping waits for what this process has recorded, also for what is tried again soon."""
        attempts: list[int] = []

        def fail_once(event: Event) -> None:
            attempts.append(1)
            if len(attempts) == 1:
                raise Refusal

        retry = HandlerOptions(retry=RetryPolicy(initial=0.1, jitter=0))
        with handlers((fail_once, "joined", retry)):
            Member.objects.create(name="Ann")
            running.stop()

        self.assertEqual(len(attempts), 2)
        self.assertEqual(Delivery.objects.get().status, "done")

    def test_does_not_wait_for_later(self) -> None:
        """Stopping does not wait for what is tried again later, be it within the time to drain."""

        def fail(event: Event) -> None:
            raise Refusal

        retry = HandlerOptions(retry=RetryPolicy(initial=20, jitter=0))
        with handlers((fail, "joined", retry)):
            Member.objects.create(name="Ann")
            running.stop()

        self.assertEqual(Delivery.objects.get().status, "retrying")

    def test_set_up(self) -> None:
        """The function that the setting names is called with the service when it starts."""
        SET_UP.clear()
        with self.settings(TWISTED_DISPATCHER={**SETTING, "SETUP": f"{__name__}.set_up"}):
            Member.objects.create(name="Ann")
            self.next()

        (service,) = SET_UP
        self.assertIs(running.connection().service, service)

    def test_connection(self) -> None:
        """The connection is to the database of the project, and knows its handlers."""
        Member.objects.create(name="Ann")
        self.next()

        found = running.connection()
        (name,) = [each.name for each in found.describe()]
        self.assertIn("see", name)
        self.assertEqual(found.deliveries()[0].key, StoredEvent.objects.get().key)


@override_settings(TWISTED_DISPATCHER=SETTING)
class NotWokenTests(TransactionTestCase):
    """Nobody can be told of what was committed."""

    def test_logged(self) -> None:
        """It is logged; neither save() nor what others do at the commit is kept from going on."""
        called: list[str] = []
        unable = patch.object(running, "_dweller", side_effect=RuntimeError("no more threads"))

        with source(Member, joined), unable, self.assertLogs("django.db", "ERROR") as logged:
            with transaction.atomic():
                transaction.on_commit(lambda: called.append("before"))
                Member.objects.create(name="Ann")
                transaction.on_commit(lambda: called.append("behind"))
            Member.objects.create(name="Bob")

        self.assertEqual(["before", "behind"], called)
        self.assertEqual(2, len(logged.output))
        self.assertIn("no more threads", logged.output[0])
        self.assertEqual(2, StoredEvent.objects.count())


@override_settings(TWISTED_DISPATCHER=SETTING)
class CapturedTests(TestCase):
    """Callbacks that a test case captures."""

    def test_captured(self) -> None:
        """What is new is captured, and nothing that was there before."""
        called: list[str] = []
        told: list[Any] = []
        transaction.on_commit(lambda: called.append("old"))

        with (
            source(Member, joined),
            patch.object(running, "_committed", told.append),
            self.captureOnCommitCallbacks(execute=True),
        ):
            Member.objects.create(name="Ann")
            transaction.on_commit(lambda: called.append("new"))

        self.assertEqual(["new"], called)
        self.assertEqual(1, len(told))


class DaemonElsewhereTests(TransactionTestCase):
    """A process that leaves its events to a daemon."""

    def setUp(self) -> None:
        """Stop what was started after the test."""
        self.addCleanup(running.stop)

    def test_starts_nothing(self) -> None:
        """To record events starts nothing."""
        process_events([event("joined", 1)])

        self.assertEqual(running._dwellers, {})
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM twisted_dispatcher_event")
            self.assertEqual(cursor.fetchone(), (1,))

    def test_connection(self) -> None:
        """A connection, as the admin has one, calls no handlers."""
        called: list[Event] = []
        with handlers((called.append, "joined")):
            process_events([event("joined", 1)])
            found = running.connection()
            self.assertEqual(found.describe(), [])
            self.assertEqual(found.deliveries(), [])
        self.assertEqual(called, [])

    def test_no_reactor(self) -> None:
        """Nothing that Django imports has imported the reactor, so that servers may fork."""
        from subprocess import run

        code = (
            "import sys, django; django.setup(); "
            "import twisted_dispatcher.django.api, twisted_dispatcher.django.running; "
            "sys.exit('twisted.internet.reactor' in sys.modules)"
        )
        done = run([sys.executable, "-c", code], timeout=LIMIT, check=False)

        self.assertEqual(done.returncode, 0)
