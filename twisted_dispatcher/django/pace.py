"""
How many threads at once are worth while.

While handlers wait, for a server or a mail, many of them can do so at once. While they calculate,
they share the one lock of the interpreter: a thread gives it away whenever it asks a database
something, and has to have it back from all the others. Many threads are slower then than one.

So it is measured, while calls wait for a thread, what of a processor's time is taken. Where there
is some left, more threads are worth while; so they are where the threads take little, and others
what there is; and where each takes nearly all that it could, since they do not need the lock. In
between they stand in each other's way, and are made fewer.

This is about calls that come and go. Those that take long stand apart: nobody waits for them, and
the others go by.
"""

from __future__ import annotations

from typing import Final

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
        self._most = most
        self.allowed = most

    def look(self, threads: float, process: float) -> None:
        """
        Go by what was taken of one processor's time.

        :param threads: by the threads that are at work, but for those whose calls take long.
        :param process: by the whole process.
        """
        waits = process < ENOUGH or threads < LITTLE
        if waits or threads > MOST_OF_IT * self.allowed:
            self.allowed = min(2 * self.allowed, self._most)
        else:
            self.allowed = max(self.allowed // 2, 1)
