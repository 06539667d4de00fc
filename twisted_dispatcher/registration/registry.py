"""
The handlers of one dispatcher, by id and by match spec.

A change is all or nothing: what is new is checked and built aside, then swapped in. The lock is
held for the swap alone, never while a handler runs. It is there because the garbage collector may
find a weakly held function dead in any thread and in the middle of any statement; a registration
that cannot be removed at that moment is removed by whoever holds the lock, or comes next.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from twisted_dispatcher.errors import UnknownHandler
from twisted_dispatcher.matching import MatchIndex
from twisted_dispatcher.registration.handlers import FailedMatch, Handler


class Registry:
    """
    Keeps handlers, finds those that match, and forgets those that were collected.

    :ivar index: finds handlers by details.
    """

    def __init__(
        self, keywords: Sequence[str], phases: Sequence[str], on_change: Callable[[], None]
    ) -> None:
        """:param on_change: called after every change, before anything can see it."""
        self._ranks = {phase: rank for rank, phase in enumerate(phases)}
        self._on_change = on_change
        self._ids = itertools.count(1)
        self._handlers: dict[int, Handler] = {}
        self._lock = threading.Lock()
        self._collected: deque[Handler] = deque()
        self.index = self._new_index(keywords)

    def _new_index(self, keywords: Sequence[str]) -> MatchIndex[Handler]:
        return MatchIndex(keywords, self._order, self._broken)

    def _order(self, handler: Handler) -> tuple[int, int]:
        return self._ranks[handler.phase], handler.id

    @staticmethod
    def _broken(handler: Handler, error: Exception) -> Handler:
        return FailedMatch(handler, error)  # type: ignore[return-value]

    def next_id(self) -> int:
        """Give an id that was never used."""
        return next(self._ids)

    def add(self, handler: Handler) -> None:
        """Add a handler that is complete."""
        with self._lock:
            self._handlers[handler.id] = handler
            self.index.add(handler)
        self._changed()

    def remove(self, handler_id: int) -> None:
        """
        Remove a handler; it will not be started any more.

        :raises UnknownHandler: when it is not there.
        """
        self.swap([handler_id], [])

    def swap(self, handler_ids: Iterable[int], handlers: Iterable[Handler]) -> None:
        """
        Remove some handlers and add others, at once.

        :raises UnknownHandler: when one is not there; then nothing has changed.
        """
        with self._lock:
            old = {handler.id: handler for handler in map(self._find, handler_ids)}
            for handler in old.values():
                self._discard(handler)
            for handler in handlers:
                self._handlers[handler.id] = handler
                self.index.add(handler)
        self._changed()

    def _find(self, handler_id: int) -> Handler:
        try:
            return self._handlers[handler_id]
        except (KeyError, TypeError):
            raise UnknownHandler(handler_id) from None

    def _discard(self, handler: Handler) -> None:
        del self._handlers[handler.id]
        self.index.remove(handler)
        handler.retire()

    def collected(self, handler: Handler) -> None:
        """
        Remove a handler whose function was collected. Any thread may call it at any moment.
        """
        handler.retire()
        self._collected.append(handler)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what was collected, unless somebody holds the lock and will do it."""
        swept = False
        while self._collected and self._lock.acquire(blocking=False):
            try:
                handler = self._collected.popleft()
                if self._handlers.get(handler.id) is handler:
                    self._discard(handler)
                    swept = True
            except IndexError:
                break  # Another thread was quicker.
            finally:
                self._lock.release()
        if swept:
            self._on_change()

    def _changed(self) -> None:
        self._on_change()
        if self._collected:
            self._sweep()

    def handlers(self) -> list[Handler]:
        """Give all handlers, in order of phase and registration."""
        self._sweep()
        return sorted(self._handlers.values(), key=self._order)

    def set_keywords(self, keywords: Sequence[str]) -> None:
        """Index anew for other keywords; every keyword in use must be among them."""
        index = self._new_index(keywords)
        with self._lock:
            for handler in self._handlers.values():
                index.add(handler)
            self.index = index
        self._changed()
