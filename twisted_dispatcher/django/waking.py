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
    """
    Tells the reactor's thread of events at once, and together of those that come in a moment.
    """

    def __init__(self, reactor: Any, tell: Callable[[list[int]], object]) -> None:
        """:param tell: is given the ids of events, in the reactor's thread."""
        self._reactor = reactor
        self._tell = tell
        self._lock = Lock()
        self._event_ids: list[int] = []
        self._is_awake = False

    def wake(self, event_ids: Iterable[int]) -> None:
        """Tell of events, without waiting for it. Any thread may call this."""
        with self._lock:
            self._event_ids.extend(event_ids)
            sleeps, self._is_awake = not self._is_awake, True
        if sleeps:
            self._reactor.callFromThread(self._look)

    def _look(self) -> None:
        with self._lock:
            self._is_awake = bool(self._event_ids)
        if self._is_awake:
            self.tell_now()
            self._reactor.callLater(GATHER, self._look)

    def tell_now(self) -> None:
        """Tell of what nobody was told of yet; it belongs to the reactor's thread."""
        with self._lock:
            event_ids, self._event_ids = self._event_ids, []
        if event_ids:
            self._tell(event_ids)
