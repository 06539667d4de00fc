"""The command `sweep`: what it says, what it ends with, and that it can be stopped and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher
from twisted_dispatcher import Event, HandlerOptions, RetryPolicy, open_store
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.statuses import FAILED, INTERRUPTED, WELL
from twisted_dispatcher.cli.sweeprun import SweepRun, Wish
from twisted_dispatcher.errors import KeyCollision, StoreUnavailable, UnknownSender
from twisted_dispatcher.sources import EventSources, event
from twisted_dispatcher.sweeprecords import SweepRow

CHECKOUT = Path(twisted_dispatcher.__file__).parents[1]
SWEEP = (sys.executable, "-m", "twisted_dispatcher.cli", "sweep")
LIMIT = 60  # seconds, for a process that hangs

APPLICATION = """
import sys

from twisted.internet.defer import Deferred
from twisted_dispatcher.sources import event


def seen(number):
    yield event("seen", number, {"n": number})


def note(happened):
    print("noted", happened["n"], flush=True)


def setup(sources):
    sources.register_group_handler(handler=note, group="^seen")
    sources.register_source(sender="numbers", source=seen, objects=range(5))


def waiting(sources):
    setup(sources)

    def wait(number):
        if number == 3:
            print("waiting", flush=True)
            return Deferred()
        return []

    sources.register_source(sender="numbers", source=wait)


def colliding(sources):
    sources.register_source(
        sender="pairs", source=lambda pair: [event(*pair)], objects=[("a", "1_2"), ("a_1", "2")]
    )
"""


class FakeScreen:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.counted: dict[str, str] = {}
        self.shown: list[tuple[int, float | None, str]] = []

    def progress(self, done: int, fraction: float | None, things: str) -> None:
        """Keep how far it is."""
        self.shown.append((done, fraction, things))

    def tell(self, text: str) -> None:
        """Keep a complaint."""
        self.told.append(text)

    def counts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Keep what was counted."""
        self.counted = dict(rows)


class RunTests(SynchronousTestCase):
    """Runs of sweeps, in this process and on a clock."""

    def setUp(self) -> None:
        """Have a clock, a screen and a store's URL."""
        self.clock = Clock()
        self.screen = FakeScreen()
        self.url = f"sqlite:///{self.mktemp()}"

    def run_of(self, setup: Callable[[EventSources], Any], **wish: Any) -> SweepRun:
        """Make a run of an application."""
        store = open_store(self.url, reactor=self.clock)
        complaints = Complaints(self.screen.tell)
        return SweepRun(self.clock, store, setup, self.screen, complaints, Wish(**wish))

    def advance(self, until: Deferred[Any] | None = None) -> None:
        """Let time pass, until something has fired."""
        for _ in range(300):
            self.clock.advance(0.05)
            if until is not None and until.called:
                return

    def status(self, setup: Callable[[EventSources], Any], **wish: Any) -> int:
        """Run to the end, and give the exit status."""
        running = self.run_of(setup, **wish).start()
        self.advance(running)
        return self.successResultOf(running)

    def setup_of(self, handled: list[str], *more: Any) -> Callable[[EventSources], None]:
        """Give an application with five numbers, and more sources of them."""

        def setup(sources: EventSources) -> None:
            sources.register_group_handler(
                handler=lambda given: handled.append(given.key),
                group="",
                options=HandlerOptions(name="note"),
            )
            for source in (lambda number: [event("n", number)], *more):
                sources.register_source(sender="numbers", source=source, objects=FIVE)

        return setup

    def test_well(self) -> None:
        """What is new is handled and counted, and the status says that all went well."""
        handled: list[str] = []

        self.assertEqual(self.status(self.setup_of(handled)), WELL)

        self.assertEqual(handled, [f"n_{number}" for number in range(5)])
        self.assertEqual(
            {name: self.screen.counted[name] for name in ("objects", "new events", "handled")},
            {"objects": "5", "new events": "5", "handled": "5"},
        )
        self.assertEqual(self.screen.shown[-1], (5, 1.0, "of numbers"))
        self.assertEqual(self.screen.told, [])

    def test_again(self) -> None:
        """Run again, it handles nothing more."""
        handled: list[str] = []
        self.status(self.setup_of(handled))

        self.assertEqual(self.status(self.setup_of(handled)), WELL)

        self.assertEqual((len(handled), self.screen.counted["known already"]), (5, "5"))

    def test_a_setup_that_waits(self) -> None:
        """A setup may wait, too."""

        async def setup(sources: EventSources) -> None:
            sources.register_source(sender="n", source=lambda n: [event("n", n)], objects=[1])

        self.assertEqual(self.status(setup), WELL)

    def test_a_setup_that_fails(self) -> None:
        """What the setup raises is told, and nothing is swept."""

        def setup(sources: EventSources) -> None:
            raise ValueError("on purpose")

        self.assertEqual(self.status(setup), FAILED)

        self.assertIn("ValueError: on purpose", self.screen.told[0])
        self.assertEqual(self.screen.counted, {})

    def test_a_setup_of_feed(self) -> None:
        """A setup that takes the sources for a dispatcher is told what it is called with."""

        def setup(dispatcher: Any) -> None:
            dispatcher.allow_keyword("n")

        self.assertEqual(self.status(setup), FAILED)

        (told,) = self.screen.told
        self.assertIn("'allow_keyword'", told)
        self.assertTrue(
            told.endswith("the application of sweep is called with an EventSources"), told
        )

    def test_no_such_sender(self) -> None:
        """A sender that nobody knows is told in one line, with those that there are."""
        self.assertEqual(self.status(self.setup_of([]), sender="nobody"), FAILED)

        [told] = self.screen.told
        self.assertIn("'nobody' (there are: numbers)", told)
        self.assertTrue(issubclass(UnknownSender, KeyError))

    def test_a_collision(self) -> None:
        """Something that is not recorded makes the status one of failure."""
        events = iter([event("a", "1_2"), event("a_1", "2"), {}, {}, {}])

        status = self.status(self.setup_of([], lambda number: [next(events)]))

        self.assertEqual(status, FAILED)
        self.assertEqual(
            [self.screen.counted[name] for name in ("key collisions", "refused")], ["1", "3"]
        )
        self.assertEqual(len(self.flushLoggedErrors(KeyCollision)), 1)
        self.flushLoggedErrors(ValueError)

    def test_a_handler_that_fails(self) -> None:
        """A handler that fails for good makes it one of failure as well."""

        def fail(given: Event) -> None:
            raise ValueError("on purpose")

        def setup(sources: EventSources) -> None:
            self.setup_of([])(sources)
            options = HandlerOptions(name="fail", retry=RetryPolicy(max_attempts=1))
            sources.register_group_handler(handler=fail, group="", options=options)

        self.assertEqual(self.status(setup), FAILED)

        self.assertEqual(self.screen.counted["failed"], "5")
        self.flushLoggedErrors(ValueError)

    def test_record_only(self) -> None:
        """What is only recorded is left to whoever works on the store."""
        handled: list[str] = []

        self.assertEqual(self.status(self.setup_of(handled), record_only=True), WELL)

        self.assertEqual((handled, self.screen.counted["new events"]), ([], "5"))
        self.status(lambda sources: self.setup_of(handled)(sources) or None)
        self.advance()
        self.assertEqual(self.screen.counted["known already"], "5")

    def test_stopped_and_resumed(self) -> None:
        """A run that is interrupted keeps its place, from which the next one goes on."""
        asked: list[int] = []

        def wait(number: int) -> Any:
            asked.append(number)
            return Deferred() if number == 3 and asked.count(3) == 1 else []

        run = self.run_of(self.setup_of([], wait))
        running = run.start()
        self.advance()
        ended = run.interrupt()
        self.advance(ended)

        self.assertEqual(self.successResultOf(running), INTERRUPTED)
        self.assertEqual(self.screen.told, ["stopped; --resume goes on from here"])
        self.assertEqual(self.status(self.setup_of([], wait), resume=True), WELL)
        self.assertEqual(asked, [0, 1, 2, 3, 3, 4])

    def test_interrupted_before_it_began(self) -> None:
        """Interrupting what has not begun waits for nothing."""
        run = self.run_of(self.setup_of([]))

        self.successResultOf(run.interrupt())

        self.assertEqual(self.status(self.setup_of([])), WELL)

    def test_a_store_that_goes_away(self) -> None:
        """What the store fails with is told in one line."""

        def setup(sources: EventSources) -> None:
            self.setup_of([])(sources)
            store: Any = sources.dispatcher.backstage.store
            error = StoreUnavailable("the disk has gone")
            self.patch(store.sweeps, "keep", lambda row: failing(error))

        self.assertEqual(self.status(setup), FAILED)

        self.assertIn("the disk has gone", self.screen.told)
        self.flushLoggedErrors(StoreUnavailable)


def failing(error: Exception) -> Deferred[None]:
    """Give a Deferred that has failed."""
    deferred: Deferred[None] = Deferred()
    deferred.errback(error)
    return deferred


FIVE = range(5)


class CommandTests(SynchronousTestCase):
    """Whole runs of the command."""

    def setUp(self) -> None:
        """Have an application in a directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        (self.directory / "application.py").write_text(APPLICATION)

    def begin(self, app: str, *options: str) -> subprocess.Popen[str]:
        """Begin a sweep."""
        process = subprocess.Popen(
            [*SWEEP, "--app", f"application:{app}", "--store", "sqlite:///s.db", *options],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # It is ignored by what is started in a shell's background, and so by its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.kill)
        return process

    def sweep(self, app: str, *options: str) -> tuple[int, str, str]:
        """Give what a sweep ends with, and what it has written."""
        process = self.begin(app, *options)
        out, errors = process.communicate(timeout=LIMIT)
        return process.returncode, out, errors

    def test_well(self) -> None:
        """What is new is handled, and the second sweep finds nothing new."""
        status, out, errors = self.sweep("setup")
        self.assertEqual((status, errors), (WELL, ""))
        self.assertEqual(out.count("noted"), 5)

        status, out, errors = self.sweep("setup")

        self.assertEqual((status, errors, out.count("noted")), (WELL, "", 0))
        self.assertRegex(out, r"known already +5\b")

    def test_collision(self) -> None:
        """A collision is told on standard error, and is a failure."""
        status, out, errors = self.sweep("colliding")

        self.assertEqual(status, FAILED)
        self.assertIn("the key 'a_1_2' of an event of group 'a_1'", errors)
        self.assertRegex(out, r"key collisions +1\b")

    def test_stopped_by_signals(self) -> None:
        """Ctrl-C and SIGTERM stop a sweep, and the next one goes on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begin("waiting", "--resume")
            assert process.stdout is not None
            while "waiting" not in (line := process.stdout.readline()):
                self.assertTrue(line, "it ended before it waited")
            process.send_signal(number)
            _, errors = process.communicate(timeout=LIMIT)
            self.assertEqual((process.returncode, errors), (INTERRUPTED, STOPPED))

        status, out, _ = self.sweep("setup", "--resume")

        self.assertEqual(status, WELL)
        self.assertRegex(out, r"objects +2\b")

    def test_no_store(self) -> None:
        """A store that cannot be opened is told in one line."""
        status, _, errors = self.sweep("setup", "--store", "sqlite:////no/such/place/s.db")

        self.assertEqual(status, FAILED)
        self.assertEqual(errors.count("\n"), 1)


class ListingTests(SynchronousTestCase):
    """`list sweeps`."""

    def listed(self, *options: str) -> str:
        """Give what it writes."""
        done = subprocess.run(
            [*SWEEP[:-1], "list", "sweeps", "--store", f"sqlite:///{self.path}", *options],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        self.assertEqual(done.returncode, WELL, done.stderr)
        return done.stdout + done.stderr

    def test_list(self) -> None:
        """Sweeps are listed with how far they have come; positions are not shown."""
        self.path = self.mktemp()
        clock = Clock()
        store: Any = open_store(f"sqlite:///{self.path}", reactor=clock)
        self.addCleanup(store.close)
        clock.advance(0)
        self.assertEqual(self.listed(), "no sweeps\n")
        store.sweeps.keep(SweepRow("a", 1000, '"secret"', 0.0, 60.0, None))
        store.sweeps.keep(SweepRow("b", 5, None, 0.0, 61.0, 61.0))
        clock.advance(0)

        shown = self.listed()
        self.assertRegex(shown, r"(?s)\bb +5 .*\ba +1,000 .*00:01:00.*not yet")
        found = json.loads(self.listed("--json", "--limit", "1"))
        self.assertEqual(
            found,
            [
                {
                    "name": "b",
                    "objects": 5,
                    "began": "1970-01-01T00:00:00.000Z",
                    "changed": "1970-01-01T00:01:01.000Z",
                    "ended": "1970-01-01T00:01:01.000Z",
                }
            ],
        )
        self.assertNotIn("secret", shown + self.listed("--json"))


STOPPED = "stopped; --resume goes on from here\n"
