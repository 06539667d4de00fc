"""
IEEE XES (1849-2016): a log of traces of events, each with typed attributes, in XML.

An event's context has its own attributes and, with ``case:`` before their names, those of
its trace. Values have the type that their tag says: text, `datetime`, int, float or bool. A
list becomes a list of its values and a container a dict; an attribute of an attribute stands
beside it under ``name/its own name``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Final

from twisted_dispatcher.errors import UnknownLogFormat
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.eventlogs.markup import Markup
from twisted_dispatcher.events import Event, parse_time

NAME: Final = "concept:name"
TIME: Final = "time:timestamp"
IDENTITY: Final = "identity:id"


def checked_xes(chunks: Iterable[str], name: str) -> Iterator[str]:
    """
    Give the text as it is, and complain where it is not well-formed, safe XML.

    :raises UnknownLogFormat: if it is no log.
    :raises UnsafeLog, TruncatedLog, DamagedLog: where the fault is met.
    :raises MissingExtra: if defusedxml is not installed.
    """
    xml = Markup(name)
    chunks = iter(chunks)
    first = next(chunks, "")
    # Calling a function for each tag would make the check take four times as long.
    Markup(name, _Root(name).start).feed(first)
    for chunk in chain([first], chunks):
        xml.feed(chunk)
        yield chunk
    xml.close()


def read_xes(chunks: Iterable[str], name: str) -> Iterator[Event | BadLine]:
    """
    Read the events of all traces, in the order in which they stand.

    What stands before a fault is given before that is raised, as `checked_xes` does.
    """
    tags = _Tags(name)
    xml = Markup(name, tags.start, tags.end)
    tags.line = xml.line
    for chunk in chunks:
        try:
            xml.feed(chunk)
        finally:
            yield from tags.take()
    xml.close()


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]


# What makes a value of an attribute's text; of a group, what its attributes go into.
_TYPES: Final[dict[str, Callable[..., Any]]] = {
    "string": str,
    "date": parse_time,
    "int": int,
    "float": float,
    "boolean": _boolean,
    "id": str,
    "list": list,
    "container": dict,
}
_GROUPS: Final = (list, dict)


class _Twice(ValueError):
    """An attribute is there already."""


class _Root:
    """Refuses a document whose first tag is not that of a log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._in_log = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element."""
        if not self._in_log and _local(tag) != "log":
            raise UnknownLogFormat(
                self._name, f"it is XML, but begins with <{tag}>, where XES has <log>"
            )
        self._in_log = True


class _Tags(_Root):
    """
    Makes events of the tags of a log.

    `_into` is where the next attribute goes (None: nowhere), `_prefix` stands before its
    name; `_outer` has both as they were outside of each attribute that is still open.
    """

    line: Callable[[], int]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._types = _TYPES.copy()
        self._ready: list[Event | BadLine] = []
        self._log: dict[str, Any] = {}
        self._trace: dict[str, Any] = {}
        self._event: dict[str, Any] | None = None
        self._event_line = 0
        self._fault: BadLine | None = None
        self._into: dict[str, Any] | list[Any] | None = None
        self._prefix = ""
        self._outer: list[tuple[Any, str]] = []

    def take(self) -> list[Event | BadLine]:
        """Give what was made since the last time."""
        ready, self._ready = self._ready, []
        return ready

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element."""
        make = self._types.get(tag)
        if make is None or not self._in_log:
            self._start_other(tag, attributes)
            return
        self._outer.append((self._into, self._prefix))
        if self._into is not None:
            try:
                self._add(make, attributes)
            except (KeyError, ValueError) as error:
                self._complain(_reason(error, tag, attributes))

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if tag in self._types:
            self._into, self._prefix = self._outer.pop()
            return
        tag = _local(tag)
        if tag == "event":
            self._ready.append(self._fault or self._made_event())
            self._event = self._fault = None
            self._go_into(self._trace, "case:")
        elif tag == "trace" or tag == "global":
            self._trace = {}
            self._go_into(self._log)

    def _start_other(self, tag: str, attributes: Mapping[str, str]) -> None:
        local = _local(tag)
        if not self._in_log:
            super().start(tag, attributes)
            self._go_into(self._log)
        elif local in _TYPES:
            self._types[tag] = _TYPES[local]  # it has a prefix, and so will the next ones
            self.start(tag, attributes)
        elif local == "event":
            self._event_line = self.line()
            self._event = {}
            self._go_into(self._event)
        elif local == "trace":
            self._trace = {}
            self._go_into(self._trace, "case:")
        elif local == "global":
            self._go_into(None)

    def _go_into(self, attributes: dict[str, Any] | list[Any] | None, prefix: str = "") -> None:
        self._into = attributes
        self._prefix = prefix

    def _add(self, make: Callable[..., Any], attributes: Mapping[str, str]) -> None:
        """Put an attribute where it belongs, and see to it that those inside it follow."""
        into = self._into
        name = self._prefix + attributes["key"]
        value = make() if make in _GROUPS else make(attributes["value"])
        if isinstance(into, list):
            into.append(value)
        elif into is not None:
            if name in into:
                raise _Twice
            into[name] = value
        if make in _GROUPS:
            self._go_into(value)
        else:
            self._prefix = name + "/"

    def _complain(self, reason: str) -> None:
        """Give a bad line in place of the event, or beside the events of the trace."""
        fault = BadLine(self.line(), reason)
        if self._event is None:
            self._ready.append(fault)
        else:
            self._fault = self._fault or fault
        self._into = None

    def _made_event(self) -> Event | BadLine:
        event = self._event or {}
        name = event.get(NAME)
        if name is None or name == "":
            return BadLine(self._event_line, f"the event has no {NAME!r}")
        time = event.get(TIME)
        return Event(
            type=str(name),
            key=event.get(IDENTITY),
            source=self._log.get(NAME),
            context={**event, **self._trace},
            time=time if isinstance(time, datetime) else None,
        )


def _local(tag: str) -> str:
    """Give a tag's name without the prefix of its namespace."""
    return tag[tag.rfind(":") + 1 :]


def _reason(error: Exception, tag: str, attributes: Mapping[str, str]) -> str:
    """Say what is wrong with an attribute that could not be added."""
    tag = _local(tag)
    for part in ("key", "value"):
        if part not in attributes:
            return f"<{tag}> {attributes.get('key', '')!r} has no {part}"
    if isinstance(error, _Twice):
        return f"<{tag}> {attributes['key']!r} is there twice"
    return f"{attributes['key']!r} is {attributes['value']!r}, which is no {tag}"
