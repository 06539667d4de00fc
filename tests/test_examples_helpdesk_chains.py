"""The example in which each ticket of a help desk's log is a chain."""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from examples import generate_log
from examples.helpdesk_chains import Report, Tickets, drive, read_tickets, text_of
from tests.postgresql import PostgreSQL
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.stores import open_store
from twisted_dispatcher.testing import pump


def last_activities(log: Path) -> dict[str, int]:
    """Count the last activity of each ticket, by another way than the example reads logs."""
    counts: Counter[str] = Counter()
    for trace in ElementTree.fromstring(gzip.decompress(log.read_bytes())):
        names = [
            each.get("value", "")
            for event in trace
            for each in event
            if event.tag.endswith("event") and each.get("key") == "concept:name"
        ]
        counts.update(names[-1:])
    return dict(counts)


class HelpdeskChainsTests(SynchronousTestCase):
    """A made-up log, driven through a store."""

    def setUp(self) -> None:
        """Make a log up, and open a store."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.log = directory / "helpdesk.xes.gz"
        generate_log.generate(self.log, count=60, seed=5)
        self.clock = Clock()
        self.store = self.open()
        self.addCleanup(lambda: pump(self.clock, self.store.close()))
        self.tickets = read_tickets(self.log)

    def open(self) -> IStore:
        """Open the store of these tests."""
        return open_store("sqlite://", reactor=self.clock)

    def drive(self, tickets: Tickets | None = None) -> Report:
        """Let tickets go their ways."""
        work = drive(self.store, tickets or self.tickets, 10, self.clock)
        return pump(self.clock, Deferred.fromCoroutine(work))

    def test_counts(self) -> None:
        """The chains are counted by state as the last activities in the log are."""
        report = self.drive()

        self.assertEqual(last_activities(self.log), report.stored)
        self.assertEqual(report.expected, report.stored)
        self.assertEqual(sum(map(len, self.tickets.values())), report.moves)

    def test_going_on(self) -> None:
        """A second run goes on where the first one has ended."""
        halves = {name: each[: len(each) // 2] for name, each in self.tickets.items()}
        first = self.drive({name: each for name, each in halves.items() if each})

        second = self.drive()

        self.assertEqual(sum(map(len, self.tickets.values())), first.moves + second.moves)
        self.assertEqual(last_activities(self.log), second.stored)

    def test_what_the_dead_have_left(self) -> None:
        """A chain that a dead run has locked goes on when the lock has ended."""
        some = dict(list(self.tickets.items())[:1])
        self.drive({name: each[:1] for name, each in some.items()})
        chains = getattr(self.store, "chains")  # noqa: B009
        (chain,) = pump(self.clock, chains.chains("ticket"))
        now = self.clock.seconds()
        pump(self.clock, chains.lock(chain.id, now + 7, now))

        report = self.drive(some)

        self.assertEqual(report.expected, report.stored)
        self.assertGreaterEqual(self.clock.seconds(), now + 7)

    def test_text(self) -> None:
        """The report says how many chains are in which state, and that the counts are equal."""
        report = self.drive()

        self.assertIn(f"{report.moves} moves of 60 chains", text_of(report))
        self.assertIn("count the same", text_of(report))
        self.assertIn("[*] --> new", report.graph)


class PostgreSQLTests(PostgreSQL, TestCase):
    """The same on PostgreSQL, in the reactor's own time."""

    timeout = 300

    async def test_counts(self) -> None:
        """The chains are counted by state as the last activities in the log are."""
        directory = Path(self.mktemp())
        directory.mkdir()
        log = directory / "helpdesk.xes.gz"
        generate_log.generate(log, count=30, seed=6)
        store = open_store(self.have_tables())

        try:
            report = await drive(store, read_tickets(log), 10)
        finally:
            await store.close()

        self.assertEqual(last_activities(log), report.stored)
