"""
What goes wrong while a log is fed, told without a flood.

A handler that fails for each of a million events is one mistake, not a million: the first few
of a kind are told in full, the others counted.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, cast

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.eventlogs import BadLine

BAD_LINES_TOLD: Final = 20
FAILURES_TOLD: Final = 3
_TELLING: Final = (LogLevel.warn, LogLevel.error, LogLevel.critical)
_BAD_LINES: Final = "bad lines"
_REFUSED: Final = "events that cannot be stored"
_PACKAGE: Final = str(Path(__file__).parents[1])


@implementer(ILogObserver)
class Complaints:
    """
    Tells of bad lines, and, as an observer of the log, of warnings and failures.

    Failures are of one kind if they are of one handler, other log events if they have the same
    format.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._counts: Counter[str] = Counter()

    def bad_line(self, bad: BadLine) -> None:
        """Tell of a line that holds no event."""
        self._complain(_BAD_LINES, f"line {bad.line}: {bad.reason}", BAD_LINES_TOLD)

    def refused(self, text: str) -> None:
        """Tell of an event that cannot be stored."""
        self._complain(_REFUSED, text, BAD_LINES_TOLD)

    def __call__(self, event: LogEvent) -> None:
        """Tell of what was logged, if it is a warning or worse."""
        if event.get("log_level") in _TELLING:
            text = formatEvent(event)
            failure = event.get("log_failure")
            if failure is not None:
                text = f"{text}\n{traceback_of(failure)}"
            self._complain(_kind_of(event), text, FAILURES_TOLD)

    def rest(self) -> list[str]:
        """Tell how many there were of those kinds of which not all were told."""
        of_the_log = (_BAD_LINES, _REFUSED)
        told = {
            kind: BAD_LINES_TOLD if kind in of_the_log else FAILURES_TOLD for kind in self._counts
        }
        return [
            f"{count} {kind} in all, of which the first {told[kind]} are shown"
            for kind, count in self._counts.items()
            if count > told[kind]
        ]

    def _complain(self, kind: str, text: str, limit: int) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= limit:
            self._tell(text)
        elif self._counts[kind] == limit + 1:
            self._tell(f"(further {kind} are only counted)")


def _kind_of(event: LogEvent) -> str:
    if "handler" in event and "log_failure" in event:
        return f"failures of {event['handler']}"
    return f"log events like {event.get('log_format') or 'this'!r}"


def traceback_of(failure: Failure) -> str:
    """Give the traceback as Python itself prints it, from where the user's code begins."""
    found = failure.getTracebackObject()
    if found is None:
        return str(failure.getTraceback()).rstrip()
    error = cast(BaseException, failure.value)
    lines = traceback.format_exception(type(error), error, _users_part(found))
    return "".join(lines).rstrip()


def _users_part(whole: TracebackType) -> TracebackType:
    """Leave out the frames of this package in front, unless there are no others."""
    frames: TracebackType | None = whole
    while frames is not None:
        if not frames.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            return frames
        frames = frames.tb_next
    return whole
