"""The system checks: what is said of which setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import product
from typing import Any
from unittest.mock import patch

import django
from django.conf import settings
from django.contrib.admin import site
from django.core.checks import run_checks
from django.db import connections
from django.test import SimpleTestCase, override_settings

from twisted_dispatcher.django import checks
from twisted_dispatcher.django.admin import DeliveryAdmin
from twisted_dispatcher.django.models import Delivery

NO_FUNCTION = 1


def setting(**values: Any) -> Any:
    """Have other values in the setting."""
    return override_settings(TWISTED_DISPATCHER=values)


@contextmanager
def database(engine: str, **values: Any) -> Iterator[None]:
    """Have a database called ``odd``."""
    odd = {
        **settings.DATABASES["other"],
        "ENGINE": f"django.db.backends.{engine}",
        "OPTIONS": {},
        **values,
    }
    with patch.dict(settings.DATABASES, odd=odd):
        try:
            yield
        finally:
            if hasattr(connections._connections, "odd"):
                del connections["odd"]


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Have some packages not installed."""

    def find(name: str) -> Any:
        return None if name in names else find_spec(name)

    with patch.object(checks, "find_spec", find):
        yield


class ChecksTests(SimpleTestCase):
    """Each of the checks."""

    def found(self, *ids: str) -> str:
        """See that nothing is said but messages of some ids; give their texts."""
        messages = checks.check_setting()
        self.assertEqual([f"twisted_dispatcher.{each}" for each in ids], [m.id for m in messages])
        return "\n".join(f"{each.msg} {each.hint}" for each in messages)

    def found_of(self, engine: str, *ids: str, run: str = "daemon", **values: Any) -> str:
        """See what is said of a database."""
        with database(engine, **values), setting(DATABASE="odd", RUN=run):
            return self.found(*ids)

    def test_django_runs_them(self) -> None:
        """They are among the checks of Django."""
        with setting(RUN="nowhere"):
            messages = run_checks(tags=[checks.TAG])

        self.assertIn("twisted_dispatcher.E001", [each.id for each in messages])

    def test_good(self) -> None:
        """A setting that is right is passed over."""
        good = {"transaction_mode": "IMMEDIATE"}

        self.found_of("sqlite3", NAME="/tmp/odd.db", OPTIONS=good)
        self.found_of("postgresql", run="here")

    def test_names_and_values(self) -> None:
        """Unknown names and bad values are told together, each with what would be right."""
        with database("postgresql"), setting(DATABASE="odd", RUNS="here", LEASE=-1, RUN="x"):
            text = self.found("E001", "E001", "E001")

        self.assertIn("RUNS", text)
        self.assertIn("LEASE is a number of seconds above 0, not -1", text)
        self.assertIn("'here', 'daemon', 'at-once'", text)

    def test_pages_come_after(self) -> None:
        """The addresses of the admin do not fail before a wrong setting is told."""
        with setting(RUN="nowhere"):
            self.assertTrue(DeliveryAdmin(Delivery, site).get_urls())

    @override_settings(TWISTED_DISPATCHER=["RUN"])
    def test_no_mapping(self) -> None:
        """A setting that is no mapping is refused."""
        messages: Sequence[Any] = checks.check_setting()

        self.assertEqual("twisted_dispatcher.E001", messages[0].id)

    def test_database_is_missing(self) -> None:
        """A database that the project does not have is named, with those that it has."""
        with setting(DATABASE="events"):
            text = self.found("E002")

        self.assertIn("'events' is no database", text)
        self.assertIn("'default', 'other'", text)

    def test_engine(self) -> None:
        """A database that cannot keep events is refused."""
        self.assertIn("PostgreSQL or SQLite", self.found_of("dummy", "E003"))

    def test_driver_of_another_database(self) -> None:
        """That a database's driver is missing is left to Django."""
        if find_spec("cx_Oracle") or find_spec("oracledb"):
            self.skipTest("a driver of Oracle is installed")

        self.found_of("oracle")

    def test_in_memory(self) -> None:
        """A database in memory is refused, unless events are handled at once."""
        self.assertIn("Give it a file", self.found_of("sqlite3", "E004", NAME=":memory:"))
        self.found_of("sqlite3", "E004", NAME=":memory:", run="here")
        self.found_of("sqlite3", NAME=":memory:", run="at-once")

    def test_in_memory_of_tests(self) -> None:
        """That of Django's tests is warned of, since a test may choose how events are handled."""
        name = "file:memorydb_odd?mode=memory&cache=shared"

        self.found_of("sqlite3", "W002", NAME=name)

    def test_transaction_mode(self) -> None:
        """SQLite whose transactions begin by reading is warned of, where Django can do better."""
        warned = ["W001"] if django.VERSION >= (5, 1) else []

        self.found_of("sqlite3", *warned, NAME="/tmp/odd.db")
        self.found_of("sqlite3", *warned, NAME="/tmp/odd.db", OPTIONS={"timeout": 9})

    def test_functions(self) -> None:
        """What a setting names is imported, and must be something that can be called."""
        wrong = {
            "tests.no_module.function": "ModuleNotFoundError",
            f"{__name__}.no_name": "ImportError",
            f"{__name__}.NO_FUNCTION": "it is of type int",
        }
        with database("postgresql"):
            for name, path in product(("SETUP", "MAILS_CONTEXT"), wrong):
                given = {name: path}
                with self.subTest(given), setting(DATABASE="odd", RUN="daemon", **given):
                    found = self.found("E005")
                    self.assertIn(f"{name} {path!r}", found)
                    self.assertIn(wrong[path], found)
            with setting(DATABASE="odd", RUN="daemon", SETUP=f"{__name__}.setting"):
                self.found()

    def test_crochet(self) -> None:
        """Who handles events in its own process needs crochet."""
        with without("crochet"):
            self.assertIn("pip install", self.found_of("postgresql", "E006", run="here"))
            self.found_of("postgresql", run="daemon")

    def test_psycopg(self) -> None:
        """Who handles events on PostgreSQL needs psycopg 3; the admin does too."""
        with without("psycopg_pool"):
            text = self.found_of("postgresql", "E007", run="here")
            self.assertIn("no psycopg_pool", text)
            self.found_of("postgresql", "W003", run="daemon")

    def test_deployment(self) -> None:
        """What is for tests is warned of before a deployment."""
        with setting(RUN="at-once"):
            (message,) = checks.check_deployment()
        self.assertEqual("twisted_dispatcher.W004", message.id)

        with setting(RUN="here"):
            self.assertEqual([], checks.check_deployment())
