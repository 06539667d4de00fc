"""Streams of events: `only_new_events` and `process_events`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from django.db import DatabaseError, connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from twisted.internet.defer import Deferred

from tests.django_project.checks.recording import FLUSHED, keys
from tests.django_project.club.models import Member
from twisted_dispatcher.django import api, outbox
from twisted_dispatcher.errors import InvalidSource, KeyCollision, NotEncodable, SourceBroke

LOGGER = "twisted_dispatcher.django"


class NewEventsTests(TestCase):
    """What is new of a stream."""

    def test_new(self) -> None:
        """Only what was not recorded before is given, as it was declared."""
        api.process_events([api.event("a", 1)])
        declared = [api.event("a", 1), api.event("a", 2), {"group": "b", "key": "b", "c": 3}]

        found = list(api.only_new_events(declared))

        self.assertEqual(declared[1:], found)
        self.assertEqual(["a_1", "a_2", "b"], keys())
        self.assertEqual([], list(api.only_new_events(declared)))

    def test_lazy(self) -> None:
        """One event after the other is made, recorded, and handled by who consumes."""
        happened: list[Any] = []

        def source() -> Iterator[Any]:
            for number in (1, 2, 1, 3):
                happened.append(f"made {number}")
                yield api.event("a", number)

        for each in api.only_new_events(source()):
            happened += [each["key"], keys()]
            if len(keys()) == 2:
                break

        self.assertEqual(
            ["made 1", "a_1", ["a_1"], "made 2", "a_2", ["a_1", "a_2"]],
            happened,
        )

    def test_same_key_twice(self) -> None:
        """A key that comes twice in a stream is given once."""
        found = list(api.only_new_events(api.event("a", number) for number in (1, 1, 2)))

        self.assertEqual(["a_1", "a_2"], [each["key"] for each in found])

    def test_problems(self) -> None:
        """What cannot be recorded is logged and passed over."""
        events = api.only_new_events(
            [api.event("a", "1_2"), api.event("a_1", 2), {"key": "x"}, api.event("a", 3)]
        )
        with self.assertLogs(LOGGER, "ERROR") as logs:
            found = list(events)

        self.assertEqual(["a_1_2", "a_3"], [each["key"] for each in found])
        self.assertEqual(2, len(logs.records))
        report = events.report
        self.assertEqual(
            (2, 0, 1, 1), (report.recorded, report.known, report.collisions, report.refused)
        )
        self.assertRaises(KeyCollision, report.raise_for_problems)

    def test_breaks(self) -> None:
        """A stream that raises says so to who consumes, after what it gave before."""

        def source() -> Iterator[Any]:
            yield api.event("a", 1)
            raise ZeroDivisionError

        events = api.only_new_events(source())
        self.assertEqual("a_1", next(events)["key"])
        with self.assertLogs(LOGGER, "ERROR"), self.assertRaises(SourceBroke) as caught:
            next(events)

        self.assertIn("source", caught.exception.source)
        self.assertIsInstance(caught.exception.__cause__, ZeroDivisionError)
        self.assertEqual(["a_1"], keys())

    def test_no_stream(self) -> None:
        """What cannot be iterated over is refused at once."""
        self.assertRaises(InvalidSource, api.only_new_events, 7)
        self.assertRaises(InvalidSource, api.process_events, None)
        self.assertRaises(InvalidSource, api.process_events, Deferred())
        self.assertRaises(InvalidSource, api.process_events, api.event("a", 1))


class ProcessTests(TestCase):
    """Consuming a stream for its events to be recorded."""

    def test_report(self) -> None:
        """The report counts what was new, and what was known."""
        first = api.process_events(api.event("a", number) for number in range(3))
        second = api.process_events(api.event("a", number) for number in range(5))

        self.assertEqual((3, 0), (first.recorded, first.known))
        self.assertEqual((2, 3), (second.recorded, second.known))
        self.assertTrue(second.is_clean)

    def test_wrapped(self) -> None:
        """What `only_new_events` gives is processed by being consumed, and asked for once."""
        with self.assertNumQueries(1):
            report = api.process_events(api.only_new_events([api.event("a", 1)]))

        self.assertEqual((1, 0), (report.recorded, report.known))
        self.assertEqual(["a_1"], keys())

    def test_made_into_a_list(self) -> None:
        """What was recorded before, as a list, may be processed again."""
        report = api.process_events(list(api.only_new_events([api.event("a", 1)])))

        self.assertEqual((0, 1), (report.recorded, report.known))

    def test_window(self) -> None:
        """With a window, many events are recorded by few statements."""
        events = [api.event("a", number) for number in range(200)]
        with self.assertNumQueries(2):
            report = api.process_events(events, window=100)

        self.assertEqual(200, report.recorded)
        self.assertEqual([each["key"] for each in events], keys())

    def test_breaks(self) -> None:
        """A stream that raises is reported; what it gave before is recorded."""

        def source() -> Iterator[Any]:
            yield api.event("a", 1)
            yield api.event("a", 2, {"it": object()})
            raise ZeroDivisionError

        with self.assertLogs(LOGGER, "ERROR") as logs:
            report = api.process_events(source(), window=10)

        self.assertEqual(["a_1"], keys())
        self.assertEqual((1, 1, 1), (report.recorded, report.refused, report.broken))
        self.assertFalse(report.is_clean)
        errors = {type(each.error) for each in report.problems}
        self.assertEqual({SourceBroke, NotEncodable}, errors)
        self.assertTrue(all("source" in each.getMessage() for each in logs.records))

    def test_spoils_the_transaction(self) -> None:
        """What a stream breaks in the database, in a transaction that is open, is raised."""

        def source() -> Iterator[Any]:
            yield api.event("a", 1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")

        with self.assertRaises(DatabaseError), transaction.atomic():
            api.process_events(source())

        self.assertEqual([], keys())

    def test_model_sources(self) -> None:
        """The loop of django-spark's documents processes all instances of all models."""

        def source(member: Member) -> Iterator[Any]:
            yield api.event("joined", member.pk, {"member": member})

        members = [Member.objects.create(name=name) for name in ("Ada", "Grace")]
        with mock.patch.dict(api.MODEL_SOURCES, {Member: [source]}, clear=True):
            for _ in range(2):
                for model, sources in api.MODEL_SOURCES.items():
                    for instance in model.objects.all():  # type: ignore[attr-defined]
                        for each in sources:
                            api.process_events(api.only_new_events(each(instance) or ()))

        self.assertEqual([f"joined_{each.pk}" for each in members], keys())


class AutocommitTests(TransactionTestCase):
    """Streams where no transaction is open."""

    available_apps = FLUSHED

    def test_each_alone(self) -> None:
        """Each event is committed before the next one is made."""
        seen = []

        def source() -> Iterator[Any]:
            for number in range(3):
                seen.append((connection.in_atomic_block, keys()))
                yield api.event("a", number)

        api.process_events(source())

        self.assertEqual([(False, []), (False, ["a_0"]), (False, ["a_0", "a_1"])], seen)

    def test_not_stored(self) -> None:
        """That events cannot be stored is raised."""
        with mock.patch.object(outbox, "outbox_on", side_effect=DatabaseError):
            self.assertRaises(DatabaseError, api.process_events, [api.event("a", 1)])


class ImportTests(SimpleTestCase):
    """Importing the API."""

    def test_no_model(self) -> None:
        """It imports no model, needs no settings, and starts no reactor."""
        code = (
            "import sys; from twisted_dispatcher.django import api; from django.apps import apps;"
            "assert not apps.ready;"
            "assert 'twisted_dispatcher.django.models' not in sys.modules;"
            "assert 'twisted.internet.reactor' not in sys.modules;"
            "assert 'psycopg' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
