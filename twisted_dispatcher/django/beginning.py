"""
Beginning a transaction on PostgreSQL by the very message of its first statement.

psycopg sends BEGIN by itself, as a message of its own, and waits for the answer. That is one
message of the three of which a save() in a transaction consists, and over a network each of them
takes as long as the others. It does so unless it is told that statements commit for themselves:
then BEGIN is ours to send, in front of the statement. It is told so for that statement alone: what
Django and psycopg know of the transaction, and how it ends, stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted_dispatcher.django.databases import has_psycopg3, takes_several


class Beginning:
    """
    Sends BEGIN with the first statement that Django sends within, if a transaction begins with it.

    It is a class, not a generator, since it is gone through at every save().
    """

    def __init__(self, connection: Any) -> None:
        """:param connection: one of Django's."""
        self._connection = connection

    def __enter__(self) -> None:
        if _will_begin(self._connection):
            self._connection.execute_wrappers.append(self._begin)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._begin in self._connection.execute_wrappers:
            self._connection.execute_wrappers.remove(self._begin)

    def _begin(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        self._leave()
        connection, cursor = self._connection, context["cursor"]
        driver = connection.connection
        if many or not isinstance(sql, str) or not _is_idle(driver):
            return execute(sql, params, many, context)
        if not takes_several(connection, cursor):
            return execute(sql, params, many, context)
        # What `autocommit` says it refuses to change within a transaction; so that is said behind
        # its back. Were it left as it is, Django would make of select_for_update().iterator() a
        # cursor that is refused, and what follows on a COMMIT by hand would commit for itself.
        driver._autocommit = True
        try:
            answer = execute(f"BEGIN; {sql}", params, many, context)
        finally:
            driver._autocommit = False
        # From the answer to BEGIN to that of the statement.
        cursor.nextset()
        return answer


def _will_begin(connection: Any) -> bool:
    """
    Tell whether the next statement on one of Django's connections begins a transaction.

    That is so in a block of Django's that ends it by itself, when nothing was sent in it yet. It
    is left to psycopg where the project has said how transactions are isolated.
    """
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    driver = connection.connection
    return (
        has_psycopg3()
        and connection.in_atomic_block
        and connection.commit_on_exit
        # Where a psycopg of another day keeps it elsewhere, BEGIN is left to it.
        and getattr(driver, "_autocommit", None) is False
        and driver.isolation_level is driver.read_only is driver.deferrable is None
        and _is_idle(driver)
    )


def _is_idle(driver: Any) -> bool:
    """Tell whether psycopg's connection is there, and no transaction is open on it."""
    # Of `psycopg.pq.TransactionStatus` the one that is 0.
    return not driver.pgconn.transaction_status
