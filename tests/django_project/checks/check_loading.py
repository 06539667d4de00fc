"""Reading the row of an instance again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unittest import skipIf

import django
from django.db import connection, models
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

    def test_statement(self) -> None:
        """It asks with the words that Django asks with, where everybody hears it."""
        ada = Member.objects.create(name="Ada")
        load(Member, ada.pk, "default")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            load(Member, ada.pk, "default")
            list(Member._base_manager.filter(pk=ada.pk))

        ours, djangos = [each["sql"] for each in queries.captured_queries]
        self.assertEqual(djangos, ours)

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
