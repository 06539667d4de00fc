"""
How many threads at once are worth while.

While handlers wait, for a server or a mail, many of them can do so at once. While they calculate,
they share the one lock of the interpreter: a thread gives it away whenever it asks a database
something, and has to have it back from all the others. Many threads are slower then than one.

So it is measured, while calls wait for a thread, what of a processor's time is taken. Where there
is some left, more threads are worth while; so they are where the threads take little, and others
what there is; and where each takes nearly all that it could, since they do not need the lock. In
between they stand in each other's way, and are made fewer.

This is about calls that come and go. Those that take long stand apart: the others do not wait for
them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from twisted_dispatcher.django.hands import Hand

# So many seconds pass from one look to the next.
PACE: Final = 0.005
# A call that has taken so many seconds takes long.
LONG: Final = 0.05

# Of the time of one processor: where the whole process takes less, some is left.
ENOUGH: Final = 0.9
# Of the same: threads take little that take less together.
LITTLE: Final = 0.25
# Of the time of a processor for each: threads are not in each other's way that take more.
MOST_OF_IT: Final = 0.7


class Pace:
    """
    Says how many threads may be at work at once, beside those whose calls take long.

    :ivar allowed: so many, from one to the most; at first it is the most.
    """

    def __init__(self, most: int) -> None:
        """:param most: so many threads may be at work altogether."""
        self._most = most
        self.allowed = most
        # So many were at work for long when it was measured last.
        self._long = 0
        self._measured_at = self._used = 0.0

    def has_room(self, busy: int) -> bool:
        """Tell whether one more thread may be at work, beside so many."""
        return busy < self._most and busy - self._long < self.allowed

    def measure(self, hands: set[Hand], idle: Iterable[Hand]) -> tuple[float, float]:
        """
        Tell what was taken of one processor's time since this was asked last.

        :param hands: the threads, all of which live.
        :param idle: those that have nothing to do.
        :return: what they have taken, but for those whose calls take long; and the whole process.
        """
        now, used = time.perf_counter(), time.process_time()
        passed, self._measured_at = now - self._measured_at, now
        process, self._used = used - self._used, used
        taken = {hand: hand.taken() for hand in hands}
        long = {hand for hand in hands.difference(idle) if now - hand.busy_since >= LONG}
        self._long = len(long)
        threads = sum(seconds for hand, seconds in taken.items() if hand not in long)
        # The clock stands still in some tests.
        return (threads / passed, process / passed) if passed > 0 else (0.0, 0.0)

    def go_by(self, threads: float, process: float) -> None:
        """Allow more threads, or fewer, by what was measured."""
        waits = process < ENOUGH or threads < LITTLE
        if waits or threads > MOST_OF_IT * self.allowed:
            self.allowed = min(2 * self.allowed, self._most)
        else:
            self.allowed = max(self.allowed // 2, 1)
