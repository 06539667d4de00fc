"""
What may be given for seconds, counts and flags, in settings and to constructors alike.

A `Rule` says of a value what it is to be instead, or gives None where it is well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted_dispatcher.errors import InvalidOptions

ABOVE_0: Final = "above 0"
FROM_0: Final = "from 0"

Rule = Callable[[Any], "str | None"]


def flag(value: Any) -> str | None:
    """Hold a value against True and False."""
    return None if isinstance(value, bool) else f"True or False, not {value!r}"


def seconds(least: str, *, optional: bool = False) -> Rule:
    """
    Give the rule for a number of seconds.

    :param least: `ABOVE_0` or `FROM_0`.
    :param optional: whether None is well, too.
    """

    def rule(value: Any) -> str | None:
        if value is None and optional:
            return None
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and (value > 0 or (value == 0 and least == FROM_0)):
            return None
        return f"a number of seconds {least}{_or_none(optional)}, not {value!r}"

    return rule


def count(*, optional: bool = False) -> Rule:
    """Give the rule for a whole number from 1."""

    def rule(value: Any) -> str | None:
        if value is None and optional:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return None
        return f"a whole number from 1{_or_none(optional)}, not {value!r}"

    return rule


def _or_none(optional: bool) -> str:
    return ", or None" if optional else ""


def check(rules: Mapping[str, Rule], **given: Any) -> None:
    """
    Hold arguments against the rules of their names.

    :raises InvalidOptions: for the first that breaks its rule, with its name.
    """
    for name, value in given.items():
        wanted = rules[name](value)
        if wanted is not None:
            raise InvalidOptions(f"{name} is {wanted}")
