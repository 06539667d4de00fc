"""Running an application over a log: setup, feed, report, and the exit status of it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Recorder, Waiting, failing
from twisted_dispatcher import EventDispatcher
from twisted_dispatcher.cli.application import Setup
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.running import Run
from twisted_dispatcher.cli.statuses import FAILED, INTERRUPTED, WELL
from twisted_dispatcher.eventlogs import EventLog, open_log
from twisted_dispatcher.feeding import Tally

LOG = "concept:name,n\nOpened,1\nChanged,2\nbad line\nClosed,3\n"


class FakeScreen:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reports: list[str] = []
        self.tallies: list[Tally] = []

    def progress(self, events: int, fraction: float | None) -> None:
        """Do nothing."""

    def tell(self, text: str) -> None:
        """Keep a complaint."""
        self.told.append(text)

    def report(self, text: str) -> None:
        """Keep a report; it must come before the summary."""
        assert not self.tallies
        self.reports.append(text)

    def summary(self, tally: Tally) -> None:
        """Keep a summary."""
        self.tallies.append(tally)


class RunTests(SynchronousTestCase):
    """Runs and what comes of them."""

    def setUp(self) -> None:
        """Have a clock and a screen."""
        self.clock = Clock()
        self.screen = FakeScreen()

    def log(self, text: str = LOG) -> EventLog:
        """Open a log."""
        path = Path(self.mktemp() + ".csv")
        path.write_text(text)
        log = open_log(path)
        self.addCleanup(log.close)
        return log

    def begin(self, setup: Setup, text: str = LOG, **options: Any) -> tuple[Run, Deferred[int]]:
        """Begin to run an application."""
        complaints = Complaints(self.screen.tell)
        run = Run(self.clock, self.log(text), setup, self.screen, complaints, **options)
        status = run.start()
        self.clock.advance(0)
        return run, status

    def status(self, setup: Setup, text: str = LOG, **options: Any) -> int:
        """Run an application to its end and give the exit status."""
        return self.successResultOf(self.begin(setup, text, **options)[1])

    def test_well(self) -> None:
        """All events are fired at the handlers that setup registers, and counted."""
        recorder = Recorder()

        def setup(dispatcher: Any) -> None:
            dispatcher.allow_keyword("concept_name")
            dispatcher.on(concept_name="Closed")(recorder)

        status = self.status(setup)

        self.assertEqual(status, WELL)
        self.assertEqual([event["n"] for event in recorder.events], ["3"])
        (tally,) = self.screen.tallies
        self.assertEqual((tally.events, tally.calls, tally.bad_lines), (3, 1, 1))

    def test_bad_lines(self) -> None:
        """Bad lines are told, and change nothing about the exit status."""
        status = self.status(lambda dispatcher: None)

        self.assertEqual(status, WELL)
        self.assertEqual(self.screen.told, ["line 4: it has 1 columns where the header has 2"])

    def test_strict(self) -> None:
        """If it is strict, the first bad line ends the run, and what came before was handled."""
        recorder = Recorder()
        report = Recorder("the report")

        def setup(dispatcher: EventDispatcher) -> Callable[[], Any]:
            dispatcher.on()(recorder)
            return lambda: report(None)

        status = self.status(setup, strict=True)

        self.assertEqual(status, FAILED)
        self.assertEqual([event.type for event in recorder.events], ["Opened", "Changed"])
        self.assertIn("line 4: it has 1 columns", self.screen.told[0])
        self.assertEqual(len(self.screen.tallies), 1)
        self.assertEqual(report.events, [])

    def test_strict_and_good(self) -> None:
        """If it is strict and no line is bad, all is well."""
        self.assertEqual(
            self.status(lambda _: None, LOG.replace("bad line\n", ""), strict=True), WELL
        )

    def test_failing_handler(self) -> None:
        """If a handler failed, the run has failed, though it went on to its report."""

        def setup(dispatcher: Any) -> Callable[[], str]:
            dispatcher.on()(failing(ValueError("on purpose")))
            return lambda: "the report"

        status = self.status(setup)
        self.flushLoggedErrors(ValueError)

        self.assertEqual(status, FAILED)
        self.assertEqual(self.screen.reports, ["the report"])
        self.assertEqual(self.screen.tallies[0].failures, 3)

    def test_report(self) -> None:
        """What setup gives is called at the end, when every handler is done."""
        waiting = Waiting()

        def setup(dispatcher: EventDispatcher) -> Callable[[], str]:
            dispatcher.on()(waiting)
            return lambda: f"{sum(pending.called for pending in waiting.pending)} done"

        _, status = self.begin(setup, concurrency=5)
        before = list(self.screen.reports)
        for pending in waiting.pending:
            pending.callback(None)

        self.assertEqual(self.successResultOf(status), WELL)
        self.assertEqual((before, self.screen.reports), ([], ["3 done"]))

    def test_report_after_what_nobody_waited_for(self) -> None:
        """Events that a handler fires without waiting are handled before the report, too."""
        waiting = Waiting()

        def setup(dispatcher: EventDispatcher) -> Callable[[], str]:
            dispatcher.allow_keyword("concept_name")
            dispatcher.allow_keyword("inner")
            dispatcher.on(inner=True)(waiting)

            @dispatcher.on(concept_name="Closed")
            def fire(event: object) -> None:
                dispatcher.fire_event("inner", inner=True)

            return lambda: "the report"

        _, status = self.begin(setup)
        self.assertNoResult(status)
        waiting.pending[0].callback(None)

        self.assertEqual(self.successResultOf(status), WELL)
        self.assertEqual(self.screen.reports, ["the report"])

    def test_no_report(self) -> None:
        """A report that is None is not shown."""
        self.status(lambda dispatcher: lambda: None)

        self.assertEqual(self.screen.reports, [])

    def test_answers_to_be_waited_for(self) -> None:
        """Setup and report may be asynchronous."""

        async def setup(dispatcher: Any) -> Callable[[], Any]:
            await succeed(None)
            return lambda: succeed("the report")

        self.assertEqual(self.status(setup), WELL)
        self.assertEqual(self.screen.reports, ["the report"])

    def test_failing_setup(self) -> None:
        """A setup that fails is told with its traceback, and nothing is fired."""
        status = self.status(failing(ValueError("no database")))

        self.assertEqual(status, FAILED)
        self.assertIn("setup failed", self.screen.told[0])
        self.assertIn("ValueError: no database", self.screen.told[0])
        self.assertEqual(self.screen.tallies, [])

    def test_setup_that_is_refused(self) -> None:
        """What this package refuses to a setup is told in one line, with the cure."""

        def setup(dispatcher: EventDispatcher) -> None:
            dispatcher.on("check")(Recorder())

        self.assertEqual(self.status(setup), FAILED)
        self.assertEqual(self.status(lambda dispatcher: dispatcher.on(nobody=1)), FAILED)

        phase, keyword = self.screen.told
        self.assertEqual(
            phase,
            "the application's setup failed: no phase 'check': this dispatcher has before, "
            "during, after; name them with --phases",
        )
        self.assertIn("allow_keyword('nobody')", keyword)
        self.assertNotIn("\n", keyword)

    def test_setup_of_another_command(self) -> None:
        """A setup that takes the dispatcher for something else is told what it is called with."""
        status = self.status(lambda sources: sources.register_source(sender="n"))

        self.assertEqual(status, FAILED)
        self.assertIn(
            "'register_source': the application of feed is called with a dispatcher",
            self.screen.told[0],
        )

    def test_setup_with_a_mistake_of_its_own(self) -> None:
        """An attribute that something else has not is told with the traceback."""
        self.assertEqual(self.status(lambda dispatcher: Path().no_such), FAILED)  # type: ignore[attr-defined]

        self.assertIn("Traceback", self.screen.told[0])

    def test_setup_that_gives_something_else(self) -> None:
        """A setup that gives what cannot be called is refused."""
        status = self.status(lambda dispatcher: "the report")

        self.assertEqual(status, FAILED)
        self.assertIn("it gave 'the report'", self.screen.told[0])

    def test_failing_report(self) -> None:
        """A report that fails is told, and the run has failed; the summary is still shown."""
        status = self.status(lambda dispatcher: lambda: failing(ValueError("no"))(None))

        self.assertEqual(status, FAILED)
        self.assertIn("report failed", self.screen.told[-1])
        self.assertEqual(len(self.screen.tallies), 1)

    def test_faulty_log(self) -> None:
        """A log that turns out to be at fault while it is read ends the run with the reason."""
        status = self.status(lambda dispatcher: None, "n\n1\n")

        self.assertEqual(status, FAILED)
        self.assertIn("no column names the event", self.screen.told[0])

    def test_phases(self) -> None:
        """The dispatcher has the phases that were asked for."""
        dispatchers: list[EventDispatcher] = []
        self.status(dispatchers.append, phases=("one", "two"))

        self.assertEqual(dispatchers[0].phases, ("one", "two"))
        self.assertEqual(dispatchers[0].allowed_keywords, ())

    def test_many_bad_lines(self) -> None:
        """How many bad lines there were is said at the end, if not all were told."""
        self.status(lambda dispatcher: None, LOG + "bad line\n" * 30)

        self.assertIn("31 bad lines in all", self.screen.told[-1])

    def test_interrupted(self) -> None:
        """An interrupted run cancels what is pending, and shows what was counted so far."""
        waiting = Waiting()
        run, status = self.begin(
            lambda dispatcher: dispatcher.on()(waiting) and (lambda: "report")
        )
        ended = run.interrupt()

        self.assertEqual(self.successResultOf(status), INTERRUPTED)
        self.successResultOf(ended)
        self.assertEqual(waiting.cancelled, waiting.pending)
        self.assertEqual(self.screen.tallies[0].events, 1)
        self.assertEqual((self.screen.told, self.screen.reports), (["interrupted"], []))

    def test_interrupted_setup(self) -> None:
        """A run that is interrupted while setup waits fires nothing."""
        never: Deferred[None] = Deferred()
        run, status = self.begin(lambda dispatcher: never)
        run.interrupt()

        self.assertEqual(self.successResultOf(status), INTERRUPTED)
        self.assertEqual(self.screen.tallies, [])

    def test_interrupted_too_late(self) -> None:
        """Interrupting what has ended, or was never begun, is harmless."""
        run, status = self.begin(lambda dispatcher: None)

        self.successResultOf(run.interrupt())
        self.assertEqual(self.successResultOf(status), WELL)
        complaints = Complaints(self.screen.tell)
        unbegun = Run(self.clock, self.log(), lambda _: None, self.screen, complaints)
        self.successResultOf(unbegun.interrupt())
