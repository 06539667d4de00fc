"""The codec: what it writes is read back equal, and what would not be is refused."""

from __future__ import annotations

import json
import json.encoder
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from io import BytesIO
from pathlib import Path
from struct import pack
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher
from tests.encoded import likeness, values
from tests.properties import PATIENT
from twisted_dispatcher import Event
from twisted_dispatcher.durable import writing
from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.forms import MAX_DEPTH
from twisted_dispatcher.errors import DispatcherError, NotDecodable, NotEncodable

NOON = datetime(2024, 5, 6, 12, tzinfo=timezone.utc)
BERLIN = ZoneInfo("Europe/Berlin")
# The least file of a zone: one type of time, without an offset.
ZONE_FILE = b"TZif" + bytes(16) + pack(">6i", 0, 0, 0, 0, 1, 4) + pack(">i2B", 0, 0, 0) + b"UTC\0"

WRITE_SETS = """
from twisted_dispatcher.durable.codec import Codec
print(Codec().encode([{"a", "b", "c", "d"}, {1, "a", None, ("b", 2)}, frozenset("xyz")]))
"""


class Text(str):
    """A string that is more than one."""

    __slots__ = ()


class Color(Enum):
    """An Enum that nobody registers."""

    RED = 1


class Level(IntEnum):
    """An Enum that is a number, and that nobody registers."""

    LOW = 1


@attrs.frozen
class Order:
    """A class that nobody registers."""

    id: int = 7


class LocalTime(tzinfo):
    """A zone of a library's own making."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Give an offset."""
        return timedelta(hours=1)

    def dst(self, when: datetime | None) -> timedelta:
        """Give the summer's share of the offset."""
        return timedelta()

    def tzname(self, when: datetime | None) -> str:
        """Give a name."""
        return "local"


Point = namedtuple("Point", "x y")


def nested(depth: int) -> list[Any]:
    """Give a list in a list, so many levels deep."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


class CodecTestCase(SynchronousTestCase):
    """Has a codec of its own."""

    def setUp(self) -> None:
        """Make a codec that knows no classes of users."""
        self.codec = Codec()

    def read_back(self, value: Any) -> Any:
        """Write a value, and read what was written."""
        return self.codec.decode(self.codec.encode(value))

    def assertKept(self, value: Any) -> None:
        """Fail unless a value is read back so that nothing tells it from what was written."""
        back = self.read_back(value)
        self.assertEqual(back, value)
        self.assertEqual(likeness(back), likeness(value))

    def assertRefused(self, value: Any, path: str, *words: str) -> NotEncodable:
        """Fail unless a value is refused for what stands at the path, with such a message."""
        error: NotEncodable = self.assertRaises(NotEncodable, self.codec.encode, value)
        self.assertEqual(error.path, path)
        for word in words:
            self.assertIn(word, str(error))
        return error


class RoundTripTests(CodecTestCase):
    """What is read back of what was written."""

    @PATIENT
    @given(values)
    def test_anything(self, value: Any) -> None:
        """Any value of the types that are known is read back the same."""
        self.assertKept(value)

    @PATIENT
    @given(values)
    def test_deterministic(self, value: Any) -> None:
        """The text of what was read back is the text that was read."""
        text = self.codec.encode(value)

        self.assertEqual(self.codec.encode(self.codec.decode(text)), text)

    @PATIENT
    @given(values)
    def test_in_its_place(self, value: Any) -> None:
        """A value is written alike wherever it stands, also where a shorter way is taken."""
        alone = self.codec.encode(value).removeprefix("[1,").removesuffix("]")

        self.assertEqual(f"[1,[{alone}]]", self.codec.encode([value]))
        event = Event("Closed", context={"it": value})
        text = self.codec.encode(event).removeprefix("[1,").removesuffix("]")
        self.assertIn(f'"context":{{"it":{alone}}}', text)
        self.assertEqual(f"[1,[{text}]]", self.codec.encode([event]))

    @PATIENT
    @given(values)
    def test_ascii_json(self, value: Any) -> None:
        """The text is JSON, begins with the version, and is ASCII without a control character."""
        text = self.codec.encode(value)

        self.assertEqual(json.loads(text)[0], 1)
        self.assertTrue(text.isascii() and text.isprintable())

    def test_types_that_are_equal(self) -> None:
        """Numbers that are equal to one another come back as the types they were."""
        for value in (True, 1, 1.0, Decimal(1), Decimal("1.00"), 0, False, -0.0, Decimal("-0")):
            self.assertKept([value])
            self.assertKept({value: value})
            self.assertKept({value})

    def test_event(self) -> None:
        """An event comes back with all its facts."""
        self.assertKept(Event("Closed", "k/1", "/desk", {"n": 1, "tags": ["a"]}, NOON))
        self.assertKept(Event("Closed"))

    def test_data_like_forms(self) -> None:
        """Data that look like what the codec writes come back as data."""
        for form in (
            {"$": "tuple", "is": [1, 2]},
            {"$": "Event", "type": "Closed"},
            {"$": "dict", "is": [["$", {"$": 1}]]},
            {"$": {"$": "date", "is": "2024-05-06"}},
            {"is": {"$": None}},
        ):
            self.assertKept(form)
            self.assertKept(Event("Closed", context=form))
            self.assertKept(json.loads(self.codec.encode(form)))

    def test_named_zone(self) -> None:
        """A datetime in a zone comes back in that zone, in an hour that is twice or never too."""
        for hour, day in ((2, date(2024, 10, 27)), (2, date(2024, 3, 31)), (12, NOON.date())):
            for fold in (0, 1):
                when = datetime.combine(day, time(hour, 30), BERLIN).replace(fold=fold)
                self.assertKept(when)
                self.assertEqual(self.read_back(when).utcoffset(), when.utcoffset())

    def test_naive_stays_naive(self) -> None:
        """A datetime without a zone is given none, and keeps which of two hours it means."""
        self.assertKept(datetime(2024, 5, 6, 12))
        self.assertKept(datetime(2024, 10, 27, 2, 30, fold=1))
        self.assertKept(time(2, 30, fold=1))

    def test_extremes(self) -> None:
        """The first and last of each type come back."""
        for value in (
            datetime.min,
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-23, minutes=-59))),
            timedelta.min,
            timedelta.max,
            Decimal("1E+999999"),
            Decimal("-Infinity"),
            10**4000,
            5e-324,
            UUID(int=0),
            bytes(range(256)),
            "\0\x7f\u2028\U0001f600\\ud800",
        ):
            self.assertKept(value)

    def test_deep(self) -> None:
        """As many levels as are allowed come back."""
        self.assertKept(nested(MAX_DEPTH))

    def test_order_of_a_dict(self) -> None:
        """A dict keeps its order, whatever its keys are."""
        self.assertEqual(list(self.read_back({"b": 1, "a": 2})), ["b", "a"])
        self.assertEqual(list(self.read_back({2: 1, "a": 2, (1,): 3})), [2, "a", (1,)])

    def test_value_is_left_alone(self) -> None:
        """Writing changes nothing in a value, and reading gives a new one."""
        value = {"a": [(1,), {2}], "b": {"$": 1}}
        before = likeness(value)

        back = self.read_back(value)

        self.assertEqual(likeness(value), before)
        self.assertIsNot(back["a"], value["a"])

    def test_text_of_a_set(self) -> None:
        """A set has one text, whatever the hashes of a process are."""
        texts = {
            subprocess.run(
                [sys.executable, "-c", WRITE_SETS],
                cwd=Path(twisted_dispatcher.__file__).parent.parent,
                env={"PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                timeout=60,
            ).stdout
            for seed in ("1", "2", "3")
        }

        self.assertEqual(len(texts), 1)


class RefusalTests(CodecTestCase):
    """What is not written, and what is said of it."""

    def test_error_is_a_misuse(self) -> None:
        """The error is one of the package, and both builtins that a caller may catch."""
        error = self.assertRefused(object(), "event", "register")

        self.assertIsInstance(error, DispatcherError)
        self.assertIsInstance(error, TypeError)
        self.assertIsInstance(error, ValueError)

    @PATIENT
    @given(st.lists(st.sampled_from(["key", "index", "item", "context", "number"]), max_size=5))
    def test_path(self, steps: list[str]) -> None:
        """The path in the error leads to the culprit, as an expression does."""
        culprit = value = object()
        for step in steps:
            value = {
                "key": {"a": 1, 'an "odd" one': value, "z": 2},
                "index": [0, value, 2],
                "item": (value, 1),
                "context": Event("Closed", context={"n": value}),
                "number": {1: 0, (2, "b"): value},
            }[step]

        error = self.assertRaises(NotEncodable, self.codec.encode, value)

        self.assertIs(eval(error.path, {"event": value}), culprit)

    def test_name_of_the_whole(self) -> None:
        """The path begins with what the value is called."""
        error = self.assertRaises(NotEncodable, self.codec.encode, {"a": object()}, "details")

        self.assertEqual(error.path, 'details["a"]')

    def test_no_number(self) -> None:
        """What is not a finite float is refused, and so is a Decimal that is no number."""
        for value in (float("nan"), float("inf"), float("-inf")):
            self.assertRefused(
                {"items": [0, {"price": value}]}, 'event["items"][1]["price"]', "None"
            )
        for decimal in (Decimal("NaN"), Decimal("sNaN")):
            self.assertRefused([decimal], "event[0]", "Decimal", "None")

    def test_endless_int(self) -> None:
        """An int of more digits than Python reads is refused."""
        self.assertRefused([1, 10**5000], "event[1]", "digits")

    def test_half_made_event(self) -> None:
        """An event that lacks attributes, from an older pickle say, is refused as such."""
        event = object.__new__(Event)
        object.__setattr__(event, "type", "Closed")
        for value, path in ((event, "event"), ([event], "event[0]")):
            self.assertRefused(value, path, "cannot be taken apart", "'key'")
        self.assertRefused(Event("Closed", context={"a": event}), 'event.context["a"]', "'key'")

    def test_surrogates_of_an_iterator(self) -> None:
        """What a function encodes otherwise each time is judged by what was written."""
        names = iter(["\U0001f600", "\ud83d", "plain"])
        self.codec.register_functions(
            type(names), lambda given: next(given), iter, "my.Iterator", verify=False
        )

        written = self.codec.encode(Event("Closed", context={"a": names}))
        self.assertEqual("\U0001f600", json.loads(written)[1]["context"]["a"]["is"])
        self.assertRaises(NotEncodable, self.codec.encode, {"a": names})

    def test_half_a_surrogate_pair(self) -> None:
        """Half of a pair of surrogates is refused: as a value, a key, beside the other half."""
        for text in ("\ud800", "a\udfff", "\ud83d\ude00", "\udc80\U0001f600"):
            self.assertRefused({"a": [text]}, 'event["a"][0]', "surrogates", "errors='replace'")
            self.assertRefused({"a": 1, text: 1}, "event<key 1>", "surrogates")
            self.assertRefused({text}, "event<member>", "surrogates")

    def test_culprit_in_a_key(self) -> None:
        """The path leads into a key as well."""
        self.assertRefused({"a": {1: 0, (1, float("nan")): 1}}, 'event["a"]<key 1>[1]', "nan")

    def test_subclass_of_a_native_type(self) -> None:
        """What JSON would turn into a plain string, number, list or dict is refused."""
        for value, plain in (
            (Text("a"), "str"),
            (Point(1, 2), "tuple"),
            (OrderedDict(a=1), "dict"),
            (defaultdict(int), "dict"),
            (Counter("a"), "dict"),
        ):
            self.assertRefused({"a": value}, 'event["a"]', f"plain {plain}", f"{plain}(...)")
        self.assertRefused({Text("a"): 1}, "event<key 0>", "plain str")

    def test_unknown_types(self) -> None:
        """What has no form is refused, with the type and what to do about it."""
        for value in (
            object(),
            object,
            print,
            1j,
            range(3),
            bytearray(b"a"),
            MappingProxyType({}),
        ):
            self.assertRefused([value], "event[0]", type(value).__qualname__, "register_functions")

    def test_event_with_a_strange_context(self) -> None:
        """A context that is a mapping of another kind than dict is refused."""
        event = Event("Closed", context=MappingProxyType({}))

        self.assertRefused(event, "event.context", "mappingproxy")

    def test_unregistered(self) -> None:
        """An object of a class that could be registered is refused with the word how."""
        for value in (Color.RED, Level.LOW, Order()):
            named = f"{__name__}.{type(value).__name__}"
            self.assertRefused({"a": value}, 'event["a"]', named, "register(cls, name)")

    def test_strange_zone(self) -> None:
        """A datetime in a zone that has no key is refused, and a time in any zone."""
        nameless = ZoneInfo.from_file(BytesIO(ZONE_FILE))
        for zone in (LocalTime(), nameless):
            self.assertRefused([NOON.astimezone(zone)], "event[0]", "astimezone(timezone.utc)")
        self.assertRefused([time(12, tzinfo=BERLIN)], "event[0]", "without its tzinfo")

    def test_circle(self) -> None:
        """A value that is a part of itself is refused, with the path to where it is so."""
        circle: dict[str, Any] = {"a": [1]}
        circle["a"].append((circle,))

        self.assertRefused(circle, 'event["a"][1][0]', "part of")
        self.assertRefused([0, circle], 'event[1]["a"][1][0]', "part of")

    def test_circle_of_events(self) -> None:
        """An event in its own context is refused."""
        context: dict[str, Any] = {}
        context["self"] = Event("Closed", context=context)

        self.assertRefused(context["self"], 'event.context["self"]', "part of")

    def test_too_deep(self) -> None:
        """One level more than is allowed is refused, and so are a hundred thousand."""
        for depth in (MAX_DEPTH + 1, 100_000):
            value = nested(depth)
            error = self.assertRaises(NotEncodable, self.codec.encode, value)
            self.assertIn(f"{MAX_DEPTH} levels", str(error))
            self.assertTrue(error.path.startswith("event[0][0]"))
            self.assertLess(len(error.path), 80)

    def test_says_nothing_of_the_value(self) -> None:
        """The message has neither the value of the culprit nor those around it."""
        value = {"password": Text("secret"), "b": "secret"}

        self.assertNotIn("secret", str(self.assertRefused(value, 'event["password"]')))

    def test_long_key(self) -> None:
        """A long key is shortened in the path."""
        error = self.assertRaises(NotEncodable, self.codec.encode, {"x" * 1000: {1: object()}})

        self.assertLess(len(error.path), 80)

    def test_one_effort_per_value(self) -> None:
        """A value is written once, however deep it is and whatever keys stand beside it."""
        encoded: list[Order] = []

        def encode(order: Order) -> int:
            encoded.append(order)
            return order.id

        self.codec.register_functions(Order, encode, Order, verify=False)
        value: Any = Order()
        for _ in range(12):
            value = {"a": value, 1: 0}

        self.codec.encode(value)

        self.assertEqual(len(encoded), 1)


class DecodingTests(CodecTestCase):
    """What cannot be read, and what reading never does."""

    def assertUnreadable(self, text: Any, *words: str) -> NotDecodable:
        """Fail unless a text is refused with such a message."""
        error: NotDecodable = self.assertRaises(NotDecodable, self.codec.decode, text)
        for word in words:
            self.assertIn(word, str(error))
        return error

    def test_error_is_the_event_s(self) -> None:
        """The error is one of the package and a ValueError."""
        error = self.assertUnreadable("")

        self.assertIsInstance(error, DispatcherError)
        self.assertIsInstance(error, ValueError)

    def test_no_text_of_ours(self) -> None:
        """What the codec has not written is refused."""
        for text in ("", "{}", "1", '{"a":1}', "[1]", "[]", "nonsense", '["1",2]'):
            self.assertUnreadable(text, "not text that the codec has written")

    def test_no_text(self) -> None:
        """A payload that is gone is refused."""
        self.assertUnreadable(None, "NoneType", "deleted")
        self.assertUnreadable(b"[1,2]", "bytes")

    def test_damaged(self) -> None:
        """A text that ends early, or goes on, is refused."""
        text = self.codec.encode({"a": [1, "b", (2,)]})

        for end in range(len(text)):
            self.assertUnreadable(text[:end])
        self.assertUnreadable(text + " ")
        self.assertUnreadable(text + text)

    def test_newer_version(self) -> None:
        """A text in a later version of the format is refused with the word to upgrade."""
        self.assertUnreadable('[2,{"$":"new"}]', "version 2", "upgrade")

    def test_newer_form(self) -> None:
        """A form that this release does not know is refused with the word to upgrade."""
        error = self.assertUnreadable('[1,{"$":"fraction","is":[1,2]}]', "'fraction'", "upgrade")

        self.assertEqual(error.name, "fraction")

    def test_unknown_class(self) -> None:
        """A class that nobody has registered is refused with its name and the cure."""
        error = self.assertUnreadable('[1,{"$":"shop.Order","id":7}]', "'shop.Order'", "register")

        self.assertEqual(error.name, "shop.Order")

    def test_imports_nothing(self) -> None:
        """A module that a text names is not imported."""
        sys.modules.pop("this", None)

        self.assertUnreadable('[1,{"$":"this.s"}]')
        self.assertUnreadable('[1,{"$":"this:s","is":[]}]')
        self.assertNotIn("this", sys.modules)

    def test_wrong_content(self) -> None:
        """A form with a content that it cannot have is refused with the name of the form."""
        forms: tuple[dict[str, Any], ...] = (
            {"$": "date", "is": "yesterday"},
            {"$": "datetime"},
            {"$": "datetime", "is": "2024-05-06T12:00:00", "zone": "../../etc/passwd"},
            {"$": "datetime", "is": "2024-05-06T12:00:00", "zone": "Europe/Nowhere"},
            {"$": "decimal", "is": "many"},
            {"$": "uuid", "is": 5},
            {"$": "bytes", "is": "%"},
            {"$": "timedelta", "is": [10**12]},
            {"$": "dict", "is": [[[], 1]]},
            {"$": "set", "is": [[]]},
            {"$": "Event"},
            {"$": "Event", "type": "a", "color": "red"},
        )
        for form in forms:
            error = self.assertUnreadable(f"[1,{json.dumps(form)}]", form["$"])
            self.assertEqual(error.name, form["$"])

    def test_name_that_is_none(self) -> None:
        """A form whose name is no text is refused."""
        names: list[Any] = [None, 1, [], {}, ["set"]]
        for name in names:
            self.assertUnreadable(f"[1,{json.dumps({'$': name, 'is': []})}]")

    def test_constants_outside_json(self) -> None:
        """What the json module reads beyond JSON is refused."""
        for constant in ("NaN", "Infinity", "-Infinity"):
            self.assertUnreadable(f"[1,[{constant}]]", constant)

    def test_too_deep(self) -> None:
        """A text that nests without end is refused."""
        self.assertUnreadable("[1," + "[" * 200_000)


class EncoderTests(SynchronousTestCase):
    """The encoder that is kept, against the one of the json module that is made anew."""

    PLAIN: tuple[Any, ...] = (
        *(None, True, 0, -1, 10**30, 1.5, 1e300, "", "a", '\u1234 \U0001f600 \x00 " \\', [], {}),
        [1, [2.0, {"a": None, "b": [False]}], "c"],
        {"number": 12345, "text": "b", "deep": {"c": [{"d": {}}]}},
    )

    def test_same(self) -> None:
        """Both write the same, whether or not the json module is compiled."""
        plain = json.JSONEncoder(separators=(",", ":")).encode
        kept = writing._kept_encoder()
        self.patch(json.encoder, "c_make_encoder", None)
        for encode in (kept, writing._kept_encoder()):
            for value in self.PLAIN:
                self.assertEqual(plain(value), encode(value))
            for wrong in (float("nan"), float("inf"), [float("-inf")]):
                self.assertRaises(ValueError, encode, wrong)

    def test_plain_dict(self) -> None:
        """A dict is written as it is only if everything in it is what JSON has."""
        for value in ({"a": 1, "b": None, "c": "d", "e": 1.5, "f": True}, {}):
            self.assertTrue(writing._is_plain(value))
        others: tuple[Any, ...] = (
            *({1: "a"}, {"$": "a"}, {"a": []}, {"a": Text("b")}, {Text("a"): 1}, {"a": b""}),
            *(OrderedDict(a=1), [], "a", None),
        )
        for value in others:
            self.assertFalse(writing._is_plain(value), value)
