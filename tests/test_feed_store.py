"""Feeding a log into a store: keys, what is waited for, and runs that are killed and run again."""

from __future__ import annotations

import gzip
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher
from examples import generate_log, helpdesk
from tests.dispatching import Problem, Recorder, Waiting, answering, failing
from tests.durable import EPOCH, ONCE, attempts
from tests.postgresql import PostgreSQL
from tests.test_cli_running import FakeScreen
from twisted_dispatcher import (
    DurableDispatcher,
    Event,
    EventDispatcher,
    HandlerOptions,
    open_store,
)
from twisted_dispatcher.cli.application import Setup
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.following import StoredTally
from twisted_dispatcher.cli.keys import LONGEST_OWN_KEY, keyed
from twisted_dispatcher.cli.running import Run
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.cli.statuses import FAILED, INTERRUPTED, WELL
from twisted_dispatcher.eventlogs import BadLine, EventLog, open_log
from twisted_dispatcher.interfaces import IStore

if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    _TestCase = object

CHECKOUT = Path(twisted_dispatcher.__file__).parents[1]
LIMIT = 300  # seconds, for a process that hangs
LOG = "concept:name,n\nOpened,1\nChanged,2\nbad line\nClosed,3\n"


class KeyTests(SynchronousTestCase):
    """The keys of a log's events."""

    def keys(self, *items: Event | BadLine, log: str = "/logs/desk.csv") -> list[Any]:
        """Give the keys of the events among items."""
        return [item.key for item in keyed(items, log) if isinstance(item, Event)]

    def test_own(self) -> None:
        """An event that has a key keeps it."""
        self.assertEqual(
            self.keys(Event("a", key="source id"), Event("b", key="x")), ["source id", "x"]
        )

    def test_own_that_is_long(self) -> None:
        """A key that no store would take is replaced by a hash of it, always the same."""
        long = "k" * LONGEST_OWN_KEY
        kept, made, other = self.keys(
            Event("a", key=long), Event("a", key=long + "k"), Event("a", key=long + "l")
        )

        self.assertEqual(kept, long)
        self.assertTrue(made.startswith("sha256:"), made)
        self.assertNotEqual(made, other)
        self.assertEqual([made], self.keys(Event("b", key=long + "k")))

    def test_own_that_is_no_text(self) -> None:
        """A key that a log has as a number is taken as text, and an empty one as none."""
        first, second = self.keys(Event("a", key=5), Event("a", key=""))  # type: ignore[arg-type]

        self.assertEqual(first, "5")
        self.assertTrue(second.startswith("desk.csv:000000002 "), second)

    def test_made(self) -> None:
        """An event without a key is known by its log, its place and what it says."""
        time = datetime(2024, 1, 8, tzinfo=timezone.utc)
        event = Event("a", context={"n": [1, time]}, time=time)
        (key,) = self.keys(event)
        others = [
            *self.keys(Event("b", context={"n": [1, time]})),
            *self.keys(Event("a", context={"n": [2, time]})),
            *self.keys(Event("x", key="x"), event),
            *self.keys(event, log="/logs/other.csv"),
            *self.keys(event, log="/old/desk.csv"),
        ]

        self.assertTrue(key.startswith("desk.csv:000000001 "), key)
        self.assertEqual([key], self.keys(event))
        self.assertNotIn(key, others)

    def test_bad_lines_count(self) -> None:
        """A line that holds no event has its place, so that it may be mended."""
        mended = self.keys(Event("a"), Event("b"), Event("c"))

        self.assertEqual(self.keys(Event("a"), BadLine(2, "no"), Event("c")), mended[::2])

    def test_others_pass(self) -> None:
        """What is no event goes through as it is."""
        wait: Deferred[None] = Deferred()

        self.assertEqual(list(keyed([wait, BadLine(1, "no")], "log")), [wait, BadLine(1, "no")])


class FeedCase(SynchronousTestCase):
    """Runs on a clock, each with a store of its own on one file."""

    def setUp(self) -> None:
        """Have a clock, a screen and a place for the store."""
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.screen = FakeScreen()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.url = f"sqlite:///{self.directory / 'desk.db'}"

    def open(self) -> IStore:
        """Open the store."""
        store = open_store(self.url, reactor=self.clock)
        self.addCleanup(store.close)
        return store

    def log(self, text: str = LOG) -> EventLog:
        """Write the log, always in the same place, and open it."""
        path = self.directory / "desk.csv"
        path.write_text(text)
        log = open_log(path)
        self.addCleanup(log.close)
        return log

    def begin(
        self, setup: Setup, text: str = LOG, **options: Any
    ) -> tuple[Run, Deferred[int], IStore]:
        """Begin to run an application."""
        store = self.open()
        complaints = Complaints(self.screen.tell)
        run = Run(
            self.clock, self.log(text), setup, self.screen, complaints, store=store, **options
        )
        status = run.start()
        self.turns()
        return run, status, store

    def turns(self, seconds: float = 0.0) -> None:
        """Let time pass, and a number of turns with it."""
        for _ in range(50):
            self.clock.advance(seconds / 50)

    def tally(
        self, setup: Setup, text: str = LOG, expected: int = WELL, **options: Any
    ) -> StoredTally:
        """Run an application to its end, and give what was counted."""
        run, status, _ = self.begin(setup, text, **options)
        for _ in range(100):
            if status.called:
                break
            self.turns(1)
        self.assertEqual(self.successResultOf(status), expected, self.screen.told)
        assert isinstance(run.tally, StoredTally)
        return run.tally

    def counts(self) -> dict[str, int]:
        """Count what is in the store."""
        counting = self.open().counts()
        self.turns()
        counted: Any = self.successResultOf(cast("Deferred[Any]", counting))
        return dict(counted)


def registering(
    handler: Callable[..., Any], phase: str = "during", name: str = "handler", **options: Any
) -> Setup:
    """Give an application with one handler."""

    def setup(dispatcher: Any) -> None:
        dispatcher.on(phase, options=HandlerOptions(name=name, **options))(handler)

    return setup


class FeedStoreTests(FeedCase):
    """One run after another on one store."""

    def test_twice(self) -> None:
        """A second run finds all events known, and calls nobody."""
        recorder = Recorder()
        first = self.tally(registering(recorder))
        second = self.tally(registering(recorder))

        self.assertEqual([event["n"] for event in recorder.events], ["1", "2", "3"])
        self.assertEqual((first.new, first.known, first.delivered, first.left), (3, 0, 3, 0))
        self.assertEqual((second.new, second.known, second.delivered, second.left), (0, 3, 0, 0))
        self.assertEqual(second.bad_lines, 1)

    def test_grown(self) -> None:
        """Of a log that has grown, what is new is fed."""
        recorder = Recorder()
        self.tally(registering(recorder))
        tally = self.tally(registering(recorder), LOG + "Opened,4\n")

        self.assertEqual([event["n"] for event in recorder.events], ["1", "2", "3", "4"])
        self.assertEqual((tally.new, tally.known), (1, 3))

    def test_moved(self) -> None:
        """A log that was moved is another one, unless it is given a name."""
        recorder = Recorder()
        cases: list[tuple[dict[str, Any], int]] = [({}, 0), ({"log_name": "desk"}, 3)]
        for options, known in cases:
            self.url += "x"
            for directory in ("here", "there"):
                self.directory = self.directory / directory
                self.directory.mkdir()
                tally = self.tally(registering(recorder), **options)
            self.assertEqual(tally.known, known)

    def test_nobody_matches(self) -> None:
        """Events that match no handler are settled at once."""
        tally = self.tally(lambda dispatcher: None, concurrency=1)

        self.assertEqual((tally.new, tally.delivered, tally.left), (3, 0, 0))

    def test_same_application(self) -> None:
        """The same application function registers its handlers in memory and durably."""
        helpdesk.setup(EventDispatcher())
        names = []
        for _ in range(2):
            dispatcher = DurableDispatcher(self.open(), clock=self.clock)
            helpdesk.setup(dispatcher)
            names.append([each.name for each in dispatcher.describe()])

        self.assertEqual(*names)
        self.assertIn("examples.helpdesk.HelpDesk.open_ticket", names[0])

    def test_waits_until_settled(self) -> None:
        """The run ends when everything is settled, and only then tells its report."""
        waiting = Waiting()

        def setup(dispatcher: Any) -> Callable[[], str]:
            registering(waiting)(dispatcher)
            return lambda: "the report"

        _, status, _ = self.begin(setup)
        self.turns(5)
        self.assertNoResult(status)
        self.assertEqual((len(waiting.pending), self.screen.reports), (3, []))
        for pending in waiting.pending:
            pending.callback(None)
        self.turns(1)

        self.assertEqual(self.successResultOf(status), WELL)
        self.assertEqual(self.screen.reports, ["the report"])

    def test_many_at_once(self) -> None:
        """Many events are on their way at once, as many as are asked for."""
        text = "type,n\n" + "".join(f"a,{number}\n" for number in range(150))
        for options, expected in (({}, 100), ({"concurrency": 7}, 7)):
            self.url += "x"
            waiting = Waiting()
            run, _, _ = self.begin(registering(waiting), text, **options)
            self.assertEqual(len(waiting.pending), expected)
            run.interrupt()

    def test_retried(self) -> None:
        """An event that waits for another attempt keeps no other one from setting out."""
        handler = answering([Problem(), "done", "done", "done"])
        tally = self.tally(registering(handler, retry=attempts(2)), concurrency=1)

        self.assertEqual((tally.delivered, tally.dead, tally.failures), (3, 0, 0))

    def test_dead(self) -> None:
        """A delivery that dies fails the run, which goes on to its end."""
        tally = self.tally(registering(failing(Problem()), retry=ONCE), expected=FAILED)

        self.assertEqual((tally.dead, tally.delivered, tally.left), (3, 0, 0))
        self.flushLoggedErrors(Problem)

    def test_exactly_once(self) -> None:
        """What an exactly-once handler settles is counted, too."""

        def account(event: Event, transaction: Any) -> None:
            transaction.execute("CREATE TABLE IF NOT EXISTS account (n TEXT)")
            transaction.execute("INSERT INTO account VALUES (?)", (event["n"],))

        tally = self.tally(registering(account, guarantee="exactly-once"))

        self.assertEqual((tally.delivered, tally.left), (3, 0))

    def test_setup_that_fails(self) -> None:
        """An application that cannot be durable says why, and nothing is stored."""
        _, status, _ = self.begin(lambda dispatcher: dispatcher.on()(lambda event: None))

        self.assertEqual(self.successResultOf(status), FAILED)
        self.assertIn("a lambda has no name that outlives a restart", self.screen.told[0])
        self.assertEqual(self.counts()["open"], 0)

    def test_events_that_cannot_be_stored(self) -> None:
        """An event that cannot be stored is told and counted, and fails the run."""
        text = "type,n\n" + "a,1\n"
        log = [Event("a", context={"n": float("nan")}), Event("b")]
        self.patch(EventLog, "__iter__", lambda self: iter(log))
        tally = self.tally(registering(Recorder()), text, expected=FAILED)

        self.assertEqual((tally.refused, tally.new), (1, 1))
        self.assertIn("desk.csv:000000001", self.screen.told[0])
        self.assertIn("cannot be stored", self.screen.told[0])

    def test_strict(self) -> None:
        """If it is strict, the first bad line ends the run, and so does what cannot be stored."""
        recorder = Recorder()
        self.tally(registering(recorder), expected=FAILED, strict=True)
        self.assertEqual([event["n"] for event in recorder.events], ["1", "2"])

        log = [Event("a", context={"n": float("nan")}), Event("b")]
        self.patch(EventLog, "__iter__", lambda self: iter(log))
        self.tally(registering(recorder), expected=FAILED, strict=True)
        self.assertIn("cannot be stored", self.screen.told[-1])

    def test_interrupted(self) -> None:
        """An interrupted run gives back what is running; the next one does it."""
        waiting, recorder = Waiting(), Recorder()
        run, status, _ = self.begin(registering(waiting))
        ended = run.interrupt()
        self.turns(11)
        self.successResultOf(ended)
        self.assertEqual(self.successResultOf(status), INTERRUPTED)
        self.assertEqual(run.tally.left, 3)  # type: ignore[attr-defined]

        tally = self.tally(registering(recorder))

        self.assertEqual(sorted(event["n"] for event in recorder.events), ["1", "2", "3"])
        self.assertEqual((tally.new, tally.known, tally.delivered), (0, 3, 3))

    def test_left_over_goes_first(self) -> None:
        """What an earlier run has left is begun before anything new."""
        run, _, _ = self.begin(registering(Waiting()), "type,n\na,1\na,2\n")
        run.interrupt()
        self.turns(11)
        recorder = Recorder()
        self.tally(registering(recorder), "type,n\na,1\na,2\na,3\na,4\n", concurrency=1)

        self.assertEqual([event["n"] for event in recorder.events], ["1", "2", "3", "4"])

    def test_missing_handler(self) -> None:
        """A run whose events wait for a handler that nobody has says so and ends."""
        run, _, _ = self.begin(registering(Waiting(), name="old"))
        run.interrupt()
        self.turns(11)
        tally = self.tally(registering(Recorder(), name="new"), expected=FAILED)

        self.assertEqual(tally.left, 3)
        self.assertIn("3 events are left", self.screen.told[-1])
        self.assertIn("registered the handler old", self.screen.told[-1])

    def test_settled_by_others(self) -> None:
        """What another process settles is found by asking."""
        waiting = Waiting()
        _, status, _ = self.begin(registering(waiting), "type,n\na,1\n")
        (number,) = [each.id for each in self.ask(self.open().deliveries())]
        self.ask(self.open().skip(number, self.clock.seconds()))
        self.assertNoResult(status)
        self.turns(2)
        waiting.pending[0].callback(None)
        self.turns(2)

        self.assertEqual(self.successResultOf(status), WELL)

    def ask(self, asked: Deferred[Any]) -> Any:
        """Wait for an answer of a store."""
        self.turns()
        return self.successResultOf(asked)

    def test_progress_of_the_end(self) -> None:
        """While the last ones are waited for, the progress is that of the events settled."""
        shown: list[tuple[int, float | None]] = []
        self.patch(
            FakeScreen, "progress", lambda screen, events, part: shown.append((events, part))
        )
        waiting = Waiting()
        run, _, _ = self.begin(registering(waiting), "type,n\na,1\na,2\n")
        waiting.pending[0].callback(None)
        self.turns(1)
        run.interrupt()

        self.assertEqual(shown[-1], (1, 0.5))


class SummaryTests(SynchronousTestCase):
    """What is shown at the end of a feed into a store."""

    def test_summary(self) -> None:
        """The summary tells what was new, known, delivered, dead and left."""
        out = StringIO()
        self.patch(sys, "stdout", out)
        tally = StoredTally()
        tally.events, tally.new, tally.known, tally.delivered = 4321, 4000, 321, 9999
        tally.dead, tally.left, tally.refused = 7, 6, 5
        ConsoleScreen(progress=False).summary(tally)
        words = " ".join(out.getvalue().split())

        self.assertIn("events 4,321 new 4,000 known already 321 delivered 9,999 dead 7", words)
        self.assertIn("left to do 6 cannot be stored 5", words)
        self.assertNotIn("handlers called", words)


APPLICATION = """
import os
from twisted_dispatcher import HandlerOptions, OneOf

PARAMETER = os.environ["PARAMETER"]
JOURNAL = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def write(name, event):
    os.write(JOURNAL, f"{name}\\t{event.key}\\n".encode())

def setup(dispatcher):
    dispatcher.allow_keyword("concept_name")

    @dispatcher.on("before")
    def see(event):
        write("see", event)

    @dispatcher.on("during", concept_name=OneOf("Closed", "Wait"))
    def act(event):
        write("act", event)

    @dispatcher.on("after", options=HandlerOptions(guarantee="exactly-once"))
    def account(event, transaction):
        transaction.execute(
            f"INSERT INTO account VALUES ({PARAMETER}, {PARAMETER})",
            (event.key, event["concept:name"]),
        )
"""


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process has ended, leaving the machine to it for a moment."""
    try:
        process.wait(0.001)
    except subprocess.TimeoutExpired:
        return False
    return True


class Killed(_TestCase):
    """
    A feed that is killed at random moments, and run again until it comes to its end.

    :cvar parameter: how the store's driver writes one.
    """

    TICKETS = 400
    PIPED_TICKETS = 100
    KILLS = 6
    parameter: ClassVar[str]

    def make_url(self) -> str:
        """Give the URL of a new store."""
        raise NotImplementedError

    def in_database(self, sql: str) -> list[Any]:
        """Ask the database."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Write an application and a log."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        (self.directory / "application.py").write_text(APPLICATION)
        generate_log.generate(self.directory / "desk.xes.gz", self.TICKETS)
        self.journal = self.directory / "journal"
        self.journal.touch()
        self.url = self.make_url()
        self.in_database("CREATE TABLE account (event_key TEXT, concept_name TEXT)")

    def start(self) -> subprocess.Popen[bytes]:
        """Begin to feed the log."""
        path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
        feed = [sys.executable, "-m", "twisted_dispatcher.cli", "feed", "desk.xes.gz", "--quiet"]
        process = subprocess.Popen(
            [*feed, "--app", "application:setup", "--store", self.url, "--lease", "1"],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": path, "PARAMETER": self.parameter},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.kill)
        return process

    def kill_at(self, size: int) -> bool:
        """Feed until the journal has so many bytes, then kill; tell whether that was in time."""
        process = self.start()
        while not has_ended(process):
            if self.journal.stat().st_size >= size:
                process.kill()
                break
        process.communicate(timeout=LIMIT)
        return process.returncode < 0

    def finish(self) -> str:
        """Feed to the end, and give the summary."""
        out, err = self.start().communicate(timeout=LIMIT)
        self.assertEqual(err, b"")
        return " ".join(out.decode().split())

    def journalled(self, handler: str) -> Counter[str]:
        """Give how often a handler was called for each event."""
        lines = (line.split("\t") for line in self.journal.read_text().splitlines())
        return Counter(key for name, key in lines if name == handler)

    def events(self) -> dict[str, str]:
        """Give what the log itself says: the names of its events by their keys."""
        path = self.directory / "desk.xes.gz"
        with open_log(path) as log:
            items: Iterable[Any] = list(keyed(log, str(path.resolve())))
        return {item.key: item.type for item in items}

    def test_killed(self) -> None:
        """Every event reaches every handler that matches, and an exactly-once handler once."""
        chance = random.Random(20240108)
        killed = 0
        for _ in range(self.KILLS):
            step = chance.randrange(1, 20_000)
            killed += self.kill_at(self.journal.stat().st_size + step)
        summary = self.finish()
        events = self.events()

        self.assertGreater(killed, 1)
        self.assertIn("dead 0 left to do 0", summary)
        self.assertNotIn("known already 0", summary)
        self.assertEqual(set(self.journalled("see")), set(events))
        self.assertEqual(
            set(self.journalled("act")),
            {key for key, name in events.items() if name in ("Closed", "Wait")},
        )
        account = self.in_database("SELECT event_key, concept_name FROM account")
        self.assertEqual(len(account), len(events))
        self.assertEqual(dict(account), events)
        statuses = self.in_database("SELECT DISTINCT status FROM twisted_dispatcher_delivery")
        self.assertEqual(statuses, [("done",)])
        self.assertIn(f"new 0 known already {len(events):,} delivered 0", self.finish())

    def test_pipe(self) -> None:
        """A log that comes through a pipe is fed again in the same way."""
        generate_log.generate(self.directory / "desk.xes.gz", self.PIPED_TICKETS)
        with gzip.open(self.directory / "desk.xes.gz") as log:
            given = log.read()
        for expected in ("known already 0", "new 0"):
            process = subprocess.run(
                [
                    *[sys.executable, "-m", "twisted_dispatcher.cli", "feed", "-", "--quiet"],
                    *["--app", "application:setup", "--store", self.url],
                ],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PARAMETER": self.parameter},
                input=given,
                capture_output=True,
                timeout=LIMIT,
            )
            self.assertEqual(process.returncode, 0, process.stderr)
            self.assertIn(expected, " ".join(process.stdout.decode().split()))


class KilledOnSQLiteTests(Killed, SynchronousTestCase):
    """On a SQLite file."""

    parameter = "?"

    def make_url(self) -> str:
        """Give the URL of a new file."""
        return f"sqlite:///{self.directory}/desk.db"

    def in_database(self, sql: str) -> list[Any]:
        """Ask the database."""
        with closing(sqlite3.connect(self.directory / "desk.db", timeout=60)) as connection:
            return connection.execute(sql).fetchall()


class KilledOnPostgreSQLTests(Killed, PostgreSQL, SynchronousTestCase):
    """On PostgreSQL."""

    parameter = "%s"

    def make_url(self) -> str:
        """Give the URL of a new schema."""
        return self.make_schema()

    def in_database(self, sql: str) -> list[Any]:
        """Ask the database."""
        cursor = self.sql.execute(sql)
        return cursor.fetchall() if cursor.description else []
