"""Tests of blocking connections in processes of their own: forks, signals, kills, the end."""

from __future__ import annotations

import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.blocking.children import Child, Ended, ended
from tests.postgresql import PostgreSQL

# Any use of what Python is about to drop is an error then.
STRICT = ("-W", "error::DeprecationWarning")


class ProcessTestCase(SynchronousTestCase):
    """Looks at how programs end."""

    def store(self) -> str:
        """Give the URL of a store of the test's own."""
        return f"sqlite:///{Path(self.mktemp()).absolute()}"

    def assertWell(self, child: Ended, *lines: str) -> None:
        """Check that it has ended well, has written these lines, and complained of nothing."""
        self.assertEqual("", child.errors)
        self.assertEqual((0, list(lines)), (child.status, child.lines))


class EndTests(PostgreSQL, ProcessTestCase):
    """The end of a program that has connected."""

    def test_plain(self) -> None:
        """A script that closes nothing ends well, and its store is whole."""
        store = self.store()
        for _ in range(2):
            self.assertWell(ended("plain", store), "handled order 1")

    def test_plain_on_postgresql(self) -> None:
        """It does so with a store on PostgreSQL."""
        store = self.make_schema()
        for _ in range(2):
            self.assertWell(ended("plain", store), "handled order 1")

    def test_warnings_are_errors(self) -> None:
        """It does so where warnings of what is deprecated are errors."""
        self.assertWell(ended("plain", self.store(), options=STRICT), "handled order 1")

    def test_importing(self) -> None:
        """Importing the bridge starts nothing and installs no reactor."""
        self.assertWell(ended("unused"), "False 1")

    def check_drain(self, store: str) -> None:
        """Have a program end while a handler runs."""
        self.assertWell(ended("leaving", store), "leaving", "drained order 1 1")

    def test_without_crochet(self) -> None:
        """Where crochet is missing, the error says what to install."""
        (line,) = ended("without_crochet").lines

        self.assertIn("pip install 'twisted_dispatcher[blocking]'", line)

    def test_drains(self) -> None:
        """A handler that runs when the program ends comes to its end, and everything works."""
        self.check_drain("")

    def test_drains_on_sqlite(self) -> None:
        """A handler with a delivery in a file comes to its end."""
        self.check_drain(self.store())

    def test_drains_on_postgresql(self) -> None:
        """A handler with a delivery on PostgreSQL comes to its end."""
        self.check_drain(self.make_schema())

    def test_nobody_is_left_waiting(self) -> None:
        """A thread that still waits when the reactor has stopped is told that nothing comes."""
        self.assertWell(ended("deserted"), "leaving", "ConnectionClosed")

    def test_under_a_reactor(self) -> None:
        """A program that runs the reactor itself can connect, too, and ends as well."""
        self.assertWell(ended("under_a_reactor"), "handled order 1")

    def test_exception(self) -> None:
        """An exception in the main thread ends the program, with its own traceback alone."""
        child = ended("raising")

        self.assertEqual(1, child.status)
        self.assertTrue(child.errors.endswith("ZeroDivisionError\n"), child.errors)
        self.assertEqual(1, child.errors.count("Traceback"))

    def test_failures_are_seen(self) -> None:
        """What a handler fails with is written on standard error, where nobody set up logging."""
        child = ended("failing")

        self.assertEqual((0, ["1"]), (child.status, child.lines))
        self.assertIn("LookupError: nobody is here", child.errors)

    def test_exit_status(self) -> None:
        """A program that exits has the status it asked for."""
        child = ended("exiting")

        self.assertEqual((7, ""), (child.status, child.errors))

    def test_interrupt(self) -> None:
        """Ctrl-C ends a call and the program, and cancels what the call waited for."""
        child = Child("interrupted")
        self.assertEqual("waiting", child.line())
        child.send(signal.SIGINT)
        end = child.end()

        self.assertEqual((-signal.SIGINT, "cancelled\n"), (end.status, end.output))
        self.assertTrue(end.errors.endswith("KeyboardInterrupt\n"), end.errors)
        self.assertEqual(1, end.errors.count("Traceback"))


class ForkTests(ProcessTestCase):
    """Forks before and after connecting."""

    def test_after_connecting(self) -> None:
        """The children of a fork are refused at once and end; the parent goes on."""
        # Newer Pythons warn of forks where there are threads.
        child = ended("forking", options=("-W", "ignore::DeprecationWarning"))

        self.assertWell(
            child,
            "child ForkedProcess ForkedProcess",
            "status 3",
            "worker ForkedProcess ForkedProcess",
            "status 0",
            "afresh True",
            "status 0",
            "parent handled order 1",
        )

    def test_before_connecting(self) -> None:
        """Workers that were forked before anybody connected have a connection each."""
        child = ended("preforking", "no")

        self.assertWell(child, "worker 0 0", "status 0", "worker 1 1", "status 0")

    def test_reactor_before_the_fork(self) -> None:
        """Workers are refused if their parent has made a reactor, which they would share."""
        child = ended("preforking", "yes")

        self.assertWell(child, "worker 0 refused", "status 0", "worker 1 refused", "status 0")


class KillTests(PostgreSQL, ProcessTestCase):
    """Programs that are killed."""

    def test_on_sqlite(self) -> None:
        """What was accepted by a program that is killed, another one handles: in a file."""
        self.check_kill(self.store())

    def test_on_postgresql(self) -> None:
        """What was accepted by a program that is killed, another one handles: on a server."""
        self.check_kill(self.make_schema())

    def check_kill(self, store: str) -> None:
        """Kill a program that has accepted events, and have another one handle them."""
        child = Child("accepting", store)
        self.assertEqual("accepted", child.line())
        child.kill()
        self.assertEqual(-signal.SIGKILL, child.end().status)
        other = ended("finishing", store)

        self.assertWell(other, " ".join(f"order {number}" for number in range(10)))
