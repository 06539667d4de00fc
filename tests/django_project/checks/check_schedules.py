"""Sweeps that a process does by itself."""

from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import CommandError
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from tests.django_project.checks.recording import SourcesMixin
from tests.django_project.club.models import Member
from twisted_dispatcher.django import api, running
from twisted_dispatcher.django.schedules import SweepSchedule
from twisted_dispatcher.service import DispatcherService

_greeted = threading.Event()


def events_of_member(member: Member) -> list[dict[str, Any]]:
    """Say that somebody has joined."""
    return [api.event("joined", member.pk, {"member": member})]


def greet(event: Any) -> None:
    """Tell the test of a member that was found."""
    if event["member"].name == "Bob":
        _greeted.set()


def sweep_often(service: Any) -> None:
    """Sweep five times a second; named by the setting."""
    SweepSchedule(service, 0.2, "club.Member")


class SweepingTests(SourcesMixin, TransactionTestCase):
    """A process that sweeps."""

    def setUp(self) -> None:
        """Have a source, and a handler of its events."""
        super().setUp()
        _greeted.clear()
        self.register(Member, events_of_member)
        api.register_group_handler(handler=greet, group="joined")
        self.addCleanup(running.stop)

    @override_settings(
        TWISTED_DISPATCHER={"RUN": "here", "SETUP": f"{__name__}.sweep_often", "DRAIN": 60.0}
    )
    def test_found(self) -> None:
        """What was written past `save()` after the first sweep is found by another one."""
        running.connection()
        Member.objects.bulk_create([Member(name="Bob")])

        self.assertTrue(_greeted.wait(60))
        running.stop()


class ScheduleTests(SimpleTestCase):
    """When sweeps begin, by a clock that the test moves."""

    def setUp(self) -> None:
        """Keep what is swept."""
        self.clock = Clock()
        self.service = DispatcherService("sqlite://", reactor=self.clock)
        self.swept: list[Any] = []
        self.error: Exception | None = None

    def start(self, *models: str, **options: Any) -> SweepSchedule:
        """Start a schedule whose sweeps are but noted."""
        test = self

        class Noted(SweepSchedule):
            _in_thread: Any = staticmethod(maybeDeferred)

            def _call(self) -> None:
                test.swept.append((test.clock.seconds(), self._models, self._options))
                if test.error is not None:
                    raise test.error

        schedule = Noted(self.service, 10, *models, **options)
        schedule.startService()
        self.addCleanup(schedule.stopService)
        return schedule

    def times(self) -> list[float]:
        """Give the times of the sweeps."""
        return [each[0] for each in self.swept]

    def test_seconds(self) -> None:
        """One begins with the process, and then one after so many seconds."""
        self.start("club.Member", filter=["active=True"])
        self.clock.pump([10, 9, 1])

        self.assertEqual([0, 10, 20], self.times())
        options = {"verbosity": 0, "filter": ["active=True"]}
        self.assertEqual((("club.Member",), options), self.swept[0][1:])

    def test_failure(self) -> None:
        """One that fails is logged, and the next one comes."""
        self.error = CommandError("two problems")
        with self.assertLogs("twisted_dispatcher.django", "ERROR") as logged:
            self.start()
            self.clock.advance(10)

        self.assertIn("The sweep of all models has failed: two problems", logged.output[0])
        self.assertEqual([0, 10], self.times())

    def test_stop(self) -> None:
        """After the end there is none."""
        schedule = self.start()
        stopped: list[Any] = []
        schedule.stopService().addCallback(stopped.append)
        self.clock.advance(10)

        self.assertEqual(([0], [None]), (self.times(), stopped))

    def test_seconds_are_seconds(self) -> None:
        """A schedule without time between is refused."""
        with self.assertRaisesMessage(ValueError, "more than 0"):
            SweepSchedule(self.service, 0)
