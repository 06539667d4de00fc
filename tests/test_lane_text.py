"""The text of a lane: one for values that are equal, and another for those that are not."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.encoded import hashables
from tests.properties import PATIENT
from twisted_dispatcher import Event
from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.lanes import LONGEST_LANE
from twisted_dispatcher.errors import NotEncodable
from twisted_dispatcher.matching import MISSING

NOON = datetime(2024, 5, 6, 12, tzinfo=timezone.utc)


class Level(IntEnum):
    """An Enum of numbers."""

    LOW = 1


class Tint(str, Enum):
    """An Enum of strings."""

    DARK = "dark"


class Color(Enum):
    """An Enum of its own."""

    RED = 1


@attrs.frozen
class Room:
    """A place."""

    id: Any


# In each line, all are equal to one another and to nothing in the other lines.
EQUAL: tuple[tuple[Any, ...], ...] = (
    (MISSING,),
    (None,),
    (0, False, 0.0, -0.0, Decimal("-0.000")),
    (1, True, 1.0, Decimal(1), Decimal("1.00"), Decimal("10E-1"), Level.LOW),
    (0.5, Decimal("0.5"), Decimal("5.0E-1")),
    (0.1,),
    (Decimal("0.1"), Decimal("0.100"), Decimal("1E-1")),
    (2**70, float(2**70), Decimal(2**70)),
    (10**2000, Decimal("1E2000")),
    (Decimal("1E5000"), Decimal("10E4999"), Decimal("0.1E5001")),
    (Decimal("Infinity"),),
    ("1",),
    ("",),
    ("dark", Tint.DARK),
    (b"dark",),
    (Color.RED,),
    (Room(1), Room(True), Room(1.0)),
    (Room("1"),),
    (Event("Closed"), Event("Closed", context={})),
    ((),),
    ((1, "a"), (1.0, "a")),
    (("a", 1),),
    ([1, "a"],),
    (frozenset({1, "a"}), {True, "a"}, frozenset({"a", 1.0})),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": True}),
    ({"a": 1},),
    ([["a", 1]],),
    (
        NOON,
        NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30))),
        NOON.astimezone(ZoneInfo("Europe/Berlin")),
    ),
    (NOON.replace(tzinfo=None), NOON.replace(tzinfo=None, fold=1)),
    (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),),
    (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),),
    (NOON.date(),),
    (time(12, tzinfo=timezone.utc), time(13, tzinfo=timezone(timedelta(hours=1)))),
    (time(12),),
    (timedelta(days=1), timedelta(hours=24)),
    (date(2024, 5, 7),),
    ({"$": "missing"},),
    ({"$": "instant", "is": [1, 2, 3]},),
)


class LaneTextTests(SynchronousTestCase):
    """Which values share a lane."""

    def setUp(self) -> None:
        """Make a codec that knows the classes used here."""
        self.codec = Codec()
        for cls in (Level, Tint, Color, Room):
            self.codec.register_class(cls)

    def text(self, *values: Any) -> str:
        """Give the text of the lane for values."""
        return self.codec.lane_text(values)

    def test_equal_values(self) -> None:
        """Values that are equal share a lane, of whatever types they are."""
        for line in EQUAL:
            self.assertEqual({self.text(value) for value in line}, {self.text(line[0])}, line)

    def test_other_values(self) -> None:
        """Values that are not equal have lanes of their own."""
        texts = [self.text(line[0]) for line in EQUAL]

        self.assertEqual(len(set(texts)), len(texts))

    @PATIENT
    @given(hashables, hashables)
    def test_as_python_says(self, one: Any, other: Any) -> None:
        """Any two values share a lane exactly if they are equal."""
        self.assertEqual(self.text(one) == self.text(other), one == other)

    @PATIENT
    @given(st.lists(hashables, max_size=3))
    def test_read_back(self, values: list[Any]) -> None:
        """A value that was stored has the lane that it had before."""
        back = self.codec.decode(self.codec.encode(values))

        self.assertEqual(self.text(*back), self.text(*values))

    def test_several_values(self) -> None:
        """Values count in their order, and where one ends and the next begins."""
        series: list[tuple[Any, ...]] = [
            (),
            ("a",),
            ("a", "b"),
            ("b", "a"),
            ("a,b",),
            (("a", "b"),),
            (MISSING, "a"),
            ("a", MISSING),
            (None, "a"),
        ]

        for one, other in combinations(series, 2):
            self.assertNotEqual(self.text(*one), self.text(*other))

    def test_readable(self) -> None:
        """The text of a short plain value shows it."""
        self.assertEqual(self.text("ann", 5), '["ann",5]')

    def test_short(self) -> None:
        """The text is never longer than an index takes, and still tells long values apart."""
        texts = [self.text("ü" * 10_000 + end) for end in "ab"]

        self.assertNotEqual(*texts)
        for text in texts:
            self.assertLessEqual(len(text), LONGEST_LANE)
            self.assertTrue(text.isascii())

    def test_unknown_value(self) -> None:
        """A value that the codec does not know is refused."""
        error = self.assertRaises(NotEncodable, self.text, ("a", object()))

        self.assertIn("object", str(error))

    def test_no_number(self) -> None:
        """A number that JSON does not have, or Python does not read back, is refused."""
        for value in (float("nan"), float("inf"), 10**5000):
            error = self.assertRaises(NotEncodable, self.text, ("a", value))
            self.assertIn("values that order", str(error))
