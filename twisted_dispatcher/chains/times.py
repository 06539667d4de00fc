"""Times as transitions give them, in seconds since the epoch."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from twisted_dispatcher.errors import InvalidTransition


def moment_after(given: Any, begin: float, what: str) -> float:
    """
    Give the time that is so long after another: a timedelta, or a number of seconds.

    An aware datetime, or a date, stands for itself.

    :param what: what it is called in the error.
    :raises InvalidTransition: for anything else.
    """
    if isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given):
        return begin + given
    if isinstance(given, timedelta):
        return begin + given.total_seconds()
    return _absolute(given, what)


def next_update_of(given: Any, now: float, what: str = "next_update") -> float | None:
    """
    Give the time before which a chain is not executed; None where nothing is said.

    :param given: an aware datetime, a date (its beginning in UTC), seconds since the epoch, or a
        timedelta from now.
    :param what: what it is called in the error.
    :raises InvalidTransition: for anything else.
    """
    if not given:
        return None
    if isinstance(given, timedelta):
        return now + given.total_seconds()
    return moment_after(given, 0.0, what)


def _absolute(given: Any, what: str) -> float:
    if isinstance(given, datetime):
        if given.tzinfo is not None:
            return given.timestamp()
    elif isinstance(given, date):
        return datetime.combine(given, time(), timezone.utc).timestamp()
    raise InvalidTransition(
        f"{what} is an aware datetime, a date, a timedelta or a number of seconds, not "
        f"{given!r}: {_cure(given)}"
    )


def _cure(given: Any) -> str:
    if isinstance(given, datetime):
        return "give a datetime its zone, for example with datetime.now(timezone.utc)"
    if isinstance(given, str):
        return "such a text is read in files alone, so give a timedelta(days=..., hours=...)"
    return "give one of these"
