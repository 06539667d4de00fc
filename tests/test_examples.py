"""The examples: the made-up log, and the help desk that follows it."""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from examples import generate_log, helpdesk
from twisted_dispatcher import Event
from twisted_dispatcher.eventlogs import BadLine, open_log
from twisted_dispatcher.feeding import Tally, feed
from twisted_dispatcher.testing import clocked_dispatcher, pump

MONDAY = datetime(2024, 1, 8, 8, tzinfo=timezone.utc)


class GenerateLogTests(SynchronousTestCase):
    """Making logs up."""

    def generated(self, name: str, **options: Any) -> Path:
        """Write a log into a new directory."""
        path = Path(self.mktemp())
        path.mkdir()
        path = path / name
        generate_log.generate(path, **options)
        return path

    def events(self, name: str, **options: Any) -> list[Event]:
        """Write a log and read it."""
        with open_log(self.generated(name, **options)) as log:
            log.check()
            return [item for item in log if isinstance(item, Event) or self.fail(str(item))]

    def test_same_bytes(self) -> None:
        """The same numbers give the same file, byte for byte, packed or not."""
        for name in ("log.xes.gz", "log.csv", "log.jsonl.gz"):
            one, other = (self.generated(name, count=50, seed=3).read_bytes() for _ in range(2))
            self.assertEqual(one, other)

    def test_other_seed(self) -> None:
        """Another seed gives another log."""
        one, other = (self.generated("log.csv", count=50, seed=n).read_bytes() for n in (1, 2))

        self.assertNotEqual(one, other)

    def test_formats(self) -> None:
        """All formats say the same of the same events."""
        names = ("concept:name", "case:concept:name", "org:resource", "customer", "seriousness")
        logs = [
            [
                (event.type, event.time, *(event.context[name] for name in names))
                for event in self.events(file, count=30)
            ]
            for file in ("log.xes", "log.xes.gz", "log.csv", "log.jsonl")
        ]

        self.assertTrue(all(log == logs[0] for log in logs))

    def test_a_few_thousand(self) -> None:
        """Unless told otherwise, the log has a thousand tickets and a few thousand events."""
        events = self.events("log.xes.gz")

        self.assertEqual(len({event["case:concept:name"] for event in events}), 1000)
        self.assertTrue(3000 < len(events) < 8000, len(events))

    def test_realistic(self) -> None:
        """Most tickets are taken in charge, resolved and closed, in this order."""
        cases: dict[str, list[str]] = {}
        for event in self.events("log.csv"):
            cases.setdefault(event["case:concept:name"], []).append(event.type)
        usual = sum(
            activities[-3:] == ["Take in charge ticket", "Resolve ticket", "Closed"]
            for activities in cases.values()
        )

        self.assertTrue(500 < usual < 1000, usual)

    def test_time_goes_on(self) -> None:
        """No event of a ticket is earlier than the one before."""
        last: dict[str, Any] = {}
        for event in self.events("log.csv"):
            case = event["case:concept:name"]
            self.assertTrue(last.get(case, MONDAY) <= event.time)
            last[case] = event.time

    def test_working_hours(self) -> None:
        """Working hours leave out nights and week-ends."""
        after = generate_log.working_hours_after
        cases = {
            (MONDAY, 1.5): MONDAY + timedelta(hours=1.5),
            (MONDAY, 11): MONDAY + timedelta(days=1, hours=1),
            (MONDAY + timedelta(days=4), 11): MONDAY + timedelta(days=7, hours=1),
            (MONDAY + timedelta(hours=12), 1): MONDAY + timedelta(days=1, hours=1),
            (MONDAY - timedelta(hours=5), 1): MONDAY + timedelta(hours=1),
        }

        self.assertEqual({case: after(*case) for case in cases}, cases)

    def test_command(self) -> None:
        """As a command it writes the file that it is told."""
        path = Path(self.mktemp() + ".jsonl.gz")
        self.patch(sys, "argv", ["generate_log", str(path), "--tickets", "2"])
        generate_log.main()

        self.assertIn(b"Case 2", gzip.decompress(path.read_bytes()))
        self.assertNotIn(b"Case 3", gzip.decompress(path.read_bytes()))

    def test_unknown_format(self) -> None:
        """A name that says no format is refused, with those that there are; nothing is written."""
        path = Path(self.mktemp() + ".txt")
        self.patch(sys, "argv", ["generate_log", str(path)])
        written = StringIO()
        self.patch(sys, "stderr", written)
        self.assertRaises(SystemExit, generate_log.main)

        self.assertIn(".xes, .csv, .jsonl", written.getvalue())
        self.assertFalse(path.exists())


class HelpDeskTests(SynchronousTestCase):
    """The help desk, fed with events."""

    def setUp(self) -> None:
        """Set the help desk up."""
        self.clock: Clock
        self.dispatcher, self.clock = clocked_dispatcher()
        self.report = helpdesk.setup(self.dispatcher)

    def feed(self, *events: Event) -> str:
        """Feed events and give the report."""
        tally = Tally()
        self.dispatcher.add_observer(tally)
        pump(self.clock, feed(events, self.dispatcher, clock=self.clock, tally=tally))
        self.assertEqual(tally.failures, 0)
        return self.report()

    def event(self, name: str, case: str = "Case 1", hours: float = 0, **context: Any) -> Event:
        """Make an event of a ticket, so many hours after a Monday morning."""
        context = {"concept:name": name, "case:concept:name": case, **context}
        return Event(name, context=context, time=MONDAY + timedelta(hours=hours))

    def test_counts(self) -> None:
        """Every activity is counted, and every ticket once."""
        report = self.feed(
            self.event("Assign seriousness"),
            self.event("Closed"),
            self.event("Closed", case="Case 2"),
        )

        self.assertIn("       2  Closed\n       1  Assign seriousness\n", report)
        self.assertIn("       2  tickets\n       0  still open\n", report)

    def test_reopened(self) -> None:
        """A ticket that is worked on after it was closed was opened again, and may be so twice."""
        report = self.feed(
            self.event("Take in charge ticket"),
            *(self.event(name) for name in ("Closed", "Take in charge ticket") * 2),
        )

        self.assertIn("       2  closed tickets opened again\n", report)
        self.assertIn("       1  still open\n", report)

    def test_seriousness(self) -> None:
        """Seriousness that is assessed otherwise than before is a change, of the same ticket."""
        report = self.feed(
            *(
                self.event("Assign seriousness", case=case, seriousness=seriousness)
                for case, seriousness in (
                    ("Case 1", "low"),
                    ("Case 2", "high"),
                    ("Case 1", "low"),
                    ("Case 1", "high"),
                )
            )
        )

        self.assertIn("       1  changes of seriousness\n", report)

    def test_pattern(self) -> None:
        """Whatever begins with resolve, in any case, is a resolution."""
        names = ("Resolve ticket", "RESOLVED", "Resolve SW anomaly", "Unresolved")
        report = self.feed(*map(self.event, names))

        self.assertIn("       3  resolutions\n", report)

    def test_waits(self) -> None:
        """Waiting for a customer, an upgrade or a mended anomaly are waits."""
        names = ("Wait", "Require upgrade", "Create SW anomaly", "Closed")
        report = self.feed(*map(self.event, names))

        self.assertIn("       3  waits for somebody else\n", report)

    def test_odd_hours(self) -> None:
        """Events at night and on the week-end are at odd hours."""
        report = self.feed(
            *(self.event("Wait", hours=hours) for hours in (0, 10, 11, 22, 24, 122))
        )

        self.assertIn("       3  events at odd hours\n", report)

    def test_days(self) -> None:
        """The median of the days from the first event of a ticket to its close is told."""
        report = self.feed(
            *(
                self.event(name, case=f"Case {days}", hours=hours)
                for days in (1, 4, 50)
                for name, hours in (("Wait", 0), ("Closed", 24 * days))
            )
        )

        self.assertIn("       4  days to close a ticket (median)\n", report)

    def test_workgroups(self) -> None:
        """Events are counted by workgroup where they have one."""
        report = self.feed(
            self.event("Wait", workgroup="First line"),
            self.event("Wait", workgroup=""),
            self.event("Wait"),
        )

        self.assertIn("By workgroup\n       1  First line\n\n", report)

    def test_two_desks(self) -> None:
        """Each setup has a state of its own."""
        self.feed(self.event("Wait"))

        self.assertNotIn("Wait", helpdesk.setup(clocked_dispatcher()[0])())

    def test_whole_log(self) -> None:
        """A whole log is followed without a failure, and counted as a plain loop counts it."""
        path = Path(self.mktemp() + ".xes.gz")
        generate_log.generate(path, count=200)
        with open_log(path) as log:
            events = [event for event in log if not isinstance(event, BadLine)]
        report = self.feed(*events)

        for name, number in Counter(event.type for event in events).items():
            self.assertIn(f"{number:>8,}  {name}\n", report)
        self.assertIn("     200  tickets\n", report)
