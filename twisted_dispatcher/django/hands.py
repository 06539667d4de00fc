"""A thread that does what it is told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from threading import Thread

# What is to be done; it gives whether the thread goes on afterwards, and never raises.
Order = Callable[[], bool]

_numbers = count(1)


class Hand:
    """
    A thread that does one thing after another, until it is told to end.

    The end of the program does not wait for it.

    :ivar idle_since: the time from which it has had nothing to do.
    :ivar stays: whether it waits on for as long as it takes.
    """

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.stays = False
        self._orders: SimpleQueue[Order] = SimpleQueue()

    def start(self) -> None:
        """Begin with what it was told."""
        name = f"twisted_dispatcher.django-{next(_numbers)}"
        Thread(target=self._live, name=name, daemon=True).start()

    def tell(self, order: Order) -> None:
        """Have it do something next; any thread may call this."""
        self._orders.put(order)

    def _live(self) -> None:
        while self._orders.get()():
            pass
