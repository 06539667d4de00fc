"""Declaring events: the helper, the forms that a source may give, and what is refused."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher import Event
from twisted_dispatcher.errors import DispatcherError, InvalidDeclaration
from twisted_dispatcher.sources import declared, event, handler_name

CHALLENGE = object()
NAMES = st.text(min_size=1, max_size=20)


class Color(Enum):
    """Tells things apart by its members."""

    RED = 1


class EventFunctionTests(SynchronousTestCase):
    """`event`."""

    def test_the_key_is_group_and_id(self) -> None:
        """It gives group, key and context; the key joins group and id by a line (S01)."""
        context = {"challenge": CHALLENGE}

        made = event("challenge_created", 7, context)

        self.assertEqual(
            made, {"group": "challenge_created", "key": "challenge_created_7", "context": context}
        )

    def test_without_a_context(self) -> None:
        """Without a context it has an empty one of its own."""
        self.assertEqual(event("a", "b")["context"], {})
        self.assertIsNot(event("a", "b")["context"], event("a", "b")["context"])

    def test_the_thing_itself(self) -> None:
        """A thing whose text is its address is refused, and so is a model of Django."""

        class Loan:
            pass

        class Model:
            _meta = pk = 1

            def __str__(self) -> str:
                return "Moby Dick"

        for thing in (object(), Loan(), Model()):
            error = self.assertRaises(InvalidDeclaration, event, "overdue", thing)

            self.assertEqual(error.name, "key")
            self.assertIn("loan.pk", str(error))

    def test_kinds_of_ids(self) -> None:
        """Whatever has a text of its own is an id, and so is a tuple of such."""
        day = date(2027, 1, 15)
        for given_id in (0, "", day, UUID(int=7), Decimal("1.50"), Color.RED, (7, day)):
            self.assertEqual(event("a", given_id)["key"], f"a_{given_id}")

    def test_group_and_context(self) -> None:
        """A group that is no text or empty, and a context that is no mapping, are refused."""
        for given_group, context, name in (
            (5, None, "group"),
            ("", None, "group"),
            (None, None, "group"),
            ("a", "x", "context"),
            ("a", ["x"], "context"),
        ):
            error: Any = self.assertRaises(InvalidDeclaration, event, given_group, 1, context)
            self.assertEqual(error.name, name)


class DeclaredTests(SynchronousTestCase):
    """`declared`: the event that a declaration stands for."""

    def assertRefused(self, declaration: Any, name: str | None, words: str) -> None:
        """Fail unless it is refused, with what is wrong, as each builtin a user would catch."""
        for kind in (InvalidDeclaration, DispatcherError, ValueError, KeyError, TypeError):
            error: Any = self.assertRaises(kind, declared, declaration)
            self.assertIn(words, str(error))
            self.assertEqual(error.name, name)

    def test_context_of_its_own(self) -> None:
        """What stands in the context is found by name, and in the context."""
        found = declared(event("challenge_created", 7, {"challenge": CHALLENGE}))

        self.assertIs(found["challenge"], CHALLENGE)
        self.assertIs(found["context"]["challenge"], CHALLENGE)
        self.assertEqual((found["group"], found["key"]), (found.type, "challenge_created_7"))

    def test_data_beside_group_and_key(self) -> None:
        """Data beside group and key is found by name, and in the context (S03, S04)."""
        found = declared({"group": "a", "key": "a_1", "challenge": CHALLENGE})

        self.assertIs(found["challenge"], CHALLENGE)
        self.assertIs(found["context"]["challenge"], CHALLENGE)
        self.assertNotIn("group", found.context)

    def test_no_id(self) -> None:
        """An event of something that has no id yet is refused, since all would share one key."""
        error = self.assertRaises(InvalidDeclaration, event, "challenge_created", None)

        self.assertEqual(error.name, "key")
        self.assertIn("challenge_created", str(error))
        self.assertEqual(event("challenge_created", 0)["key"], "challenge_created_0")

    def test_kinds_of_text(self) -> None:
        """Group and key are plain texts, also where they are given as members of an enum."""

        class Group(str, Enum):
            CREATED = "challenge_created"

        for declaration in (
            {"group": Group.CREATED, "key": Group.CREATED},
            Event(type=Group.CREATED, key=Group.CREATED),
        ):
            found = declared(declaration)

            self.assertEqual((found.type, found.key), ("challenge_created", "challenge_created"))
            self.assertEqual({type(found.type), type(found.key)}, {str})

    def test_both(self) -> None:
        """Data in the context and beside it come together."""
        found = declared({"group": "a", "key": "a_1", "context": {"x": 1, "z": 3}, "y": 2, "z": 3})

        self.assertEqual(found.context, {"x": 1, "y": 2, "z": 3})

    def test_the_context_is_a_copy(self) -> None:
        """Changing the given context afterwards changes no event."""
        context = {"x": 1}
        found = declared({"group": "a", "key": "a_1", "context": context})

        context["x"] = 2

        self.assertEqual(found["x"], 1)

    def test_source_and_time(self) -> None:
        """Source and time are the event's own."""
        time = datetime(2027, 1, 15, tzinfo=timezone.utc)

        found = declared({"group": "a", "key": "a_1", "source": "shop", "time": time})

        self.assertEqual((found.source, found.time, found.context), ("shop", time, {}))

    def test_an_event(self) -> None:
        """An `Event` with a key declares itself."""
        given_event = Event("a", key="a_1", context={"x": 1})

        self.assertIs(declared(given_event), given_event)

    def test_an_event_without_a_key(self) -> None:
        """An `Event` without a key is refused: a source's events are known by their keys."""
        self.assertRefused(Event("a"), "key", "no key")
        self.assertRefused(Event("", key="a_1"), "group", "an empty group")

    def test_what_is_missing(self) -> None:
        """A declaration without group or key is refused, and what is missing is named (S02)."""
        self.assertRefused({"key": "a_1", "context": {}}, "group", "'group'")
        self.assertRefused({"group": "a", "context": {}}, "key", "'key'")
        self.assertRefused({"group": None, "key": "a_1"}, "group", "no group")
        self.assertRefused({"group": "a", "key": ""}, "key", "an empty key")
        self.assertRefused({"group": "a", "key": 1}, "key", "int key")

    def test_what_is_no_mapping(self) -> None:
        """Something else than a mapping is refused, by its type alone."""
        self.assertRefused(("a", "secret"), None, "not as tuple")
        self.assertRefused(None, None, "not as NoneType")
        self.assertRefused({"group": "a", "key": "a_1", "context": [1]}, "context", "not list")

    def test_source_and_time_of_another_kind(self) -> None:
        """A source that is no text, or a time that is no datetime, is refused with the cure."""
        self.assertRefused({"group": "a", "key": "b", "source": 1}, "source", "into the context")
        self.assertRefused({"group": "a", "key": "b", "time": "10:30"}, "time", "not str")

    def test_what_could_not_be_found(self) -> None:
        """Data that its name would not find is refused."""
        self.assertRefused({"group": "a", "key": "a_1", "type": "b"}, "type", "event['type']")

    def test_two_of_one_name(self) -> None:
        """One name with two values is refused, since a handler would get one of them at random."""
        self.assertRefused({"group": "a", "key": "b", "context": {"x": 1}, "x": 2}, "x", "'x'")

    @PATIENT
    @given(NAMES, st.integers() | NAMES, st.dictionaries(NAMES, st.integers()))
    def test_what_event_gives_is_declared(
        self, group: str, instance_id: Any, context: dict[str, int]
    ) -> None:
        """Whatever `event` gives is a declaration, and nothing of it gets lost."""
        found = declared(event(group, instance_id, context))

        self.assertEqual(found, Event(group, f"{group}_{instance_id}", context=context))

    @PATIENT
    @given(st.recursive(st.none() | st.text() | st.integers(), st.lists))
    def test_nothing_else_raises_anything_else(self, value: Any) -> None:
        """Whatever stands for a part, it is either taken or refused as a declaration."""
        for part in ("group", "key", "context", "source", "time", "x"):
            declaration = {"group": "a", "key": "a_1", part: value}
            try:
                found = declared(declaration)
            except InvalidDeclaration as error:
                self.assertEqual(error.name, part)
            else:
                self.assertEqual(found["key"], declaration["key"])


def handle(event: Event) -> None:
    """Stand for a handler."""


class Mailer:
    """Has a method that is a handler."""

    def send(self, event: Event) -> None:
        """Stand for a handler."""


class HandlerNameTests(SynchronousTestCase):
    """`handler_name`."""

    def test_a_function(self) -> None:
        """A function of a module has its own name, whatever the pattern."""
        self.assertEqual(handler_name(handle, "^a"), f"{__name__}.handle")
        self.assertEqual(handler_name(handle, "b"), f"{__name__}.handle")

    def test_a_function_under_several_patterns(self) -> None:
        """A function whose name is taken has the pattern in its name."""
        name = handler_name(handle, "^a", {f"{__name__}.handle"})

        self.assertEqual(name, f"{__name__}.handle for '^a'")

    def test_what_there_may_be_several_of(self) -> None:
        """Methods, partials and inner functions have the pattern in their name always."""

        def inner(event: Event) -> None:
            """Stand for a handler."""

        for handler, own in (
            (Mailer().send, "Mailer.send"),
            (partial(handle), "handle"),
            (inner, f"{type(self).__name__}.{self._testMethodName}.<locals>.inner"),
        ):
            self.assertEqual(handler_name(handler, "^a"), f"{__name__}.{own} for '^a'")

    def test_a_name_that_is_given(self) -> None:
        """A name that is given is taken as it is, unless it is taken already."""
        self.assertEqual(handler_name(Mailer().send, "^a", name="mail"), "mail")
        self.assertEqual(handler_name(Mailer().send, "^a", {"mail"}, "mail"), "mail for '^a'")
