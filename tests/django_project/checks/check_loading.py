"""Reading the row of an instance again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unittest import skipIf
from unittest.mock import patch

import django
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import lookups
from django.db.models.signals import post_init
from django.test import TestCase
from django.test.utils import CaptureQueriesContext, isolate_apps

from tests.django_project.club.models import Gift, Member, Patron, Veteran
from twisted_dispatcher.django.loading import load


class LoadingTests(TestCase):
    """What is read is what Django reads."""

    databases = ("default", "other")

    def assert_same(self, instance: models.Model, using: str = "default") -> None:
        """Raise unless a row is read as Django reads it, also when it is read again."""
        model: Any = type(instance)
        expected = model._base_manager.using(using).get(pk=instance.pk)
        for _ in range(2):
            found = load(model, instance.pk, using)
            self.assertIs(type(found), model)
            self.assertEqual(self.state_of(expected), self.state_of(found))
            self.assertEqual(expected.get_deferred_fields(), found.get_deferred_fields())
            self.assertEqual((False, using), (found._state.adding, found._state.db))

    @staticmethod
    def state_of(instance: models.Model) -> dict[str, Any]:
        """Give all that an instance has, but for Django's own."""
        return {name: value for name, value in vars(instance).items() if name != "_state"}

    def test_rows(self) -> None:
        """A row of one table, of two, under another name, and one whose values are converted."""
        member = Member.objects.create(name="Ada", active=False)
        self.assert_same(member)
        self.assert_same(Patron.objects.create(name="Bob", level=3))
        self.assert_same(Veteran.objects.get(pk=member.pk))
        self.assert_same(Gift.objects.create(member=member, amount=Decimal("1.50")))

    def test_other_rows(self) -> None:
        """Each key has its own row, and each database."""
        ada, bob = (Member.objects.create(name=name) for name in ("Ada", "Bob"))
        other = Member.objects.using("other").create(pk=ada.pk, name="Augusta")

        found = [load(Member, each.pk, each._state.db) for each in (ada, bob, other)]

        self.assertEqual(["Ada", "Bob", "Augusta"], [each.name for each in found])
        self.assert_same(other, "other")

    def test_gone(self) -> None:
        """A row that is not there is missed as Django misses it, the first time and later."""
        ada = Member.objects.create(name="Ada")
        for _ in range(2):
            with self.assertRaises(Member.DoesNotExist):
                load(Member, ada.pk + 1, "default")
        self.assertEqual("Ada", load(Member, ada.pk, "default").name)

    @isolate_apps("tests.django_project.club")
    def test_statement(self) -> None:
        """It asks with the words that Django asks with, where everybody hears it."""

        class Ordered(models.Model):
            member = models.ForeignKey(Member, models.DO_NOTHING, db_constraint=False)
            id = models.UUIDField(primary_key=True)

            class Meta:
                app_label = "club"
                db_table = Gift._meta.db_table
                ordering = ("member__name", "id")

        gift = Gift.objects.create(member=Member.objects.create(name="Ada"))
        load(Ordered, gift.pk, "default")
        with CaptureQueriesContext(connection) as queries:
            load(Ordered, gift.pk, "default")
            Ordered._base_manager.get(pk=gift.pk)

        ours, djangos = [each["sql"] for each in queries.captured_queries]
        self.assertEqual(djangos.removesuffix(" LIMIT 21"), ours)

    @isolate_apps("tests.django_project.club")
    def test_several(self) -> None:
        """In a table that Django does not manage, several rows with one key are refused."""

        class Named(models.Model):
            name = models.CharField(max_length=100, primary_key=True)

            class Meta:
                app_label = "club"
                db_table = Member._meta.db_table
                managed = False

        for _ in range(2):
            Member.objects.create(name="Ada")

        with self.assertRaises(Named.MultipleObjectsReturned):
            load(Named, "Ada", "default")

    def test_too_large(self) -> None:
        """A number that no row can have is that of none."""
        for _ in range(2):
            with self.assertRaises(Member.DoesNotExist):
                load(Member, 2**70, "default")
            Member.objects.create(name="Ada")
            load(Member, Member.objects.latest("pk").pk, "default")

    def test_fails(self) -> None:
        """What goes wrong while an instance is made is no row that is gone."""
        ada = Member.objects.create(name="Ada")
        for error in (OverflowError, EmptyResultSet):
            with patch.object(Member, "from_db", side_effect=error), self.assertRaises(error):
                load(Member, ada.pk, "default")

    @isolate_apps("tests.django_project.club")
    def test_own_lookup(self) -> None:
        """A key that is compared in a way of its own is compared so by Django."""

        class Caseless(models.CharField):
            pass

        @Caseless.register_lookup
        class Exact(lookups.Exact):
            def get_prep_lookup(self) -> Any:
                return super().get_prep_lookup().lower()

        class Named(models.Model):
            name = Caseless(max_length=100, primary_key=True)

            class Meta:
                app_label = "club"
                db_table = Member._meta.db_table

        Member.objects.create(name="ada")

        for name in ("ada", "Ada"):
            self.assertEqual("ada", load(Named, name, "default").name)

    def test_signals(self) -> None:
        """Who listens to Django's signals hears of the instance."""
        ada = Member.objects.create(name="Ada")
        heard: list[Any] = []

        def hear(instance: Any, **rest: Any) -> None:
            heard.append(instance)

        post_init.connect(hear, sender=Member)
        self.addCleanup(post_init.disconnect, hear, sender=Member)

        found = [load(Member, ada.pk, "default") for _ in range(2)]

        self.assertEqual([id(each) for each in found], [id(each) for each in heard])

    @isolate_apps("tests.django_project.club")
    def test_base_manager(self) -> None:
        """A base manager of one's own is asked."""

        class Named(models.Manager[Any]):
            def get_queryset(self) -> Any:
                return super().get_queryset().filter(active=True)

        class Active(models.Model):
            name = models.CharField(max_length=100)
            active = models.BooleanField(default=True)
            objects = Named()

            class Meta:
                app_label = "club"
                db_table = Member._meta.db_table
                base_manager_name = "objects"

        ada = Member.objects.create(name="Ada")
        bob = Member.objects.create(name="Bob", active=False)

        for _ in range(2):
            self.assertEqual("Ada", load(Active, ada.pk, "default").name)
            with self.assertRaises(Active.DoesNotExist):
                load(Active, bob.pk, "default")

    @isolate_apps("tests.django_project.club")
    def test_converted(self) -> None:
        """A field that reads its values in its own way does so."""

        class Shouted(models.CharField):
            def from_db_value(self, value: str, *rest: Any) -> str:
                return value.upper()

        class Loud(models.Model):
            name = Shouted(max_length=100)

            class Meta:
                app_label = "club"
                db_table = Member._meta.db_table

        ada = Member.objects.create(name="Ada")

        self.assertEqual("ADA", load(Loud, ada.pk, "default").name)
        self.assert_same(Loud._base_manager.get(pk=ada.pk))

    @skipIf(django.VERSION < (5, 2), "models have no composite primary keys before Django 5.2")
    @isolate_apps("tests.django_project.club")
    def test_composite_key(self) -> None:
        """A row whose key has several columns is read as well."""

        class Named(models.Model):
            pk = models.CompositePrimaryKey("id", "name")
            id = models.IntegerField()
            name = models.CharField(max_length=100)

            class Meta:
                app_label = "club"
                db_table = Member._meta.db_table

        ada = Member.objects.create(name="Ada")

        for _ in range(2):
            self.assertEqual("Ada", load(Named, (ada.pk, "Ada"), "default").name)
            with self.assertRaises(Named.DoesNotExist):
                load(Named, (ada.pk, "Bob"), "default")
