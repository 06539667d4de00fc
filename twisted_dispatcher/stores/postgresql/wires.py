"""The connections on the reactor: made when they are wanted, and made again when they are lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.stores.postgresql.connections import StoreConnection
from twisted_dispatcher.stores.postgresql.wire import Wire

# One is written while the other waits for the disk.
MOST: Final = 2
# Lost ones are made again after these seconds, twice as long each time, if they are wanted.
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 10.0

_log = Logger()


class Wires:
    """
    A few connections on the reactor, and which of them have nothing to do.

    There are none where the reactor cannot watch descriptors, or the system cannot duplicate them.
    """

    def __init__(
        self, run: Callable[..., Deferred[Any]], connect: Callable[[], StoreConnection]
    ) -> None:
        """
        :param run: calls a function in a thread.
        :param connect: makes a connection on which all statements are prepared.
        """
        self._run = run
        self._connect = connect
        self._all: set[Wire] = set()
        self._free: list[Wire] = []
        self._is_connecting = False
        self._wait = 0.0
        self._not_before = 0.0
        self._is_closed = os.name != "posix"

    @property
    def free(self) -> int:
        """Tell how many have nothing to do."""
        return len(self._free)

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._all)

    def take(self, reactor: Any, are_many: bool = False) -> Wire | None:
        """
        Give one that has nothing to do; where there is none, another one is made soon.

        :param are_many: whether another one is made where it is the last, too: requests that come
            together again and again would have but this one.
        """
        wire = self._free.pop() if self._free else None
        if wire is None or (are_many and not self._free):
            self._make_another(reactor)
        return wire

    def _make_another(self, reactor: Any) -> None:
        if not self._is_closed and not self._is_connecting and len(self._all) < MOST:
            self._connect_soon(reactor)

    def give_back(self, wire: Wire) -> None:
        """Know that one has nothing to do any more."""
        if wire in self._all:
            self._free.append(wire)

    def close(self) -> None:
        """Close all of them; what they owe is answered no more."""
        self._is_closed = True
        wires, self._all = self._all, set()
        self._free.clear()
        for wire in wires:
            wire.close()

    def _connect_soon(self, reactor: Any) -> None:
        if not _can_watch(reactor):
            self._is_closed = True
        elif reactor.seconds() >= self._not_before:
            self._is_connecting = True
            connecting = self._run(self._connect)
            connecting.addCallbacks(
                partial(self._connected, reactor), partial(self._failed, reactor)
            )

    def _connected(self, reactor: Any, connection: StoreConnection) -> None:
        self._is_connecting = False
        if self._is_closed:
            connection.close()
            return
        self._wait = 0.0
        wire = Wire(connection, reactor, self._lost)
        self._all.add(wire)
        self._free.append(wire)

    def _failed(self, reactor: Any, failure: Failure) -> None:
        self._is_connecting = False
        if not self._wait:
            _log.info("Threads do what the reactor would: {error}", error=failure.value)
        self._wait = min(max(2 * self._wait, SHORTEST_WAIT), LONGEST_WAIT)
        self._not_before = reactor.seconds() + self._wait

    def _lost(self, wire: Wire) -> None:
        self._all.discard(wire)
        if wire in self._free:
            self._free.remove(wire)


def _can_watch(reactor: Any) -> bool:
    return bool(IReactorFDSet.providedBy(reactor))
