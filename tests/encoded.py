"""Values of all kinds that the codec writes, and a strict judge of whether two are the same."""

from __future__ import annotations

import dataclasses
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

from twisted_dispatcher import Event

# What looks like a form must come back as the data it is.
FORM_LIKE = ("$", "is", "Event", "tuple", "dict", "zone", "fold")

ZONES = (
    None,
    timezone.utc,
    timezone(timedelta(hours=5, minutes=30)),
    timezone(-timedelta(seconds=1, microseconds=1)),
)
NAMED_ZONES = (ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"))

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(FORM_LIKE)
atoms: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
scalars: st.SearchStrategy[Any] = st.one_of(
    atoms,
    st.binary(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from(ZONES)),
    st.datetimes(timezones=st.sampled_from(NAMED_ZONES)),
    st.times(timezones=st.sampled_from(ZONES)),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
folded = st.datetimes(timezones=st.sampled_from((None, *NAMED_ZONES))).map(
    lambda time: time.replace(fold=1)
)
hashables: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=4,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give the strategy for what holds values."""
    contexts = st.dictionaries(texts, inner, max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        contexts,
        st.dictionaries(hashables, inner, max_size=4),
        st.sets(hashables, max_size=4),
        st.builds(Event, texts, texts, st.none() | texts, contexts, st.none() | folded),
    )


values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, folded, hashables), containers, max_leaves=12
)


def likeness(value: Any) -> Any:
    """Give what is equal for two values only if they cannot be told apart."""
    if isinstance(value, dict):
        return "dict", [(likeness(key), likeness(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [likeness(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(repr(likeness(item)) for item in value)
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value))]
        return type(value).__name__, [likeness(getattr(value, name)) for name in names]
    if dataclasses.is_dataclass(value):
        return type(value).__name__, likeness(vars(value))
    return type(value).__name__, repr(value)
