"""Who is told of what was committed, by this connection or by another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_dispatcher.stores.gathering import Gathering

# So often, in seconds, it is looked whether another connection has written.
POLL = 0.2

_log = Logger()


class Listeners:
    """
    Calls back when something was committed.

    SQLite tells no other process of a commit; but it has a number that changes when another
    connection has committed, which costs a microsecond to look at.
    """

    def __init__(self, gathering: Gathering, connection: sqlite3.Connection | None) -> None:
        """:param connection: whose number is looked at; None where there are no others."""
        self._gathering = gathering
        self._connection = connection
        self._callbacks: list[Callable[[str], object]] = []
        self._poll: IDelayedCall | None = None
        self._version = 0

    def add(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call back from now on; give a function that ends it."""
        self._callbacks.append(callback)
        if self._poll is None and self._connection is not None:
            self._version = self._read_version(self._connection)
            self._poll = self._gathering.reactor.callLater(POLL, self._look)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
            if not self._callbacks:
                self.clear()

        return remove

    def clear(self) -> None:
        """Call nobody any more."""
        self._callbacks.clear()
        poll, self._poll = self._poll, None
        if poll is not None and poll.active():
            poll.cancel()

    def tell(self, news: Iterable[str]) -> None:
        """Tell everybody."""
        if not self._callbacks:
            return
        for each in sorted(news):
            for callback in tuple(self._callbacks):
                try:
                    callback(each)
                except Exception:
                    _log.failure("Who listens to a store has failed")

    def _look(self) -> None:
        assert self._connection is not None
        self._poll = self._gathering.reactor.callLater(POLL, self._look)
        version = self._read_version(self._connection)
        if version != self._version:
            self._version = version
            self.tell(("chains", "settled", "work"))

    @staticmethod
    def _read_version(connection: sqlite3.Connection) -> int:
        ((version,),) = connection.execute("PRAGMA data_version").fetchall()
        return int(version)
