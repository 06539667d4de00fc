"""The store's tables: made by Django's migrations or by the store, and used by both."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from tests.django_project.checks.recording import FLUSHED, keys, unplanned
from tests.django_project.club.models import Member
from tests.django_project.handling import source
from twisted_dispatcher import open_store
from twisted_dispatcher.django import daemon, outbox, resident, running
from twisted_dispatcher.django.databases import store_url
from twisted_dispatcher.django.models import (
    ChainHistory,
    ChainPair,
    ChainSignal,
    Delivery,
    Event,
    Instance,
    Session,
    Worker,
)
from twisted_dispatcher.django.tables import StoreTables
from twisted_dispatcher.django.unmigrated import NotMigrated
from twisted_dispatcher.errors import RowsNotLoadable, SchemaTooOld
from twisted_dispatcher.sources import event
from twisted_dispatcher.stores.migrations import migrations_in

LABEL = "twisted_dispatcher"
# The tables of models that are Django's alone.
NOT_STORED = re.compile("_generator|_condition")


def newest_on(kind: str) -> int:
    """Give the newest version of a store's tables."""
    return migrations_in(f"twisted_dispatcher.stores.{kind}")[-1].version


def version() -> int:
    """Give the version of the tables that are there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM twisted_dispatcher_meta WHERE name = 'schema'")
        return int(cursor.fetchone()[0])


def tables() -> list[str]:
    """Give the names of the store's tables that are there."""
    names = connection.introspection.table_names()
    return sorted(name for name in names if name.startswith("twisted_dispatcher_"))


def schema() -> Any:
    """Give all that the database knows of the store's tables, and of what belongs to them."""
    if connection.vendor == "sqlite":
        sql = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name LIKE 'twisted_disp%'"
    else:
        sql = """
            SELECT 'column', table_name || '.' || column_name, data_type || is_nullable
            FROM information_schema.columns WHERE table_name LIKE 'twisted_disp%'
            UNION SELECT 'index', indexname, indexdef
            FROM pg_indexes WHERE tablename LIKE 'twisted_disp%'
            UNION SELECT 'function', proname, prosrc FROM pg_proc WHERE proname LIKE 'twisted_d%'
            UNION SELECT 'sequence', relname, '' FROM pg_class
            WHERE relkind = 'S' AND relname LIKE 'twisted_d%'"""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(row for row in cursor.fetchall() if not NOT_STORED.search(row[1]))


def migrate(*target: str) -> None:
    """Have Django migrate the application."""
    call_command("migrate", LABEL, *target, verbosity=0, interactive=False)


def forget_migrations() -> None:
    """Have Django believe that it never migrated the application."""
    call_command("migrate", LABEL, "zero", fake=True, verbosity=0)


class MigrationsTests(SimpleTestCase):
    """The migrations, held against the store's files."""

    def test_every_file_is_run(self) -> None:
        """Each of the store's files is run by one of Django's migrations, on both databases."""
        loader = MigrationLoader(None)
        run: dict[str, list[int]] = {"sqlite": [], "postgresql": []}
        plan = loader.graph.forwards_plan(loader.graph.leaf_nodes(LABEL)[0])
        for node in plan:
            for operation in loader.get_migration(*node).operations:
                for each in getattr(operation, "database_operations", [operation]):
                    if isinstance(each, StoreTables):
                        for kind, number in each.versions.items():
                            run[kind].append(number)

        for kind, numbers in run.items():
            self.assertEqual([*range(1, newest_on(kind) + 1)], numbers, kind)


class TablesTests(TestCase):
    """What the migrations have made."""

    def test_version(self) -> None:
        """Django's migrations bring the tables to the store's newest version."""
        self.assertEqual(newest_on(connection.vendor), version())

    def test_no_changes(self) -> None:
        """The migrations say all that the models say."""
        for label in (LABEL, "dispatcher_mails"):
            call_command("makemigrations", label, check=True, stdout=StringIO())

    def test_models_can_be_read(self) -> None:
        """Every column of every model is there."""
        stored = list(apps.get_app_config(LABEL).get_models())

        self.assertIn("Event", [each.__name__ for each in stored])
        for model in stored:
            self.assertEqual([], list(model._default_manager.iterator()))

    def test_all_is_emptied(self) -> None:
        """Every table that holds what happens has a model, so that tests empty it."""
        modelled = {each._meta.db_table for each in apps.get_app_config(LABEL).get_models()}

        # The version of the tables, and how the connections of stores have ended.
        kept = {"twisted_dispatcher_meta", "twisted_dispatcher_commit"}
        self.assertEqual(kept & set(tables()), set(tables()) - modelled)

    def test_dumped(self) -> None:
        """What is stored can be dumped, on whichever database."""
        outbox.record([event("joined", 1)])
        dump = StringIO()

        call_command("dumpdata", LABEL, stdout=dump)

        dumped = [each["model"] for each in json.loads(dump.getvalue())]
        self.assertIn(f"{LABEL}.event", dumped)


class AdoptionTests(TransactionTestCase):
    """Tables that Django has made for the store, and the other way round."""

    available_apps = FLUSHED

    def setUp(self) -> None:
        """See that the tables are there afterwards as they are for everybody."""
        super().setUp()
        self.addCleanup(migrate)

    def test_sql(self) -> None:
        """What a migration would do can be shown as SQL."""
        shown = StringIO()
        call_command("sqlmigrate", LABEL, "0001", stdout=shown)

        self.assertIn("CREATE TABLE twisted_dispatcher_event", shown.getvalue())

    def test_loaded(self) -> None:
        """What was dumped can be loaded, and new events find their place behind it."""
        outbox.record([event("joined", number) for number in range(3)])
        with TemporaryDirectory() as directory:
            path = str(Path(directory) / "dump.json")
            call_command("dumpdata", LABEL, output=path, verbosity=0)
            migrate("zero")
            migrate()
            call_command("loaddata", path, verbosity=0)

        self.assertEqual(3, len(unplanned()))
        [known, new] = outbox.record([event("joined", 2), event("joined", 3)])
        self.assertEqual((False, True), (known.is_new, new.is_new))
        self.assertEqual([f"joined_{number}" for number in range(4)], keys())

    def test_not_loaded(self) -> None:
        """Where a model does not have all columns of its table, no fixture is loaded into it."""
        for model in (ChainHistory, ChainPair, ChainSignal, Instance, Delivery, Session, Worker):
            with self.assertRaises(RowsNotLoadable) as caught:
                Model.save_base(model(), raw=True)
            self.assertIn(model._meta.label, str(caught.exception))

    def test_store_takes_them(self) -> None:
        """The store uses the tables that Django has made, and changes nothing."""
        before = schema()

        open_store(store_url(), migrate=False).close()

        self.assertEqual(before, schema())

    def test_django_takes_them(self) -> None:
        """Django takes the tables that the store has made, with all that is in them."""
        by_django = schema()
        migrate("zero")
        self.assertEqual([], tables())
        open_store(store_url()).close()
        self.assertEqual(by_django, schema())
        outbox.record([event("joined", 1)])

        migrate()

        self.assertEqual(by_django, schema())
        self.assertEqual(["joined_1"], keys())

    def test_django_goes_on(self) -> None:
        """Django brings older tables of the store up to date, and the store those of Django."""
        by_django = schema()
        migrate("0003")
        forget_migrations()
        migrate()
        self.assertEqual(by_django, schema())

        migrate("zero")
        migrate("0003")
        self.assertEqual(3, version())
        self.assertRaises(SchemaTooOld, open_store, store_url(), migrate=False)
        open_store(store_url()).close()
        self.assertEqual(by_django, schema())
        migrate()
        self.assertEqual(by_django, schema())

    def test_back(self) -> None:
        """Back to a version that is not the first the tables stay; back to none they go."""
        outbox.record([event("joined", 1)])
        before = schema()
        migrate("0002")
        self.assertEqual(before, schema())
        self.assertEqual(["joined_1"], list(Event.objects.values_list("key", flat=True)))

        migrate("zero")
        self.assertEqual([], tables())
        self.assertEqual([], schema())

    def test_not_made(self) -> None:
        """Who records before the tables are made is told to migrate, and nothing is kept."""
        migrate("zero")
        for count in (1, 2):
            with self.subTest(count), self.assertRaisesMessage(NotMigrated, "manage.py migrate"):
                outbox.record([event("joined", number) for number in range(count)])

        migrate()
        self.assertEqual([], keys())

    def test_not_made_and_swept(self) -> None:
        """Who sweeps before the tables are made, or while they are older, is told the same."""
        Member.objects.bulk_create([Member(name="Ann")])
        for target in ("zero", "0001"):
            migrate(target)
            with (
                self.subTest(target),
                source(Member, lambda member: [event("joined", member.pk)]),
                self.assertRaisesMessage(CommandError, "club.Member: run manage.py migrate"),
            ):
                call_command("process_event_sources", verbosity=0)

    def test_not_made_and_dispatched(self) -> None:
        """Who dispatches before the tables are made, or while they are older, is told the same."""
        self.addCleanup(running.stop)
        # It logs that it tries again; and the daemon would have the log of all tests.
        for quiet in (patch.object(resident, "_log"), patch.object(daemon, "globalLogBeginner")):
            quiet.start()
            self.addCleanup(quiet.stop)
        for target, made in (("zero", []), ("0003", [3])):
            migrate(target)
            with self.subTest(target), self.assertRaisesMessage(CommandError, "manage.py migrate"):
                call_command("run_dispatcher", until_idle=True)
            self.assertEqual(made, [version()] if tables() else [])

            with self.subTest(target), self.assertRaisesMessage(NotMigrated, "manage.py migrate"):
                running.connection()
            running.stop()

        migrate()
        self.assertEqual(newest_on(connection.vendor), version())
