"""
Runs what follows from what, without recursion.

A dispatch that ends wakes whoever waits for it, who ends a dispatch in turn, and so on: done by
calls within calls, a few hundred of these overflow the stack. On a trampoline each is put behind
the one that runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Trampoline:
    """Calls functions one after another, each to its end, in the order in which they came."""

    __slots__ = ("_running", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._running = False

    def run(self, function: Callable[[], object]) -> None:
        """
        Call the function: now, or, from within a function that runs here, when that has ended.

        The function must not raise.
        """
        self._waiting.append(function)
        if self._running:
            return
        self._running = True
        try:
            while self._waiting:
                self._waiting.popleft()()
        finally:
            self._running = False
