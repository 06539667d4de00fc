"""
Classes that are registered: how their objects are taken apart, and put together again.

Names are what stands in stores for years. A name of one lower-case word is the codec's own, now
or in a later release, so that no application's name is ever taken from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum, Flag
from functools import lru_cache
from typing import Any, Final

import attrs

from twisted_dispatcher.errors import UnregistrableClass

CONTENT: Final = "is"

_IDENTITY: Final[Any] = object.__eq__


@attrs.frozen
class ClassForm:
    """
    How the objects of one class are written: by the name of the class, and by parts.

    :ivar parts: gives the parts of an object, by names that are identifiers.
    :ivar whole: makes an object of its parts.
    :ivar proven: whether every object comes back equal, so that there is no need to try.
    :ivar fields: whether the parts are attributes of the object.
    :ivar text: writes an object as JSON at once, given what writes its parts: the same text as by
        name and parts, in less time. None where there is no such way.
    """

    cls: type
    name: str
    parts: Callable[[Any], Mapping[str, Any]]
    whole: Callable[[dict[str, Any]], Any]
    proven: bool = False
    fields: bool = False
    text: Callable[[Any, Callable[[Any], str]], str] | None = None


class Registry:
    """
    The classes whose objects can be written, by type and by name.

    A class may have several names: the last is the one it is written by, all are read.
    """

    def __init__(self) -> None:
        self._names: dict[str, ClassForm] = {}
        self._classes: dict[type, ClassForm] = {}
        self._families: dict[type, ClassForm] = {}
        # To look through all that a class derives from takes longer than to write an object of it.
        self._form_for = lru_cache(maxsize=1024)(self._find)

    def add(self, form: ClassForm, subclasses: bool = False) -> None:
        """
        Register a class, and where asked for all that derive from it.

        :raises UnregistrableClass: if the name is another class's, or can be nobody's.
        """
        self._check_name(form)
        self._names[form.name] = form
        self._classes[form.cls] = form
        if subclasses:
            self._families[form.cls] = form
        self._form_for.cache_clear()

    def named(self, name: str) -> ClassForm | None:
        """Give the form that is registered under a name."""
        return self._names.get(name)

    def form_for(self, cls: type) -> ClassForm | None:
        """Give the form in which the objects of a class are written."""
        return self._form_for(cls)

    def _find(self, cls: type) -> ClassForm | None:
        form = self._classes.get(cls)
        if form is None and self._families:
            families = map(self._families.get, cls.__mro__)
            form = next(filter(None, families), None)
        return form

    def _check_name(self, form: ClassForm) -> None:
        name = form.name
        if not isinstance(name, str) or not name:
            raise UnregistrableClass(f"a class is registered under a text as name, not {name!r}")
        if is_kept_for_forms(name):
            raise UnregistrableClass(
                f"{name!r} is one lower-case word, and those are kept for the codec's own forms: "
                f"write it as {name.capitalize()!r} or {'my.' + name!r}"
            )
        taken = self._names.get(name)
        if taken is not None and full_name(taken.cls) != full_name(form.cls):
            raise UnregistrableClass(
                f"{name!r} is the name of {full_name(taken.cls)} already: register "
                f"{full_name(form.cls)} under another"
            )


def is_kept_for_forms(name: str) -> bool:
    """Tell whether no class can have a name."""
    return name.isidentifier() and name == name.lower()


def full_name(cls: type) -> str:
    """Give the name of a class with its module, under which it is registered by default."""
    return f"{cls.__module__}.{cls.__qualname__}"


def form_of_class(cls: Any, name: str | None) -> ClassForm:
    """
    Find out how the objects of an attrs class, a dataclass or an Enum are written.

    :raises UnregistrableClass: if it is none of these, or its objects cannot be compared.
    """
    _require_class(cls)
    name = full_name(cls) if name is None else name
    if issubclass(cls, Enum):
        return _form_of_enum(cls, name)
    if attrs.has(cls):
        names = {each.alias or each.name: each.name for each in attrs.fields(cls) if each.init}
    elif dataclasses.is_dataclass(cls):
        names = {each.name: each.name for each in dataclasses.fields(cls) if each.init}
    else:
        raise UnregistrableClass(
            f"{full_name(cls)} is no attrs class, no dataclass and no Enum: say how it is written "
            "with register_functions(cls, encode, decode)"
        )
    _require_equality(cls)
    return _form_of_fields(cls, name, names)


def form_of_functions(
    cls: Any,
    encode: Callable[[Any], Any],
    decode: Callable[[Any], Any],
    name: str | None,
    verify: bool,
) -> ClassForm:
    """
    Give the form of a class whose objects are written and read by functions.

    :raises UnregistrableClass: if its objects are to be compared, and cannot be.
    """
    _require_class(cls)
    if verify:
        _require_equality(cls)
    return ClassForm(
        cls,
        full_name(cls) if name is None else name,
        lambda value: {CONTENT: encode(value)},
        lambda parts: decode(parts[CONTENT]),
        proven=not verify,
    )


def _form_of_fields(cls: type, name: str, names: Mapping[str, str]) -> ClassForm:
    """Write an object by its attributes, under the names that its constructor has for them."""
    pairs = tuple(names.items())
    return ClassForm(
        cls,
        name,
        lambda value: {parameter: getattr(value, attribute) for parameter, attribute in pairs},
        lambda parts: cls(**parts),
        fields=True,
    )


def _form_of_enum(cls: type[Enum], name: str) -> ClassForm:
    """Write members by name, and flags by value: not all of their combinations have a name."""
    if issubclass(cls, Flag):
        return ClassForm(
            cls, name, lambda flags: {CONTENT: flags.value}, lambda parts: cls(parts[CONTENT])
        )
    return ClassForm(
        cls,
        name,
        lambda member: {CONTENT: member.name},
        lambda parts: cls[parts[CONTENT]],
        proven=True,
    )


def _require_class(cls: Any) -> None:
    if not isinstance(cls, type):
        raise UnregistrableClass(f"what is registered is a class, not {cls!r}")


def _require_equality(cls: type) -> None:
    """Refuse a class whose objects equal nothing but themselves."""
    if cls.__eq__ is _IDENTITY:
        raise UnregistrableClass(
            f"an object of {full_name(cls)} equals nothing but itself, so that it can never be "
            "read back equal: give the class an __eq__"
        )
