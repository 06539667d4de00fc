"""
The text of a lane: events with equal values of the keywords that order them have the same text.

Equal is what Python calls equal: ``1``, ``True``, ``1.0`` and ``Decimal("1.00")`` are one lane,
and an instant is one in whatever zone it is given; ``1`` and ``"1"`` are two. Objects of
registered classes are equal here if what is written of them is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from hashlib import sha256
from json import JSONEncoder
from typing import Any, Final

from twisted_dispatcher.durable.classes import Registry
from twisted_dispatcher.durable.culprits import unknown_type
from twisted_dispatcher.durable.forms import SCALAR_WRITERS, TAG
from twisted_dispatcher.errors import NotEncodable
from twisted_dispatcher.matching import MISSING

# Short enough for the index of any store; for a longer text stands its hash.
LONGEST_LANE: Final = 200

_PLAIN: Final = frozenset({str, int, type(None)})
# Beyond these digits nothing but a Decimal is written, which can only equal another.
_MOST_DIGITS: Final = 4000

_to_json = JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def lane_text(values: Iterable[Any], registry: Registry) -> str:
    """
    Give the text for values in order; it is the same for equal ones, in every process.

    `MISSING` is a value of its own. The text is ASCII, of at most `LONGEST_LANE` characters.

    :param values: what the codec can write; details are encoded first.
    :raises NotEncodable: for a value that the codec cannot write.
    """
    try:
        text = _to_json([_canonical(value, registry) for value in values])
    except NotEncodable:
        raise
    except ValueError:
        raise NotEncodable(
            "hold a number that JSON has no form for, or of more digits than Python reads back",
            "the values that order events",
        ) from None
    if len(text) > LONGEST_LANE:
        return f"sha256:{sha256(text.encode()).hexdigest()}"
    return text


def _canonical(value: Any, registry: Registry) -> Any:
    """Give something that JSON writes alike for all values that are equal."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (datetime, time)):
        return _moment(value)
    if isinstance(value, (tuple, list, dict, set, frozenset)):
        return _container(value, registry)
    return _other(value, registry)


def _number(value: int | float | Decimal) -> Any:
    """Give a whole number as an int, and any other that a float can be as that float."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return _decimal(value)


def _decimal(value: Decimal) -> Any:
    if not value.is_finite():
        return {TAG: "decimal", "is": str(value)}
    if value.adjusted() < _MOST_DIGITS and int(value) == value:
        return int(value)
    if float(value) == value:
        return float(value)
    sign, digits, exponent = value.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    scale = int(exponent) + len(digits) - len(significant)
    return {TAG: "decimal", "is": [sign, significant, scale]}


def _moment(value: datetime | time) -> Any:
    """Give what has an offset by the time that has passed, and what has none by the clock."""
    offset = value.utcoffset()
    clock = value.replace(tzinfo=None)
    if offset is None:
        return {TAG: "clock", "is": clock.isoformat()}
    if isinstance(clock, datetime):
        passed = clock - datetime.min - offset
    else:
        passed = datetime.combine(datetime.min, clock) - datetime.min - offset
    return {
        TAG: "instant" if isinstance(clock, datetime) else "time",
        "is": [passed.days, passed.seconds, passed.microseconds],
    }


def _container(value: Any, registry: Registry) -> Any:
    if isinstance(value, dict):
        pairs = [[_canonical(each, registry) for each in pair] for pair in value.items()]
        return {TAG: "dict", "is": sorted(pairs, key=_to_json)}
    items = [_canonical(item, registry) for item in value]
    if isinstance(value, list):
        return items
    if isinstance(value, tuple):
        return {TAG: "tuple", "is": items}
    return {TAG: "set", "is": sorted(items, key=_to_json)}


def _other(value: Any, registry: Registry) -> Any:
    if value is MISSING:
        return {TAG: "missing"}
    kind = type(value)
    if kind in SCALAR_WRITERS:
        return SCALAR_WRITERS[kind](value)
    form = registry.form_for(kind)
    if form is None:
        raise NotEncodable(unknown_type(value), "a value that orders events")
    parts = {name: _canonical(part, registry) for name, part in form.parts(value).items()}
    return {TAG: form.name, **parts}
