"""Generators that are kept in the database, and their pages in the admin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import skipUnless
from unittest.mock import Mock, patch

from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import TestCase, TransactionTestCase
from django.urls import reverse

from tests.django_project.club.models import Member
from twisted_dispatcher.django import api
from twisted_dispatcher.django.generators import events_from_generators
from twisted_dispatcher.django.models import Condition, Event, Generator
from twisted_dispatcher.errors import UnknownGeneratorSource, UnknownOperator

ON_POSTGRESQL = connection.vendor == "postgresql"


def facts_of(member: Member) -> dict[str, Any]:
    """Give what conditions ask for."""
    return {"member": member, "letters": len(member.name)}


facts_of.context_description = "letters: of the name"  # type: ignore[attr-defined]

SOURCES = {
    "members": {
        "candidates": lambda: Member.objects.order_by("pk"),
        "context": facts_of,
        "verbose_name": "members of the club",
    },
    "nobody": {"candidates": list, "context": dict},
}


class GeneratorCase(TestCase):
    """A club with three members, and sources."""

    def setUp(self) -> None:
        """Register the sources."""
        registered = patch.dict(Generator.SOURCES, SOURCES, clear=True)
        registered.start()
        self.addCleanup(registered.stop)
        self.members = [Member.objects.create(name=name) for name in ("Al", "Bob", "Charles")]

    def generator(self, group: str, *conditions: tuple[str, str, int], **values: Any) -> Generator:
        """Store a generator with conditions."""
        made: Generator = Generator.objects.create(group=group, **{"source": "members", **values})
        for variable, operator, value in conditions:
            Condition.objects.create(
                generator=made, variable=variable, operator=operator, value=value
            )
        return made


class GeneratorTests(GeneratorCase):
    """What they make."""

    def names(self, *arguments: Any, **keywords: Any) -> list[str]:
        """Give the group and the name of the member of each event."""
        return [
            f"{each['group']} {each['context']['member'].name}"
            for each in events_from_generators(*arguments, **keywords)
        ]

    def test_operators(self) -> None:
        """Each of the operators compares as it says (S63)."""
        expected = {
            ">": ["Charles"],
            "<": ["Al"],
            ">=": ["Bob", "Charles"],
            "<=": ["Al", "Bob"],
            "=": ["Bob"],
            "!=": ["Al", "Charles"],
        }
        for operator, names in expected.items():
            with self.subTest(operator):
                made = self.generator("g", ("letters", operator, 3))
                self.assertEqual([f"g {name}" for name in names], self.names())
                made.delete()

    def test_all_conditions(self) -> None:
        """All conditions must be met; the key has the candidate's (S60)."""
        self.generator("club_short", ("letters", ">", 2), ("letters", "<", 5))

        (made,) = events_from_generators()

        self.assertEqual(f"club_short_{self.members[1].pk}", made["key"])

    def test_inactive(self) -> None:
        """One that is switched off is left out by default alone (S65)."""
        self.generator("a", ("letters", "=", 2))
        self.generator("b", ("letters", "=", 2), is_active=False)

        self.assertEqual(["a Al"], self.names())
        self.assertEqual(["a Al", "b Al"], self.names(Generator.objects.as_generators()))

    def test_bad_rows(self) -> None:
        """A row that names what there is not is reported, and the others go on (S69)."""
        self.generator("a", source="strangers")
        self.generator("b", ("letters", "~", 2))
        self.generator("c", ("letters", "=", 2))
        problems: list[Any] = []

        self.assertEqual(["c Al"], self.names(on_error=problems.append))

        self.assertEqual(["a", "b"], [each.group for each in problems])
        self.assertIsInstance(problems[0].error, UnknownGeneratorSource)
        self.assertIn("there are: members, nobody", str(problems[0].error))
        self.assertIsInstance(problems[1].error, UnknownOperator)

    def test_recorded_by_the_caller(self) -> None:
        """Nothing is recorded until somebody does so; then each event is, once (S67)."""
        self.generator("club", ("letters", ">", 2))

        self.assertEqual(2, len(list(events_from_generators())))
        self.assertEqual(0, Event.objects.count())
        for _ in range(2):
            api.process_events(events_from_generators())
        self.assertEqual(2, Event.objects.count())


class TransactionTests(GeneratorCase):
    """Generators within a transaction that somebody has opened."""

    def test_refused(self) -> None:
        """What the database refuses to a generator costs others, and the transaction, nothing."""

        def refused(*candidates: Any) -> Any:
            return Member.objects.extra(where=["no_column = 1"]).get()

        def breaking() -> Iterator[Any]:
            yield Member.objects.get(name="Al")
            refused()

        Generator.SOURCES["no context"] = {"candidates": Member.objects.all, "context": refused}
        Generator.SOURCES["no candidates"] = {"candidates": refused, "context": dict}
        Generator.SOURCES["one candidate"] = {"candidates": breaking, "context": facts_of}
        for source in ("no context", "no candidates", "one candidate", "members"):
            self.generator(source, source=source)
        problems: list[Any] = []

        with transaction.atomic():
            Member.objects.create(name="Dora")
            report = api.process_events(events_from_generators(on_error=problems.append))

        self.assertEqual(4, Member.objects.count())
        self.assertEqual(5, report.recorded)
        self.assertEqual(5, Event.objects.count())
        self.assertEqual(
            {"no context": 4, "no candidates": 1, "one candidate": 1},
            Counter(each.group for each in problems),
        )
        self.assertTrue(all(isinstance(each.error, DatabaseError) for each in problems))

    def test_refused_conditions(self) -> None:
        """What the database refuses to a condition is contained as well."""

        def refused(value: Any) -> bool:
            return bool(Member.objects.extra(where=["no_column = 1"]).exists())

        described: Any = {"candidates": Member.objects.all, "context": facts_of}
        asking = {"conditions": [{"variable": "letters", "test": refused}]}
        problems: list[Any] = []

        with transaction.atomic():
            report = api.process_events(
                events_from_generators(
                    [{"group": "a", **described, **asking}, {"group": "b", **described}],
                    problems.append,
                )
            )

        self.assertEqual((3, 3), (report.recorded, Event.objects.count()))
        self.assertEqual({"a": 3}, Counter(each.group for each in problems))

    def test_unhashable(self) -> None:
        """Candidates that cannot be told from others are a problem of their generator alone."""

        class Unhashable:
            __hash__ = None  # type: ignore[assignment]

            def __call__(self) -> Any:
                return Member.objects.all()

        described: Any = {"context": facts_of}
        problems: list[Any] = []
        found = list(
            events_from_generators(
                [
                    {"group": "a", "candidates": Unhashable(), **described},
                    {"group": "b", "candidates": Member.objects.all, **described},
                ],
                problems.append,
            )
        )

        self.assertEqual((3, ["a"]), (len(found), [each.group for each in problems]))

    def test_shared(self) -> None:
        """Generators of one source still ask for its candidates once."""
        asked = Mock(side_effect=Member.objects.all)
        Generator.SOURCES["asked"] = {"candidates": asked, "context": facts_of}
        for group in ("a", "b"):
            self.generator(group, source="asked")

        self.assertEqual(6, len(list(events_from_generators())))
        asked.assert_called_once_with()


@skipUnless(ON_POSTGRESQL, "SQLite has no cursors on the server, and spoils no transaction")
class ServerCursorTests(TransactionTestCase):
    """Candidates that are read on from a cursor of the server."""

    def test_spoilt(self) -> None:
        """What spoils the transaction, and cannot be undone, is raised."""
        Member.objects.bulk_create(Member(name=f"{number}") for number in range(6))
        rows = Member.objects.order_by("pk").extra(select={"x": "1 / (5 - name::int)"})
        generator: Any = {
            "group": "a",
            "candidates": lambda: rows.iterator(chunk_size=2),
            "context": lambda member: {"name": member.name},
        }

        with self.assertRaises(DatabaseError), transaction.atomic():
            api.process_events(events_from_generators([generator], lambda problem: None))

        self.assertEqual(0, Event.objects.count())


class GeneratorPagesTests(GeneratorCase):
    """The pages of the admin."""

    def setUp(self) -> None:
        """Log in."""
        super().setUp()
        self.client.force_login(User.objects.create_superuser("root"))

    def text(self, kind: str, *parts: Any) -> str:
        """Give what a page says."""
        answer = self.client.get(page(kind, *parts))
        self.assertEqual(200, answer.status_code)
        return str(answer.content.decode())

    def test_list(self) -> None:
        """The list has the conditions as one, and switches generators on and off (S101)."""
        made = self.generator("club", ("letters", ">", 5), ("days", "=", 1))

        self.assertIn("letters &gt; 5 &amp;&amp; days = 1", self.text("changelist"))

        form = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": made.pk}
        answer = self.client.post(page("changelist"), {**form, "_save": "Save"})
        self.assertEqual(302, answer.status_code)
        self.assertFalse(Generator.objects.get().is_active)

    def test_change(self) -> None:
        """A page has sources to choose from, the variables, and conditions (S71, S102)."""
        members = self.generator("club", ("letters", ">", 5))
        nobody = self.generator("empty", source="nobody")

        text = self.text("change", members.pk)
        self.assertIn('<option value="members" selected>Members of the club</option>', text)
        self.assertIn('<option value="nobody">Nobody</option>', text)
        self.assertIn("letters: of the name", text)
        self.assertIn('name="conditions-0-variable" value="letters"', text)
        self.assertIn("Description not available.", self.text("change", nobody.pk))

    def test_unknown_source(self) -> None:
        """A source that nobody has registered is shown, and refused when it is saved."""
        made = self.generator("club", source="strangers")

        self.assertIn("strangers (not registered)", self.text("change", made.pk))
        answer = self.client.post(
            page("change", made.pk),
            {
                **{"group": "club", "source": "strangers"},
                **{"conditions-TOTAL_FORMS": 0, "conditions-INITIAL_FORMS": 0},
            },
        )
        self.assertIn("No source is registered as", answer.content.decode())

    def test_add(self) -> None:
        """When one is added, there is neither a description nor a condition yet (S103)."""
        text = self.text("add")

        self.assertNotIn("Description", text)
        self.assertNotIn("conditions-0", text)
        self.client.post(page("add"), {"group": "club", "source": "members", "is_active": "on"})
        self.assertEqual("club from members", str(Generator.objects.get()))


def page(kind: str, *parts: Any) -> str:
    """Give the address of a page."""
    return str(reverse(f"admin:twisted_dispatcher_generator_{kind}", args=parts))
