"""Events that wait for their transaction to be about to commit."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import mock, skipUnless

from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.test import TransactionTestCase
from psycopg import sql

from tests.django_project.checks.recording import FLUSHED, SourcesMixin, keys, unplanned
from tests.django_project.club.models import Gift, Member
from twisted_dispatcher.django import outbox, pending
from twisted_dispatcher.django.databases import takes_several
from twisted_dispatcher.sources import event

LOGGER = "twisted_dispatcher.django"
ON_POSTGRESQL = connection.vendor == "postgresql"


def named(member: Member) -> Any:
    """Say which name a member has."""
    return [event("named", member.name)]


class PendingTests(SourcesMixin, TransactionTestCase):
    """What a transaction records, and when."""

    available_apps = FLUSHED

    def setUp(self) -> None:
        """Have a source, and note what is recorded by which call."""
        super().setUp()
        self.register(Member, named)
        self.recorded: list[list[str]] = []

        def noted(connection: Any, drafts: Any, *rest: Any) -> Any:
            self.recorded.append([each.new.key for each in drafts])
            return outbox.record_on(connection, drafts, *rest)

        patch = mock.patch.object(pending, "record_on", noted)
        patch.start()
        self.addCleanup(patch.stop)

    def save(self, *names: str) -> None:
        """Save members."""
        for name in names:
            Member.objects.create(name=name)

    def test_together(self) -> None:
        """The events of all saves of a transaction are recorded at its end, in their order."""
        with transaction.atomic():
            self.save("Grace", "Ada")
            self.assertEqual([], self.recorded)

        self.assertEqual([["named_Grace", "named_Ada"]], self.recorded)
        self.assertEqual(["named_Grace", "named_Ada"], keys())
        self.assertEqual(keys(), unplanned())

    def test_known(self) -> None:
        """Keys that are known, also from the same transaction, are recorded once."""
        self.save("Ada")

        with transaction.atomic():
            self.save("Ada", "Grace", "Grace")

        self.assertEqual(["named_Ada", "named_Grace"], keys())

    def test_many(self) -> None:
        """Of many saves some are recorded before the end, so that few are in memory."""
        names = [f"{number:03}" for number in range(pending.MOST_PENDING + 1)]

        with transaction.atomic():
            self.save(*names)
            self.assertEqual(1, len(self.recorded))

        self.assertEqual([f"named_{name}" for name in names], keys())
        self.assertEqual([pending.MOST_PENDING, 1], [len(each) for each in self.recorded])

    def test_looked_at(self) -> None:
        """Who looks for events within the transaction finds them."""
        with transaction.atomic():
            self.save("Ada")
            self.assertEqual(["named_Ada"], keys())
            self.save("Grace")
            [known, new] = outbox.record([event("named", "Grace"), event("named", "Edsger")])

        self.assertEqual((False, True), (known.is_new, new.is_new))
        self.assertEqual([["named_Ada"], ["named_Grace"]], self.recorded)

    def test_rolled_back(self) -> None:
        """What was rolled back is recorded by no later transaction either."""
        for _ in range(2):
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                self.save("Ada")
                raise ZeroDivisionError
        self.save("Grace")

        self.assertEqual(["named_Grace"], keys())

    def test_connection_lost(self) -> None:
        """What was lost with its connection is recorded by no later transaction either."""
        with transaction.atomic():
            self.save("Ada")
            connection.close()
        self.save("Grace")

        self.assertEqual(["named_Grace"], keys())

    def test_savepoints(self) -> None:
        """A block within another takes its own events with it, and no others."""
        with transaction.atomic():
            self.save("before")
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                self.save("within")
                raise ZeroDivisionError
            with transaction.atomic():
                self.save("kept")
            self.save("after")

        self.assertEqual(["named_before", "named_kept", "named_after"], keys())

    def test_looked_at_within(self) -> None:
        """Events that a block has looked at are there also when the block is rolled back."""
        with transaction.atomic():
            self.save("before")
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                self.save("within")
                self.assertEqual(["named_before", "named_within"], keys())
                raise ZeroDivisionError

        self.assertEqual(["named_before"], keys())

    def test_savepoints_by_hand(self) -> None:
        """Savepoints that Django knows nothing of take their events with them as well."""
        with transaction.atomic(), connection.cursor() as cursor:
            self.save("before")
            cursor.execute("  savepoint mine")
            self.save("within")
            cursor.execute("rollback to savepoint mine")
            self.save("after")

        self.assertEqual(["named_before", "named_after"], keys())

    @skipUnless(ON_POSTGRESQL, "SQLite takes one statement at a time")
    def test_several_statements(self) -> None:
        """Savepoints are noticed behind other statements in the same text."""
        with transaction.atomic(), connection.cursor() as cursor:
            self.save("before")
            cursor.execute("SELECT 1; savepoint mine")
            self.save("within")
            cursor.execute("SELECT ';' ; rollback to savepoint mine")
            self.save("after")

        self.assertEqual(["named_before", "named_after"], keys())

    def test_ended_by_hand(self) -> None:
        """A transaction that is ended behind Django's back keeps, or loses, what it had to say."""
        for number, statement in enumerate(["COMMIT", "/* by */ -- hand\n end", "rollback"]):
            with (
                self.subTest(statement),
                self.assertRaises(ZeroDivisionError),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                self.save(str(number))
                cursor.execute(statement)
                raise ZeroDivisionError

        self.assertEqual(["named_0", "named_1"], keys())

    @skipUnless(ON_POSTGRESQL, "it is psycopg that has such blocks")
    def test_blocks_of_the_driver(self) -> None:
        """A block of psycopg's own takes its events with it, and no others."""
        with transaction.atomic():
            self.save("before")
            with self.assertRaises(ZeroDivisionError), connection.connection.transaction():
                self.save("within")
                with transaction.atomic():
                    self.save("deeper")
                raise ZeroDivisionError
            with connection.connection.transaction():
                self.save("kept")
            self.save("after")

        self.assertEqual({"named_before", "named_kept", "named_after"}, set(keys()))

    def test_not_storable(self) -> None:
        """Where the events cannot be stored, nothing is committed, and whoever commits is told."""
        for error in (DatabaseError, ZeroDivisionError, KeyboardInterrupt):
            broken = mock.patch.object(outbox, "outbox_on", side_effect=error)
            with self.subTest(error), broken, self.assertRaises(error), transaction.atomic():
                self.save("Ada")
            self.assertTrue(connection.get_autocommit())

        self.assertEqual(0, Member.objects.count())
        self.save("Grace")
        self.assertEqual(["named_Grace"], keys())

    def test_not_storable_yet(self) -> None:
        """Who is told in the middle, and goes on, has them recorded in the end."""
        with transaction.atomic():
            self.save("Ada")
            broken = mock.patch.object(outbox, "outbox_on", side_effect=DatabaseError)
            with broken, self.assertRaises(DatabaseError):
                keys()
            self.save("Grace")

        self.assertEqual(["named_Ada", "named_Grace"], keys())

    def test_refused_commit(self) -> None:
        """A commit that the database refuses is the same error as without events."""
        self.register(Gift, lambda gift: [event("given", gift.pk)])

        with self.assertRaises(IntegrityError):
            Gift.objects.create(member_id=12345)

        self.assertEqual([], keys())
        self.save("Ada")
        self.assertEqual(["named_Ada"], keys())

    def test_collision(self) -> None:
        """A key of another group is logged, and the rest recorded."""
        self.register(Member, lambda member: [{"group": "left", "key": f"named_{member.name}"}])

        with self.assertLogs(LOGGER) as logs:
            self.save("Ada")

        self.assertEqual(["named_Ada"], keys())
        self.assertIn("named_Ada", logs.output[0])

    def test_followers(self) -> None:
        """Who follows what is recorded can wait for the commit."""
        seen = []

        def follow(recorded: Any, using: str) -> None:
            transaction.on_commit(lambda: seen.append(connection.in_atomic_block))

        outbox.follow(follow)
        self.addCleanup(outbox.leave, follow)
        with transaction.atomic():
            self.save("Ada", "Grace")

        self.assertEqual([False], seen)

    def test_by_hand(self) -> None:
        """Where commits are made by hand, events are recorded at once."""
        transaction.set_autocommit(False)
        try:
            with transaction.atomic():
                self.save("Ada")
            transaction.commit()
            self.save("Grace")
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)

        self.assertEqual(["named_Ada"], keys())
        self.assertEqual([], self.recorded)

    def test_behind_our_back(self) -> None:
        """Who has Django commit past the connection's own method has them recorded thereafter."""
        real: Any = connections["default"]
        past = mock.patch.object(real, "commit", partial(type(real).commit, real))
        with transaction.atomic():
            self.save("Ada")
            past.start()
            self.addCleanup(past.stop)

        self.assertEqual(["named_Ada"], keys())

    def test_wrappers(self) -> None:
        """Wrappers of others around the statements are left as they were."""
        seen: list[str] = []

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        with transaction.atomic():
            with connection.execute_wrapper(note):
                self.save("Ada")
            self.save("Grace")
            seen_within = len(seen)

        self.assertEqual((1, []), (seen_within, connection.execute_wrappers))


@skipUnless(ON_POSTGRESQL, "one message that records and commits is sent to PostgreSQL only")
class OneMessageTests(SourcesMixin, TransactionTestCase):
    """By which message a transaction is committed."""

    available_apps = FLUSHED

    def test_commits_along(self) -> None:
        """The events are recorded by the message that commits."""
        self.register(Member, named)

        with self.assertNumQueries(1 + 1 + 1 + 1) as queries:
            Member.objects.create(name="Ada")

        self.assertTrue(queries[2]["sql"].endswith("; COMMIT"), queries[2])
        self.assertEqual(["named_Ada"], keys())

    def test_composed_savepoints(self) -> None:
        """A savepoint is one in each form in which the driver takes a statement."""
        self.register(Member, named)
        composed: Any = sql.SQL("{} {}").format(sql.SQL("SAVEPOINT"), sql.Identifier("mine"))
        undone: Any = sql.SQL("ROLLBACK TO {}").format(sql.Identifier("mine"))

        with transaction.atomic(), connection.cursor() as cursor:
            Member.objects.create(name="before")
            cursor.execute(composed)
            Member.objects.create(name="within")
            cursor.execute(undone)
            plain: Any = b"SAVEPOINT other"
            cursor.execute(plain)
            Member.objects.create(name="after")

        self.assertEqual(["named_before", "named_after"], keys())

    def test_bound_by_the_server(self) -> None:
        """Where the server is sent the values apart, it takes one statement at a time."""
        other = connection.copy()
        other.settings_dict = {
            **connection.settings_dict,
            "OPTIONS": {**connection.settings_dict["OPTIONS"], "server_side_binding": True},
        }
        self.addCleanup(other.close)

        with other.cursor() as bound, connection.cursor() as unbound:
            self.assertFalse(takes_several(other, bound))
            self.assertTrue(takes_several(connection, unbound))
