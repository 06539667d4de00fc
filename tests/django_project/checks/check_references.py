"""Models in the contexts of events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.template import engines
from django.test import RequestFactory, TestCase
from django.utils.functional import SimpleLazyObject

from tests.django_project.club.models import Gift, Member, Patron, Veteran
from twisted_dispatcher import Event
from twisted_dispatcher.django.references import Reference, Resolved, resolved
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.errors import NotEncodable, ObjectGone


class ReferencesTests(TestCase):
    """What is written of an instance, and what a handler gets for it."""

    databases = ("default", "other")

    def setUp(self) -> None:
        """Have a member."""
        self.ada = Member.objects.create(name="Ada")

    def sent(self, **context: Any) -> Event:
        """Give an event as a handler gets it that was recorded with a context."""
        found = resolved(default_codec.decode(default_codec.encode(Event("a", context=context))))
        assert isinstance(found, Event)
        return found

    def test_fresh(self) -> None:
        """A handler gets the row as it is when it asks, and the same instance again."""
        found = self.sent(member=self.ada, name="Ada")
        Member.objects.update(name="Augusta")

        member = found["member"]
        self.assertEqual(self.ada, member)
        self.assertEqual("Augusta", member.name)
        self.assertIs(member, found["context"]["member"])
        self.assertEqual("Ada", found["name"])

    def test_lazy(self) -> None:
        """What is not asked for is not read."""
        with self.assertNumQueries(0):
            found = self.sent(member=self.ada, number=7)
            self.assertEqual(7, found["number"])
            self.assertIn("member", found)
            self.assertEqual(["member", "number"], list(found.context))

    def test_gone(self) -> None:
        """A row that is not there any more is said to be gone: which model, and which key."""
        found = self.sent(member=self.ada)
        pk = self.ada.pk
        self.ada.delete()

        with self.assertRaises(ObjectGone) as caught:
            found["member"]
        error = caught.exception
        self.assertEqual(("club.Member", pk, "default"), (error.model, error.pk, error.database))
        self.assertIn(f"club.Member with the primary key {pk}", str(error))
        self.assertIsInstance(error, LookupError)

    def test_deep(self) -> None:
        """Instances are found in lists, tuples and dicts, at any depth."""
        found = self.sent(of=[{"it": (self.ada, 1)}], **{"by name": {"ada": self.ada}})

        self.assertEqual((self.ada, 1), found["of"][0]["it"])
        self.assertEqual(self.ada, found["by name"]["ada"])
        self.assertEqual({"ada": self.ada}, dict(found["by name"]))

    def test_sets_and_names(self) -> None:
        """Instances are found in sets, and as the names of dicts."""
        found = self.sent(some={self.ada}, frozen=frozenset([self.ada, 1]), of={self.ada: 1})

        self.assertEqual({self.ada}, found["some"])
        self.assertEqual(frozenset([self.ada, 1]), found["frozen"])
        self.assertEqual({self.ada: 1}, found["of"])

    def test_events(self) -> None:
        """Instances are found in events that stand in a context, at any depth."""
        inner = Event("b", context={"member": self.ada})
        found = self.sent(event=inner, events=[inner, {"it": inner}])

        self.assertEqual(self.ada, found["event"]["member"])
        self.assertEqual(self.ada, found["events"][0]["member"])
        self.assertEqual(self.ada, found["events"][1]["it"]["member"])

    def test_plain(self) -> None:
        """What has no instance in it is what it was, and may go wherever such a thing may go."""
        payload = {"a": {"b": [1, (2, 3)]}}
        found = self.sent(payload=payload)

        self.assertEqual((dict, dict), (type(found.context), type(found["payload"])))
        self.assertEqual(payload, found["payload"])
        self.assertEqual({"payload": payload}, found.context)

    def test_dict(self) -> None:
        """A context with an instance is a dict to everybody: templates, JSON, keywords."""
        row = {"member": self.ada, "n": 1}

        def sent() -> Any:
            return self.sent(**row).context

        def named(**names: Any) -> dict[str, Any]:
            return names

        self.assertIsInstance(sent(), dict)
        template: Any = engines["django"]
        self.assertEqual("Ada 1", template.from_string("{{ member.name }} {{ n }}").render(sent()))
        makers: dict[str, Callable[[], Any]] = {
            "keywords": lambda: named(**sent()),
            "display": lambda: {**sent()},
            "dict": lambda: dict(sent()),
            "copy": lambda: sent().copy(),
            "or": lambda: sent() | {},
            "ror": lambda: {} | sent(),
            "items": lambda: dict(sent().items()),
            "values": lambda: dict(zip(row, sent().values())),
            "get": lambda: {name: sent().get(name) for name in row},
            "pop": lambda: {name: sent().pop(name) for name in row},
            "setdefault": lambda: {name: sent().setdefault(name, 7) for name in row},
            "equal": lambda: row if sent() == row else None,
            "repr": lambda: row if "Reference" in repr(sent()) else None,
        }
        for what, made in makers.items():
            with self.subTest(what):
                self.assertEqual(row, made())
        self.assertEqual(7, sent().pop("no name", 7))
        with self.assertRaises(KeyError):
            sent().pop("no name")
        self.assertEqual(("n", 1), sent().popitem())
        text = json.dumps(sent(), default=str, sort_keys=True)
        self.assertEqual({"member": "Ada", "n": 1}, json.loads(text))

    def test_kinds(self) -> None:
        """An instance comes back as what it was: derived, a proxy, or with a key of its own."""
        patron = Patron.objects.create(name="Grace")
        veteran = Veteran.objects.get(pk=self.ada.pk)
        gift = Gift.objects.create(member=self.ada)
        found = self.sent(patron=patron, veteran=veteran, gift=gift)

        self.assertEqual((Patron, Veteran, Gift), tuple(map(type, found["context"].values())))
        self.assertEqual(gift.pk, found["gift"].pk)

    def test_database(self) -> None:
        """An instance comes back from the database that it is in."""
        elsewhere = Member(pk=self.ada.pk, name="Grace")
        elsewhere.save(using="other")
        found = self.sent(member=elsewhere)

        self.assertEqual("Grace", found["member"].name)

    def test_unsaved(self) -> None:
        """What is not saved is refused, also where its key is known already."""
        for instance in (Member(name="Grace"), Gift(member=self.ada), Member(pk=self.ada.pk)):
            with self.assertRaises(NotEncodable) as caught:
                self.sent(it=[instance])
            self.assertIn('event.context["it"][0] is of type club.', str(caught.exception))

    def test_user_of_a_request(self) -> None:
        """A lazy model, as the user of a request is, counts as the model."""
        request: Any = RequestFactory().get("/")
        request.user = SimpleLazyObject(lambda: Member.objects.get(pk=self.ada.pk))

        self.assertEqual(self.ada, self.sent(user=request.user)["user"])
        with self.assertRaises(NotEncodable):
            self.sent(user=SimpleLazyObject(lambda: object()))

    def test_handed_on(self) -> None:
        """A handler may hand its context on, or parts of it."""
        found = self.sent(member=self.ada, of=[{"it": self.ada}], other={"it": self.ada})

        for context in (found.context, dict(found.context), {"all": found.context}):
            again: Any = self.sent(**context).context
            again = again.get("all", again)
            self.assertEqual(self.ada, again["member"])
            self.assertEqual(self.ada, again["of"][0]["it"])
            self.assertEqual(self.ada, again["other"]["it"])

    def test_without_apps(self) -> None:
        """Who reads an event without asking for the row gets a reference."""
        text = default_codec.encode(Event("a", context={"member": self.ada}))

        with self.assertNumQueries(0):
            found = default_codec.decode(text)
        self.assertEqual(Reference("club.Member", self.ada.pk, "default"), found["member"])
        self.assertNotIsInstance(found.context, Resolved)
