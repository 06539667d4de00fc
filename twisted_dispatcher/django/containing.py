"""
Containing what is asked of databases by code that may fail, such as a source.

It is asked in transactions of others, which are to go on as if nothing had been asked: what the
database has refused would spoil them, and so would what Django takes for a reason to roll them
back, even if nobody has heard of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

from django.db import connections, transaction

_log: Final = logging.getLogger("twisted_dispatcher.django")
# Of `psycopg.pq.TransactionStatus` the one in which PostgreSQL takes nothing but a ROLLBACK.
_IN_ERROR: Final = 3


def contained(connection: Any, what: str) -> AbstractContextManager[None]:
    """
    Undo what was asked of databases within, and no more than that, if it has failed there.

    It has failed when it ends with an error, and when it has caught one of which the transaction
    would not recover; that is logged.

    :param connection: Django's, to the database of which most is asked.
    :param what: is called so in the log.
    """
    if len(connections.settings) == 1:
        return _Contained(connection, what)
    return _contained_everywhere(what)


@contextmanager
def _contained_everywhere(what: str) -> Iterator[None]:
    with ExitStack() as stack:
        for each in connections.all(initialized_only=True):
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
        self._is_outside = not connection.in_atomic_block
        self._had_failed = connection.needs_rollback
        self._has_begun = self._is_outside
        self._savepoint: str | None = None

    def __enter__(self) -> None:
        # Before those who record what waits when they hear of a savepoint: that is older.
        self._connection.execute_wrappers.insert(0, self._before)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        connection = self._connection
        connection.execute_wrappers.remove(self._before)
        if self._is_outside or not connection.in_atomic_block:
            return
        has_failed = connection.needs_rollback and not self._had_failed
        if self._savepoint is not None:
            has_failed = has_failed or kind is not None or _is_in_error(connection)
            if not has_failed:
                transaction.savepoint_commit(self._savepoint, connection.alias)
                return
            # Django sends nothing while it believes that all is to be rolled back.
            connection.needs_rollback = False
            transaction.savepoint_rollback(self._savepoint, connection.alias)
        if has_failed:
            connection.needs_rollback = self._had_failed
            if kind is None:
                _log.warning(
                    "%s has caught an error of the database, or of Django's: what it wrote is "
                    "undone. To keep it, put what may fail into transaction.atomic()",
                    self._what,
                )

    def _before(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if not self._has_begun:
            self._has_begun = True
            self._savepoint = transaction.savepoint(self._connection.alias)
        return execute(sql, params, many, context)


def _is_in_error(connection: Any) -> bool:
    """Tell whether PostgreSQL has refused something in the transaction that is open."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    driver = connection.connection
    # psycopg2 asks in the same way, and calls the status by the same number.
    status = driver.info.transaction_status
    return int(status) == _IN_ERROR
