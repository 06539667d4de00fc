"""
A connection on the reactor: one statement at a time, without a thread.

This is the driver's low level, which it documents: `psycopg.pq`, the calls of PostgreSQL's library
that do not block. Nothing of the driver's other levels is used of such a connection once it is on
the reactor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.stores.postgresql.connections import Mark, StoreConnection

# The rows of an answer: what the server has written, as text.
Rows = list[list[bytes | None]]


class Refused(Exception):
    """
    The server itself has said that a statement failed, and that nothing of it is kept.

    :ivar sqlstate: the code of the reason.
    """

    def __init__(self, sqlstate: bytes) -> None:
        self.sqlstate = sqlstate
        super().__init__(sqlstate)


class Lost(Exception):
    """The connection is no more: it is not known whether what it was to do happened."""


# Is given the rows of a statement, or why there are none.
Answer = Callable[["Rows | Refused | Lost"], object]


@implementer(IReadWriteDescriptor)
class Wire:
    """
    A connection on the reactor, on which statements were prepared.

    What the reactor watches is a duplicate of the library's descriptor: the library closes its own
    as it finds the connection dead, before the reactor could be told to watch it no more.
    """

    def __init__(
        self, connection: StoreConnection, reactor: Any, lost: Callable[[Wire], object]
    ) -> None:
        """
        :param reactor: provides IReactorFDSet.
        :param lost: is told when the connection is no more, before the answer that it owes is.
        """
        self._connection = connection
        self._link = connection.pgconn
        self._link.nonblocking = 1
        self._reactor = reactor
        self._lost = lost
        self._answer: Answer | None = None
        self._rows: Rows = []
        self._refusal: bytes | None = None
        self._is_writing = False
        self._descriptor = os.dup(connection.fileno())
        reactor.addReader(self)

    def next_mark(self) -> Mark:
        """Give the mark of its next transaction; no other one of any connection has it."""
        return self._connection.next_mark()

    def send(self, name: bytes, parameters: Sequence[bytes], answer: Answer) -> None:
        """
        Have a prepared statement executed; the one before was answered.

        :param parameters: as text, without null characters.
        """
        self._answer = answer
        self._rows, self._refusal = [], None
        try:
            self._link.send_query_prepared(name, parameters)
            self._flush()
        except psycopg.Error:
            self.fail()

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802
        return "twisted_dispatcher"

    def doRead(self) -> None:  # noqa: N802
        """Read what has come."""
        try:
            self._link.consume_input()
            if self._is_writing:
                self._flush()
            self._read()
        except psycopg.Error:
            self.fail()

    def doWrite(self) -> None:  # noqa: N802
        """Write what is left of a statement."""
        try:
            self._flush()
        except psycopg.Error:
            self.fail()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Be told by the reactor that the descriptor is of no use any more."""
        self.fail()

    def _flush(self) -> None:
        is_left = self._link.flush() == 1
        if is_left and not self._is_writing:
            self._reactor.addWriter(self)
        elif self._is_writing and not is_left:
            self._reactor.removeWriter(self)
        self._is_writing = is_left

    def _read(self) -> None:
        link = self._link
        while self._answer is not None and not link.is_busy():
            result = link.get_result()
            if result is None:
                self._end()
            elif result.status == ExecStatus.TUPLES_OK:
                columns = range(result.nfields)
                self._rows = [
                    [result.get_value(row, column) for column in columns]
                    for row in range(result.ntuples)
                ]
            else:
                self._refusal = result.error_field(DiagnosticField.SQLSTATE) or b""
        if link.status != ConnStatus.OK:
            self.fail()

    def _end(self) -> None:
        """Answer, unless the server has not said that it is ready for the next statement."""
        if self._link.transaction_status != TransactionStatus.IDLE:
            self.fail()
            return
        answer, self._answer = self._answer, None
        assert answer is not None
        answer(self._rows if self._refusal is None else Refused(self._refusal))

    def fail(self) -> None:
        """Give the connection up."""
        if self._descriptor < 0:
            return
        answer = self._answer
        self.close()
        self._lost(self)
        if answer is not None:
            answer(Lost())

    def close(self) -> None:
        """Leave the reactor, and close the connection; what it owes is answered no more."""
        if self._descriptor < 0:
            return
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        descriptor, self._descriptor = self._descriptor, -1
        self._answer = None
        os.close(descriptor)
        self._connection.close()
