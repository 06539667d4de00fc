"""
Hearing that somebody writes to a file of SQLite's, where the system tells of that: on Linux.

What is told of is the write-ahead log, to which every commit is written, and a little before the
commit counts. So whoever hears of it looks soon, and not only once. Elsewhere, and where the
system has no room for one more that listens, nobody hears of anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

_log = Logger()

_UNHEARD: Final = (
    "It is not heard when {path} is written to, which is looked at now and then instead: {error} "
    "(more may listen with a greater fs.inotify.max_user_instances, or max_user_watches)"
)


class Watch:
    """
    Calls back once when a file is written to, and again only when it is resumed.

    What is written meanwhile is told of then. The system keeps that as a single event, so that a
    file that is written to all the time costs no more than one that is written to now and then.
    """

    def __init__(self, notifier: Any, written: Callable[[], object]) -> None:
        """
        :param notifier: a `twisted.internet.inotify.INotify` that watches the file.
        :param written: called once for each `resume`.
        """
        self._notifier = notifier
        self._written = written
        self._waits = False

    def resume(self) -> None:
        """Call back when it was written to since the last call, or will be."""
        if not self._waits and self._notifier.connected:
            self._waits = True
            self._notifier.startReading()

    def heard(self, *event: object) -> None:
        """Take what the notifier tells."""
        if self._waits:
            self._waits = False
            self._notifier.stopReading()
            self._written()

    def stop(self) -> None:
        """Hear of nothing any more."""
        self._waits = False
        if self._notifier.connected:
            self._notifier.stopReading()
            self._notifier.connectionLost(Failure(ConnectionDone()))


def watch_log(
    connection: sqlite3.Connection, reactor: Any, written: Callable[[], object]
) -> Watch | None:
    """
    Hear of what is written to a database, once told to `Watch.resume`.

    :param connection: to a file that has a write-ahead log. While it is open, the log stays.
    :param written: called in the reactor's thread, some time before what was written counts.
    :return: None where that cannot be heard.
    """
    if not IReactorFDSet.providedBy(reactor):
        return None
    try:
        from twisted.internet.inotify import IN_MODIFY, INotify, INotifyError
    except (ImportError, OSError):
        return None
    # As SQLite has found it: behind a link, and from where the process was when it was opened.
    # It comes first, before what is attached.
    path = connection.execute("PRAGMA database_list").fetchall()[0][2]
    try:
        notifier = INotify(reactor)
    except INotifyError as error:
        _log.info(_UNHEARD, path=path, error=error)
        return None
    watch = Watch(notifier, written)
    try:
        notifier.watch(FilePath(f"{path}-wal"), IN_MODIFY, callbacks=[watch.heard])
    except INotifyError as error:
        _log.info(_UNHEARD, path=path, error=error)
        watch.stop()
        return None
    return watch
