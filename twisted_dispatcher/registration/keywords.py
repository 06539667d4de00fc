"""The keywords that match specs and event details may name, and what cannot be one."""

from __future__ import annotations

import keyword as python
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from twisted_dispatcher.errors import InvalidKeyword, ReservedKeyword, UnknownKeyword
from twisted_dispatcher.options import HandlerOptions

# The parameters that the dispatcher's methods have beside the keywords.
RESERVED = frozenset(
    {"self", "event", "listen_fn", "phase", "use_weakref", "options", "timeout", "check"}
)
_OPTIONS = frozenset(field.name for field in attrs.fields(HandlerOptions))


def check_keyword(name: object, reserved: frozenset[str] = RESERVED) -> str:
    """
    Give the name back if it can be a keyword.

    :raises InvalidKeyword, ReservedKeyword: if it cannot.
    """
    if not isinstance(name, str):
        raise InvalidKeyword(f"a match-spec keyword is a string, not {name!r}")
    if name in reserved:
        raise ReservedKeyword(name)
    if not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
        raise InvalidKeyword(
            f"{name!r} cannot be a match-spec keyword, because it cannot be written as one: use "
            "letters, digits and underscores"
        )
    if python.iskeyword(name):
        raise InvalidKeyword(f"{name!r} is a word of Python's own: use {name + '_'!r}")
    if name.startswith("__"):
        raise InvalidKeyword(f"{name!r}: a match-spec keyword may not begin with two underscores")
    return name


def check_keywords(names: Iterable[str], reserved: frozenset[str] = RESERVED) -> tuple[str, ...]:
    """
    Give the names as a tuple, each once, if all can be keywords.

    :raises InvalidKeyword, ReservedKeyword: if one cannot, or if they are one plain string.
    """
    if isinstance(names, (str, bytes)):
        raise InvalidKeyword(
            f"the allowed keywords are a collection of names, not the one string {names!r}: "
            f"write ({names!r},)"
        )
    return tuple(dict.fromkeys(check_keyword(name, reserved) for name in names))


def check_order(names: Iterable[str], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """
    Give the keywords by which events are kept in order as a tuple.

    :raises InvalidKeyword, UnknownKeyword: if one cannot be, or if they are one plain string.
    """
    if isinstance(names, (str, bytes)):
        raise InvalidKeyword(
            f"order_by is a series of keywords, not the one string {names!r}: write "
            f"order_by=({names!r},)"
        )
    order = check_keywords(names, frozenset())
    unknown = [name for name in order if name not in allowed]
    if unknown:
        cure = "mend the spelling in order_by, or add it to the keywords"
        raise UnknownKeyword(unknown, allowed, cure)
    return order


def check_known(
    names: Collection[str], allowed: tuple[str, ...], reserved: frozenset[str] = RESERVED
) -> None:
    """
    Refuse names that are not allowed.

    :raises UnknownKeyword: naming all of them.
    """
    for name in names:
        if name not in allowed:
            unknown = sorted(each for each in names if each not in allowed)
            raise UnknownKeyword(unknown, allowed, _cure(unknown, reserved, {}))


def check_spec(
    spec: Mapping[str, Any], allowed: tuple[str, ...], reserved: frozenset[str] = RESERVED
) -> None:
    """
    Refuse a match spec with names that are not allowed.

    :raises UnknownKeyword: naming all of them, and how those are written that are options.
    """
    for name in spec:
        if name not in allowed:
            unknown = sorted(each for each in spec if each not in allowed)
            options = {each: spec[each] for each in unknown if each in _OPTIONS}
            raise UnknownKeyword(unknown, allowed, _cure(unknown, reserved, options))


def _cure(unknown: Iterable[str], reserved: frozenset[str], options: Mapping[str, Any]) -> str:
    """Say what can be done about unknown names; one that is reserved cannot be allowed."""
    cures = []
    free = [name for name in unknown if name not in reserved]
    if free:
        cures.append(f"mend the spelling, or call allow_keyword({free[0]!r}) first")
    for name in unknown:
        if name in options:
            value = options[name]
            cures.append(f"{name!r} is an option: options=HandlerOptions({name}={value!r})")
        elif name in reserved:
            cures.append(f"{name!r} is the name of a parameter and cannot be one: choose another")
    return "; ".join(cures)
