"""What is shown, on a terminal and without one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import StringIO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.cli.screen import BETWEEN_LINES, SLOWEST, ConsoleScreen
from twisted_dispatcher.feeding import HandlerTally, Tally


class Terminal(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class ScreenCase(SynchronousTestCase):
    """Catches what is written."""

    def setUp(self) -> None:
        """Take the place of standard output and standard error."""
        self.clock = Clock()
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
            if name in os.environ:
                self.patch(os, "environ", {k: v for k, v in os.environ.items() if k != name})
        self.write_to(StringIO(), StringIO())

    def write_to(self, out: StringIO, err: StringIO) -> None:
        """Have a new screen write there."""
        self.out, self.err = out, err
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        self.screen = ConsoleScreen(progress=True, seconds=self.clock.seconds)


class ConsoleScreenTests(ScreenCase):
    """Lines, bars and tables."""

    def test_tell_and_report(self) -> None:
        """Complaints go to standard error, reports to standard output, as they are."""
        text = "[bold]not markup[/] :smile: " + "long " * 60
        self.screen.tell(text)
        self.screen.report(text)

        self.assertEqual(self.err.getvalue(), text + "\n")
        self.assertEqual(self.out.getvalue(), text + "\n")

    def test_progress_without_terminal(self) -> None:
        """Where there is no terminal, progress is a line now and then."""
        with self.screen.showing("feeding"):
            for number in range(25):
                self.clock.advance(BETWEEN_LINES / 10)
                self.screen.progress(number * 1000, number / 25)

        self.assertEqual(
            self.err.getvalue(), "feeding: 9,000 events, 36%\nfeeding: 19,000 events, 76%\n"
        )

    def test_progress_of_what_has_no_end(self) -> None:
        """Where the end is not known, the number of events alone is shown."""
        with self.screen.showing("feeding"):
            self.clock.advance(BETWEEN_LINES)
            self.screen.progress(7, None)

        self.assertEqual(self.err.getvalue(), "feeding: 7 events\n")

    def test_quiet(self) -> None:
        """Without progress nothing is shown of it, but complaints are."""
        for err in (StringIO(), Terminal()):
            self.write_to(StringIO(), err)
            self.screen = ConsoleScreen(progress=False, seconds=self.clock.seconds)
            with self.screen.showing("feeding"):
                self.clock.advance(BETWEEN_LINES)
                self.screen.progress(7, 0.5)
                self.screen.tell("a complaint")

            self.assertEqual(err.getvalue(), "a complaint\n")

    def test_bar(self) -> None:
        """On a terminal progress is a bar on standard error, which is gone in the end."""
        self.patch(os, "environ", {**os.environ, "TERM": "xterm"})
        self.write_to(StringIO(), Terminal())
        with self.screen.showing("feeding"):
            self.clock.advance(1)
            self.screen.progress(1234, 0.5)
            self.screen.progress(1235, 0.5)  # too soon to be drawn
            self.screen.tell("a complaint")
        shown = self.err.getvalue()

        self.assertIn("1,234 events", shown)
        self.assertNotIn("1,235 events", shown)
        self.assertIn("a complaint\n", shown)
        self.assertTrue(shown.endswith("\x1b[2K"), shown[-20:])
        self.assertEqual(self.out.getvalue(), "")

    def test_bar_makes_way(self) -> None:
        """The bar is gone before a report or a summary is written."""
        self.patch(os, "environ", {**os.environ, "TERM": "xterm"})
        writes: tuple[Callable[[], None], ...] = (
            lambda: self.screen.report("the end"),
            lambda: self.screen.summary(Tally()),
        )
        for write in writes:
            both = Terminal()
            self.write_to(both, both)
            with self.screen.showing("feeding"):
                self.screen.progress(1234, 0.5)
                write()
            shown = both.getvalue()

            self.assertEqual(
                shown.count("feeding"), shown[: shown.rindex("\x1b[2K")].count("feeding")
            )

    def test_summary(self) -> None:
        """The summary has all that was counted, and the rate."""
        tally = Tally(self.clock.seconds)
        tally.begin()
        self.clock.advance(2)
        tally.end()
        tally.events = 12345
        tally.bad_lines = 67
        tally.handlers[0] = HandlerTally("app.setup.<locals>.close", "after", 1000, 8, 0.5, 0.25)
        self.screen.summary(tally)
        rows = [" ".join(line.split()) for line in self.out.getvalue().splitlines()]

        for row in (
            "events 12,345",
            "handlers called 1,000",
            "failures 8",
            "bad lines 67",
            "seconds 2.00",
            "events/s 6,172",
            "app.setup.close after 1,000 8 0.500 0.500 250.000",
        ):
            self.assertIn(row, rows)

    def test_summary_of_nothing(self) -> None:
        """A summary of nothing has no rate to divide and no handlers to list."""
        self.screen.summary(Tally())

        self.assertIn("events/s", self.out.getvalue())
        self.assertNotIn("slowest", self.out.getvalue())

    def test_many_handlers(self) -> None:
        """Of many handlers the slowest are listed, and how many there are is said."""
        tally = Tally()
        for number in range(SLOWEST + 5):
            tally.handlers[number] = HandlerTally(f"handler{number:02}", "after", 1, 0, number)
        self.screen.summary(tally)
        shown = self.out.getvalue()

        self.assertIn(f"slowest first (of {SLOWEST + 5})", shown)
        self.assertIn("handler14", shown)
        self.assertNotIn("handler04", shown)
