"""
Who is told of what was committed, by this store or by another one.

A notification is sent after the commit that it tells of, in a transaction of its own: PostgreSQL
lets transactions that notify commit one after another only. It saves time, and nothing depends on
it: after a connection was lost, everybody is told to look.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.pq import ConnStatus
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.stores.postgresql.connections import StoreConnection
from twisted_dispatcher.stores.postgresql.crew import Crew

# Others are told at once, and then so often at most, in seconds; so is everybody here of what was
# settled, since who asked for that has its answer.
PAUSE: Final = 0.02
# A connection that was lost is made again after these seconds, twice as long each time.
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 10.0

_log = Logger()


def channel_of(connection: psycopg.Connection[Any]) -> str:
    """Give the name of the channel on which the stores of a schema tell one another."""
    row = psycopg.Cursor(connection).execute("SELECT current_schema()").fetchone()
    assert row is not None
    # Longer names than that are not allowed; sharing a channel is harmless.
    return f"twisted_dispatcher_{row[0]}".encode()[:63].decode("utf-8", "ignore")


@implementer(IReadDescriptor)
class Ear:
    """
    A connection that listens, on the reactor.

    What the reactor watches is a duplicate of the driver's descriptor: the driver closes its own
    as it finds the connection dead, before the reactor could be told to watch it no more.
    """

    def __init__(
        self,
        connection: StoreConnection,
        heard: Callable[[str], object],
        lost: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._heard = heard
        self._lost = lost
        self._descriptor = os.dup(connection.fileno())

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802
        return "twisted_dispatcher"

    def doRead(self) -> None:  # noqa: N802
        """Read what has come."""
        link = self._connection.pgconn
        try:
            link.consume_input()
        except psycopg.OperationalError:
            self._lost()
            return
        notification = link.notifies()
        while notification is not None:
            self._heard(notification.extra.decode("utf-8", "replace"))
            notification = link.notifies()
        if link.status != ConnStatus.OK:
            self._lost()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Be told by the reactor that the descriptor is of no use any more."""
        self._lost()

    def close(self) -> None:
        """Close both descriptors; the reactor watches no more by now."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._connection.close()


class Listeners:
    """Calls back when something was committed, and tells others of what was committed here."""

    def __init__(
        self, crew: Crew, connect: Callable[[], StoreConnection], notify: Callable[[str], object]
    ) -> None:
        """
        :param connect: makes a connection, in any thread.
        :param notify: is given what others shall be told.
        """
        self._crew = crew
        self._connect = connect
        self._notify = notify
        self._me = uuid4().hex
        self._callbacks: list[Callable[[str], object]] = []
        self._ear: Ear | None = None
        self._is_connecting = False
        self._wait = SHORTEST_WAIT
        self._calls: dict[str, IDelayedCall] = {}
        self._untold: set[str] = set()
        self._is_closed = False

    def add(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call back from now on; give a function that ends it."""
        if not self._is_closed:
            self._callbacks.append(callback)
            self._listen()

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
            if not self._callbacks:
                self._deafen()

        return remove

    def clear(self) -> None:
        """Call nobody any more, and tell nobody."""
        self._is_closed = True
        self._callbacks.clear()
        self._deafen()
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()

    # Telling

    def tell(self, news: frozenset[str]) -> None:
        """Tell everybody here of work at once; tell all the rest soon."""
        if "work" in news:
            self._call_back(("work",))
        self._untold.update(news)
        if "notify" not in self._calls and not self._is_closed:
            self._tell_others()

    def _tell_others(self) -> None:
        self._calls.pop("notify", None)
        if self._untold:
            untold, self._untold = self._untold, set()
            self._call_later("notify", PAUSE, self._tell_others)
            self._notify(" ".join((self._me, *sorted(untold))))
            self._call_back(untold - {"work"})

    def _heard(self, message: str) -> None:
        sender, *news = message.split(" ")
        if sender != self._me:
            self._call_back(news)

    def _call_back(self, news: Iterable[str]) -> None:
        for each in sorted(news):
            for callback in tuple(self._callbacks):
                try:
                    callback(each)
                except Exception:
                    _log.failure("Who listens to a store has failed")

    # Listening

    def _listen(self) -> None:
        self._calls.pop("listen", None)
        if self._callbacks and self._ear is None and not self._is_connecting:
            self._is_connecting = True
            connecting: Deferred[StoreConnection] = self._crew.run(self._open)
            connecting.addCallbacks(self._connected, self._failed)

    def _open(self) -> StoreConnection:
        connection = self._connect()
        channel = sql.Identifier(channel_of(connection))
        psycopg.Cursor(connection).execute(sql.SQL("LISTEN {}").format(channel))
        return connection

    def _connected(self, connection: StoreConnection) -> None:
        self._is_connecting = False
        self._wait = SHORTEST_WAIT
        if not self._callbacks:
            connection.close()
            return
        self._ear = Ear(connection, self._heard, self._lost)
        self._crew.reactor.addReader(self._ear)
        # What was committed before it listened has passed by.
        self._call_back(("chains", "settled", "work"))
        if self._ear is not None:
            self._ear.doRead()

    def _failed(self, failure: Failure) -> None:
        self._is_connecting = False
        self._listen_later()

    def _lost(self) -> None:
        self._deafen()
        self._listen_later()

    def _listen_later(self) -> None:
        if self._callbacks and "listen" not in self._calls:
            self._call_later("listen", self._wait, self._listen)
            self._wait = min(2 * self._wait, LONGEST_WAIT)

    def _deafen(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            self._crew.reactor.removeReader(ear)
            ear.close()
        if not self._callbacks and "listen" in self._calls:
            self._calls.pop("listen").cancel()

    def _call_later(self, name: str, delay: float, function: Callable[[], object]) -> None:
        self._calls[name] = self._crew.reactor.callLater(delay, function)
