"""The store's tables: made by Django's migrations or by the store, and used by both."""

from __future__ import annotations

from io import StringIO

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import TestCase, TransactionTestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.django.databases import store_url
from twisted_dispatcher.stores.migrations import migrations_in


class TablesTests(TestCase):
    """What the migrations have made."""

    def test_version(self) -> None:
        """Django's migrations bring the tables to the store's newest version."""
        newest = migrations_in(f"twisted_dispatcher.stores.{connection.vendor}")[-1].version

        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM twisted_dispatcher_meta WHERE name = 'schema'")
            self.assertEqual((str(newest),), cursor.fetchone())

    def test_no_changes(self) -> None:
        """The migrations say all that the models say."""
        call_command("makemigrations", "twisted_dispatcher", check=True, stdout=StringIO())

    def test_models_can_be_read(self) -> None:
        """Every column of every model is there."""
        stored = list(apps.get_app_config("twisted_dispatcher").get_models())

        self.assertIn("Event", [each.__name__ for each in stored])
        for model in stored:
            self.assertEqual([], list(model._default_manager.iterator()))


class AdoptionTests(TransactionTestCase):
    """What the store says of tables that Django has made."""

    def test_store_takes_them(self) -> None:
        """The store uses the tables that Django has made, and changes nothing."""
        store = open_store(store_url(), migrate=False)

        store.close()
