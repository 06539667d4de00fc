"""Showing how far a command is: a bar on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

BETWEEN_LINES: Final = 10.0  # seconds
BETWEEN_BARS: Final = 0.1
WIDTH: Final = 30
# To the beginning of the line, and all of it away.
_AGAIN: Final = "\r\x1b[K"

# Called with how many were done.
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
    if not out.isatty():
        yield Now(seconds, BETWEEN_LINES, lambda done: _tell(out, f"{_far(what, done, total)}\n"))
        return
    bar = Now(seconds, BETWEEN_BARS, lambda done: _tell(out, _AGAIN + _bar(what, done, total)))
    try:
        yield bar
    finally:
        _tell(out, _AGAIN)


class Now:
    """Passes on how far it is, though not at every step."""

    def __init__(
        self, seconds: Callable[[], float], between: float, show: Callable[[int], object]
    ) -> None:
        self._seconds = seconds
        self._between = between
        self._show = show
        self._next = seconds() + between

    def __call__(self, done: int) -> None:
        now = self._seconds()
        if now >= self._next:
            self._next = now + self._between
            self._show(done)


def _tell(out: Any, text: str) -> None:
    # A command's stream adds an end of line of its own where it is not told otherwise.
    out.write(text, ending="") if hasattr(out, "style_func") else out.write(text)
    out.flush()


def _far(what: str, done: int, total: int) -> str:
    return f"{what}: {done:,} of {total:,}"


def _bar(what: str, done: int, total: int) -> str:
    full = WIDTH if done >= total else WIDTH * done // total
    return f"{_far(what, done, total)} [{'#' * full}{' ' * (WIDTH - full)}]"
