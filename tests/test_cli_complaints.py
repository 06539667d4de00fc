"""Telling what goes wrong without a flood."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.dispatching import failing
from twisted_dispatcher import Event
from twisted_dispatcher.cli.complaints import (
    BAD_LINES_TOLD,
    FAILURES_TOLD,
    Complaints,
    traceback_of,
)
from twisted_dispatcher.eventlogs import BadLine
from twisted_dispatcher.eventlogs.lines import lines
from twisted_dispatcher.feeding import Tally
from twisted_dispatcher.observers.log import report_failure
from twisted_dispatcher.testing import clocked_dispatcher


def failure_of(function: object) -> Failure:
    """Call a function that fails, and give its failure."""
    assert callable(function)
    try:
        function(None)
    except Exception:
        return Failure()
    raise AssertionError("it did not fail")


class ComplaintsTests(SynchronousTestCase):
    """Complaints and where they go."""

    def setUp(self) -> None:
        """Keep what is told."""
        self.told: list[str] = []
        self.complaints = Complaints(self.told.append)
        self.log = Logger("somewhere", observer=self.complaints)

    def test_is_a_log_observer(self) -> None:
        """Complaints can observe the log."""
        verifyObject(ILogObserver, self.complaints)

    def test_bad_line(self) -> None:
        """A bad line is told with its number and its reason."""
        self.complaints.bad_line(BadLine(7, "it holds no event"))

        self.assertEqual(self.told, ["line 7: it holds no event"])
        self.assertEqual(self.complaints.rest(), [])

    def test_many_bad_lines(self) -> None:
        """Of many bad lines the first are told and the others counted, and both is said."""
        for number in range(100):
            self.complaints.bad_line(BadLine(number, "it holds no event"))

        self.assertEqual(len(self.told), BAD_LINES_TOLD + 1)
        self.assertIn("only counted", self.told[-1])
        self.assertEqual(
            self.complaints.rest(),
            [f"100 bad lines in all, of which the first {BAD_LINES_TOLD} are shown"],
        )

    def test_levels(self) -> None:
        """Warnings and worse are told, what is less is not."""
        for level in LogLevel.iterconstants():
            self.log.emit(level, "this is {level_name}", level_name=level.name)

        self.assertEqual(self.told, ["this is warn", "this is error", "this is critical"])

    def test_failure(self) -> None:
        """A failed handler is told with its place and with the traceback of its own code."""
        dispatcher, _ = clocked_dispatcher()
        dispatcher.on()(failing(ValueError("on purpose")))
        handler: Any = dispatcher.describe()[0]
        try:
            failing(ValueError("on purpose"))(None)
        except ValueError:
            failure = Failure()
        published: list[str] = []
        self.patch(report_failure.__globals__["_log"], "observer", Complaints(published.append))
        report_failure(handler, Event("Closed"), failure)

        (text,) = published
        self.assertIn("failing", text)
        self.assertIn("Event Closed in phase during", text)
        self.assertIn("test_cli_complaints.py", text)
        self.assertTrue(text.endswith("ValueError: on purpose"), text)

    def test_many_failures(self) -> None:
        """Failures are limited for each handler, so that no handler's first one is missed."""
        failure = failure_of(failing(ValueError("on purpose")))
        for name in ("one",) * 10 + ("other",):
            self.log.failure("failed", failure, LogLevel.error, handler=name)

        self.assertEqual(len(self.told), FAILURES_TOLD + 2)
        self.assertIn("further failures of one", self.told[-2])
        self.assertEqual(
            self.complaints.rest(),
            [f"10 failures of one in all, of which the first {FAILURES_TOLD} are shown"],
        )

    def test_many_warnings(self) -> None:
        """Log events of one format are limited, whatever is put into it."""
        for number in range(10):
            self.log.warn("number {number}", number=number)
        self.log.warn("something else")

        self.assertEqual(len(self.told), FAILURES_TOLD + 2)
        self.assertEqual(self.told[-1], "something else")


class TracebackTests(SynchronousTestCase):
    """Tracebacks of failures."""

    def test_from_the_users_code_on(self) -> None:
        """Frames of the package itself are left out in front."""
        dispatcher, _ = clocked_dispatcher()
        dispatcher.add_observer(Tally())
        dispatcher.on()(failing(ValueError("on purpose")))
        (failure,) = self.successResultOf(dispatcher.fire_event("event")).failures
        self.flushLoggedErrors(ValueError)
        text = traceback_of(failure)

        self.assertIn("firing", failure.getTraceback())
        self.assertEqual(text.count("File "), 1)
        self.assertIn("in fail\n", text)

    def test_only_ours(self) -> None:
        """If there are no others, they are shown."""
        wrong: Any = iter([1, 2])
        failure = failure_of(lambda _: next(lines(wrong)))
        tb = failure.getTracebackObject()
        while tb is not None and "lines.py" not in tb.tb_frame.f_code.co_filename:
            tb = tb.tb_next
        text = traceback_of(Failure(failure.value, failure.type, tb))

        self.assertIn("lines.py", text)

    def test_without_traceback(self) -> None:
        """A failure that was never raised has its error at least."""
        self.assertIn("on purpose", traceback_of(Failure(ValueError("on purpose"))))
