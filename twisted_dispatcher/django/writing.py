"""
Transactions that write a row together with what belongs to it.

One that begins here may write from its beginning on, and has no more messages than it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import connections, transaction

from twisted_dispatcher.django.beginning import Beginning
from twisted_dispatcher.django.containing import is_in_error
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.stores.outbox.sqlite import LOCK


class SaveUndone(DispatcherError, transaction.TransactionManagementError):
    """A row that was saved cannot be kept, since an error within its transaction was caught."""

    def __init__(self) -> None:
        super().__init__(
            "the row is not saved: a receiver of pre_save or post_save, or what it has called, "
            "has closed the connection, or caught an error without which the transaction of the "
            "row and its events could have been committed. Let it put what may fail into "
            "transaction.atomic(), and catch the error outside of that"
        )


def writing(alias: str) -> AbstractContextManager[None]:
    """Have what is written be one transaction, or a part of the one that is open."""
    connection = connections[alias]
    return _Part(connection) if connection.in_atomic_block else _transaction(connection)


class _Part:
    """
    What belongs together within a transaction: when it fails, the transaction is rolled back.

    It does what Django's `mark_for_rollback_on_error` does, at less expense where nothing fails:
    every save() of a model with a source comes by here.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._beginning = Beginning(connection)

    def __enter__(self) -> None:
        self._beginning.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._beginning.__exit__(kind, error, traceback)
        if isinstance(error, Exception) and self._connection.in_atomic_block:
            self._connection.set_rollback(True)
            # Whoever goes on with the transaction is told why it is broken.
            self._connection.rollback_exc = error


@contextmanager
def _transaction(connection: Any) -> Iterator[None]:
    """
    Have what is written be a transaction of its own.

    It may write from its beginning on, and waits until it may. SQLite refuses it otherwise to one
    that has read, where others have written since.

    :raises SaveUndone: when Django, or PostgreSQL, would roll it back without a word.
    """
    begins = connection.get_autocommit()
    with transaction.atomic(using=connection.alias, savepoint=False):
        if begins and connection.vendor == "sqlite" and not _locks_itself(connection):
            with connection.wrap_database_errors:
                connection.connection.execute(LOCK)
        with Beginning(connection):
            yield
        if connection.needs_rollback or is_in_error(connection):
            raise SaveUndone from getattr(connection, "rollback_exc", None)


def _locks_itself(connection: Any) -> bool:
    """Tell whether transactions on SQLite begin with the lock to write: a setting of Django's."""
    return getattr(connection, "transaction_mode", None) in ("IMMEDIATE", "EXCLUSIVE")
