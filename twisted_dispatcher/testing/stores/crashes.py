"""
The death of a process at every point of a store where it makes a difference.

A store that can be tested so calls its attribute ``on_point``, where it is set, before and after
everything that it writes and commits (see `twisted_dispatcher.stores.sqlite.ledger`)::

    for nth in itertools.count(1):
        store = open_store(url, reactor=clock)
        store.on_point = CrashPoint(nth)
        try:
            do_everything(store)
            break
        except ProcessDied:
            store.crash()
        see_that_nothing_is_lost(open_store(url, reactor=clock))
"""

from __future__ import annotations


class ProcessDied(BaseException):
    """The process has died at a crash point. No ``except Exception`` lives on after that."""


class CrashPoint:
    """
    Dies when the nth crash point is reached; None never dies.

    :ivar passed: the points that were reached, in order.
    """

    def __init__(self, nth: int | None = None) -> None:
        self.nth = nth
        self.passed: list[str] = []

    def __call__(self, point: str) -> None:
        """Be told of a crash point."""
        self.passed.append(point)
        if len(self.passed) == self.nth:
            raise ProcessDied(point)
