"""
Waking the reactor's thread for what other threads have committed.

Each time that the reactor is woken it takes the interpreter's lock from whoever saves. A worker
that has just looked for events gathers those that come then (`worker.GATHER`): so it need not be
told of them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from twisted_dispatcher.durable.worker import GATHER


class Waking:
    """Tells the reactor's thread of events at once, and of those that come then together."""

    def __init__(self, reactor: Any, tell: Callable[[list[int]], object]) -> None:
        """:param tell: is given the ids of events, in the reactor's thread."""
        self._reactor = reactor
        self._tell = tell
        self._lock = Lock()
        self._event_ids: list[int] = []
        self._is_awake = False
        self._gathers = True

    def wake(self, event_ids: Iterable[int]) -> None:
        """Tell of events, without waiting for it. Any thread may call this."""
        with self._lock:
            self._event_ids.extend(event_ids)
            sleeps, self._is_awake = not self._is_awake, self._gathers
        if sleeps:
            self._reactor.callFromThread(self._look)

    # In the reactor's thread

    def hurry(self) -> None:
        """Tell of all that has come, and of all that comes, at once: the end is near."""
        with self._lock:
            self._gathers = self._is_awake = False
        self._look()

    def _look(self) -> None:
        with self._lock:
            event_ids, self._event_ids = self._event_ids, []
            self._is_awake = self._gathers and bool(event_ids)
        if self._is_awake:
            self._reactor.callLater(GATHER, self._look)
        if event_ids:
            self._tell(event_ids)
