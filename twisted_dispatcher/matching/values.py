"""
Match values: what a spec may want of a detail, and how a detail is held against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, Final

from twisted_dispatcher.errors import InvalidMatchValue, UnhashableValue


class _Missing:
    """Stands in the details for a keyword that the event left out. It matches no spec."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<left out>"


MISSING: Final = _Missing()


class Exactly:
    """Match what equals the value, and nothing else: ``Exactly(None)`` is a literal None."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Exactly({self.value!r})"


class OneOf:
    """
    Match what equals one of the values: ``OneOf("admin", "owner")``.

    One list, set or tuple of the values is taken as well. None among them is a literal None.

    :raises InvalidMatchValue: without a value, or with a pattern or match value among them.
    """

    __slots__ = ("values",)

    def __init__(self, *values: Any) -> None:
        if len(values) == 1 and isinstance(values[0], (list, tuple, set, frozenset)):
            values = tuple(values[0])
        if not values:
            raise InvalidMatchValue("OneOf needs at least one value: it could never match")
        for value in values:
            if isinstance(value, (Exactly, OneOf, Where, re.Pattern)):
                raise InvalidMatchValue(
                    f"OneOf takes plain values, not {value!r}: use one Where for all of it, or "
                    "register the handler once for each"
                )
        self.values = values

    def __repr__(self) -> str:
        return f"OneOf({', '.join(map(repr, self.values))})"


class Where:
    """
    Match what the predicate says yes to: ``Where(lambda size: size > 1000)``.

    The predicate is called with the detail's value at every fire that comes so far, so keep it
    quick; it is not called for an event that leaves the keyword out. When it raises, the handler
    is not called and fails with what was raised.

    :raises InvalidMatchValue: when the predicate is not callable, or asynchronous.
    """

    __slots__ = ("predicate",)

    def __init__(self, predicate: Callable[[Any], object]) -> None:
        if not callable(predicate):
            raise InvalidMatchValue(
                f"Where takes a function of the value, not {predicate!r}: for a plain value give "
                "the value itself, or Exactly(value)"
            )
        if iscoroutinefunction(predicate):
            raise InvalidMatchValue(
                f"Where asks its function in passing, and {predicate!r} is asynchronous: make it "
                "a plain one"
            )
        self.predicate = predicate

    def __repr__(self) -> str:
        name = getattr(self.predicate, "__qualname__", None) or repr(self.predicate)
        return f"Where({name})"


def wanted_values(value: Any) -> tuple[Any, ...] | None:
    """Give the plain values that a match value stands for, or None where it must be tested."""
    if isinstance(value, Exactly):
        return (value.value,)
    if isinstance(value, OneOf):
        return tuple(dict.fromkeys(value.values))
    if isinstance(value, (Where, re.Pattern)):
        return None
    return (value,)


def matches(value: Any, detail: Any) -> bool:
    """
    Tell whether one detail is what one match value of a spec wants.

    :raises: what the predicate of a `Where` raises.
    """
    if detail is MISSING:
        return False
    if isinstance(value, Where):
        return bool(value.predicate(detail))
    if isinstance(value, re.Pattern):
        same_kind = isinstance(detail, type(value.pattern))
        return same_kind and value.search(detail) is not None
    wanted = wanted_values(value)
    assert wanted is not None
    return detail in wanted


def check_hashable(keyword: str, value: Any) -> None:
    """
    Refuse a match value that the index could not look up.

    :raises UnhashableValue: naming the keyword.
    """
    cure = "give a tuple or frozenset, or test it with Where(predicate)"
    if isinstance(value, (list, set)) and value:
        several = ", ".join(map(repr, value))
        cure = f"for one of several values write OneOf({several}); for all as one value {cure}"
    plain = value.values if isinstance(value, OneOf) else (value,)
    for one in plain:
        one = one.value if isinstance(one, Exactly) else one
        try:
            hash(one)
        except TypeError as error:
            raise UnhashableValue(keyword, one, cure) from error


def unhashable(keywords: Iterable[str], details: Iterable[Any]) -> UnhashableValue | None:
    """Give the error for the first of the details that cannot be looked up, if there is one."""
    for keyword, value in zip(keywords, details):
        try:
            hash(value)
        except TypeError:
            cure = "give a tuple or frozenset as the detail, or leave it to the event itself"
            return UnhashableValue(keyword, value, cure)
    return None
