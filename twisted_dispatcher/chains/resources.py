"""What a chain is about: pairs of a type and an id, as callers give them and as they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted_dispatcher.chainrecords import Pairs
from twisted_dispatcher.errors import InvalidResources

LONGEST_NAME: Final = 10_000
MOST_RESOURCES: Final = 100

_SHAPE: Final = "give a list of pairs, such as [('order', '17'), ('customer', '4')]"


def pairs_of(resources: object) -> Pairs:
    """
    Give resources sorted, and each but once.

    :param resources: an iterable of pairs of texts, or a mapping from types to ids.
    :raises InvalidResources: for anything else, for none, and for texts that no store can keep.
    """
    pairs = sorted({_pair(each) for each in _listed(resources)})
    if not pairs:
        raise InvalidResources(f"a chain is about one resource at least: {_SHAPE}")
    if len(pairs) > MOST_RESOURCES:
        raise InvalidResources(
            f"a chain is about {MOST_RESOURCES} resources at most, not {len(pairs)}: give those "
            "by which it is looked for"
        )
    return tuple(pairs)


def _listed(resources: object) -> Iterable[Any]:
    if isinstance(resources, Mapping):
        return resources.items()
    if isinstance(resources, (str, bytes)) or not isinstance(resources, Iterable):
        raise InvalidResources(f"{_shown(resources)} are no resources: {_SHAPE}")
    return resources


def _pair(given: Any) -> tuple[str, str]:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise InvalidResources(f"{_shown(given)} is no pair of a type and an id: {_SHAPE}")
    return _name(given[0], "type"), _name(given[1], "id")


def _name(given: object, what: str) -> str:
    if not isinstance(given, str):
        raise InvalidResources(f"Invalid resource_{what}. Use str, not {_shown(given)}")
    if not given:
        raise InvalidResources(f"a resource's {what} is empty: {_SHAPE}")
    if len(given) > LONGEST_NAME:
        raise InvalidResources(
            f"a resource's {what} has {len(given)} characters, and {LONGEST_NAME} are allowed: "
            "give a shorter name of it"
        )
    if "\0" in given or not _is_text(given):
        raise InvalidResources(
            f"a resource's {what} has a character that databases do not keep (U+0000 or a lone "
            f"surrogate): {_shown(given)}. Leave it out"
        )
    return str(given)


def _is_text(given: str) -> bool:
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(given: object) -> str:
    shown = ascii(given)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
