"""A thread that does what it is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from threading import Thread, get_native_id

# What is to be done; it gives whether the thread goes on afterwards, and never raises.
Order = Callable[[], bool]

_numbers = count(1)


class Hand:
    """
    A thread that does one thing after another, until it is told to end.

    The end of the program does not wait for it.

    :ivar idle_since: the time from which it has had nothing to do.
    :ivar stays: whether it waits on for as long as it takes.
    :ivar busy_since: the time from which it has been at its present call, by
        `time.perf_counter`.
    """

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.stays = False
        self.busy_since = 0.0
        self._orders: SimpleQueue[Order] = SimpleQueue()
        # The system's clock of this thread's processor time.
        self._clock: int | None = None
        self._taken = 0.0

    def start(self) -> None:
        """Begin with what it was told."""
        name = f"twisted_dispatcher.django-{next(_numbers)}"
        Thread(target=self._live, name=name, daemon=True).start()

    def tell(self, order: Order) -> None:
        """Have it do something next; any thread may call this."""
        self._orders.put(order)

    def taken(self) -> float:
        """
        Give the seconds of processor time that it has taken since it was asked last.

        It is asked while the thread lives. Where the system does not tell, it is 0.
        """
        if self._clock is None:
            return 0.0
        before, self._taken = self._taken, time.clock_gettime(self._clock)
        return self._taken - before

    def _live(self) -> None:
        self._clock = _clock_of_this_thread()
        while self._orders.get()():
            pass


def _clock_of_this_thread() -> int | None:
    """
    Give the clock of this thread's processor time, which other threads can read; None without one.

    Linux makes its number of its own number of the thread (``MAKE_THREAD_CPUCLOCK``). Python's
    `time.pthread_getcpuclockid` wants the number that the C library has given the thread, and
    reads anywhere in memory for another one, such as gevent gives its threads.
    """
    if sys.platform != "linux":
        return None
    clock = ~get_native_id() << 3 | 6
    try:
        time.clock_gettime(clock)
    except OSError:
        return None
    return clock
