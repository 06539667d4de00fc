"""Tests of running by itself what workers may have died of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.durable.quarantine import LONGEST_TRUCE, LONGEST_WAIT, PAUSE, Quarantine
from twisted_dispatcher.records import Claim


def suspect(number: int) -> Claim:
    """Give a claim of something whose worker has died twice."""
    return Claim(number, number, f"k{number}", "handler", "during", 1, 3, "", "", died=True)


class QuarantineTests(SynchronousTestCase):
    """One delivery at a time."""

    def setUp(self) -> None:
        """Make a quarantine that notes what it does."""
        self.clock = Clock()
        self.begun: list[int] = []
        self.given_back: list[tuple[int, float]] = []
        self.stored: list[Callable[[], Any]] = []
        self.quarantine = Quarantine(lambda: self.clock, self.begin, self.give_back)

    def begin(self, claim: Claim) -> None:
        """Note what begins."""
        self.begun.append(claim.delivery_id)

    def give_back(self, claim: Claim, seconds: float, stored: Callable[[], Any]) -> None:
        """Note what is given back."""
        self.given_back.append((claim.delivery_id, seconds))
        self.stored.append(stored)

    def admit(self, *numbers: int) -> list[Claim]:
        """Admit deliveries in one turn."""
        claims = [suspect(number) for number in numbers]
        for claim in claims:
            self.quarantine.admit(claim)
        self.clock.advance(0)
        return claims

    def test_alone(self) -> None:
        """A delivery that comes alone begins at once."""
        self.admit(1)

        self.assertEqual(([1], []), (self.begun, self.given_back))

    def test_others_first(self) -> None:
        """The first one begins when it is stored that the others were given back."""
        self.admit(1, 2, 3)
        self.assertEqual([], self.begun)
        self.assertEqual([(2, PAUSE), (3, 2 * PAUSE)], self.given_back)

        self.stored[0]()
        self.assertEqual([], self.begun)
        self.stored[1]()

        self.assertEqual([1], self.begun)

    def test_busy(self) -> None:
        """What comes while one is running is given back for as long as that has been running."""
        self.admit(1)
        for number, seconds in ((2, 3.0), (3, 100.0)):
            self.clock.advance(seconds)
            self.admit(number)
            self.stored.pop()()

        self.assertEqual([1], self.begun)
        self.assertEqual([(2, 3 + PAUSE), (3, LONGEST_WAIT + PAUSE)], self.given_back)

    def test_truce(self) -> None:
        """Nothing is to be claimed while one runs, but for a second at most."""
        self.assertEqual(0.0, self.quarantine.truce())
        (first,) = self.admit(1)
        self.assertEqual(LONGEST_TRUCE, self.quarantine.truce())
        self.clock.advance(LONGEST_TRUCE / 4)
        self.assertEqual(LONGEST_TRUCE * 3 / 4, self.quarantine.truce())
        self.clock.advance(LONGEST_TRUCE)
        self.assertEqual(0.0, self.quarantine.truce())

        self.quarantine.ended(first)
        (second,) = self.admit(2)
        self.quarantine.ended(second)

        self.assertEqual(0.0, self.quarantine.truce())

    def test_next(self) -> None:
        """When one has ended, the next one that comes begins."""
        first, second = self.admit(1, 2)
        self.stored[0]()
        self.quarantine.ended(second)
        self.admit(3)
        self.stored[1]()
        self.assertEqual([1], self.begun)
        self.quarantine.ended(first)
        self.admit(4)

        self.assertEqual([1, 4], self.begun)

    def test_again(self) -> None:
        """The one that is inside may begin again, as when the store was away."""
        (claim,) = self.admit(1)
        self.quarantine.admit(claim)

        self.assertEqual([1, 1], self.begun)
