"""
Reading what makes its reader wait, such as a pipe, without making the reactor wait.

A thread reads; the reactor's thread iterates. Where nothing is there yet, the iterator gives a
Deferred to wait for instead of an item.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")

AHEAD: Final = 1000


class _End:
    """Comes after the last item."""


class ReadInThread(Generic[T]):
    """
    Iterates over items that another thread reads, at most `AHEAD` of them ahead.

    What reading them raises is raised in its place. The thread does not keep the program from
    ending, however long it has to wait.
    """

    def __init__(self, items: Iterable[T], reactor: IReactorFromThreads) -> None:
        self._items = items
        self._reactor = reactor
        self._read: queue.Queue[T | Failure | _End] = queue.Queue(AHEAD)
        self._arrival: Deferred[None] | None = None
        threading.Thread(target=self._read_all, name="event log reader", daemon=True).start()

    def __iter__(self) -> Iterator[T | Deferred[None]]:
        return self

    def __next__(self) -> T | Deferred[None]:
        arrival: Deferred[None] = Deferred(self._not_awaited)
        self._arrival = arrival
        # Looked for only now: what comes after this look will find that it is awaited.
        try:
            item = self._read.get_nowait()
        except queue.Empty:
            return arrival
        self._arrival = None
        if isinstance(item, Failure):
            item.raiseException()
        if isinstance(item, _End):
            raise StopIteration
        return item

    def _read_all(self) -> None:
        try:
            for item in self._items:
                self._put(item)
        except BaseException:
            self._put(Failure())
        self._put(_End())

    def _put(self, item: T | Failure | _End) -> None:
        self._read.put(item)
        if self._arrival is not None:
            self._reactor.callFromThread(self._arrived)

    def _arrived(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.callback(None)

    def _not_awaited(self, arrival: Deferred[Any]) -> None:
        self._arrival = None
