"""
The `Event`: what happened, with what is known of it, as logs and stores carry it.

In memory a dispatcher takes any object as an event. An `Event` is the form that can also
be read from a log, written down, and sent between systems as a CloudEvent.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Container, Hashable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from keyword import iskeyword
from operator import itemgetter
from typing import Any, Final
from unicodedata import normalize

import attrs

from twisted_dispatcher.errors import InvalidEvent

SPEC_VERSION: Final = "1.0"
_OWN_NAMES: Final = ("type", "group", "key", "source", "time")
_TRANSPORT_ONLY: Final = frozenset(
    ("specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64")
)
_PARAMETERS: Final = frozenset(
    ("self", "event", "listen_fn", "phase", "use_weakref", "options", "timeout", "check")
)
_HASHABLE: Final = frozenset((str, int, float, bool, type(None), datetime))


@attrs.frozen
class Event:
    """
    Something that happened.

    `type` says what, and is what handlers select by (`group` is another name for it).
    `key` is globally unique, `source` says where the event comes from, `time` when it
    happened, and `context` holds all else that is known. ``event["name"]`` finds any of
    these by name, then looks into the context.
    """

    type: str
    key: str | None = None
    source: str | None = None
    context: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    time: datetime | None = None

    @property
    def group(self) -> str:
        """The type, under the name that event sources give it."""
        return self.type

    def __getitem__(self, name: str) -> Any:
        if name in _OWN_NAMES or name == "context":
            return getattr(self, name)
        return self.context[name]

    def __contains__(self, name: object) -> bool:
        return name in _OWN_NAMES or name == "context" or name in self.context

    def details(self, allowed: Container[str]) -> dict[str, Any]:
        """
        Give those facts of the event that are allowed as keywords, as details for a fire.

        The names in the context are made identifiers by `detail_name`. If two of them come to
        the same identifier, the one that was it already wins, else the first. `type`, `group`,
        `key`, `source` and `time` stand for the event's own where the context has no such name.
        """
        found: dict[str, Any] = {}
        for name, value in self.context.items():
            keyword = detail_name(name)
            if keyword in allowed and (keyword == name or keyword not in found):
                found[keyword] = value if type(value) in _HASHABLE else matchable(value)
        for name in _OWN_NAMES:
            if name in allowed and name not in found and getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    @classmethod
    def from_cloudevent(cls, attributes: Mapping[str, Any]) -> Event:
        """
        Read a CloudEvent in its JSON form (an object, already parsed).

        A CloudEvent is identified by its `source` and `id` together; so is the key, which has
        both. The context has the members of `data` and, where these leave the name free, the
        extension attributes. Data that is not an object stands in it as ``data``.

        :raises InvalidEvent: if it is not a CloudEvent of version 1.0.
        """
        _require_cloudevent(attributes)
        time = attributes.get("time")
        return cls(
            type=attributes["type"],
            key=_key_prefix(attributes["source"]) + attributes["id"],
            source=attributes["source"],
            context=_context_of(attributes),
            time=None if time is None else parse_time(time),
        )

    def to_cloudevent(self, *, source: str | None = None) -> dict[str, Any]:
        """
        Write the event as a CloudEvent, in its JSON form (an object, not yet serialised).

        :param source: stands in where the event has none.
        :raises InvalidEvent: if it has no key or no source, which a CloudEvent needs, or a time
            without an offset.
        """
        source = self.source or source
        if not self.key or not source:
            missing = "key" if not self.key else "source"
            raise InvalidEvent(
                f"a CloudEvent needs a {missing}, and the event {self.type!r} has none: "
                f"make it with Event(..., {missing}=...)"
            )
        written = {
            "specversion": SPEC_VERSION,
            "id": self.key.removeprefix(_key_prefix(source)),
            "source": source,
            "type": self.type,
            "datacontenttype": "application/json",
            "data": dict(self.context),
        }
        if self.time is not None:
            written["time"] = _rfc3339(self.time)
        return written


@lru_cache(maxsize=4096)
def detail_name(name: str) -> str:
    """
    Make an identifier of an attribute's name, so that it can be a keyword.

    What cannot stand in an identifier becomes ``_``; a digit in front gets a ``_`` before it;
    a Python keyword, or the name of a parameter of the dispatcher's methods, one behind it. Of
    several in front only one is left.
    """
    name = normalize("NFKC", name)
    name = "".join(char if ("_" + char).isidentifier() else "_" for char in name)
    if not name.isidentifier():
        name = "_" + name
    if name.startswith("__"):
        name = "_" + name.lstrip("_")
    return name + "_" if iskeyword(name) or name in _PARAMETERS else name


def matchable(value: Any) -> Hashable:
    """
    Give a value that can be looked up in an index: itself if it can be hashed.

    A list becomes a tuple, a mapping a tuple of its pairs sorted by name, at any depth.
    """
    if isinstance(value, Mapping):
        pairs = ((str(name), matchable(inner)) for name, inner in value.items())
        return tuple(sorted(pairs, key=itemgetter(0)))
    if isinstance(value, (list, tuple)):
        return tuple(map(matchable, value))
    if isinstance(value, (set, frozenset)):
        return frozenset(map(matchable, value))
    return value  # type: ignore[no-any-return]


_LOOSE_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))? ?([Zz]|[+-]\d\d:?(?:\d\d)?)?\Z"
)


def parse_time(text: str) -> datetime:
    """
    Read a time of day on a date, in ISO 8601 as logs write it.

    The result is aware; a time without an offset is taken as UTC, and digits below the
    microsecond are dropped.

    :raises ValueError: if it is no such time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.fromisoformat(_strict_time(text))
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)


def _strict_time(text: str) -> str:
    """Rewrite a time in the narrow form that every supported Python reads."""
    match = _LOOSE_TIME.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time in ISO 8601")
    date, clock, fraction, offset = match.groups()
    if fraction:
        clock = f"{clock if clock.count(':') == 2 else clock + ':00'}.{fraction[:6]:0<6}"
    digits = (offset or "").replace(":", "").upper()
    zone = "+00:00" if digits in ("", "Z") else f"{digits[:3]}:{digits[3:] or '00'}"
    return f"{date}T{clock}{zone}"


def _key_prefix(source: str) -> str:
    """What the keys of a source's CloudEvents begin with; the blank ends it unambiguously."""
    return source.replace(" ", "%20") + " "


def _require_cloudevent(attributes: Mapping[str, Any]) -> None:
    for name in ("specversion", "id", "source", "type"):
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidEvent(
                f"{name!r} is {value!r}: a CloudEvent needs a text there"
                if name in attributes
                else f"it has no {name!r}, which a CloudEvent needs"
            )
    if attributes["specversion"] != SPEC_VERSION:
        raise InvalidEvent(
            f"'specversion' is {attributes['specversion']!r}: only {SPEC_VERSION!r} is known"
        )
    _require_time(attributes)


def _require_time(attributes: Mapping[str, Any]) -> None:
    time = attributes.get("time")
    if time is None:
        return
    try:
        parse_time(time)
    except (TypeError, ValueError):
        raise InvalidEvent(f"'time' is {time!r}, which is not a time in ISO 8601") from None


def _context_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    context = {name: value for name, value in attributes.items() if name not in _TRANSPORT_ONLY}
    data = attributes.get("data")
    if data is None and attributes.get("data_base64") is not None:
        data = _bytes_of(attributes["data_base64"])
    if isinstance(data, Mapping):
        context.update(data)
    elif data is not None:
        context["data"] = data
    return context


def _bytes_of(encoded: object) -> bytes:
    try:
        return b64decode(encoded, validate=True)  # type: ignore[arg-type]
    except (TypeError, NotBase64, ValueError):
        raise InvalidEvent("'data_base64' is not base64") from None


def _rfc3339(time: datetime) -> str:
    if time.tzinfo is None:
        raise InvalidEvent(
            f"the time {time.isoformat()} has no offset: give one, as in "
            "datetime(..., tzinfo=timezone.utc)"
        )
    text = time.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text
