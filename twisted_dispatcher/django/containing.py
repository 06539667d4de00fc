"""
Containing what is asked of databases by code that may fail, such as a source.

It is asked in transactions of others, which are to go on as if nothing had been asked: what the
database has refused would spoil them, and so would what Django takes for a reason to roll them
back, even if nobody has heard of it.

Django's statements alone are heard. What goes to the driver itself (``callproc``, ``copy``, a
cursor on the server that is read on) is not undone; where it has spoilt a transaction, that is
raised.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

from django.db import connections, transaction

from twisted_dispatcher.django.commits import hold, release
from twisted_dispatcher.errors import DispatcherError

_log: Final = logging.getLogger("twisted_dispatcher.django")
# Of `psycopg.pq.TransactionStatus` the one in which PostgreSQL takes nothing but a ROLLBACK;
# psycopg2 calls it by the same number.
_IN_ERROR: Final = 3


class TransactionSpoilt(DispatcherError, transaction.TransactionManagementError):
    """A transaction cannot be committed any more, for what was asked past Django's statements."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} has asked the driver of the database for something that was refused, which "
            "spoils the transaction that is open, and cannot be undone alone: ask by Django's "
            "cursors, or in transaction.atomic()"
        )


def contained(connection: Any, what: str) -> AbstractContextManager[None]:
    """
    Undo what was asked of databases within, and no more than that, if it has failed there.

    It has failed when it ends with an error, and when it has caught one of which the transaction
    would not recover; that is logged. What was to be done at the commit is forgotten as well.

    :param connection: Django's, to the database of which most is asked.
    :param what: is called so in the log.
    :raises TransactionSpoilt: when it cannot be undone.
    """
    if len(connections.settings) == 1:
        return _Contained(connection, what)
    return _contained_everywhere(what)


@contextmanager
def _contained_everywhere(what: str) -> Iterator[None]:
    with ExitStack() as stack:
        for each in connections.all(initialized_only=True):
            if each.connection is not None:
                stack.enter_context(_Contained(each, what))
        yield


class _Contained:
    """
    Does it for one database.

    Within a transaction that takes a savepoint, which costs two statements: it is made when the
    first statement comes.
    """

    def __init__(self, connection: Any, what: str) -> None:
        self._connection = connection
        self._what = what
        self._is_block = connection.in_atomic_block
        # Without get_autocommit(), which connects.
        commits_itself = connection.connection is None or connection.autocommit
        self._is_outside = not self._is_block and commits_itself
        self._had_failed = connection.needs_rollback
        self._callbacks = tuple(connection.run_on_commit)
        self._has_begun = self._is_outside
        self._savepoint: str | None = None

    def __enter__(self) -> None:
        # Before those who record what waits when they hear of a savepoint: that is older.
        self._connection.execute_wrappers.insert(0, self._before)
        hold(self._connection)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        connection = self._connection
        connection.execute_wrappers.remove(self._before)
        try:
            if not self._is_over():
                self._end(kind is not None)
        finally:
            release(connection)

    def _is_over(self) -> bool:
        """Tell whether there is no transaction, or not the one any more that there was."""
        connection = self._connection
        # Where it was closed, Django knows that there is nothing left to commit.
        has_ended = self._is_block and not connection.in_atomic_block
        return self._is_outside or has_ended or connection.closed_in_transaction

    def _end(self, has_raised: bool) -> None:
        connection = self._connection
        has_caught = not has_raised and (
            (connection.needs_rollback and not self._had_failed)
            or (self._savepoint is not None and is_in_error(connection))
        )
        if has_raised or has_caught:
            self._undo()
        elif self._savepoint is not None:
            transaction.savepoint_commit(self._savepoint, connection.alias)
        if is_in_error(connection):
            raise TransactionSpoilt(self._what)
        if has_caught:
            _log.warning(
                "%s has caught an error of the database, or of Django's: what it wrote is undone. "
                "To keep it, put what may fail into transaction.atomic()",
                self._what,
            )

    def _undo(self) -> None:
        connection = self._connection
        known = set(map(id, self._callbacks))
        connection.run_on_commit = [each for each in connection.run_on_commit if id(each) in known]
        # Django sends nothing while it believes that all is to be rolled back.
        connection.needs_rollback = False
        if self._savepoint is not None:
            transaction.savepoint_rollback(self._savepoint, connection.alias)
        connection.needs_rollback = self._had_failed

    def _before(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if not self._has_begun:
            self._has_begun = True
            self._savepoint = transaction.savepoint(self._connection.alias)
        return execute(sql, params, many, context)


def is_in_error(connection: Any) -> bool:
    """Tell whether PostgreSQL has refused something in the transaction that is open."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    return int(connection.connection.info.transaction_status) == _IN_ERROR
