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

    :raises UnsafeLog, TruncatedLog, DamagedLog: where the fault is met.
    :raises MissingExtra: if defusedxml is not installed.
    """
    xml = Markup(name)
    for chunk in chunks:
        xml.feed(chunk)
        yield chunk
    xml.close()


def read_xes(chunks: Iterable[str], name: str) -> Iterator[Event | BadLine]:
    """
    Read the events of all traces, in the order in which they stand.

    What stands before a fault of the XML is given before that is raised, as `checked_xes` does.

    :raises UnknownLogFormat: if it is no log.
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


_SCALARS: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "date": parse_time,
    "int": int,
    "float": float,
    "boolean": _boolean,
    "id": str,
}
_GROUPS: Final[dict[str, Callable[[], Any]]] = {"list": list, "container": dict}


class _Tags:
    """
    Makes events of the tags of a log.

    `_into` is where the next attribute goes (None: nowhere), `_prefix` stands before its
    name; `_outer` has both as they were outside of each attribute that is still open.
    """

    line: Callable[[], int]

    def __init__(self, name: str) -> None:
        self._name = name
        self._in_log = False
        self._ready: list[Event | BadLine] = []
        self._log: dict[str, Any] = {}
        self._trace: dict[str, Any] = {}
        self._event: dict[str, Any] = {}
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
        tag = tag[tag.rfind(":") + 1 :]
        if not self._in_log:
            self._enter_log(tag)
        elif tag in _SCALARS or tag in _GROUPS:
            self._outer.append((self._into, self._prefix))
            if self._into is not None:
                self._add(tag, attributes)
        elif tag == "event":
            self._event_line = self.line()
            self._event = {}
            self._go_into(self._event)
        elif tag == "trace":
            self._trace = {}
            self._go_into(self._trace, "case:")
        elif tag == "global":
            self._go_into(None)

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        tag = tag[tag.rfind(":") + 1 :]
        if tag in _SCALARS or tag in _GROUPS:
            self._into, self._prefix = self._outer.pop()
        elif tag == "event":
            self._ready.append(self._fault or self._made_event())
            self._fault = None
            self._event = {}
            self._go_into(self._trace, "case:")
        elif tag == "trace" or tag == "global":
            self._trace = {}
            self._go_into(self._log)

    def _enter_log(self, tag: str) -> None:
        if tag != "log":
            raise UnknownLogFormat(
                self._name, f"it is XML, but begins with <{tag}>, where XES has <log>"
            )
        self._in_log = True
        self._go_into(self._log)

    def _go_into(self, attributes: dict[str, Any] | None, prefix: str = "") -> None:
        self._into = attributes
        self._prefix = prefix

    def _add(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Put an attribute where it belongs, and see to it that those inside it follow."""
        name = self._prefix + attributes.get("key", "")
        try:
            value = _value(tag, attributes)
            _put(self._into, name, value)
        except ValueError as error:
            self._complain(BadLine(self.line(), f"attribute {name!r} {error}"))
        else:
            if tag in _GROUPS:
                self._go_into(value)
            else:
                self._prefix = name + "/"

    def _complain(self, fault: BadLine) -> None:
        """Give a bad line in place of the event, or beside the events of the trace."""
        if self._into is self._event:
            self._fault = self._fault or fault
        else:
            self._ready.append(fault)
        self._into = None

    def _made_event(self) -> Event | BadLine:
        event = self._event
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


def _value(tag: str, attributes: Mapping[str, str]) -> Any:
    if "key" not in attributes:
        raise ValueError("has no key")
    if tag in _GROUPS:
        return _GROUPS[tag]()
    if "value" not in attributes:
        raise ValueError("has no value")
    text = attributes["value"]
    try:
        return _SCALARS[tag](text)
    except (ValueError, KeyError):
        raise ValueError(f"is {text!r}, which is no {tag}") from None


def _put(into: dict[str, Any] | list[Any] | None, name: str, value: Any) -> None:
    if isinstance(into, list):
        into.append(value)
    elif into is not None:
        if name in into:
            raise ValueError("is there twice")
        into[name] = value
