"""The `Event`: reading its facts, making details of them, and its CloudEvents form."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.errors import InvalidEvent
from twisted_dispatcher.events import Event, detail_name, matchable, parse_time
from twisted_dispatcher.registration.keywords import RESERVED, check_keyword

NOON = datetime(2024, 5, 6, 12, tzinfo=timezone.utc)


def cloudevent(**changes: Any) -> dict[str, Any]:
    """A good CloudEvent, changed; what is changed to `...` is left out."""
    event = {"specversion": "1.0", "id": "7", "source": "/desk", "type": "Closed", **changes}
    return {name: value for name, value in event.items() if value is not ...}


class EventTests(SynchronousTestCase):
    """What an event tells of itself."""

    def test_group_is_the_type(self) -> None:
        """An event's group is another name for its type."""
        event = Event("Closed")

        self.assertEqual(event.group, "Closed")
        self.assertEqual(event["group"], "Closed")

    def test_item_is_a_fact_of_its_own(self) -> None:
        """An item with the name of a fact is that fact, also where the context has the name."""
        event = Event("Closed", "k", "/desk", {"type": "other", "n": 1}, NOON)

        self.assertEqual(
            [event[name] for name in ("type", "key", "source", "time")],
            ["Closed", "k", "/desk", NOON],
        )

    def test_item_is_in_the_context(self) -> None:
        """An item with any other name is found in the context, which is an item as well."""
        event = Event("Closed", context={"n": 1})

        self.assertEqual(event["n"], 1)
        self.assertEqual(event["context"]["n"], 1)

    def test_unknown_item(self) -> None:
        """An item that nobody has is a KeyError, and not in the event."""
        event = Event("Closed", context={"n": 1})

        self.assertRaises(KeyError, lambda: event["m"])
        self.assertNotIn("m", event)
        self.assertIn("n", event)
        self.assertIn("time", event)

    def test_does_not_change(self) -> None:
        """An event cannot be changed after it was made."""
        event = Event("Closed")

        with self.assertRaises(AttributeError):
            event.type = "Opened"  # type: ignore[misc]

    def test_can_be_hashed(self) -> None:
        """Equal events have equal hashes, whatever their context holds."""
        one, other = (Event("Closed", context={"n": [1]}) for _ in range(2))

        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))


class DetailsTests(SynchronousTestCase):
    """Making details of an event."""

    def test_only_allowed(self) -> None:
        """Only the attributes whose identifiers are allowed become details."""
        event = Event("Closed", context={"concept:name": "Closed", "org:resource": "Ada"})

        self.assertEqual(event.details({"org_resource"}), {"org_resource": "Ada"})
        self.assertEqual(event.details(set()), {})

    def test_own_facts(self) -> None:
        """The event's own facts are details where they are allowed and known."""
        event = Event("Closed", source="/desk", time=NOON)

        self.assertEqual(
            event.details({"type", "group", "key", "source", "time"}),
            {"type": "Closed", "group": "Closed", "source": "/desk", "time": NOON},
        )

    def test_attribute_before_own_fact(self) -> None:
        """An attribute goes before the event's own fact of the same name."""
        event = Event("Closed", context={"type": "ticket"})

        self.assertEqual(event.details({"type"}), {"type": "ticket"})

    def test_same_identifier(self) -> None:
        """Of two attributes with one identifier, the one that is it wins, else the first."""
        exact = Event("x", context={"a:b": 1, "a_b": 2, "a.b": 3})
        inexact = Event("x", context={"a:b": 1, "a.b": 3})

        self.assertEqual(exact.details({"a_b"}), {"a_b": 2})
        self.assertEqual(inexact.details({"a_b"}), {"a_b": 1})

    def test_none_is_kept(self) -> None:
        """An attribute that is None is a detail that is None."""
        event = Event("x", context={"a": None})

        self.assertEqual(event.details({"a"}), {"a": None})

    def test_lists_can_be_matched(self) -> None:
        """A list becomes a tuple, so that it can be a detail; the context keeps the list."""
        event = Event("x", context={"tags": ["a", ["b"]]})

        self.assertEqual(event.details({"tags"}), {"tags": ("a", ("b",))})
        self.assertEqual(event["tags"], ["a", ["b"]])

    def test_objects_can_be_matched(self) -> None:
        """A mapping becomes a tuple of its sorted pairs, a set a frozenset."""
        self.assertEqual(
            matchable({"b": [1], "a": {"c": {2}}}),
            (("a", (("c", frozenset((2,))),)), ("b", (1,))),
        )

    @PATIENT
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_all_json_can_be_matched(self, value: Any) -> None:
        """Whatever JSON can say can be hashed when it was made matchable."""
        hash(matchable(value))

        self.assertEqual(hash(matchable(value)), hash(matchable(value)))


class DetailNameTests(SynchronousTestCase):
    """Making identifiers of names."""

    def test_examples(self) -> None:
        """Colons, blanks, digits in front, Python's and the dispatcher's own words are handled."""
        names = {
            "concept:name": "concept_name",
            "case:concept:name": "case_concept_name",
            "Service level (h)": "Service_level__h_",
            "2nd": "_2nd",
            "class": "class_",
            "phase": "phase_",
            "größe": "größe",
            "a²": "a2",
            "::name": "_name",
            "": "_",
        }

        self.assertEqual({name: detail_name(name) for name in names}, names)

    @PATIENT
    @given(st.text())
    def test_always_an_identifier(self, name: str) -> None:
        """Whatever the name, it becomes one that can be allowed, and that one stays as it is."""
        made = detail_name(name)

        self.assertEqual(check_keyword(made), made)
        self.assertEqual(detail_name(made), made)

    def test_parameters(self) -> None:
        """No parameter of the dispatcher's methods comes out as the name of a detail."""
        for name in RESERVED:
            self.assertEqual(detail_name(name), name + "_")


class ParseTimeTests(SynchronousTestCase):
    """Reading times as logs write them."""

    def test_forms(self) -> None:
        """The forms that logs use are read, on every Python alike."""
        summer = timezone(timedelta(hours=2))
        forms = {
            "2012-10-09T14:50:17+00:00": datetime(2012, 10, 9, 14, 50, 17, 0, timezone.utc),
            "2011-10-11 13:45:40.276000+02:00": datetime(2011, 10, 11, 13, 45, 40, 276000, summer),
            "2011-10-11T13:45:40.2760001+0200": datetime(2011, 10, 11, 13, 45, 40, 276000, summer),
            "2011-10-11T13:45:40,5 +02": datetime(2011, 10, 11, 13, 45, 40, 500000, summer),
            "2011-10-11t13:45z": datetime(2011, 10, 11, 13, 45, tzinfo=timezone.utc),
            " 2011-10-11 13:45:40 ": datetime(2011, 10, 11, 13, 45, 40, tzinfo=timezone.utc),
            "2011-10-11": datetime(2011, 10, 11, tzinfo=timezone.utc),
        }

        self.assertEqual({form: parse_time(form) for form in forms}, forms)

    def test_without_offset(self) -> None:
        """A time without an offset is taken as UTC."""
        self.assertEqual(parse_time("2011-10-11 13:45:40").utcoffset(), timedelta(0))

    def test_no_time(self) -> None:
        """What is no time is a ValueError."""
        for text in ("", "noon", "13:45", "2011-13-11T00:00:00", "2011-10-11T25:00:00Z"):
            self.assertRaises(ValueError, parse_time, text)


class FromCloudEventTests(SynchronousTestCase):
    """Reading CloudEvents."""

    def test_facts(self) -> None:
        """Type, source and time are the CloudEvent's; the key has its source and its id."""
        event = Event.from_cloudevent(cloudevent(time="2024-05-06T12:00:00Z"))

        self.assertEqual(event, Event("Closed", "/desk 7", "/desk", {}, NOON))

    def test_key_is_unambiguous(self) -> None:
        """No two pairs of source and id come to the same key."""
        one = Event.from_cloudevent(cloudevent(source="a b", id="c"))
        other = Event.from_cloudevent(cloudevent(source="a", id="b c"))

        self.assertNotEqual(one.key, other.key)

    def test_data_and_extensions(self) -> None:
        """The context has the members of the data, and the extensions where no member is."""
        event = Event.from_cloudevent(
            cloudevent(
                subject="Case 1", shared=1, datacontenttype="a/b", data={"n": 2, "shared": 3}
            )
        )

        self.assertEqual(event.context, {"subject": "Case 1", "n": 2, "shared": 3})

    def test_other_data(self) -> None:
        """Data that is no object stands in the context as data, bytes out of base64."""
        text = Event.from_cloudevent(cloudevent(data=[1, 2]))
        binary = Event.from_cloudevent(cloudevent(data_base64="AAE="))

        self.assertEqual(text.context, {"data": [1, 2]})
        self.assertEqual(binary.context, {"data": b"\0\1"})

    def test_refused(self) -> None:
        """What is no CloudEvent of version 1.0 is refused, with the name of what is wrong."""
        wrong: list[tuple[str, Any]] = [
            ("id", ...),
            ("id", ""),
            ("id", 7),
            ("source", ...),
            ("type", None),
            ("specversion", ...),
            ("specversion", "0.3"),
            ("time", "noon"),
            ("time", 5),
            ("data_base64", "?"),
            ("data_base64", 5),
        ]
        for name, value in wrong:
            error = self.assertRaises(
                InvalidEvent, Event.from_cloudevent, cloudevent(**{name: value})
            )
            self.assertIn(repr(name), str(error))


class ToCloudEventTests(SynchronousTestCase):
    """Writing CloudEvents."""

    def test_written(self) -> None:
        """An event is written with its key as the id and its context as the data."""
        event = Event("Closed", "k", "/desk", {"n": 1}, NOON)

        self.assertEqual(
            event.to_cloudevent(),
            {
                "specversion": "1.0",
                "id": "k",
                "source": "/desk",
                "type": "Closed",
                "time": "2024-05-06T12:00:00Z",
                "datacontenttype": "application/json",
                "data": {"n": 1},
            },
        )

    def test_there_and_back(self) -> None:
        """An event that came as a CloudEvent is the same after it was one again."""
        event = Event.from_cloudevent(cloudevent(data={"n": 1}, time="2024-05-06T12:00:00+02:00"))

        self.assertEqual(Event.from_cloudevent(event.to_cloudevent()), event)

    def test_source_given(self) -> None:
        """A source that is given stands in for one that the event has not."""
        written = Event("Closed", "k").to_cloudevent(source="/here")

        self.assertEqual(written["source"], "/here")
        self.assertNotIn("time", written)

    def test_nothing_to_be_known_by(self) -> None:
        """An event without a key or a source is no CloudEvent, and the error says what to give."""
        keyless = self.assertRaises(InvalidEvent, Event("Closed", source="/desk").to_cloudevent)
        sourceless = self.assertRaises(InvalidEvent, Event("Closed", "k").to_cloudevent)

        self.assertIn("key=", str(keyless))
        self.assertIn("source=", str(sourceless))

    def test_time_without_offset(self) -> None:
        """A time without an offset is refused, since nobody else could tell what it means."""
        event = Event("Closed", "k", "/desk", time=datetime(2024, 5, 6))

        self.assertIn("tzinfo", str(self.assertRaises(InvalidEvent, event.to_cloudevent)))
