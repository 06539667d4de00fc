"""Sources that run when instances are saved."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import post_save, pre_save
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils.functional import SimpleLazyObject

from tests.django_project.checks.recording import FLUSHED, SourcesMixin, keys
from tests.django_project.club.models import Gift, Member, Patron, Veteran
from twisted_dispatcher.django import outbox
from twisted_dispatcher.django.presence import NotInstalled
from twisted_dispatcher.django.registry import MODEL_SOURCES, register_group_handler
from twisted_dispatcher.django.savings import register_model_event_source
from twisted_dispatcher.errors import InvalidSource, KeyCollision, NotEncodable, SourceBroke
from twisted_dispatcher.sources import event

LOGGER = "twisted_dispatcher.django"

# Django notes where a transaction begins and where it is committed.
TRANSACTION = 2


def joined(member: Member) -> Iterator[Any]:
    """Say that a member has joined."""
    yield event("joined", member.pk, {"member": member})


def named(member: Member) -> Any:
    """Say once which names a member has."""
    return [event("named", f"{member.pk}_{member.name}")]


def nothing(member: Member) -> None:
    """Have nothing to say of a member."""


class SourcesTests(SourcesMixin, TestCase):
    """Which sources run, and when."""

    def test_saved(self) -> None:
        """Every save runs the sources; only what is new is recorded."""
        self.register(Member, joined, named)

        ada = Member.objects.create(name="Ada")
        ada.save()
        ada.name = "Augusta"
        ada.save()

        one = ada.pk
        self.assertEqual([f"joined_{one}", f"named_{one}_Ada", f"named_{one}_Augusta"], keys())

    def test_twice(self) -> None:
        """A source that is registered twice runs twice, and its events are recorded once (S42)."""
        source = mock.Mock(side_effect=joined)
        self.register(Member, source, source)

        ada = Member.objects.create(name="Ada")

        self.assertEqual(2, source.call_count)
        self.assertEqual([source, source], MODEL_SOURCES[Member])
        self.assertEqual([f"joined_{ada.pk}"], keys())

    def test_not_installed(self) -> None:
        """What would be recorded nowhere is refused, with what is missing in the settings."""
        ours = ["twisted_dispatcher.django", "twisted_dispatcher.django.mails"]
        with self.modify_settings(INSTALLED_APPS={"remove": ours}):
            with self.assertRaisesMessage(NotInstalled, "to its INSTALLED_APPS"):
                self.register(Gift, joined)
            with self.assertRaisesMessage(NotInstalled, "manage.py migrate"):
                register_group_handler(handler=nothing, group="^joined")

        self.assertNotIn(Gift, MODEL_SOURCES)

    def test_no_events(self) -> None:
        """A source may have nothing to say: None, or nothing at all."""
        self.register(Member, nothing, lambda member: [], lambda member: iter(()))

        Member.objects.create(name="Ada")

        self.assertEqual([], keys())

    def test_not_saved_one_by_one(self) -> None:
        """What is written by queries runs no source."""
        self.register(Member, joined)

        Member.objects.bulk_create([Member(name="Ada")])
        Member.objects.update(name="Augusta")

        self.assertEqual([], keys())

    def test_exact_sender(self) -> None:
        """What derives from a model, with or without a table, does not run its sources (S45)."""
        self.register(Member, joined)

        Patron.objects.create(name="Ada")
        Veteran.objects.create(name="Grace")

        self.assertEqual([], keys())

    def test_derived(self) -> None:
        """Models that derive from others have sources of their own."""
        self.register(Patron, joined)
        self.register(Veteran, named)
        self.register(Member, named)

        patron = Patron.objects.create(name="Ada")
        veteran = Veteran.objects.create(name="Grace")

        self.assertEqual([f"joined_{patron.pk}", f"named_{veteran.pk}_Grace"], keys())

    def test_saved_by_parents(self) -> None:
        """An instance that is saved through a parent's own class runs the parent's sources."""
        self.register(Member, joined)
        patron = Patron.objects.create(name="Ada")

        patron.member_ptr.save()

        self.assertEqual([f"joined_{patron.pk}"], keys())

    def test_uuid(self) -> None:
        """A key that is no number is one."""
        self.register(Gift, lambda gift: [event("given", gift.pk, {"gift": gift})])
        ada = Member.objects.create(name="Ada")

        gift = Gift.objects.create(member=ada)

        self.assertEqual([f"given_{gift.pk}"], keys())

    def test_fixtures(self) -> None:
        """What is loaded from a fixture is raw, and runs nothing."""
        self.register(Member, joined)
        text = serializers.serialize("json", [Member(pk=7, name="Ada")])
        with TemporaryDirectory() as directory:
            path = Path(directory) / "members.json"
            path.write_text(text, encoding="utf-8")
            call_command("loaddata", str(path), stdout=StringIO())

        self.assertEqual("Ada", Member.objects.get(pk=7).name)
        self.assertEqual([], keys())

    def test_misuse(self) -> None:
        """What is no model, or no source, is refused."""

        async def asynchronous(member: Member) -> Any:
            """Nobody would wait for it."""

        async def streaming(member: Member) -> Any:
            yield event("joined", member.pk)

        wrong: list[Any] = [(str, joined), ("club.Member", joined), (Member, None)]
        wrong += [(Member, asynchronous), (Member, streaming)]
        for sender, source in wrong:
            with self.assertRaises(InvalidSource):
                register_model_event_source(sender=sender, source=source)
        self.assertEqual({}, MODEL_SOURCES)

    def test_model_by_its_name(self) -> None:
        """The name of a model is refused with how an application gets its class."""
        sender: Any = "club.Member"
        with self.assertRaises(InvalidSource) as caught:
            register_model_event_source(sender=sender, source=joined)

        self.assertIn("give the class, for example self.get_model('Loan')", str(caught.exception))


class BrokenSourcesTests(SourcesMixin, TestCase):
    """Sources that raise: `save()` is never broken."""

    def saved_with(self, *sources: Any) -> list[Any]:
        """Save a member; give what was logged, by the name of the error."""
        self.register(Member, *sources)
        with self.assertLogs(LOGGER, "ERROR") as logs:
            self.member = Member.objects.create(name="Ada")
        self.messages = [each.getMessage() for each in logs.records]
        return [each.exc_info[1] for each in logs.records if each.exc_info]

    def test_raises(self) -> None:
        """A source that raises is logged with its name; what it gave before is recorded."""

        def broken(member: Member) -> Iterator[Any]:
            yield event("seen", member.pk)
            raise ZeroDivisionError

        [error] = self.saved_with(broken, joined)

        self.assertIsInstance(error, SourceBroke)
        self.assertIsInstance(error.__cause__, ZeroDivisionError)
        self.assertIn("broken", self.messages[0])
        self.assertEqual([f"seen_{self.member.pk}", f"joined_{self.member.pk}"], keys())

    def test_breaks_the_transaction(self) -> None:
        """What a source has broken in the database is undone, and only that."""

        def broken(member: Member) -> Iterator[Any]:
            Member.objects.bulk_create([Member(name="Grace")])
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")
            yield event("never", member.pk)

        def asking(member: Member) -> Iterator[Any]:
            yield event("counted", f"{member.pk}_{Member.objects.count()}")

        [error] = self.saved_with(broken, asking)

        self.assertIsInstance(error.__cause__, DatabaseError)
        self.assertEqual([f"counted_{self.member.pk}_1"], keys())

    def test_rolls_back(self) -> None:
        """A source that has its transaction rolled back rolls back no more than its own part."""

        def broken(member: Member) -> Iterator[Any]:
            with transaction.atomic(), transaction.atomic(savepoint=False):
                Member.objects.bulk_create([Member(name="Grace")])
                raise ZeroDivisionError
            yield

        self.saved_with(broken, joined)

        self.assertEqual(["Ada"], list(Member.objects.values_list("name", flat=True)))
        self.assertEqual([f"joined_{self.member.pk}"], keys())

    def test_transactions_of_its_own(self) -> None:
        """A source may use blocks of its own, also around what it yields."""

        def careful(member: Member) -> Iterator[Any]:
            with transaction.atomic():
                yield event("counted", f"{member.pk}_{Member.objects.count()}", {"by": member})
                yield event("again", f"{member.pk}_{Member.objects.count()}", {"by": member})

        self.register(Member, careful)
        ada = Member.objects.create(name="Ada")

        self.assertEqual([f"counted_{ada.pk}_1", f"again_{ada.pk}_1"], keys())

    def test_not_encodable(self) -> None:
        """An event that cannot be written down is logged with its path; the rest is recorded."""

        def partly(member: Member) -> Iterator[Any]:
            yield event("bad", member.pk, {"of": [object()]})
            yield event("good", member.pk)
            yield {"group": "bad"}

        first, second = self.saved_with(partly, joined)

        self.assertIsInstance(first, NotEncodable)
        self.assertIn('event.context["of"][0]', str(first))
        self.assertIsInstance(second, ValueError)
        self.assertIn(f"bad_{self.member.pk}", self.messages[0])
        self.assertIn("partly", self.messages[0])
        self.assertIn("without a key", self.messages[1])
        self.assertEqual([f"good_{self.member.pk}", f"joined_{self.member.pk}"], keys())

    def test_lazy_value_fails(self) -> None:
        """A lazy value that the database refuses breaks its source, and nothing else."""

        def ask() -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")

        def lazy(member: Member) -> Iterator[Any]:
            yield event("seen", member.pk)
            yield event("never", member.pk, {"user": SimpleLazyObject(ask)})
            yield event("later", member.pk)

        [error] = self.saved_with(lazy, joined)

        self.assertIsInstance(error, SourceBroke)
        self.assertEqual([f"seen_{self.member.pk}", f"joined_{self.member.pk}"], keys())

    def test_collision(self) -> None:
        """A key of another group is logged with the source's name; the rest is recorded."""
        [error] = self.saved_with(
            joined, lambda member: [{"group": "left", "key": f"joined_{member.pk}"}]
        )

        self.assertIsInstance(error, KeyCollision)
        self.assertEqual([f"joined_{self.member.pk}"], keys())

    def test_single(self) -> None:
        """A source that gives one event, and no list, is told so once."""
        self.register(Member, lambda member: event("joined", member.pk))

        with self.assertLogs(LOGGER) as logs:
            Member.objects.create(name="Ada")

        [logged] = logs.output
        self.assertIn("put it into a list", logged)
        self.assertEqual([], keys())

    def test_no_iterable(self) -> None:
        """A source that gives nothing to iterate over is logged."""
        [error] = self.saved_with(lambda member: 7)

        self.assertIsInstance(error.__cause__, TypeError)


class TransactionsTests(SourcesMixin, TransactionTestCase):
    """A row and its events are one transaction."""

    available_apps = FLUSHED
    databases = ("default", "other")

    def test_autocommit(self) -> None:
        """In autocommit a row is saved with its events, in one transaction."""
        seen = []

        def look(**rest: Any) -> None:
            seen.append((connection.in_atomic_block, keys()))

        self.register(Member, joined)
        post_save.connect(look, sender=Member)
        self.addCleanup(post_save.disconnect, look, sender=Member)
        ada = Member.objects.create(name="Ada")

        self.assertEqual([(True, [f"joined_{ada.pk}"])], seen)
        self.assertFalse(connection.in_atomic_block)

    def test_lock(self) -> None:
        """In autocommit a save may write from its beginning on, also where it reads first."""
        seen = []

        def look(**rest: Any) -> None:
            seen.append(Member.objects.count())
            if connection.vendor == "sqlite":
                path = connection.settings_dict["NAME"]
                refused = self.assertRaisesRegex(sqlite3.OperationalError, "locked")
                with closing(sqlite3.connect(path, 0)) as other, refused:
                    other.execute("BEGIN IMMEDIATE")

        self.register(Member, joined)
        pre_save.connect(look, sender=Member)
        self.addCleanup(pre_save.disconnect, look, sender=Member)
        ada = Member.objects.create(name="Ada")

        self.assertEqual([0], seen)
        self.assertEqual([f"joined_{ada.pk}"], keys())

    def test_not_storable(self) -> None:
        """Where the events cannot be stored, the row is not there either."""
        self.register(Member, joined)
        with (
            mock.patch.object(outbox, "outbox_on", side_effect=DatabaseError),
            self.assertRaises(DatabaseError),
        ):
            Member.objects.create(name="Ada")

        self.assertEqual(0, Member.objects.count())

    def test_rolled_back(self) -> None:
        """A row that is rolled back takes its events with it."""
        self.register(Member, joined)
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Member.objects.create(name="Ada")
            raise ZeroDivisionError

        self.assertEqual([], keys())

    def test_other_models(self) -> None:
        """A model without sources is saved as it always was."""
        self.register(Member, joined)
        ada = Member.objects.create(name="Ada")

        with self.assertNumQueries(1):
            Gift(member=ada).save(force_insert=True)
        patron = Patron.objects.create(name="Grace")
        self.assertEqual([f"joined_{ada.pk}"], keys())
        self.assertNotEqual(ada.pk, patron.pk)

    def test_statements(self) -> None:
        """A transaction takes one statement more for the events of all its saves, if known."""
        self.register(Member, joined)
        ada = Member.objects.create(name="Ada")
        more = 1 if connection.vendor == "postgresql" else 2

        with self.assertNumQueries(TRANSACTION + 2 + more), transaction.atomic():
            ada.save()
            ada.save()

    def test_statements_of_sources(self) -> None:
        """A source that asks something is contained by a savepoint, whatever it asks."""

        def asking(member: Member) -> Iterator[Any]:
            yield event("counted", f"{Member.objects.count()}_{Member.objects.count()}")

        self.register(Member, asking)
        ada = Member.objects.create(name="Ada")
        more = 1 if connection.vendor == "postgresql" else 2

        with self.assertNumQueries(TRANSACTION + 1 + 2 + 2 + more), transaction.atomic():
            ada.save()

    def test_other_database(self) -> None:
        """An instance of another database has its events recorded after its commit."""
        self.register(Member, joined)
        ada = Member(name="Ada")
        ada.save(using="other")
        self.assertEqual([f"joined_{ada.pk}"], keys())

        with self.assertRaises(ZeroDivisionError), transaction.atomic(using="other"):
            Member(name="Grace").save(using="other")
            raise ZeroDivisionError
        self.assertEqual([f"joined_{ada.pk}"], keys())

    def test_other_database_refuses(self) -> None:
        """Where events cannot be stored after the commit elsewhere, that is logged."""
        self.register(Member, joined)
        with (
            mock.patch.object(outbox, "outbox_on", side_effect=DatabaseError),
            self.assertLogs("django", "ERROR"),
        ):
            Member(name="Ada").save(using="other")

        self.assertEqual(1, Member.objects.using("other").count())
        self.assertEqual([], keys())

    @override_settings(DATABASE_ROUTERS=["tests.django_project.checks.check_savings.ToOther"])
    def test_routers(self) -> None:
        """A router may send the instances elsewhere, and even ours; events stay where they are."""
        self.register(Member, joined)

        ada = Member.objects.create(name="Ada")

        self.assertEqual("other", ada._state.db)
        self.assertEqual([f"joined_{ada.pk}"], keys())


class ToOther:
    """A router that sends everything to the other database."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "other"

    db_for_read = db_for_write
