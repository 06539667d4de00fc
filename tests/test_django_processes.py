"""
Tests of processes of a Django project: what starts in them and when, how they end, and by whom the
events of those are handled that are killed.

See `tests.django_project.programs` for what the processes do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from tests.django_project.databases import MORE, RUN
from tests.projects import LIMIT, Project, ProjectOnPostgreSQL, ProjectOnSQLite
from tests.test_django import CHECKOUT, command

if TYPE_CHECKING:
    _Project = Project
else:
    _Project = object

DELIVERIES = (
    "SELECT e.key, d.status, d.attempts FROM twisted_dispatcher_event e "
    "JOIN twisted_dispatcher_delivery d ON d.event_id = e.id ORDER BY e.key"
)


class Program:
    """
    A program that runs.

    :ivar said: what it has said so far.
    """

    def __init__(self, environment: dict[str, str], name: str, *arguments: str) -> None:
        self.said: list[str] = []
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._process = subprocess.Popen(
            [*command("tests.django_project.programs"), name, *arguments],
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        self._threads = [Thread(target=self._listen), Thread(target=self._complain)]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _complain(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    @property
    def errors(self) -> str:
        """What it has written on standard error."""
        return "".join(self._errors)

    def wait_for(self, line: str) -> None:
        """Wait until it has said something."""
        while line not in self.said:
            try:
                said = self._lines.get(timeout=LIMIT)
            except Empty:
                said = None
            if said is None:
                raise AssertionError(f"it has not said {line!r}: {self.said}\n{self.errors}")
            self.said.append(said)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended, and give its code."""
        code = self._process.wait(LIMIT)
        for thread in self._threads:
            thread.join(LIMIT)
        while (said := self._lines.get()) is not None:
            self.said.append(said)
        self._close()
        return code

    def kill(self) -> None:
        """Have it not run any more, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(LIMIT)
        self._close()

    def _close(self) -> None:
        for thread in self._threads:
            thread.join(LIMIT)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


class Processes(_Project):
    """Processes of a project on one database."""

    def start(self, run: str, name: str, *arguments: str, **more: Any) -> Program:
        """Start a program, with the setting ``RUN`` and more of it."""
        environment = {**self.environment, RUN: run, MORE: json.dumps(more)}
        program = Program(environment, name, *arguments)
        self.addCleanup(program.kill)
        return program

    def run_to_end(self, run: str, name: str, *arguments: str, **more: Any) -> list[str]:
        """Run a program, which ends well and complains of nothing; give what it said."""
        program = self.start(run, name, *arguments, **more)
        code = program.end()
        self.assertEqual((code, program.errors), (0, ""), program.said)
        return program.said

    # Starting and ending

    def test_starts_nothing(self) -> None:
        """Where nothing is recorded no reactor is installed, and there is no other thread."""
        said = self.run_to_end("here", "look")

        self.assertEqual(said, ["0 members", "reactor False", "1 threads"])

    def test_script(self) -> None:
        """A short script ends when what it has recorded is handled."""
        said = self.run_to_end("here", "script", "Ann", "Bob", "Cid")

        self.assertEqual(sorted(said), ["ends", "greeted Ann", "greeted Bob", "greeted Cid"])
        statuses = [("Ann", "done", 1), ("Bob", "done", 1), ("Cid", "done", 1)]
        self.assertEqual(self.query(DELIVERIES), [(f"joined_{n}", *rest) for n, *rest in statuses])

    def test_impatient(self) -> None:
        """A handler that hangs holds up the end no longer than the setting says."""
        program = self.start("here", "impatient", "Ann", DRAIN=0.3)

        self.assertEqual(program.end(), 0, program.errors)
        self.assertIn("hangs Ann", program.said)
        self.assertNotIn("Traceback", program.errors)
        self.assertEqual(self.query(DELIVERIES), [("joined_Ann", "pending", 1)])

    def test_prefork(self) -> None:
        """Children that are forked before anything runs have their own dispatchers."""
        said = self.run_to_end("here", "prefork", "Ann", "Bob")

        self.assertEqual(said[-1], "codes 0 0")
        self.assertEqual({"greeted Ann", "greeted Bob"} - set(said), set())
        self.assertEqual({status for _, status, _ in self.query(DELIVERIES)}, {"done"})

    # The daemon

    def test_daemon(self) -> None:
        """The daemon handles what other processes record; SIGTERM lets its handlers end."""
        daemon = self.start("daemon", "daemon", "slow")
        # The one of the project, and the one that sends mails.
        daemon.wait_for("Dispatching. Handlers: 2.")
        self.assertEqual(self.run_to_end("daemon", "script", "Ann"), ["ends"])
        daemon.wait_for("begins Ann")
        daemon.send(signal.SIGTERM)

        self.assertEqual(daemon.end(), 0, daemon.errors)
        self.assertEqual(daemon.said[-2:], ["greeted Ann", "daemon ends"])
        self.assertEqual(self.query(DELIVERIES), [("joined_Ann", "done", 1)])

    def test_daemon_hangs(self) -> None:
        """A handler that hangs is given back when the time to drain is over."""
        daemon = self.start("daemon", "daemon", "hang", DRAIN=0.3)
        self.run_to_end("daemon", "script", "Ann")
        daemon.wait_for("hangs Ann")
        daemon.send(signal.SIGTERM)

        self.assertEqual(daemon.end(), 0, daemon.errors)
        self.assertEqual(self.query(DELIVERIES), [("joined_Ann", "pending", 1)])

    def test_until_idle(self) -> None:
        """The daemon can end when nothing is left to do."""
        self.run_to_end("daemon", "script", "Ann", "Bob")
        said = self.run_to_end("daemon", "daemon", "--until-idle", "--verbosity=0")

        self.assertEqual(sorted(said), ["daemon ends", "greeted Ann", "greeted Bob"])

    # Killing at a certain point

    def killed(self, run: str, name: str, *arguments: str, **more: Any) -> list[str]:
        """Run a program that is killed, and give what it said."""
        program = self.start(run, name, *arguments, **more)
        self.assertEqual(program.end(), -signal.SIGKILL, program.errors)
        return program.said

    def test_sweep(self) -> None:
        """A sweep that is killed goes on behind what it has recorded: all, and each once."""
        for recorded in (7, 14, 21):
            self.assertEqual(self.killed("daemon", "sweeps", "10"), [])
            ((count,),) = self.query("SELECT count(*) FROM twisted_dispatcher_event")
            self.assertEqual(count, recorded)

        (said,) = self.run_to_end("daemon", "sweeps", "0")

        told = "club.Member: 50 seen, 29 events recorded, 0 known, 0 problems"
        self.assertEqual(said, told)
        keys = self.query("SELECT key FROM twisted_dispatcher_event ORDER BY key")
        self.assertEqual(keys, [(f"joined_m{number:02}",) for number in range(50)])

    def test_before_the_commit(self) -> None:
        """What was recorded by who is killed before the commit has never happened."""
        self.killed("here", "records", "Ann")

        self.assertEqual(self.query("SELECT key FROM twisted_dispatcher_event"), [])
        self.assertEqual(self.query("SELECT name FROM club_member"), [])

    def test_between_commit_and_wake(self) -> None:
        """What was recorded by who is killed between commit and wake is handled by the next."""
        self.assertEqual(self.killed("here", "commits", "Ann"), ["dies"])
        self.assertEqual(self.query("SELECT name FROM club_member"), [("Ann",)])

        said = self.run_to_end("daemon", "daemon", "--until-idle", "--verbosity=0")
        self.assertEqual(said, ["greeted Ann", "daemon ends"])

    def test_between_claim_and_settle(self) -> None:
        """What runs in a process that is killed is run by the next, in its second attempt."""
        self.assertEqual(self.killed("here", "settles", "Ann", LEASE=1.0), ["dies Ann"])

        daemon = self.start("daemon", "daemon", LEASE=1.0)
        daemon.wait_for("greeted Ann")
        daemon.send(signal.SIGTERM)
        self.assertEqual(daemon.end(), 0, daemon.errors)
        self.assertEqual(self.query(DELIVERIES), [("joined_Ann", "done", 2)])


class OnSQLiteTests(Processes, ProjectOnSQLite, SynchronousTestCase):
    """On a file of SQLite."""


class OnPostgreSQLTests(Processes, ProjectOnPostgreSQL, SynchronousTestCase):
    """On PostgreSQL."""

    def test_fork_after_start(self) -> None:
        """
        What a process records that was forked too late is handled by its parent; it says so once.

        (A file of SQLite must not be open while a process forks: its locks do not come along.)
        """
        program = self.start("here", "late_fork", "Ann", "Bob", "Cid")

        self.assertEqual(program.end(), 0, program.errors)
        self.assertIn("code 0", program.said)
        for name in ("Ann", "Bob", "Cid"):
            self.assertIn(f"greeted {name}", program.said)
        self.assertEqual(program.errors.count("left to other workers"), 1, program.errors)
