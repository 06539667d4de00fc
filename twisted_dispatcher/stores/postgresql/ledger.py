"""
A transaction on a connection, and the statements in it.

Crash points: `on_point`, where it is set, is called with ``"before ..."`` and ``"after ..."`` the
name of every statement that writes, and of ``"begin"`` and ``"commit"``, in the thread that does
it. What it raises stands for what can happen there:

- an `Exception`, say `psycopg.OperationalError`: the statement, or the commit, has failed (after
  the commit: it seems to have failed, though it happened);
- a `BaseException` that is none: the process has died. The connection is dropped and nobody is
  answered; the only thing left to do with the store is `PostgreSQLStore.crash`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import Cursor
from psycopg.pq import TransactionStatus

from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.lanelocks import lane_locks
from twisted_dispatcher.stores.postgresql.connections import Mark, StoreConnection
from twisted_dispatcher.stores.postgresql.marks import MARK
from twisted_dispatcher.stores.postgresql.tables import WORKER

# For the driver's two kinds of placeholders.
Parameters = Sequence[Any] | Mapping[str, Any]

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# By the mark it is known after a commit that raised whether it happened.
_MARK: Final = MARK.format("'{}'", "{}", "")

# The row is held until the end, so that nobody forgets the worker while it is given something.
_HOLD = f"SELECT 1 FROM {WORKER} WHERE id = %s FOR KEY SHARE"
_VOUCH = f"""
    INSERT INTO {WORKER} (id, alive_until, handlers) VALUES (%s, %s, '{{}}')
    ON CONFLICT (id) DO NOTHING"""


class CommitUnknown(Exception):
    """
    A commit has raised, so that it is not known whether it happened.

    :ivar mark: of the transaction: its connection and its number there.
    :ivar results: what is true if it happened.
    """

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.results: Sequence[Any] = ()
        super().__init__(mark)


class Ledger:
    """
    One transaction at a time.

    :ivar news: what others may care for, of the transaction.
    """

    def __init__(
        self, connection: StoreConnection, on_point: Callable[[str], object] | None = None
    ) -> None:
        """:param connection: in autocommit mode, in no transaction, with our tables."""
        self.connection = connection
        self.news: set[str] = set()
        self._on_point = on_point
        # Binary, so that numbers are what they were whatever the server's settings are.
        self._cursor: Cursor[Any] = Cursor(connection)
        self._cursor.format = psycopg.pq.Format.BINARY
        self._mark: Mark | None = None
        self._vouched: set[str] = set()
        self._locked: set[str] = set()

    # The transaction

    def begin(self) -> None:
        """Begin the transaction."""
        self._point("before begin")
        self._cursor.execute(_BEGIN)
        self._point("after begin")

    def begin_marked(self) -> None:
        """Begin the transaction, of which it is certain that it writes."""
        self._point("before begin")
        # Two statements at once are for cursors that are not binary.
        Cursor(self.connection).execute(f"{_BEGIN}; {self._new_mark()}")
        self._point("after begin")

    def mark(self) -> None:
        """
        Mark the transaction, so that it can be looked for after a commit that raised.

        A mark is written, so that what only looks has none.
        """
        if self._mark is None:
            Cursor(self.connection).execute(self._new_mark())

    def _new_mark(self) -> str:
        self._mark = self.connection.next_mark()
        return _MARK.format(*self._mark)

    def commit(self) -> None:
        """
        Make what was written durable.

        :raises CommitUnknown: when it is not known whether it happened.
        """
        try:
            self._point("before commit")
            self._cursor.execute("COMMIT")
            self._point("after commit")
        except psycopg.Error as error:
            if self._mark is None or self._has_refused(error):
                raise
            raise CommitUnknown(self._mark) from error

    def _has_refused(self, error: psycopg.Error) -> bool:
        """Tell whether the server itself says that there was no commit, and goes on."""
        status = self.connection.info.transaction_status
        return error.sqlstate is not None and status == TransactionStatus.IDLE

    def roll_back(self) -> None:
        """Undo what was written."""
        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            self._cursor.execute("ROLLBACK")

    # Statements

    def read(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Give the rows of a query."""
        return self._cursor.execute(sql, parameters).fetchall()

    def write(self, step: str, sql: str, parameters: Parameters = ()) -> int:
        """Execute a statement, and give the number of rows that it has changed."""
        self._point(f"before {step}")
        count = self._cursor.execute(sql, parameters).rowcount
        self._point(f"after {step}")
        return count

    def change(self, step: str, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Execute a statement that writes, and give the rows that it returns."""
        self._point(f"before {step}")
        found = self._cursor.execute(sql, parameters).fetchall()
        self._point(f"after {step}")
        return found

    def _point(self, name: str) -> None:
        if self._on_point is not None:
            self._on_point(name)

    # What several kinds of work need

    def lock_lanes(self, lanes: Collection[str]) -> None:
        """
        Keep others from looking who is first in some lanes, and from changing that.

        Whoever waits for locks takes them in this order: deliveries, open events by their ids,
        lanes. That keeps the circles rare in which the server has to undo a transaction.
        """
        wanted = {lane for lane in lanes if lane not in self._locked}
        if wanted:
            self.read(*lane_locks(wanted))
        self._locked |= wanted

    def vouch(self, worker: Worker, now: float) -> None:
        """
        See that a worker that is given something to run is known, and stays so until the end.

        `release_dead` looks for what the workers run that it knows and that are dead. One that
        has been forgotten, or was never heard of, is believed to be alive no longer than now.
        """
        if worker.id in self._vouched:
            return
        self._vouched.add(worker.id)
        while not self.read(_HOLD, (worker.id,)):
            self.write("vouch", _VOUCH, (worker.id, now))
