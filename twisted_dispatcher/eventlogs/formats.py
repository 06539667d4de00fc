"""The formats of event logs, as a table, and how to tell which one a log has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from twisted_dispatcher.errors import UnknownLogFormat
from twisted_dispatcher.eventlogs.jsonlines import checked_jsonl, read_jsonl
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.eventlogs.tables import DELIMITERS, checked_csv, read_csv
from twisted_dispatcher.eventlogs.xes import checked_xes, read_xes
from twisted_dispatcher.events import Event


@attrs.frozen
class LogFormat:
    """
    How logs of one format are read.

    `checked` passes the text on and raises an `EventLogError` for a fault of the whole;
    `read` makes events of it. Both are also given the log's name, for errors.
    """

    name: str
    suffixes: tuple[str, ...]
    begins_with: str
    checked: Callable[[Iterable[str], str], Iterator[str]]
    read: Callable[[Iterable[str], str], Iterator[Event | BadLine]]


FORMATS: Final = {
    format.name: format
    for format in (
        LogFormat("jsonl", (".jsonl", ".ndjson"), "{[", checked_jsonl, read_jsonl),
        LogFormat("csv", (".csv", ".tsv"), "", checked_csv, read_csv),
        LogFormat("xes", (".xes",), "<", checked_xes, read_xes),
    )
}


def format_by_name(name: str) -> LogFormat | None:
    """Tell the format by the end of a file's name, if that says it."""
    suffix = os.path.splitext(name.lower().removesuffix(".gz"))[1]
    return next((format for format in FORMATS.values() if suffix in format.suffixes), None)


def format_by_content(head: str, name: str) -> LogFormat:
    """
    Tell the format by how the text begins.

    :raises UnknownLogFormat: if it begins as none of them does.
    """
    start = head.lstrip()
    for format in FORMATS.values():
        if format.begins_with and start.startswith(tuple(format.begins_with)):
            return format
    if any(delimiter in start.partition("\n")[0] for delimiter in DELIMITERS):
        return FORMATS["csv"]
    raise UnknownLogFormat(
        name,
        "neither its name nor its beginning tells what it is: "
        f"say it with --format ({', '.join(FORMATS)})",
    )
