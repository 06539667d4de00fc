"""Tests of group commit: what is asked for, done together, and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import StoreClosed, StoreLocked
from twisted_dispatcher.stores.gathering import Gathering, Outcomes, Requests, TryAgain, perform


def double(place: object, requests: Sequence[int]) -> list[int]:
    """Double numbers."""
    return [2 * each for each in requests]


class GatheringTests(SynchronousTestCase):
    """A gathering of requests to double numbers."""

    def setUp(self) -> None:
        """Make one, and lists of what is done and answered."""
        self.clock = Clock()
        self.done: list[Requests] = []
        self.locked = False
        self.answers: list[Any] = []
        self.gathering = Gathering(
            self.do, self.clock, 10.0, lambda: StoreClosed("the store"), lambda: None
        )

    def do(self, requests: Requests) -> Outcomes | TryAgain:
        """Do requests."""
        if self.locked:
            return TryAgain(StoreLocked("the store"))
        self.done.append({work: list(own) for work, own in requests.items()})
        return perform(None, requests)

    def again(self, number: Any) -> None:
        """Take an answer, and ask for its double."""
        self.answers.append(number)
        if not isinstance(number, Failure):
            self.gathering.ask_for(self.again, double, number)

    def test_together(self) -> None:
        """What is asked for in one turn is done together, whichever way it is answered."""
        self.gathering.ask_for(self.answers.append, double, 1)
        asked = self.gathering.ask(double, 2)
        self.clock.advance(0)

        self.assertEqual([{double: [1, 2]}], self.done)
        self.assertEqual([2], self.answers)
        self.assertEqual(4, self.successResultOf(asked))

    def test_same_turn(self) -> None:
        """What those ask for who were answered is done in the same turn, once."""
        self.gathering.ask_for(self.again, double, 1)
        for turn in ([2, 4], [2, 4, 8, 16]):
            (call,) = self.clock.calls
            self.clock.calls = []
            call.func()

            self.assertEqual(turn, self.answers)
            self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def test_answer_that_raises(self) -> None:
        """An answer that is not taken well is logged, and the others are given."""

        def complain(number: int) -> None:
            raise RuntimeError("no")

        self.gathering.ask_for(complain, double, 1)
        self.gathering.ask_for(self.answers.append, double, 2)
        self.clock.advance(0)

        self.assertEqual([4], self.answers)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_locked(self) -> None:
        """What cannot be begun is done a little later, before what was asked for meanwhile."""
        self.locked = True
        self.gathering.ask_for(self.answers.append, double, 1)
        self.clock.advance(0)
        self.gathering.ask_for(self.answers.append, double, 2)
        self.locked = False
        self.clock.advance(0.01)

        self.assertEqual([{double: [1]}, {double: [2]}], self.done)
        self.assertEqual([2, 4], self.answers)

    def test_locked_for_long(self) -> None:
        """What cannot be begun within the time that there is fails."""
        self.locked = True
        self.gathering.ask_for(self.answers.append, double, 1)
        self.clock.pump([0.05] * 300)

        (failure,) = self.answers
        self.assertIsInstance(failure, Failure)
        self.assertTrue(failure.check(StoreLocked))

    def test_withdrawn(self) -> None:
        """What is withdrawn in its turn is not done, and not answered; later it is too late."""
        self.gathering.ask_for(list[int]().append, double, 1)
        self.gathering.ask_for(self.answers.append, double, 2)
        asked = self.gathering.ask(double, 3)
        asked.cancel()
        self.failureResultOf(asked)
        self.gathering.withdraw(self.answers.append)
        self.clock.advance(0)

        self.assertEqual([{double: [1]}], self.done)
        self.assertEqual([], self.answers)

    def test_closed(self) -> None:
        """What was asked for before the end is done; what comes after it, or from it, fails."""
        self.gathering.ask_for(self.again, double, 1)
        self.gathering.close()
        self.assertEqual(2, self.answers[0])
        self.assertTrue(self.answers[1].check(StoreClosed))
