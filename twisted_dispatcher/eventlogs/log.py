"""An event log: its contents and its format, put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain

from twisted_dispatcher.errors import EmptyLog, UnknownLogFormat
from twisted_dispatcher.eventlogs.contents import LogContents
from twisted_dispatcher.eventlogs.formats import (
    FORMATS,
    LogFormat,
    format_by_content,
    format_by_name,
)
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.events import Event


def open_log(
    path: str | os.PathLike[str], *, format: str = "auto", encoding: str | None = None
) -> EventLog:
    """
    Open an event log, gzipped or not.

    :param path: a file, or ``-`` for the standard input.
    :param format: ``jsonl``, ``csv``, ``xes``, or ``auto``: by the name, else by the content.
    :param encoding: of the text; None for UTF-8, or what an XML declaration or a byte order
        mark says.
    :raises EventLogError: for an unknown format or encoding. `OSError` is let through.
    """
    if format != "auto" and format not in FORMATS:
        raise UnknownLogFormat(
            os.fspath(path), f"there is no format {format!r}: auto, {', '.join(FORMATS)}"
        )
    contents = LogContents.of(path, encoding)
    return EventLog(contents, FORMATS.get(format) or format_by_name(contents.name))


class EventLog:
    """
    An event log that is open.

    Iterating over it gives an `Event` or a `BadLine` each time and raises an `EventLogError`
    where the whole is at fault. `check` looks for that beforehand. It is a context manager.
    """

    def __init__(self, contents: LogContents, format: LogFormat | None) -> None:
        self.name = contents.name
        self.checkable = contents.rewindable
        self._contents = contents
        self._format = format
        self._size: int | None = None

    @property
    def fraction(self) -> float | None:
        """How much of it was read, from 0 to 1; None for a pipe, which may never end."""
        contents = self._contents
        if self._size is not None:
            return min(1.0, contents.position / self._size)
        if contents.packed_size is not None:
            return min(1.0, contents.packed_position / max(1, contents.packed_size))
        return None

    def check(self, on_progress: Callable[[], object] = lambda: None) -> None:
        """
        Read all of it once, without making events, and complain if it is at fault as a whole.

        That is: its gzip data, its encoding, its XML, its header row. Faults of single lines
        are met when it is read. Nothing is done for a pipe, which can be read only once.

        :param on_progress: called now and then.
        :raises EventLogError: naming what is wrong and the cure.
        """
        if not self.checkable:
            return
        format, chunks = self._text()
        for _ in format.checked(chunks, self.name):
            on_progress()
        self._size = self._contents.position

    def __iter__(self) -> Iterator[Event | BadLine]:
        format, chunks = self._text()
        return format.read(chunks, self.name)

    def _text(self) -> tuple[LogFormat, Iterator[str]]:
        """The format, which the first piece of text may tell, and all of the text."""
        chunks = self._contents.chunks()
        head = ""
        while not head or head.isspace():
            chunk = next(chunks, None)
            if chunk is None:
                break
            head += chunk
        if not head or head.isspace():
            raise EmptyLog(self.name, "it is empty: is it the right file, and wholly copied?")
        if self._format is None:
            self._format = format_by_content(head, self.name)
        return self._format, chain([head], chunks)

    def close(self) -> None:
        """Close the file."""
        self._contents.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
