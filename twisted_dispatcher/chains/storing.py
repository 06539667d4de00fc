"""Waiting for the store to the end, also when whoever waits has given up."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred

T = TypeVar("T")


class Storing(Deferred[T]):
    """
    What the store was asked for, and will answer whatever happens.

    A lock that has been taken must be given back, and what a transition has brought about must be
    run, though nobody waits for it any more. So cancelling it is only noted; `check` tells.
    """

    def __init__(self, asked: Deferred[T]) -> None:
        super().__init__()
        self._was_cancelled = False
        asked.addCallbacks(self.callback, self.errback)

    def cancel(self) -> None:
        """Take note that nobody waits any more."""
        if not self.called:
            self._was_cancelled = True

    def check(self) -> None:
        """
        End what goes on, if nobody waits for it any more.

        :raises CancelledError: then.
        """
        if self._was_cancelled:
            raise CancelledError
