"""
How values that JSON has no form for are written, and read again.

Each becomes an object whose member ``$`` says what it is, and whose other members say which one:
``{"$": "date", "is": "2024-05-06"}``. A form keeps all that tells a value from others of its type,
also where ``==`` does not see it: the exponent of a Decimal, the zone of a datetime, its fold.
Only the name that somebody may have given to a fixed offset is not kept.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from twisted_dispatcher.errors import NotEncodable

TAG: Final = "$"
# What the json module writes and reads as it is.
ATOMS: Final = frozenset({str, int, float, bool, type(None)})
# More than anybody writes by hand, and little enough to be read where the stack is deep already.
MAX_DEPTH: Final = 100

Tagged = dict[str, Any]


def _write_datetime(value: datetime) -> Tagged:
    written: Tagged = {TAG: "datetime", "is": value.isoformat()}
    zone = value.tzinfo
    if zone is not None and type(zone) is not timezone:
        written["zone"] = _key_of(zone)
    if value.fold:
        written["fold"] = 1
    return written


def _key_of(zone: object) -> str:
    if type(zone) is ZoneInfo and zone.key is not None:
        return zone.key
    kind = type(zone)
    raise NotEncodable(
        f"has a tzinfo of type {kind.__module__}.{kind.__qualname__}, and only datetime.timezone, "
        "and zoneinfo.ZoneInfo with a key, can be read back: give value.astimezone(timezone.utc)"
    )


def _read_datetime(written: Tagged) -> datetime:
    value = datetime.fromisoformat(written["is"])
    if "zone" in written:
        value = value.replace(tzinfo=ZoneInfo(written["zone"]))
    return value.replace(fold=1) if "fold" in written else value


def _write_time(value: time) -> Tagged:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        raise NotEncodable(
            "is a time in a zone, whose offset nobody knows without the date: give a datetime, or "
            "the time without its tzinfo"
        )
    written: Tagged = {TAG: "time", "is": value.isoformat()}
    if value.fold:
        written["fold"] = 1
    return written


def _read_time(written: Tagged) -> time:
    value = time.fromisoformat(written["is"])
    return value.replace(fold=1) if "fold" in written else value


def _write_decimal(value: Decimal) -> Tagged:
    if value.is_nan():
        raise NotEncodable("is a Decimal that is no number, which equals nothing: give None")
    return {TAG: "decimal", "is": str(value)}


# Values that hold no others.
SCALAR_WRITERS: Final[dict[type, Callable[[Any], Tagged]]] = {
    datetime: _write_datetime,
    date: lambda value: {TAG: "date", "is": value.isoformat()},
    time: _write_time,
    timedelta: lambda value: {
        TAG: "timedelta",
        "is": [value.days, value.seconds, value.microseconds],
    },
    Decimal: _write_decimal,
    UUID: lambda value: {TAG: "uuid", "is": str(value)},
    bytes: lambda value: {TAG: "bytes", "is": b64encode(value).decode("ascii")},
}
CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})

READERS: Final[dict[str, Callable[[Tagged], Any]]] = {
    "datetime": _read_datetime,
    "date": lambda written: date.fromisoformat(written["is"]),
    "time": _read_time,
    "timedelta": lambda written: timedelta(*written["is"]),
    "decimal": lambda written: Decimal(written["is"]),
    "uuid": lambda written: UUID(written["is"]),
    "bytes": lambda written: b64decode(written["is"], validate=True),
    "dict": lambda written: dict(written["is"]),
    "tuple": lambda written: tuple(written["is"]),
    "set": lambda written: set(written["is"]),
    "frozenset": lambda written: frozenset(written["is"]),
}
BUILT_IN: Final = ATOMS | SCALAR_WRITERS.keys() | CONTAINERS
