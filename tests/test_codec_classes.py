"""Classes that are registered with a codec: by their fields, their members, or by functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from typing import Any

import attrs
from hypothesis import given

from tests.encoded import values
from tests.properties import PATIENT
from tests.test_codec import CodecTestCase
from twisted_dispatcher import Event
from twisted_dispatcher.durable.codec import Codec, default_codec, register, register_functions
from twisted_dispatcher.errors import (
    DispatcherError,
    NotDecodable,
    UnregistrableClass,
)


@attrs.define
class Line:
    """A part of an order, with a private field."""

    what: str
    _price: Decimal = Decimal("0.00")


@attrs.frozen(kw_only=True)
class Order:
    """An attrs class that holds others, and knows more than it is made of."""

    id: int
    lines: list[Line] = attrs.Factory(list)
    note: Any = None
    count: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "count", len(self.lines))


@dataclasses.dataclass
class Parcel:
    """A dataclass."""

    to: str
    content: Any = None
    sealed: bool = dataclasses.field(default=False, kw_only=True)


class Color(Enum):
    """An Enum with a second name for a member, and members whose values JSON has not."""

    RED = object()
    GREEN = (0, 1.5)
    VERT = GREEN


class Level(IntEnum):
    """An Enum of numbers."""

    LOW = 1


class Tint(str, Enum):
    """An Enum of strings."""

    DARK = "dark"


class Right(Flag):
    """Flags that can be combined."""

    READ = 1
    WRITE = 2


def one_more(number: int) -> int:
    """Give the next number."""
    return number + 1


@attrs.define
class Counted:
    """A class that changes what it is given."""

    number: int = attrs.field(converter=one_more)


@attrs.define
class Typed:
    """A class whose constructor changes the type of what it is given into one that is equal."""

    number: Any = attrs.field(default=0)

    def __attrs_post_init__(self) -> None:
        self.number = float(self.number)


@attrs.define
class Careless:
    """A class whose comparison passes over a field that the constructor changes."""

    id: int
    seen: Any = attrs.field(default=0, eq=False, converter=str, on_setattr=attrs.setters.NO_OP)


@attrs.define
class Positive:
    """A class that refuses to be made of what it may have become."""

    number: int = attrs.field(validator=attrs.validators.ge(0), on_setattr=attrs.setters.NO_OP)


@attrs.define(eq=False)
class Unequal:
    """A class whose objects equal nothing but themselves."""

    id: int


class Money:
    """A class that is no attrs class, and has equality."""

    def __init__(self, amount: Any, currency: str = "EUR") -> None:
        self.amount = amount
        self.currency = currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.amount)


class Coins(Money):
    """A kind of money, equal to any other kind."""


class Row:
    """What a reference stands for; not comparable."""

    def __init__(self, id: int) -> None:
        self.id = id


class UserRow(Row):
    """A kind of row."""


def made_class(**fields: Any) -> type:
    """Make an attrs class anew that is always called the same."""
    return attrs.make_class("Thing", fields)


class FieldTests(CodecTestCase):
    """Objects of attrs classes and dataclasses."""

    def setUp(self) -> None:
        """Register the classes."""
        super().setUp()
        for cls in (Order, Line, Parcel):
            self.codec.register_class(cls)

    def test_read_back(self) -> None:
        """An object comes back with its fields, private, by keyword or computed ones as well."""
        order = Order(id=7, lines=[Line("pen", Decimal("1.50")), Line("ink")], note=(1, {2}))

        self.assertKept(order)
        self.assertKept(Event("Ordered", context={"order": order, "by": {order.id: [order]}}))
        self.assertKept(Parcel("ann", [order], sealed=True))

    @PATIENT
    @given(values)
    def test_any_content(self, value: Any) -> None:
        """An object comes back with any value that is known in its field."""
        self.assertKept(Parcel("ann", value))

    def test_text(self) -> None:
        """An object is written by the name of its class and the names of its parameters."""
        codec = Codec()
        codec.register_class(Line, "shop.Line")

        text = codec.encode(Line("pen", Decimal(2)))

        self.assertEqual(
            text, '[1,{"$":"shop.Line","what":"pen","price":{"$":"decimal","is":"2"}}]'
        )

    def test_as_decorator(self) -> None:
        """Registering gives the class, so that it can decorate it."""
        self.assertIs(self.codec.register_class(Counted), Counted)

    def test_culprit_inside(self) -> None:
        """The path leads through the fields of an object."""
        order = Order(id=7, lines=[Line("pen"), Line("ink", float("nan"))])  # type: ignore[arg-type]

        self.assertRefused({"items": [order]}, 'event["items"][0].lines[1].price', "nan")

    def test_field_that_was_added(self) -> None:
        """What was written before a class got another field is read with the field's default."""
        codecs = Codec(), Codec()
        classes = (
            made_class(a=attrs.field()),
            made_class(a=attrs.field(), b=attrs.field(default=5)),
        )
        for codec, cls in zip(codecs, classes):
            codec.register_class(cls, "Thing")

        back = codecs[1].decode(codecs[0].encode(classes[0](a=1)))

        self.assertEqual(back, classes[1](a=1, b=5))

    def test_field_that_was_removed(self) -> None:
        """What was written before a class lost a field cannot be read, and the error says so."""
        codecs = Codec(), Codec()
        classes = made_class(a=attrs.field(), b=attrs.field()), made_class(a=attrs.field())
        for codec, cls in zip(codecs, classes):
            codec.register_class(cls, "my.Thing")

        error = self.assertRaises(
            NotDecodable, codecs[1].decode, codecs[0].encode(classes[0](a=1, b=2))
        )

        self.assertEqual(error.name, "my.Thing")
        self.assertIn("'b'", str(error))
        self.assertIn("register it with functions", str(error))

    def test_renamed_class(self) -> None:
        """A class that is registered under two names is read under both; the last is written."""
        old, new = Codec(), Codec()
        old.register_class(Line, "shop.Position")
        new.register_class(Line, "shop.Position")
        new.register_class(Line, "shop.Line")

        self.assertEqual(new.decode(old.encode(Line("pen"))), Line("pen"))
        self.assertIn('"shop.Line"', new.encode(Line("pen")))

    def test_class_made_again(self) -> None:
        """A class that is defined anew takes the place of the one before."""
        first, second = made_class(a=attrs.field()), made_class(a=attrs.field())
        self.codec.register_class(first)
        self.codec.register_class(second)

        self.assertIs(type(self.codec.decode(self.codec.encode(second(1)))), second)
        self.assertRefused(first(1), "event", "not read back equal")


class ChangedObjectTests(CodecTestCase):
    """Objects that would not come back as they are."""

    def test_converted(self) -> None:
        """An object whose constructor changes its fields is refused."""
        self.codec.register_class(Counted)

        self.assertRefused([Counted(1)], "event[0]", "Counted", "constructor")

    def test_converted_to_an_equal_value(self) -> None:
        """An object whose field comes back equal, but of another type, is refused."""
        self.codec.register_class(Typed)
        value = Typed(1)
        self.assertKept(value)

        value.number = 1
        self.assertRefused({"a": value}, 'event["a"]', "Typed")

    def test_changed_in_what_is_not_compared(self) -> None:
        """An object that comes back changed in a field that is not compared is refused."""
        self.codec.register_class(Careless)
        value = Careless(1, 2)
        self.assertKept(value)

        value.seen = 2
        self.assertRefused([value], "event[0]", "Careless")

    def test_refused_by_its_own_constructor(self) -> None:
        """An object that its constructor would refuse is refused, with what was said."""
        self.codec.register_class(Positive)
        value = Positive(1)
        value.number = -1

        error = self.assertRefused([value], "event[0]", "cannot be read back", "must be >= 0")
        self.assertIsInstance(error.__cause__, NotDecodable)

    def test_field_that_is_missing(self) -> None:
        """An object that lacks a field of its class is refused."""
        self.codec.register_class(Line)
        line = Line("pen")
        del line.what

        self.assertRefused([line], "event[0]", "cannot be taken apart", "what")

    def test_subclass(self) -> None:
        """An object of a subclass is not taken for one of the class."""
        self.codec.register_class(Parcel)

        @dataclasses.dataclass
        class Box(Parcel):
            pass

        self.assertRefused(Box("ann"), "event", "Box", "not registered")


class EnumTests(CodecTestCase):
    """Members of Enums."""

    def setUp(self) -> None:
        """Register the Enums."""
        super().setUp()
        for cls in (Color, Level, Tint, Right):
            self.codec.register_class(cls)

    def test_read_back(self) -> None:
        """A member comes back as itself, by whatever name it was called."""
        for member in (*Color, Color.VERT, Level.LOW, Tint.DARK):
            self.assertIs(self.read_back(member), member)
            self.assertIs(self.read_back({"a": [member]})["a"][0], member)
            self.assertEqual(self.read_back({member: {member}}), {member: {member}})

    def test_flags(self) -> None:
        """Flags come back in any combination."""
        for flags in (Right.READ, Right.READ | Right.WRITE, Right(0)):
            self.assertIs(self.read_back(flags), flags)

    def test_unknown_member(self) -> None:
        """A member that the Enum does not have any more cannot be read."""
        text = self.codec.encode(Color.RED).replace("RED", "BLUE")

        error = self.assertRaises(NotDecodable, self.codec.decode, text)
        self.assertIn("BLUE", str(error))


class FunctionTests(CodecTestCase):
    """Classes whose objects are written and read by functions."""

    def register_money(
        self, encode: Callable[[Money], Any], decode: Callable[[Any], Money]
    ) -> None:
        """Register a class under the name of my.Money."""
        self.codec.register_functions(Money, encode, decode, "my.Money")

    def test_read_back(self) -> None:
        """An object comes back from what the functions make of it."""
        self.register_money(
            lambda money: (money.amount, money.currency), lambda pair: Money(*pair)
        )

        self.assertEqual(self.read_back([Money(Decimal(1))]), [Money(Decimal(1))])
        self.assertEqual(self.read_back({Money(1): 2}), {Money(1): 2})
        self.assertEqual(self.read_back({Money(1)}), {Money(1)})

    def test_native_class_of_the_library(self) -> None:
        """A class of somebody else's can be registered without touching it."""
        self.codec.register_functions(
            Fraction, Fraction.as_integer_ratio, lambda ratio: Fraction(*ratio)
        )

        self.assertKept(Event("Cut", context={"share": Fraction(1, 3)}))

    def test_not_read_back_equal(self) -> None:
        """An object that the functions do not keep is refused."""
        self.register_money(lambda money: money.amount, Money)

        self.assertEqual(self.read_back(Money(1)), Money(1))
        self.assertRefused([Money(1, "CHF")], "event[0]", "not read back equal", "functions")

    def test_read_back_as_another_type(self) -> None:
        """An object that comes back as another type is refused."""
        self.register_money(lambda money: money.amount, lambda amount: amount)

        self.assertRefused(Money(1), "event", "not read back equal")

    def test_function_that_fails(self) -> None:
        """What a function raises is the cause of the error."""
        self.register_money(lambda money: {}[money.amount], Money)
        error = self.assertRefused([Money("a")], "event[0]", "KeyError")
        self.assertIsInstance(error.__cause__, KeyError)

        self.register_money(lambda money: 1, lambda amount: Money({}[amount]))
        self.assertRefused([Money("a")], "event[0]", "cannot be read back", "KeyError")

    def test_culprit_in_what_is_encoded(self) -> None:
        """The path leads into what the function gives."""
        self.register_money(lambda money: {"amount": [money.amount]}, lambda _: Money(1))

        self.assertRefused([Money(print)], 'event[0]<as encoded>["amount"][0]', "builtin")

    def test_subclasses(self) -> None:
        """Functions for a family write the objects of its subclasses, unless these have others."""
        self.codec.register_functions(
            Row,
            lambda row: [type(row).__name__, row.id],
            lambda pair: {"Row": Row, "UserRow": UserRow}[pair[0]](pair[1]),
            "my.Row",
            subclasses=True,
            verify=False,
        )

        back = self.read_back(Event("Saved", context={"row": UserRow(5)}))["row"]

        self.assertIs(type(back), UserRow)
        self.assertEqual(back.id, 5)

    def test_subclass_that_comes_back_as_the_class(self) -> None:
        """An object of a subclass that comes back as an equal one of the class is refused."""
        self.codec.register_functions(Money, lambda money: money.amount, Money, subclasses=True)
        self.assertEqual(self.read_back(Money(1)), Money(1))

        self.assertRefused(Coins(1), "event", "Coins", "not read back equal")

    def test_no_subclasses(self) -> None:
        """Functions for one class are not asked about its subclasses."""
        self.codec.register_functions(Row, vars, lambda parts: Row(**parts), verify=False)

        self.assertRefused(UserRow(5), "event", "UserRow")

    def test_unverified(self) -> None:
        """Without verification nothing is read when an object is accepted."""
        read: list[int] = []

        def decode(id: int) -> Row:
            read.append(id)
            return Row(id)

        self.codec.register_functions(Row, lambda row: row.id, decode, verify=False)

        text = self.codec.encode([Row(5)])
        self.assertEqual(read, [])
        self.codec.decode(text)
        self.assertEqual(read, [5])


class RegistrationTests(CodecTestCase):
    """What can be registered, and as what."""

    def assertUnregistrable(self, cls: Any, name: Any, *words: str) -> None:
        """Fail unless a class cannot be registered under a name, with such a message."""
        error = self.assertRaises(UnregistrableClass, self.codec.register_class, cls, name)
        for word in words:
            self.assertIn(word, str(error))

    def test_error_is_a_misuse(self) -> None:
        """The error is one of the package, and both builtins that a caller may catch."""
        for base in (DispatcherError, TypeError, ValueError):
            self.assertTrue(issubclass(UnregistrableClass, base))

    def test_no_fields(self) -> None:
        """A class whose fields nobody knows is referred to functions."""
        self.assertUnregistrable(Money, None, "Money", "register_functions")

    def test_no_class(self) -> None:
        """What is no class is refused."""
        self.assertUnregistrable(Line("pen"), None, "class")
        self.assertUnregistrable("Line", None, "class")

    def test_no_equality(self) -> None:
        """A class whose objects equal only themselves is refused, unless nothing is verified."""
        self.assertUnregistrable(Unequal, None, "Unequal", "__eq__")
        error = self.assertRaises(
            UnregistrableClass, self.codec.register_functions, Row, vars, Row
        )
        self.assertIn("__eq__", str(error))

    def test_name_of_a_form(self) -> None:
        """A name of one lower-case word is kept for the codec."""
        for name in ("datetime", "order", "fraction"):
            self.assertUnregistrable(Line, name, repr(name.capitalize()))

    def test_no_name(self) -> None:
        """A name that is empty or no text is refused."""
        self.assertUnregistrable(Line, "", "name")
        self.assertUnregistrable(Line, 7, "name")

    def test_name_of_another(self) -> None:
        """A name that another class has is refused, and the other keeps it."""
        self.codec.register_class(Line, "shop.Line")

        self.assertUnregistrable(Parcel, "shop.Line", "Line", "Parcel")
        self.assertUnregistrable(Parcel, "Event", "Event")
        self.assertKept(Line("pen"))
        self.assertRefused(Parcel("ann"), "event", "not registered")

    def test_native_class(self) -> None:
        """What is written as it is cannot be registered."""
        for cls in (str, dict, datetime):
            error = self.assertRaises(
                UnregistrableClass, self.codec.register_functions, cls, str, cls, "My"
            )
            self.assertIn(cls.__name__, str(error))

    def test_codecs_are_apart(self) -> None:
        """What is registered with one codec is unknown to others."""
        Codec().register_class(Line)

        self.assertRefused(Line("pen"), "event", "not registered")

    def test_default_codec(self) -> None:
        """The functions of the module register with the codec that is used by default."""
        register(Line, "tests.Line")
        register_functions(Money, lambda money: money.amount, Money, "tests.Money")

        for value in (Line("pen"), Money(5)):
            self.assertEqual(default_codec.decode(default_codec.encode(value)), value)
