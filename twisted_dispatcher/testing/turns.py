"""
A reactor whose time stands still while a database answers, and a store that knows who waits.

A store with threads, or with connections that a reactor watches, answers in its own time; a test
that owns the clock lets time pass when nothing is under way any more.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IReactorFDSet,
    IReactorFromThreads,
    IReadDescriptor,
    IWriteDescriptor,
)
from twisted.internet.task import Clock
from zope.interface import implementer

from twisted_dispatcher.interfaces import IAnsweringStore, IStore
from twisted_dispatcher.testing.clocked import NeverSettled

# So many seconds of real time a database may take to answer.
LONGEST_ANSWER = 60.0


@implementer(IReactorFDSet, IReactorFromThreads)
class TurnedReactor(Clock):
    """A clock that is also told by threads and descriptors, when `turn` is called."""

    def __init__(self) -> None:
        super().__init__()
        self._told: deque[Callable[[], object]] = deque()
        self._readers: list[IReadDescriptor] = []
        self._writers: list[IWriteDescriptor] = []
        self._lock = Lock()
        self._is_closed = False
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._woken, False)

    def close(self) -> None:
        """Give its own descriptors back."""
        with self._lock:
            self._is_closed = True
            os.close(self._woken)
            os.close(self._waking)

    # IReactorFromThreads

    def callFromThread(  # noqa: N802
        self, callable: Callable[..., Any], *arguments: object, **named: object
    ) -> None:
        self._told.append(partial(callable, *arguments, **named))
        self.wake()

    def wake(self) -> None:
        """End a `turn` that is waiting; from any thread."""
        with self._lock:
            if not self._is_closed:
                os.write(self._waking, b"!")

    # IReactorFDSet

    def addReader(self, reader: IReadDescriptor) -> None:  # noqa: N802
        if reader not in self._readers:
            self._readers.append(reader)

    def addWriter(self, writer: IWriteDescriptor) -> None:  # noqa: N802
        if writer not in self._writers:
            self._writers.append(writer)

    def removeReader(self, reader: IReadDescriptor) -> None:  # noqa: N802
        if reader in self._readers:
            self._readers.remove(reader)

    def removeWriter(self, writer: IWriteDescriptor) -> None:  # noqa: N802
        if writer in self._writers:
            self._writers.remove(writer)

    def removeAll(self) -> list[Any]:  # noqa: N802
        removed: list[Any] = [*self._readers, *self._writers]
        self._readers.clear()
        self._writers.clear()
        return removed

    def getReaders(self) -> list[IReadDescriptor]:  # noqa: N802
        return list(self._readers)

    def getWriters(self) -> list[IWriteDescriptor]:  # noqa: N802
        return list(self._writers)

    # Turning

    def turn_while(self, is_busy: Callable[[], object]) -> None:
        """
        Do what is due at this time, and what threads and descriptors tell, while it is busy.

        :raises NeverSettled: when nobody tells anything for a minute.
        """
        self.advance(0)
        last = monotonic()
        while is_busy():
            if self._turn(1.0):
                last = monotonic()
            elif monotonic() - last > LONGEST_ANSWER:
                raise NeverSettled(f"the database has not answered for {LONGEST_ANSWER:g} seconds")
            self.advance(0)

    def _turn(self, timeout: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            readers = {each.fileno(): each for each in self._readers}
            writers = {each.fileno(): each for each in self._writers}
            for descriptor in {*readers, *writers}:
                wanted = selectors.EVENT_READ * (descriptor in readers)
                wanted |= selectors.EVENT_WRITE * (descriptor in writers)
                selector.register(descriptor, wanted)
            ready = [(key.fd, events) for key, events in selector.select(timeout)]
        for descriptor, events in ready:
            if descriptor == self._woken:
                os.read(self._woken, 4096)
                continue
            reader, writer = readers.get(descriptor), writers.get(descriptor)
            if events & selectors.EVENT_READ and reader in self._readers:
                reader.doRead()
            if events & selectors.EVENT_WRITE and writer in self._writers:
                writer.doWrite()
        while self._told:
            self._told.popleft()()
        return bool(ready)


@implementer(IAnsweringStore)
class CountedStore:
    """
    Passes everything on to a store, and counts the answers that it owes.

    :ivar owed: how many these are.
    """

    _AT_ONCE = frozenset({"listen", "crash", "on_point"})
    _PARTS = frozenset({"chains", "triggers"})

    def __init__(self, store: IStore) -> None:
        self.store = store
        self.owed = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if name in self._PARTS:
            return _CountedPart(found, self._ask)
        return found if name in self._AT_ONCE else partial(self._ask, found)

    def _ask(self, method: Callable[..., Deferred[Any]], *given: Any, **named: Any) -> Any:
        self.owed += 1
        return method(*given, **named).addBoth(self._answered)

    def _answered(self, answer: Any) -> Any:
        self.owed -= 1
        return answer

    def accept_one(self, event: Any, worker: Any, now: float, answer: Any) -> None:
        self._ask_one(self.store.accept_one, event, worker, now, answer)  # type: ignore[attr-defined]

    def settle_one(self, settlement: Any, worker: Any, now: float, answer: Any) -> None:
        self._ask_one(self.store.settle_one, settlement, worker, now, answer)  # type: ignore[attr-defined]

    def _ask_one(self, ask: Any, what: Any, worker: Any, now: float, answer: Any) -> None:
        def answered(outcome: Any) -> None:
            self.owed -= 1
            answer(outcome)

        self.owed += 1
        ask(what, worker, now, answered)


class _CountedPart:
    """A part of a store whose answers are counted."""

    def __init__(self, part: Any, ask: Callable[..., Any]) -> None:
        self._part = part
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        return partial(self._ask, getattr(self._part, name))
