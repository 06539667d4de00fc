"""Waking the reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import SimpleTestCase
from twisted.internet.task import Clock

from twisted_dispatcher.django.waking import Waking
from twisted_dispatcher.durable.worker import GATHER


class Reactor(Clock):
    """One that counts how often other threads have called it."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def callFromThread(self, function: Callable[[], Any]) -> None:  # noqa: N802
        """Call a function at once."""
        self.woken += 1
        function()


class WakingTests(SimpleTestCase):
    """When the reactor's thread is told of events."""

    def setUp(self) -> None:
        """Have nothing told yet."""
        self.reactor = Reactor()
        self.told: list[list[int]] = []
        self.waking = Waking(self.reactor, self.told.append)

    def test_at_once(self) -> None:
        """Events are told of at once, as are others after a while."""
        for event_id in (1, 2):
            self.waking.wake([event_id])
            self.reactor.pump([GATHER, GATHER])

        self.assertEqual([[1], [2]], self.told)
        self.assertEqual(2, self.reactor.woken)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_together(self) -> None:
        """Events that come in a moment are told of together, without a call from each thread."""
        for event_id in range(1, 6):
            self.waking.wake([event_id])
        self.assertEqual([[1]], self.told)
        self.reactor.advance(GATHER)
        self.waking.wake([6])
        self.assertEqual([[1], [2, 3, 4, 5]], self.told)
        self.reactor.advance(GATHER)

        self.assertEqual([[1], [2, 3, 4, 5], [6]], self.told)
        self.assertEqual(1, self.reactor.woken)

    def test_hurry(self) -> None:
        """Near the end what was not told yet is told of, and what comes is told of at once."""
        self.waking.wake([1])
        self.waking.wake([2])
        self.waking.hurry()
        for event_id in (3, 4):
            self.waking.wake([event_id])
        self.assertEqual([[1], [2], [3], [4]], self.told)
        self.reactor.pump([GATHER, GATHER])

        self.assertEqual([[1], [2], [3], [4]], self.told)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_fails(self) -> None:
        """That somebody could not be told does not keep others from being told later."""
        self.waking = Waking(self.reactor, lambda event_ids: self.told.append([1 // event_ids[0]]))
        self.assertRaises(ZeroDivisionError, self.waking.wake, [0])
        self.waking.wake([1])
        self.reactor.advance(GATHER)

        self.assertEqual([[1]], self.told)
