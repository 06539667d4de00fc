"""
The codec: events and their details as JSON text that is read back equal, or is not written at all.

What JSON has stands for itself. Everything else becomes an object with a member ``$`` that names
a form (``{"$": "tuple", "is": [1, 2]}``) or a registered class (``{"$": "shop.Order", "id": 7}``).
A dict that JSON would change, because a key is no string or is that very ``$``, is written as a
list of its pairs, so that no data can be taken for a form. In front stands the version of the
format: ``[1,...]``. The text is ASCII, whatever the encoding of a store.

Reading looks names up in the table of what is registered. It imports nothing, and calls nothing
but the constructors and functions in that table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from json import JSONDecoder
from typing import Any, Final, NoReturn, TypeVar

import attrs

from twisted_dispatcher.durable.classes import (
    ClassForm,
    Registry,
    form_of_class,
    form_of_functions,
    full_name,
    is_kept_for_forms,
)
from twisted_dispatcher.durable.culprits import culprit_in, in_words
from twisted_dispatcher.durable.forms import BUILT_IN, READERS, TAG, Tagged
from twisted_dispatcher.durable.lanes import lane_text
from twisted_dispatcher.durable.writing import Writer
from twisted_dispatcher.errors import NotDecodable, NotEncodable, UnregistrableClass
from twisted_dispatcher.events import Event

T = TypeVar("T")
AnyClass = TypeVar("AnyClass", bound=type)

VERSION: Final = 1
_HEAD: Final = f"[{VERSION},"


class Codec:
    """
    Writes values as JSON text, and reads them back equal.

    It knows what JSON knows, and tuples, sets and frozensets, dicts with any keys, datetimes,
    dates, times, timedeltas, Decimals, UUIDs and bytes, the `Event`, and registered classes. Any
    thread may encode and decode; classes are registered before.
    """

    def __init__(self) -> None:
        self._registry = Registry()
        form = form_of_class(Event, "Event")
        self._registry.add(attrs.evolve(form, proven=True, text=_text_of_event))
        self._read = JSONDecoder(object_hook=self._revive, parse_constant=_refuse).raw_decode
        self._writer = Writer(self._registry, lambda text: self._load(text, 0)[0])

    # Classes

    def register_class(self, cls: AnyClass, name: str | None = None) -> AnyClass:
        """
        Let the objects of an attrs class, a dataclass or an Enum be written. Gives the class.

        An object is written by its attributes and read by its constructor, so that a field with
        a default may be added later on. A class that was renamed is registered under its old name
        too, first: it is written under the last one and read under all.

        :param name: what stands for the class in stores; its module and qualified name by
            default, which should not change then.
        :raises UnregistrableClass: if it is no such class, has no ``__eq__``, or the name is
            taken.
        """
        self._add(form_of_class(cls, name))
        return cls

    def register_functions(
        self,
        cls: type[T],
        encode: Callable[[T], Any],
        decode: Callable[[Any], T],
        name: str | None = None,
        *,
        subclasses: bool = False,
        verify: bool = True,
    ) -> None:
        """
        Let the objects of a class be written as what a function makes of them.

        :param encode: gives a value that the codec can write, for an object.
        :param decode: gives the object for such a value.
        :param name: as for `register_class`.
        :param subclasses: whether the functions are for the objects of all subclasses too.
        :param verify: whether each object is decoded and compared before it is accepted. Without,
            that it comes back equal is the caller's promise; for what is costly to read, such as
            a reference to a row of a database.
        :raises UnregistrableClass: if it is no class, the name is taken, or it has no ``__eq__``
            to be compared by.
        """
        self._add(form_of_functions(cls, encode, decode, name, verify), subclasses)

    def _add(self, form: ClassForm, subclasses: bool = False) -> None:
        if form.cls in BUILT_IN:
            raise UnregistrableClass(
                f"the type {form.cls.__name__} is written as it is, and needs no registration"
            )
        self._registry.add(form, subclasses)

    # Writing

    def encode(self, value: Any, name: str = "event") -> str:
        """
        Write a value as text. The same value gives the same text in every process.

        :param name: what the value is called in an error.
        :raises NotEncodable: if it could not be read back equal, with the path to the culprit.
        """
        try:
            return f"{_HEAD}{self._writer.text(value)}]"
        except NotEncodable as refusal:
            found = culprit_in(value, name, refusal, self._writer.text, self._registry)
            raise found from refusal.__cause__

    def lane_text(self, values: Iterable[Any]) -> str:
        """
        Give a short text for the values that order events: the same for equal ones.

        `lanes` says what is equal.

        :param values: in order; `MISSING` stands for a keyword that was left out.
        :raises NotEncodable: for a value that the codec does not know.
        """
        return lane_text(values, self._registry)

    # Reading

    def decode(self, text: str) -> Any:
        """
        Read what `encode` has written.

        :raises NotDecodable: if it is no such text or one of a newer version, or if it names a
            class that is not registered, or that does not take what was written.
        """
        if not isinstance(text, str) or not text.startswith(_HEAD):
            raise NotDecodable(_why_foreign(text))
        value, end = self._load(text, len(_HEAD))
        if text[end:] != "]":
            raise NotDecodable(
                f"what the codec has written ends with a ']' at {end}; this does not"
            )
        return value

    def _load(self, text: str, start: int) -> tuple[Any, int]:
        try:
            return self._read(text, start)
        except NotDecodable:
            raise
        except (ValueError, RecursionError) as error:
            raise NotDecodable(
                f"this is not JSON as the codec writes it: {in_words(error)}"
            ) from error

    def _revive(self, found: dict[str, Any]) -> Any:
        """Give what an object of JSON stands for; called for the innermost first."""
        if TAG not in found:
            return found
        name = str(found.pop(TAG))
        try:
            return self._reader_of(name)(found)
        except NotDecodable:
            raise
        except Exception as error:
            raise NotDecodable(
                f"a stored {name} cannot be read: {in_words(error)}; let its class take what was "
                "written by it, or register it with functions that do",
                name,
            ) from error

    def _reader_of(self, name: str) -> Callable[[Tagged], Any]:
        reader = READERS.get(name)
        if reader is not None:
            return reader
        form = self._registry.named(name)
        if form is not None:
            return form.whole
        cure = (
            "upgrade twisted_dispatcher to the release that has written it"
            if is_kept_for_forms(name)
            else "register the class under this name before events are read (register in "
            "twisted_dispatcher.durable.codec)"
        )
        raise NotDecodable(f"this holds {name!r}, which is not known here: {cure}", name)


def _text_of_event(event: Event, text: Callable[[Any], str]) -> str:
    """Write an event as its form does; most have neither source nor time."""
    source = "null" if event.source is None else text(event.source)
    time = "null" if event.time is None else text(event.time)
    return (
        f'{{"$":"Event","type":{text(event.type)},"key":{text(event.key)},'
        f'"source":{source},"context":{text(event.context)},"time":{time}}}'
    )


def _refuse(constant: str) -> NoReturn:
    raise NotDecodable(f"this holds {constant}, which the codec does not write")


def _why_foreign(text: object) -> str:
    if not isinstance(text, str):
        kind = full_name(type(text))
        return f"this is of type {kind}, not text (the payload may have been deleted)"
    version = re.match(r"\[(\d{1,9}),", text)
    if version is None:
        return "this is not text that the codec has written"
    return (
        f"this is written in version {version[1]} of the format, and this release reads "
        f"version {VERSION}: upgrade twisted_dispatcher"
    )


default_codec: Final = Codec()
"""The codec of every dispatcher that was given no other."""

register = default_codec.register_class
register_functions = default_codec.register_functions
