"""What is shown on a terminal, or written where there is none: progress, complaints, tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from twisted_dispatcher.cli.following import StoredTally
from twisted_dispatcher.feeding import HandlerTally, Tally

SLOWEST: Final = 10
BETWEEN_LINES: Final = 10.0  # seconds
BETWEEN_DRAWINGS: Final = 0.1
_STEPS: Final = 1000.0  # of a bar
_WIDTH_WITHOUT_TERMINAL: Final = 160


class ConsoleScreen:
    """
    Shows complaints and progress on standard error, reports and the summary on standard output.

    On a terminal progress is a bar, elsewhere a line every `BETWEEN_LINES` seconds. Nothing is
    drawn but when it is called, so that no thread is needed.
    """

    def __init__(self, *, progress: bool, seconds: Callable[[], float] = time.monotonic) -> None:
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)
        self._shows_progress = progress
        self._seconds = seconds
        self._what = ""
        self._next_time = 0.0
        self._bar: Progress | None = None

    @contextmanager
    def showing(self, what: str) -> Iterator[None]:
        """Show the progress of something as long as the context lasts."""
        self._what = what
        self._next_time = self._seconds() + BETWEEN_LINES
        if not (self._shows_progress and self._err.is_terminal):
            yield
            return
        self._next_time = 0.0
        self._bar = _bar_on(self._err)
        self._bar.add_task(what, total=None, count="")
        self._bar.start()
        try:
            yield
        finally:
            self._take_bar_away()

    def _take_bar_away(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()

    def progress(self, done: int | None, fraction: float | None, things: str = "events") -> None:
        """Show how far it is: the number of things, if they are counted, and the part of all."""
        now = self._seconds()
        if not self._shows_progress or now < self._next_time:
            return
        count = "" if done is None else f"{done:,} {things}"
        if self._bar is None:
            share = "" if fraction is None else f"{fraction:.0%}"
            self.tell(f"{self._what}: {', '.join(filter(None, (count, share)))}")
            self._next_time = now + BETWEEN_LINES
        else:
            total = None if fraction is None else _STEPS
            completed = (fraction or 0.0) * _STEPS
            self._bar.update(TaskID(0), completed=completed, total=total, count=count)
            self._bar.refresh()
            self._next_time = now + BETWEEN_DRAWINGS

    def tell(self, text: str) -> None:
        """Write a line, or lines, on standard error."""
        self._err.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def report(self, text: str) -> None:
        """Write a text on standard output; nothing more is in progress."""
        self._take_bar_away()
        self._out.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def summary(self, tally: Tally) -> None:
        """Write tables of what was counted on standard output; nothing more is in progress."""
        self.counts(_counted(tally))
        if tally.calls:
            self._out.print(_slowest(tally.slowest(SLOWEST), len(tally.handlers)))

    def counts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write a table of counts on standard output; nothing more is in progress."""
        self._take_bar_away()
        self._out.print(_totals(rows))

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table on standard output."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._out.print(table)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def _bar_on(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        # What handlers print must not come on standard error when the output is a file.
        redirect_stdout=sys.stdout.isatty(),
    )


def _totals(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _counted(tally: Tally) -> Iterator[tuple[str, str]]:
    rate = tally.events / tally.seconds if tally.seconds else 0.0
    yield "events", f"{tally.events:,}"
    if isinstance(tally, StoredTally):
        yield "new", f"{tally.new:,}"
        yield "known already", f"{tally.known:,}"
        yield "delivered", f"{tally.delivered:,}"
        yield "dead", f"{tally.dead:,}"
        yield "left to do", f"{tally.left:,}"
        yield "cannot be stored", f"{tally.refused:,}"
    else:
        yield "handlers called", f"{tally.calls:,}"
        yield "failures", f"{tally.failures:,}"
    yield "bad lines", f"{tally.bad_lines:,}"
    yield "seconds", f"{tally.seconds:,.2f}"
    yield "events/s", f"{rate:,.0f}"


def _slowest(handlers: list[HandlerTally], count: int) -> Table:
    title = "handlers, slowest first" + (f" (of {count})" if count > len(handlers) else "")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("handler", overflow="fold")
    table.add_column("phase")
    for heading in ("calls", "failed", "total s", "mean ms", "max ms"):
        table.add_column(heading, justify="right")
    for handler in handlers:
        table.add_row(
            handler.name.replace("<locals>.", ""),
            handler.phase,
            f"{handler.calls:,}",
            f"{handler.failures:,}",
            f"{handler.seconds:,.3f}",
            f"{handler.seconds / max(1, handler.calls) * 1e3:,.3f}",
            f"{handler.longest * 1e3:,.3f}",
        )
    return table
