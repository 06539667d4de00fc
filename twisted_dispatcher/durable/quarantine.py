"""
Has deliveries run by themselves that may be what their workers died of.

When a worker dies, all that it ran may have been the reason. A delivery of which that happened
again and again therefore runs while no other such one does: then it takes none of them with it,
and of those that only stood beside it each comes to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

# A delivery that is to be run, as its runner has it.
Run = TypeVar("Run")

# Those that have to wait are due one after another, at a distance of so many seconds,
PAUSE = 0.01
# and while one is running, later by as long as it has been running, but by so many at most.
LONGEST_WAIT = 10.0
# For so many seconds after one was let in nothing is claimed, unless it ends before.
LONGEST_TRUCE = 1.0


class Quarantine(Generic[Run]):
    """
    Lets in one delivery at a time; the others are given back, and begin later, here or elsewhere.

    The one that is let in begins when it is stored that the others were given back: else they
    would lose an attempt, should it be deadly. For the same reason its worker claims nothing at
    first: a deadly one mostly kills at once. One that runs for long has the others wait for long.

    :ivar arrived: those of which it is not decided yet who is let in.
    """

    def __init__(
        self,
        clock: Callable[[], IReactorTime],
        begin: Callable[[Run], object],
        give_back: Callable[[Run, float, Callable[[], Any]], object],
    ) -> None:
        """
        :param begin: runs a delivery; `ended` is to be called in the end.
        :param give_back: gives a delivery back, for some seconds, and calls when that is stored.
        """
        self._clock = clock
        self._begin = begin
        self._give_back = give_back
        self._inside: Run | None = None
        self._has_begun = False
        self._since = 0.0
        self.arrived: list[Run] = []
        self._leaving = 0

    def admit(self, run: Run) -> None:
        """Take a delivery, to run it by itself or to give it back; see `begin`, `give_back`."""
        if run is self._inside:
            self._begin(run)
            return
        self.arrived.append(run)
        if len(self.arrived) == 1:
            self._clock().callLater(0, self.sort)

    def sort(self) -> None:
        """
        Let one in of those that have arrived.

        It is done at the end of the turn, or, when it is known that no more will arrive, before:
        what is given back then is stored with what else has just been asked for, and that may be
        deadly as well.
        """
        arrived, self.arrived = self.arrived, []
        if not arrived:
            return
        now = self._clock().seconds()
        if self._inside is None:
            self._inside, self._since = arrived.pop(0), now
        self._leaving += len(arrived)
        wait = min(now - self._since, LONGEST_WAIT)
        for place, run in enumerate(arrived, 1):
            self._give_back(run, wait + place * PAUSE, self._left)
        self._begin_if_alone()

    def truce(self) -> float:
        """Tell for how many seconds nothing is to be claimed; it ends with the one that runs."""
        if self._inside is None:
            return 0.0
        return max(0.0, self._since + LONGEST_TRUCE - self._clock().seconds())

    def _left(self) -> None:
        self._leaving -= 1
        self._begin_if_alone()

    def _begin_if_alone(self) -> None:
        if self._inside is not None and not self._has_begun and not self._leaving:
            self._has_begun = True
            self._begin(self._inside)

    def ended(self, run: Run) -> bool:
        """Let in the next one, if it was this one that ran; tell whether it was."""
        if run is not self._inside:
            return False
        self._inside = None
        self._has_begun = False
        return True
