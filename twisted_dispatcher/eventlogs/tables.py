"""
CSV: a header row with names, then one event on each row.

The column that names the event is `concept:name`, as in exports of XES logs, or else the
first of `activity`, `type` and `event`, in upper or lower case; its time is in
`time:timestamp`, `timestamp` or `time`, if it can be read as one. Values stay text. The
delimiter is the one of ``, ; | tab`` that the header row has most of.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

import attrs

from twisted_dispatcher.errors import UnknownLogFormat
from twisted_dispatcher.eventlogs.lines import BadLine, lines
from twisted_dispatcher.events import Event, parse_time

DELIMITERS: Final = ",;\t|"
_NAMES: Final = ("concept:name", "activity", "type", "event")
_TIMES: Final = ("time:timestamp", "timestamp", "time")


def checked_csv(chunks: Iterable[str], name: str) -> Iterator[str]:
    """Give the text as it is, when its header row was found good."""
    chunks = iter(chunks)
    first = next(chunks, "")
    next(read_csv([first], name), None)
    yield from chain([first], chunks)


def read_csv(chunks: Iterable[str], name: str) -> Iterator[Event | BadLine]:
    """
    Read one event from each row.

    :raises UnknownLogFormat: if no column names the event, or two have the same name.
    """
    text = lines(chunks)
    first = next(text, "")
    numbered = _NumberedRows(chain([first], text), max(DELIMITERS, key=first.count))
    header = next(numbered)
    if isinstance(header, BadLine):
        raise UnknownLogFormat(name, f"its header row cannot be read: {header.reason}")
    columns = _Columns.of(header, name)
    for row in numbered:
        if isinstance(row, BadLine):
            yield row
        elif row:
            yield columns.event(row, numbered.line)


class _NumberedRows:
    """The rows of a table; `line` is where the last one began."""

    def __init__(self, text: Iterable[str], delimiter: str) -> None:
        # The reader must see the ends of lines, for those inside quotes.
        self._rows = csv.reader((line + "\n" for line in text), delimiter=delimiter, strict=True)
        self.line = 0

    def __iter__(self) -> Iterator[list[str] | BadLine]:
        return self

    def __next__(self) -> list[str] | BadLine:
        self.line = self._rows.line_num + 1
        try:
            return next(self._rows)
        except csv.Error as error:
            return BadLine(self.line, self._reason(error))

    def _reason(self, error: csv.Error) -> str:
        last = self._rows.line_num
        if last > self.line:
            return f"the quotes opened here were not closed, up to line {last} ({error})"
        return f"it is no row of a table: {error}"


@attrs.frozen
class _Columns:
    """What the columns of a table mean."""

    names: Sequence[str]
    name: int
    time: int | None

    @classmethod
    def of(cls, header: list[str], log: str) -> _Columns:
        folded = [column.strip().lower() for column in header]
        name = _first(_NAMES, folded)
        if name is None:
            raise UnknownLogFormat(
                log,
                f"no column names the event: there are {', '.join(map(repr, header[:20]))}; "
                f"name one of them {', '.join(_NAMES[:-1])} or {_NAMES[-1]}",
            )
        repeated = {column for column in header if header.count(column) > 1}
        if repeated:
            raise UnknownLogFormat(
                log,
                f"more than one column has the name {', '.join(map(repr, sorted(repeated)))}: "
                "give each its own",
            )
        return cls(header, name, _first(_TIMES, folded))

    def event(self, row: list[str], line: int) -> Event | BadLine:
        if len(row) != len(self.names):
            return BadLine(
                line, f"it has {len(row)} columns where the header has {len(self.names)}"
            )
        if not row[self.name]:
            return BadLine(line, f"it has nothing in {self.names[self.name]!r}, the event's name")
        context = dict(zip(self.names, row))
        return Event(row[self.name], context=context, time=self._time(row))

    def _time(self, row: list[str]) -> datetime | None:
        if self.time is None:
            return None
        try:
            return parse_time(row[self.time])
        except ValueError:
            return None


def _first(wanted: Iterable[str], columns: list[str]) -> int | None:
    return next((columns.index(name) for name in wanted if name in columns), None)
