"""Lengths of time as configuration files write them, such as ``"2 days"`` or ``"1 h 30 min"``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

_UNITS: Final = {
    "s": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "week": 604_800.0,
}
_PART: Final = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]+)\s*", re.ASCII)


def span_of(given: Any) -> Any:
    """
    Give the length of time that a text stands for; what is no text is given back.

    :raises ValueError: for a text that is none.
    """
    if not isinstance(given, str):
        return given
    seconds, end = 0.0, 0
    while end < len(given) or not given:
        part = _PART.match(given, end)
        unit = part and _UNITS.get(part["unit"].removesuffix("s") or "s")
        if part is None or unit is None:
            raise ValueError(
                f"{given!r} is no length of time: write it as '2 days' or '1 h 30 min'"
            )
        seconds += float(part["number"]) * unit
        end = part.end()
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{given!r} is longer than any time that can be reckoned with") from None
