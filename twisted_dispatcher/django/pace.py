"""
How many threads at once are worth while.

While handlers wait, for a server or a mail, many of them can do so at once. While they calculate,
they share the one lock of the interpreter: a thread gives it away whenever it asks a database
something, and has to have it back from all the others. Many threads are slower then than one.

So it is measured, while calls wait for a thread, what of a processor's time those take that are at
work. When they take little, they wait, and more of them are worth while; so are they when each
takes nearly all that it could, since they do not need the lock. In between they stand in each
other's way, and are made fewer.
"""

from __future__ import annotations

from typing import Final

# So many seconds pass from one look to the next.
PACE: Final = 0.005

# Of the time of one processor: threads wait that take less together.
LITTLE: Final = 0.25
# Of the time of a processor for each: threads are not in each other's way that take more.
MOST_OF_IT: Final = 0.7


class Pace:
    """
    Says how many threads may be at work.

    :ivar allowed: so many, from one to the most; at first it is the most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.allowed = most

    def look(self, share: float) -> None:
        """
        Go by what was measured.

        :param share: how much of one processor's time those threads have taken that are allowed.
        """
        if share < LITTLE or share > MOST_OF_IT * self.allowed:
            self.allowed = min(2 * self.allowed, self._most)
        else:
            self.allowed = max(self.allowed - 1, 1)
