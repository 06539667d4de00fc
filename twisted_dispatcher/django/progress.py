"""Showing how far a command is: a bar on a terminal, where rich is installed, or lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

BETWEEN_LINES: Final = 10.0  # seconds

# Called with how many were done of all.
Show = Callable[[int], object]


@contextmanager
def progress(
    out: Any, what: str, total: int, seconds: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """
    Give a function that shows how far something is, as long as the context lasts.

    :param out: the stream that a command writes to.
    :param total: how many there are; what happens meanwhile may make it wrong.
    """
    if out.isatty() and find_spec("rich") is not None:
        with _bar(out, what, total) as show:
            yield show
    else:
        yield _Lines(out, what, total, seconds)


class _Lines:
    """Writes a line now and then."""

    def __init__(self, out: Any, what: str, total: int, seconds: Callable[[], float]) -> None:
        self._out = out
        self._what = what
        self._total = total
        self._seconds = seconds
        self._next = seconds() + BETWEEN_LINES

    def __call__(self, done: int) -> None:
        if self._seconds() >= self._next:
            self._next = self._seconds() + BETWEEN_LINES
            self._out.write(f"{self._what}: {done:,} of {self._total:,}")
            self._out.flush()


@contextmanager
def _bar(out: Any, what: str, total: int) -> Iterator[Show]:
    # An extra of the command line: a project need not have it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    # Drawn when something has happened, so that no thread is needed.
    console = Console(file=out, force_terminal=True)
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int) -> None:
            bar.update(task, completed=done, total=max(total, done))
            bar.refresh()

        show(0)
        yield show
