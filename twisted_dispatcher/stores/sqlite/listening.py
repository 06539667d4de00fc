"""Who is told of what was committed, by this connection or by another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_dispatcher.stores.gathering import Gathering
from twisted_dispatcher.stores.sqlite.watching import Watch, watch_log

# Seconds until it is looked whether another connection has committed: after somebody was heard to
# write, after something was found, and at last where nothing was. In between each pause is twice
# the last one.
SOON: Final = 0.002
BUSY: Final = 0.02
POLL: Final = 0.2

_log = Logger()


class Listeners:
    """
    Calls back when something was committed.

    SQLite tells no other process of a commit; but it has a number that changes when another
    connection has committed, which costs a microsecond to look at. Where the system tells that the
    file is written to, it is looked at then; everywhere now and then, and more often while it
    changes.
    """

    def __init__(
        self, gathering: Gathering, connection: sqlite3.Connection, has_others: bool
    ) -> None:
        """
        :param connection: whose number is looked at.
        :param has_others: whether anybody else can commit: in memory nobody can.
        """
        self._gathering = gathering
        self._connection = connection
        self._has_others = has_others
        self._watch: Watch | None = None
        self._pause = POLL
        self._callbacks: list[Callable[[str], object]] = []
        self._poll: IDelayedCall | None = None
        self._version = 0

    def add(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call back from now on; give a function that ends it."""
        self._callbacks.append(callback)
        if self._poll is None and self._has_others:
            self._version = self._read_version()
            self._watch = watch_log(self._connection, self._gathering.reactor, self._look_soon)
            self._look_in(POLL)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
            if not self._callbacks:
                self.clear()

        return remove

    def clear(self) -> None:
        """Call nobody any more."""
        self._callbacks.clear()
        self._cancel()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

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

    def _look_soon(self) -> None:
        """Look for what is being written just now."""
        self._look_in(SOON)

    def _look_in(self, pause: float) -> None:
        """Look after so many seconds, and where those are many, as soon as somebody writes."""
        self._cancel()
        self._pause = pause
        self._poll = self._gathering.reactor.callLater(pause, self._look)
        if pause > BUSY and self._watch is not None:
            self._watch.resume()

    def _cancel(self) -> None:
        poll, self._poll = self._poll, None
        if poll is not None and poll.active():
            poll.cancel()

    def _look(self) -> None:
        before, pause = self._version, min(2 * self._pause, POLL)
        try:
            self._version = self._read_version()
            if self._version != before:
                pause = BUSY
        finally:
            # Also when that has failed: while another process mends the file, say.
            self._look_in(pause)
        if self._version != before:
            self.tell(("chains", "settled", "work"))

    def _read_version(self) -> int:
        ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
        return int(version)
