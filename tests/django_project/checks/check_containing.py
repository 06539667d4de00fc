"""Errors within save() that somebody has caught, or that a source raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial, wraps
from itertools import product
from typing import Any
from unittest import skipUnless

from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models.signals import post_save, pre_save
from django.test import TestCase, TransactionTestCase

from tests.django_project.checks.recording import FLUSHED, SourcesMixin, keys
from tests.django_project.club.models import Gift, Member, Veteran
from twisted_dispatcher.django import api
from twisted_dispatcher.django.containing import TransactionSpoilt
from twisted_dispatcher.django.models import Event
from twisted_dispatcher.django.testing import deliver_at_once
from twisted_dispatcher.django.writing import SaveUndone
from twisted_dispatcher.sources import event

LOGGER = "twisted_dispatcher.django"
ON_POSTGRESQL = connection.vendor == "postgresql"


def before_any_statement() -> None:
    """Fail as Django does before it asks the database."""
    Member(name="x", active="perhaps").save()


def at_the_database(using: str = "default") -> None:
    """Fail as the database does, under Django's eyes: the key is taken."""
    taken = Gift.objects.using(using).get()
    Gift(pk=taken.pk, member=taken.member).save(using=using, force_insert=True)


def by_hand(using: str = "default") -> None:
    """Fail as the database does, without Django's thinking anything of it."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT no_column FROM club_member")


def in_a_block() -> None:
    """Fail in a block that has no savepoint of its own."""
    with transaction.atomic(savepoint=False):
        raise ValueError


def after_a_savepoint() -> None:
    """Fail after a block that makes a savepoint with its first statement."""
    with transaction.atomic():
        Member.objects.update(name="lost")
    raise ValueError


def after_a_look_at_events() -> None:
    """Fail after a statement before which what waits is recorded."""
    Event.objects.exists()
    raise ValueError


FAILURES = (
    before_any_statement,
    at_the_database,
    by_hand,
    in_a_block,
    after_a_savepoint,
    after_a_look_at_events,
)


def caught(fail: Callable[[], object]) -> None:
    """Catch what something fails with."""
    with suppress(Exception):
        fail()


class SourceTests(SourcesMixin, TransactionTestCase):
    """Sources that fail, or that something fails in, within a transaction or in autocommit."""

    available_apps = FLUSHED
    databases = ("default", "other")

    def setUp(self) -> None:
        """Have a gift whose key is taken, and a source that fails for one member alone."""
        super().setUp()
        ann = Member.objects.create(name="Ann")
        Gift.objects.create(member=ann)
        self.doing: Any = ann.refresh_from_db
        self.register(Member, self.source)

    def source(self, member: Member) -> Iterator[Any]:
        """Say that somebody has come, and fail for one of them."""
        yield event(f"came while {self.doing.__name__}", member.name)
        if member.name == "Bob":
            self.doing()

    def check(self, doing: Callable[[], object]) -> None:
        """Fail unless rows and events are there, in autocommit and in a transaction."""
        self.doing = doing
        for transact, names in ((nullcontext, ["Bob"]), (transaction.atomic, [*"AB", "Bob", "C"])):
            with self.subTest(f"{doing.__name__}, {len(names)}"):
                with transact():
                    for name in names:
                        Member.objects.create(name=name)

                stored = Member.objects.exclude(name="Ann")
                self.assertEqual(names, [each.name for each in stored.order_by("pk")])
                come = [each.rpartition("_")[2] for each in keys() if doing.__name__ in each]
                self.assertEqual(set(names), set(come))
                stored.delete()

    def test_raises(self) -> None:
        """What a source raises costs the row nothing, nor the rows and events before it."""
        for fail in FAILURES:
            with self.assertLogs(LOGGER, "ERROR"):
                self.check(fail)

    def test_catches(self) -> None:
        """What a source has caught costs the row nothing either; what it wrote is undone."""
        for fail in (before_any_statement, at_the_database, by_hand, in_a_block):
            # SQLite undoes the statement alone, and goes on.
            is_harmless = fail is by_hand and connection.vendor == "sqlite"
            with nullcontext() if is_harmless else self.assertLogs(LOGGER, "WARNING"):
                self.check(wraps(fail)(lambda fail=fail: caught(fail)))

    def test_catches_and_is_told(self) -> None:
        """That what it wrote is undone is logged, with the cure."""

        def write_and_fail() -> None:
            Member.objects.update(name="lost")
            caught(at_the_database)

        self.doing = write_and_fail
        with self.assertLogs(LOGGER, "WARNING") as logged:
            Member.objects.create(name="Bob")

        self.assertEqual({"Ann", "Bob"}, {each.name for each in Member.objects.all()})
        self.assertIn("transaction.atomic()", logged.output[0])
        self.assertIn("SourceTests.source", logged.output[0])

    def test_callbacks(self) -> None:
        """What a source that fails wanted at the commit does not happen, on no database."""
        called: list[str] = []

        def want() -> None:
            transaction.on_commit(lambda: called.append("before"))
            with transaction.atomic():
                Member.objects.update(name="lost")
                transaction.on_commit(lambda: called.append("within"))
            Member(name="Dora").save(using="other")
            raise ValueError

        self.doing = want
        with (
            self.assertLogs(LOGGER, "ERROR"),
            transaction.atomic(),
            transaction.atomic(using="other"),
        ):
            transaction.on_commit(lambda: called.append("mine"))
            Member.objects.create(name="Bob")

        self.assertEqual(["mine"], called)
        self.assertEqual(["came while want_Bob"], keys())

    def test_by_hand(self) -> None:
        """Sources are contained also where transactions are begun by hand."""
        self.doing = by_hand
        transaction.set_autocommit(False)
        try:
            with self.assertLogs(LOGGER, "ERROR"):
                Member.objects.create(name="Bob")
            Member.objects.create(name="Cleo")
            transaction.commit()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

        self.assertEqual({"Ann", "Bob", "Cleo"}, {each.name for each in Member.objects.all()})

    def test_closes(self) -> None:
        """A source that closes the connection loses the row, and save() says so."""
        self.doing = connection.close

        with self.assertRaises(SaveUndone):
            Member.objects.create(name="Bob")

        self.assertEqual(["Ann"], [each.name for each in Member.objects.all()])

    @skipUnless(ON_POSTGRESQL, "SQLite has no procedures")
    def test_past_django(self) -> None:
        """That a source has spoilt the transaction past Django's statements is told."""

        def call() -> None:
            with connection.cursor() as cursor:
                cursor.callproc("no_function")

        self.register(Veteran, lambda veteran: self.doing())
        for doing, model in product(
            (call, wraps(call)(lambda: caught(call))),
            # With an event, and without one.
            (Member, Veteran),
        ):
            self.doing = doing
            for transact in (nullcontext, transaction.atomic):
                with self.assertRaises(TransactionSpoilt), transact():
                    model.objects.create(name="Bob")
                self.assertEqual(["Ann"], [each.name for each in Member.objects.all()])

    def test_other_database(self) -> None:
        """What is asked of a database that is not the instance's is undone as well."""
        self.doing = by_hand

        with transaction.atomic(), self.assertLogs(LOGGER, "ERROR"):
            Member(name="Bob").save(using="other")
            Member.objects.create(name="Al")

        self.assertEqual({"Ann", "Al"}, {each.name for each in Member.objects.all()})
        self.assertEqual(1, Member.objects.using("other").count())


class AtOnceTests(SourcesMixin, TestCase):
    """Events that are handled at once, within the transaction of a test."""

    def test_undone(self) -> None:
        """What a source has undone is not handled, though its own blocks have ended."""
        handled: list[Any] = []

        def source(member: Member) -> Iterator[Any]:
            yield event("came", member.name)
            if member.name == "Bob":
                with transaction.atomic():
                    Member.objects.create(name="Cleo")
                raise ValueError
            if member.name == "Dora":
                with transaction.atomic():
                    Member.objects.create(name="Eve")

        self.register(Member, source)
        api.register_group_handler(handler=handled.append, group="came")
        with deliver_at_once(), self.assertLogs(LOGGER, "ERROR"):
            Member.objects.create(name="Bob")
            self.assertEqual(["came_Bob"], [each.key for each in handled])
            Member.objects.create(name="Dora")

        self.assertEqual({"came_Bob", "came_Dora", "came_Eve"}, {each.key for each in handled})


class ReceiverTests(SourcesMixin, TransactionTestCase):
    """Receivers of Django's signals that catch an error, in the transaction of the row."""

    available_apps = FLUSHED

    def setUp(self) -> None:
        """Have a source, and a gift whose key is taken."""
        super().setUp()
        self.register(Member, lambda member: [event("came", member.name)])
        Gift.objects.create(member=Member.objects.create(name="Ann"))

    @contextmanager
    def receiving(
        self, signal: Any, doing: Callable[[], object], sender: Any = Member
    ) -> Iterator[None]:
        """Have something done by a receiver."""

        def receiver(**rest: Any) -> None:
            signal.disconnect(receiver, sender=sender)
            doing()

        signal.connect(receiver, sender=sender)
        yield
        self.assertFalse(signal.disconnect(receiver, sender=sender))

    def test_caught(self) -> None:
        """A row that cannot be kept is told of by save(), with the cure."""
        for signal, fail in product(
            (pre_save, post_save), (before_any_statement, at_the_database)
        ):
            with (
                self.subTest(f"{signal}, {fail.__name__}"),
                self.receiving(signal, partial(caught, fail)),
                self.assertRaises(DatabaseError) as told,
            ):
                Member.objects.create(name="Bob")
            if signal is post_save:
                self.assertIsInstance(told.exception, SaveUndone)
                self.assertIn("transaction.atomic()", str(told.exception))
            self.assertEqual(["Ann"], [each.name for each in Member.objects.all()])

    @skipUnless(ON_POSTGRESQL, "SQLite undoes the statement alone, and goes on")
    def test_caught_by_hand(self) -> None:
        """What the database alone knows of is told of as well, with events and without."""
        self.register(Veteran, lambda member: None)
        for model in (Member, Veteran):
            with (
                self.subTest(model),
                self.receiving(post_save, partial(caught, by_hand), model),
                self.assertRaises(SaveUndone),
            ):
                model.objects.create(name="Bob")
            self.assertEqual(["Ann"], [each.name for each in Member.objects.all()])

    def test_contained(self) -> None:
        """What a receiver has put into a block of its own costs nothing."""

        def contain() -> None:
            try:
                with transaction.atomic():
                    at_the_database()
            except IntegrityError:
                Member.objects.filter(name="Ann").update(name="Anna")

        with self.receiving(post_save, contain):
            Member.objects.create(name="Bob")

        self.assertEqual({"Anna", "Bob"}, {each.name for each in Member.objects.all()})
        self.assertEqual(["came_Ann", "came_Bob"], keys())
        self.assertFalse(connection.in_atomic_block)
