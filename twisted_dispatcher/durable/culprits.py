"""
What in a value keeps it from being written: where it is, why, and the cure.

This is asked only after a refusal, so that writing need not keep count of where it is. The judge
is the writing itself: the culprit in a value that is refused is a part that is refused as well, or
else the value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from enum import Enum
from reprlib import Repr
from typing import Any

import attrs

from twisted_dispatcher.durable.classes import ClassForm, Registry, full_name
from twisted_dispatcher.durable.forms import BUILT_IN, MAX_DEPTH
from twisted_dispatcher.errors import NotEncodable

_STEPS_SHOWN = 12
_in_short = Repr().repr


def culprit_in(
    value: Any,
    name: str,
    refusal: NotEncodable,
    judge: Callable[[Any, int], object],
    registry: Registry,
) -> NotEncodable:
    """
    Give the error about a value that was refused, with the path to what it was refused for.

    :param name: what the value is called; the path begins with it.
    :param judge: refuses a value that stands at a depth as it is refused in its place.
    """
    path, above = [name], [value]
    while len(path) <= MAX_DEPTH:
        refused = _refused_part(value, len(path) + 1, judge, registry)
        if refused is None:
            break
        step, value, refusal = refused
        path.append(step)
        if any(value is each for each in above):
            return NotEncodable("is what it is a part of, without end: cut it", _written(path))
        above.append(value)
    return NotEncodable(refusal.reason, _written(path))


def _refused_part(
    value: Any, depth: int, judge: Callable[[Any, int], object], registry: Registry
) -> tuple[str, Any, NotEncodable] | None:
    """Give the first part that is refused, with the step that leads to it and the refusal."""
    for step, part in _parts(value, registry):
        try:
            judge(part, depth)
        except NotEncodable as refusal:
            return step, part, refusal
    return None


def _parts(value: Any, registry: Registry) -> Iterator[tuple[str, Any]]:
    """Give the parts of a value, each with the step that leads to it."""
    kind = type(value)
    if kind is dict:
        for index, (key, item) in enumerate(value.items()):
            yield f"<key {index}>", key
            yield f"[{_shown(key)}]", item
    elif kind in (list, tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif kind in (set, frozenset):
        yield from (("<member>", item) for item in value)
    elif (form := registry.form_for(kind)) is not None:
        yield from _parts_of_object(value, form)


def _parts_of_object(value: Any, form: ClassForm) -> Iterator[tuple[str, Any]]:
    try:
        parts = form.parts(value)
    except Exception:
        return
    for name, part in parts.items():
        yield f".{name}" if form.fields else "<as encoded>", part


def _shown(key: object) -> str:
    if type(key) is str:
        return json.dumps(key if len(key) <= 40 else key[:37] + "...")
    return _in_short(key)


def _written(path: list[str]) -> str:
    left_out = len(path) - _STEPS_SHOWN
    if left_out > 0:
        half = _STEPS_SHOWN // 2
        path = [*path[:half], f"...({left_out} steps more)...", *path[-half:]]
    return "".join(path)


def in_words(error: Exception) -> str:
    """Say what an error is that a class or function of the user has raised."""
    return f"{type(error).__name__}: {error}"


def unknown_type(value: object) -> str:
    """Say why a value cannot be written whose type has no form, and what to do about it."""
    kind = type(value)
    named = full_name(kind)
    if isinstance(value, Enum) or attrs.has(kind) or hasattr(kind, "__dataclass_fields__"):
        return (
            f"is of type {named}, which is not registered: register the class "
            "(register(cls, name) in twisted_dispatcher.durable.codec)"
        )
    for base in kind.__mro__[1:]:
        if base in BUILT_IN:
            return (
                f"is of type {named}, which would come back as a plain {base.__name__}: give "
                f"{base.__name__}(...) of it, or register the class with functions"
            )
    return (
        f"is of type {named}, which has no form in JSON: give what it is made of, or register the "
        "class with functions (register_functions in twisted_dispatcher.durable.codec)"
    )


def invalid_in_json(value: object) -> str:
    """Say why the json module has refused a value, and what to do about it."""
    if isinstance(value, float):
        return f"is {value!r}, which JSON has no form for: leave it out, or give None"
    if isinstance(value, str):
        return (
            "has half of a pair of surrogates in it, and so is no text: decode it with "
            "errors='replace', or give the bytes"
        )
    return (
        "is a number of more digits than Python reads back (sys.set_int_max_str_digits): give its "
        "bytes"
    )
