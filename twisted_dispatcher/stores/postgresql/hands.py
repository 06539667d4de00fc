"""
The threads of a store, which work until the store is closed.

Those of `concurrent.futures` end when the main thread does. A program whose reactor runs in
another thread drains its dispatcher after that, and needs the store for it.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

Work = Callable[[], object]


class Hands:
    """Does work in a few threads, which are begun as they are needed; belongs to one thread."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._begun = 0
        self._has_ended = False
        self._work: SimpleQueue[Work | None] = SimpleQueue()

    def submit(self, function: Callable[..., object], *arguments: Any) -> None:
        """
        Have a function called, which must not raise.

        :raises RuntimeError: after the end.
        """
        if self._has_ended:
            raise RuntimeError(f"the threads of {self._name} have ended")
        self._work.put(lambda: function(*arguments))
        if self._begun < self._most:
            self._begun += 1
            # What waits for the threads keeps the program alive, not they themselves.
            Thread(target=self._go_on, name=f"{self._name}_{self._begun}", daemon=True).start()

    def shutdown(self) -> None:
        """Let the threads end when they have done what they were given, without waiting for it."""
        if not self._has_ended:
            self._has_ended = True
            for _ in range(self._begun):
                self._work.put(None)

    def _go_on(self) -> None:
        while (work := self._work.get()) is not None:
            work()
