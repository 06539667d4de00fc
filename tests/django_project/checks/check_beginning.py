"""Transactions on PostgreSQL that begin by the message of their first statement."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import closing
from typing import Any
from unittest import skipUnless

from django.db import DataError, IntegrityError, connection, connections, transaction
from django.test import TransactionTestCase

from tests.django_project.checks.recording import FLUSHED, SourcesMixin, keys
from tests.django_project.club.models import Gift, Member
from twisted_dispatcher.django.beginning import Beginning
from twisted_dispatcher.sources import event

ON_POSTGRESQL = connection.vendor == "postgresql"


def sent_by(work: Callable[[], object]) -> list[str]:
    """Do something, and give the beginnings of the messages with statements that it sends."""
    driver: Any = connection.connection
    with tempfile.TemporaryFile() as traced:
        driver.pgconn.trace(traced.fileno())
        try:
            work()
        finally:
            driver.pgconn.untrace()
        traced.seek(os.SEEK_SET)
        return re.findall(r'\tQuery\t "\s*(\w+;?)', traced.read().decode())


def atomically(work: Callable[[], object]) -> Callable[[], object]:
    """Give what does something in a transaction."""

    def done() -> object:
        with transaction.atomic():
            return work()

    return done


@skipUnless(ON_POSTGRESQL, "SQLite is sent no messages")
class BeginningTests(SourcesMixin, TransactionTestCase):
    """What is sent for a save, and what becomes of the transaction."""

    available_apps = FLUSHED

    def setUp(self) -> None:
        """Have a source, and a connection."""
        super().setUp()
        self.register(Member, lambda member: [event("named", member.name)])
        connection.ensure_connection()

    def test_messages(self) -> None:
        """A save in a transaction is two messages: one that begins it, and one that commits."""

        def save() -> None:
            Member.objects.create(name="Ada")

        expected = ["BEGIN;", "SELECT"]
        for work in (save, atomically(save)):
            with self.subTest(work):
                self.assertEqual(expected, sent_by(work))

        self.assertEqual(2, Member.objects.count())
        self.assertEqual(["named_Ada"], keys())

    def test_later_saves(self) -> None:
        """What follows in the transaction begins none."""

        def save() -> None:
            for name in ("Ada", "Grace"):
                Member.objects.create(name=name)

        def look() -> None:
            Member.objects.count()
            save()

        self.assertEqual(["BEGIN;", "INSERT", "SELECT"], sent_by(atomically(save)))
        self.assertEqual(
            ["BEGIN", "SELECT", "INSERT", "INSERT", "SELECT"], sent_by(atomically(look))
        )

    def test_changed(self) -> None:
        """A row that is there is changed, and not made again."""
        member = Member.objects.create(name="Ada")
        member.name = "Grace"

        self.assertEqual(["BEGIN;", "SELECT"], sent_by(atomically(member.save)))
        self.assertEqual(["Grace"], [each.name for each in Member.objects.all()])

    def test_rolled_back(self) -> None:
        """What was begun so is rolled back, in one piece, and the next transaction as well."""
        for _ in range(2):
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Member.objects.create(name="Ada")
                Member.objects.filter(name="Ada").update(name="Grace")
                raise ZeroDivisionError

        self.assertEqual(0, Member.objects.count())
        self.assertEqual([], keys())

    def test_refused(self) -> None:
        """A statement that the database refuses leaves nothing, and the connection is well."""
        self.register(Gift, lambda gift: [event("given", gift.pk)])
        gift = Gift.objects.create(member=Member.objects.create(name="Ada"))

        def again() -> None:
            Gift(pk=gift.pk, member=gift.member).save(force_insert=True)

        for work in (again, atomically(again)):
            with self.subTest(work), self.assertRaises(IntegrityError):
                work()
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Member.objects.bulk_create([Member(name="Edsger")])
                raise ZeroDivisionError

        self.assertEqual(1, Member.objects.count())

    def test_not_sent(self) -> None:
        """After a statement that the driver refuses to send, the next one begins by itself."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            with self.assertRaises(DataError), Beginning(connection):
                Member.objects.filter(name="\0").exists()
            connection.set_rollback(False)
            Member.objects.bulk_create([Member(name="Ada")])
            raise ZeroDivisionError

        self.assertEqual(0, Member.objects.count())

    def test_isolation(self) -> None:
        """Where the project says how transactions are isolated, they are."""
        from psycopg import IsolationLevel

        other = connection.copy()
        other.settings_dict = {
            **connection.settings_dict,
            "OPTIONS": {
                **connection.settings_dict["OPTIONS"],
                "isolation_level": IsolationLevel.SERIALIZABLE,
            },
        }
        self.addCleanup(connections.__setitem__, "default", connections["default"])
        connections["default"] = other
        with closing(other), transaction.atomic():
            Member.objects.create(name="Ada")
            with other.cursor() as cursor:
                cursor.execute("SHOW transaction_isolation")
                self.assertEqual(("serializable",), cursor.fetchone())

    def test_by_hand(self) -> None:
        """Where transactions are ended by hand, they are begun by the driver."""
        transaction.set_autocommit(False)
        try:
            Member.objects.create(name="Ada")
            transaction.rollback()
            Member.objects.create(name="Grace")
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)

        self.assertEqual(0, Member.objects.count())

    def test_iterators(self) -> None:
        """Rows are read in pieces within such a transaction, as in any other."""
        with transaction.atomic():
            for name in ("Ada", "Grace"):
                Member.objects.create(name=name)
            names = [each.name for each in Member.objects.order_by("pk").iterator(chunk_size=1)]

        self.assertEqual(["Ada", "Grace"], names)

    def test_locking_iterators(self) -> None:
        """They are read so with locks as well, by a cursor that ends with the transaction."""
        with transaction.atomic():
            Member.objects.create(name="Ada")
            found = Member.objects.select_for_update().iterator(chunk_size=1)
            names = [each.name for each in found]

        self.assertEqual(["Ada"], names)

    def test_commit_written_by_hand(self) -> None:
        """What follows on it in the block is a transaction as well, and is rolled back."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Member.objects.create(name="Ada")
            with connection.cursor() as cursor:
                cursor.execute("COMMIT")
            Member.objects.update(name="Grace")
            raise ZeroDivisionError

        self.assertEqual(["Ada"], [each.name for each in Member.objects.all()])

    def test_pipeline(self) -> None:
        """In a pipeline, which takes one statement at a time, they are sent one by one."""
        driver: Any = connection.connection
        with driver.pipeline(), transaction.atomic():
            Member.objects.create(name="Ada")

        self.assertEqual(1, Member.objects.count())
        self.assertEqual(["named_Ada"], keys())
