"""
The one connection that writes, and the transaction that it has open.

Crash points: `on_point`, where it is set, is called with ``"before ..."`` and ``"after ..."`` the
name of every group of statements that writes, and of ``"begin"`` and ``"commit"``. What it raises
stands for what can happen there:

- an `Exception`, say `sqlite3.OperationalError`: the statement, or the commit, has failed (after
  the commit: it seems to have failed, though it happened);
- a `BaseException` that is none: the process has died. The transaction is not rolled back and
  nobody is answered; the only thing left to do with the store is `SQLiteStore.crash`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, WORKER, ByIds, Insert

_LAST_IDS = f"SELECT (SELECT max(id) FROM {EVENT}), (SELECT max(id) FROM {DELIVERY})"
_NUMBER = f"SELECT id FROM {WORKER} WHERE name = ?"
_VOUCH = f"INSERT INTO {WORKER} (name, alive_until) VALUES (?, ?)"

# Nobody else writes these statements in this way, so that the driver's cache of statements, which
# would pass over the authorizer, has them for us alone.
_BEGIN = "BEGIN IMMEDIATE /* by the store */"
_COMMIT = "COMMIT /* by the store */"
_ROLLBACK = "ROLLBACK /* by the store */"
_SAVEPOINT = "SAVEPOINT twisted_dispatcher_work"
_RELEASE = "RELEASE twisted_dispatcher_work"
_UNDO = "ROLLBACK TO twisted_dispatcher_work"


# A query, and its parameters.
Witness = tuple[str, tuple[Any, ...]]


class Undone(Exception):
    """
    SQLite has undone the whole transaction, and not only the part that a handler wrote.

    It does so for some errors of a single statement, such as a full disk, and for statements that
    ask for it, such as ``INSERT OR ROLLBACK``.
    """


class Ledger:
    """
    Writes, within transactions that it alone begins and ends.

    :ivar on_point: see the module.
    :ivar news: what others may care for, of the transaction that is open.
    :ivar witness: a query that finds something only if the transaction that is open was committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """:param connection: in autocommit mode, with our tables."""
        self.connection = connection
        self.on_point: Callable[[str], object] | None = None
        self.news: set[str] = set()
        self.witness: Witness | None = None
        self._earlier_witness: Witness | None = None
        self._cursor = connection.cursor()
        self._numbers: dict[str, int] = {}
        self._ending = False
        connection.set_authorizer(self._authorize)

    def _authorize(self, action: int, *arguments: str | None) -> int:
        """Deny everybody else to begin or to end a transaction: an effect could be doubled."""
        if action == sqlite3.SQLITE_TRANSACTION and not self._ending:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    # Transactions

    def begin(self) -> None:
        """Begin a transaction, with the lock that is needed to write."""
        self.news.clear()
        self._numbers.clear()
        self.witness = None
        self._end("begin", _BEGIN)

    def commit(self) -> None:
        """Make what was written durable."""
        self._end("commit", _COMMIT)

    def roll_back(self) -> None:
        """Undo what was written, if that has not happened already."""
        if self.connection.in_transaction:
            self._ending = True
            try:
                self._cursor.execute(_ROLLBACK)
            finally:
                self._ending = False

    def _end(self, step: str, sql: str) -> None:
        self._ending = True
        try:
            self.write(step, sql)
        finally:
            self._ending = False

    def was_committed(self) -> bool:
        """Tell whether the last transaction happened, of which the commit has raised."""
        if self.connection.in_transaction or self.witness is None:
            return False
        return bool(self.read(*self.witness))

    # Parts of a transaction

    def mark(self) -> None:
        """Begin a part of the transaction that can be undone by itself."""
        self.write("savepoint", _SAVEPOINT)
        self._earlier_witness = self.witness

    def keep(self) -> None:
        """End a part of the transaction, and keep what was written in it."""
        self._check_transaction()
        self.write("release savepoint", _RELEASE)

    def undo(self) -> None:
        """End a part of the transaction, and undo what was written in it."""
        self._check_transaction()
        self.write("undo", _UNDO)
        self.write("release savepoint", _RELEASE)
        self.witness = self._earlier_witness
        self._numbers.clear()

    def _check_transaction(self) -> None:
        if not self.connection.in_transaction:
            raise Undone

    # Statements

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Give the rows of a query."""
        return self._cursor.execute(sql, parameters).fetchall()

    def write(self, step: str, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute a statement, and give the number of rows that it has changed."""
        point = self.on_point
        if point is None:
            return self._cursor.execute(sql, parameters).rowcount
        point(f"before {step}")
        count = self._cursor.execute(sql, parameters).rowcount
        point(f"after {step}")
        return count

    def read_about(self, statement: ByIds, ids: list[int], *values: Any) -> list[Any]:
        """Give the rows of a query about some ids, of which there is at least one."""
        return self.read(*statement.about(ids, *values))

    def write_about(self, step: str, statement: ByIds, ids: list[int], *values: Any) -> int:
        """Execute a statement about some ids, and give the number of rows that it has changed."""
        return self.write(step, *statement.about(ids, *values)) if ids else 0

    def insert(self, step: str, insert: Insert, values: list[Any]) -> int:
        """
        Insert rows, and give their number.

        :param values: those of all rows, one after another.
        """
        if not values:
            return 0
        self._point(f"before {step}")
        execute = self._cursor.execute
        count = start = 0
        for size, sql in insert.statements:
            while len(values) - start >= size:
                count += execute(sql, values[start : start + size]).rowcount
                start += size
        self._point(f"after {step}")
        return count

    def _point(self, name: str) -> None:
        if self.on_point is not None:
            self.on_point(name)

    # What several kinds of work need

    def last_ids(self) -> tuple[int, int]:
        """Give the greatest ids of an event and of a delivery; see `retention` for reuse."""
        ((event_id, delivery_id),) = self.read(_LAST_IDS)
        return event_id or 0, delivery_id or 0

    def number_of(self, worker_id: str) -> int | None:
        """Give the number of a worker, by which its deliveries know it, or None for a stranger."""
        number = self._numbers.get(worker_id)
        if number is None and (rows := self.read(_NUMBER, (worker_id,))):
            number = self._numbers[worker_id] = rows[0][0]
        return number

    def vouched_number_of(self, worker: Worker, now: float) -> int:
        """
        Give the number of a worker that is given something to run.

        `release_dead` looks for what known workers run. So one that was never heard of, or has
        been forgotten, gets a number here, and is believed to be alive no longer than now.
        """
        number = self.number_of(worker.id)
        if number is None:
            self.write("vouch", _VOUCH, (worker.id, now))
            ((number,),) = self.read(_NUMBER, (worker.id,))
        return int(number)
