"""Opening event logs: the format told, the whole checked, the events streamed."""

from __future__ import annotations

import gc
import gzip
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import (
    EmptyLog,
    EventLogError,
    MissingExtra,
    TruncatedLog,
    UnknownLogFormat,
)
from twisted_dispatcher.eventlogs import FORMATS, BadLine, EventLog, open_log
from twisted_dispatcher.eventlogs.contents import LogContents
from twisted_dispatcher.events import Event

JSONL = '{"specversion": "1.0", "id": "7", "source": "/desk", "type": "Closed"}\n'
CSV = "concept:name,n\nClosed,1\n"
XES = '<log><trace><event><string key="concept:name" value="Closed"/></event></trace></log>\n'


class EventLogCase(SynchronousTestCase):
    """Puts texts into files."""

    def open(self, text: str | bytes, name: str = "some.log", format: str = "auto") -> EventLog:
        """Put a text into a file and open that as a log."""
        path = Path(self.mktemp())
        path.mkdir()
        path = path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        log = open_log(path, format=format)
        self.addCleanup(log.close)
        return log

    def types(self, log: EventLog) -> list[str]:
        """Read a log and give what its events are called."""
        return [item.type if isinstance(item, Event) else item.reason for item in log]


class FormatTests(EventLogCase):
    """Telling which format a log has."""

    def test_by_content(self) -> None:
        """How a text begins tells its format, also after blank lines and when it is packed."""
        for text in (JSONL, CSV, XES, "\n \n" + JSONL, "\ufeff" + XES):
            self.assertEqual(self.types(self.open(text)), ["Closed"])
            self.assertEqual(self.types(self.open(gzip.compress(text.encode()))), ["Closed"])

    def test_by_name(self) -> None:
        """The end of the name goes before the content, without regard to case or .gz."""
        one_column = "type\nClosed\n"

        self.assertEqual(self.types(self.open(one_column, "log.CSV")), ["Closed"])
        packed = gzip.compress(one_column.encode())
        self.assertEqual(self.types(self.open(packed, "log.csv.gz")), ["Closed"])

    def test_as_given(self) -> None:
        """A format that is given goes before name and content."""
        log = self.open("type\nClosed\n", "log.xes", format="csv")

        self.assertEqual(self.types(log), ["Closed"])

    def test_not_told(self) -> None:
        """A log whose format nothing tells is refused, with the option that helps."""
        error = self.assertRaises(UnknownLogFormat, iter, self.open("Closed\n"))

        self.assertIn("--format (jsonl, csv, xes)", str(error))

    def test_no_such_format(self) -> None:
        """A format that does not exist is refused, with those that do."""
        error = self.assertRaises(UnknownLogFormat, self.open, "Closed\n", format="xml")

        self.assertIn("auto, jsonl, csv, xes", str(error))

    def test_all_formats_by_name(self) -> None:
        """The table of formats is by their names."""
        self.assertEqual(
            {name: format.name for name, format in FORMATS.items()},
            {name: name for name in ("jsonl", "csv", "xes")},
        )


class CheckTests(EventLogCase):
    """Checking a log before anything is made of it."""

    def test_good(self) -> None:
        """A good log passes its check and can be read then, more than once."""
        log = self.open(XES)
        log.check()

        self.assertEqual(self.types(log), ["Closed"])
        self.assertEqual(self.types(log), ["Closed"])

    def test_bad(self) -> None:
        """Whatever is wrong with the whole is found by the check."""
        packed = gzip.compress((JSONL * 5000).encode())
        bad: list[tuple[str | bytes, str]] = [
            (packed[:-9], "log.jsonl.gz"),
            (JSONL, "log.jsonl.gz"),
            (JSONL.encode() + b"\xe8", "log.jsonl"),
            ("n\n1\n", "log.csv"),
            ("<!DOCTYPE log><log/>", "log.xes"),
            (XES[:-20], "log.xes"),
            ("", "log.jsonl"),
            ("\n\n", "log.csv"),
            (gzip.compress(b""), "log.xes.gz"),
            ("Closed", "log.txt"),
        ]
        for text, name in bad:
            self.assertRaises(EventLogError, self.open(text, name).check)

    def test_single_lines_pass(self) -> None:
        """A bad line among good ones is no matter of the check."""
        log = self.open(JSONL + "nonsense\n" + JSONL)
        log.check()

        self.assertEqual([type(item) for item in log], [Event, BadLine, Event])

    def test_empty(self) -> None:
        """A log with nothing in it is refused as empty, also when it is read unchecked."""
        self.assertRaises(EmptyLog, self.open("", "log.csv").check)
        self.assertRaises(EmptyLog, iter, self.open(" \n", "log.csv"))

    def test_missing(self) -> None:
        """A file that is not there is an OSError, as for any other opening."""
        self.assertRaises(FileNotFoundError, open_log, self.mktemp())

    def test_missing_library(self) -> None:
        """A format whose library is not installed is refused with what to install."""
        for text, library in ((XES, "defusedxml"), (JSONL, "cloudevents")):
            self.hide(library)
            error = self.assertRaises(MissingExtra, self.open(text).check)
            self.assertIn(f"needs {library}", str(error))
            self.assertIn("pip install 'twisted_dispatcher[cli]'", str(error))

    def hide(self, library: str) -> None:
        """Make a library look as if it were not installed, for one test."""
        loaded = {name: sys.modules[name] for name in sys.modules if name.startswith(library)}
        self.addCleanup(sys.modules.update, loaded)
        self.addCleanup(sys.modules.pop, library)
        for name in loaded:
            del sys.modules[name]
        sys.modules[library] = None  # type: ignore[assignment]

    def test_fraction(self) -> None:
        """The fraction that was read goes up to 1 while checking, and then again while reading."""
        log = self.open(gzip.compress((JSONL * 5000).encode()))
        checked: list[float | None] = []
        log.check(lambda: checked.append(log.fraction))
        read = [log.fraction for _ in log]

        self.assertEqual(checked[-1], 1.0)
        self.assertEqual(read[-1], 1.0)
        self.assertTrue(0 < (read[0] or 0) < 0.5, read[0])
        self.assertEqual(read, sorted(read, key=lambda fraction: fraction or 0))

    def test_pipe(self) -> None:
        """A pipe is not checked, has no fraction, and is read up to where its fault is met."""
        reading, writing = os.pipe()
        with open(writing, "wb") as out:
            out.write(XES[:-8].encode())
        log = EventLog(LogContents(os.fdopen(reading, "rb"), "a pipe", None), None)
        self.addCleanup(log.close)
        log.check()
        items = iter(log)

        self.assertFalse(log.checkable)
        self.assertIs(log.fraction, None)
        self.assertIsInstance(next(items), Event)
        self.assertRaises(TruncatedLog, next, items)

    def test_closed_by_with(self) -> None:
        """A with statement closes the log."""
        with self.open(JSONL) as log:
            pass

        self.assertRaises(ValueError, iter, log)


def endless_jsonl() -> Iterator[str]:
    """Give CloudEvents without end."""
    while True:
        yield JSONL * 100


def endless_csv() -> Iterator[str]:
    """Give a table without end."""
    yield CSV
    while True:
        yield "Closed,1\n" * 100


def endless_xes() -> Iterator[str]:
    """Give a log without end."""
    yield "<log>"
    while True:
        yield XES[5:-7] * 100


class MemoryTests(SynchronousTestCase):
    """What stays in memory of a log that was read."""

    def growth(
        self,
        read: Callable[[Iterable[str], str], Iterator[Event | BadLine]],
        text: Iterator[str],
    ) -> int:
        """Give how many bytes more there are after 5000 events than after 1000."""
        items = read(text, "a log")
        for _ in range(1000):
            next(items)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(4000):
                self.assertIsInstance(next(items), Event)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    def test_does_not_grow(self) -> None:
        """However many events were read, none stays in memory, in any format."""
        logs = {"jsonl": endless_jsonl(), "csv": endless_csv(), "xes": endless_xes()}
        grown = {name: self.growth(FORMATS[name].read, text) for name, text in logs.items()}

        # Some of what one piece of text makes is there at any time; 4000 events would be 2 MB.
        self.assertTrue(all(size < 200_000 for size in grown.values()), grown)
