"""Random specs, details and handlers, each with a plain-spoken judge of what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from twisted_dispatcher import Exactly, OneOf, Where

KEYWORDS = ("user", "role", "size")
PHASES = ("before", "during", "after")

# Few enough that equal ones meet often, and with all that is equal though it looks different.
VALUES: tuple[Any, ...] = (
    None,
    1,
    True,
    1.0,
    0,
    False,
    2,
    "",
    "a",
    "ab",
    "b",
    "1",
    b"a",
    b"ab",
    ("a",),
    ("a", 1),
    frozenset({"a"}),
)

values = st.sampled_from(VALUES)
details = st.dictionaries(st.sampled_from(KEYWORDS), values)


@attrs.frozen
class Wish:
    """A match value of a spec, and what it is to match, said independently."""

    value: Any
    accepts: Callable[[Any], bool]

    def __repr__(self) -> str:
        return repr(self.value)


def equal_to(wanted: Any) -> Callable[[Any], bool]:
    """Give a judge of equality."""
    return lambda given: bool(wanted == given)


def found_by(pattern: Any) -> Callable[[Any], bool]:
    """Give a judge of what a pattern finds."""
    kind = type(pattern)
    return lambda given: isinstance(given, kind) and bool(re.findall(pattern, given))


def plain_wish(value: Any) -> Wish:
    """Give the wish for a plain value."""
    return Wish(value, equal_to(value))


def choice_wish(chosen: list[Any], as_list: bool) -> Wish:
    """Give the wish for one of several values (a lone tuple would be taken for the values)."""
    as_list = as_list or isinstance(chosen[0], (tuple, frozenset))
    return Wish(
        OneOf(chosen) if as_list else OneOf(*chosen),
        lambda given: any(one == given for one in chosen),
    )


def predicate_wish(predicate: Callable[[Any], bool]) -> Wish:
    """Give the wish for what a predicate says yes to."""
    return Wish(Where(predicate), predicate)


def is_text(given: Any) -> bool:
    """Say yes to strings."""
    return isinstance(given, str)


def is_true(given: Any) -> bool:
    """Say yes to what counts as true."""
    return bool(given)


def is_none(given: Any) -> bool:
    """Say yes to None."""
    return given is None


def anything(given: Any) -> bool:
    """Say yes."""
    return True


def never(given: Any) -> bool:
    """Say no."""
    return False


not_none = st.sampled_from([value for value in VALUES if value is not None])
patterns = st.sampled_from(["a", "^a$", "b", "", "1|b", "z"])
wishes: st.SearchStrategy[Wish] = st.one_of(
    not_none.map(plain_wish),
    not_none.map(plain_wish),
    values.map(lambda value: Wish(Exactly(value), equal_to(value))),
    st.builds(choice_wish, st.lists(values, min_size=1, max_size=4), st.booleans()),
    patterns.map(lambda pattern: Wish(re.compile(pattern), found_by(pattern))),
    patterns.map(lambda text: Wish(re.compile(text.encode()), found_by(text.encode()))),
    st.sampled_from([is_text, is_true, is_none, anything, never]).map(predicate_wish),
)
wildcard = st.just(Wish(None, anything))
specs = st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(wishes, wishes, wildcard))


def spec_values(spec: Mapping[str, Wish]) -> dict[str, Any]:
    """Give a spec as the dispatcher takes it."""
    return {keyword: wish.value for keyword, wish in spec.items()}


def fits(spec: Mapping[str, Wish], given: Mapping[str, Any]) -> bool:
    """Tell by looking at every keyword whether details match a spec."""
    for keyword, wish in spec.items():
        if wish.value is None:
            continue
        if keyword not in given or not wish.accepts(given[keyword]):
            return False
    return True
