"""
Whether a transaction happened of which nobody was told.

Each transaction that writes has a mark: its connection and its number there, written into a row of
the connection's. When the connection is lost while it commits, the mark is looked up on another
one. Looking it up closes it: what the server had yet to read of the lost connection finds that it
comes too late. So it stays true that something did not happen.

What a transaction has written is told by its number, which the server writes into every row: it is
the same as in the row of the mark. A crash of the server does not change that, since both rows
were made durable by the same commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Cursor

from twisted_dispatcher.stores.postgresql.connections import Mark, StoreConnection
from twisted_dispatcher.stores.postgresql.tables import COMMIT

T = TypeVar("T")

# No transaction has this number, or a greater one.
_CLOSED: Final = 2**62

# Writes a mark, given its connection, its number and perhaps a condition, unless it was closed.
MARK: Final = f"""
    INSERT INTO {COMMIT} AS mark (connection, number, began)
    SELECT {{}}::text, {{}}::bigint, now() {{}}
    ON CONFLICT (connection) DO UPDATE SET number = excluded.number, began = excluded.began
    WHERE mark.number < excluded.number"""

# Both wait until a transaction has ended that has the mark.
_ENTER: Final = f"""
    INSERT INTO {COMMIT} (connection, number, began) VALUES (%s, 0, now())
    ON CONFLICT (connection) DO NOTHING"""
_LAST: Final = f"SELECT number FROM {COMMIT} WHERE connection = %s FOR UPDATE"
_CLOSE: Final = f"UPDATE {COMMIT} SET number = {_CLOSED} WHERE connection = %s"
# What a row that a transaction has written has in common with its mark.
WRITTEN: Final = f"xmin = (SELECT xmin FROM {COMMIT} WHERE connection = %(connection)s)"


def look_up(
    connection: StoreConnection, mark: Mark, recall: Callable[[Cursor[Any]], T]
) -> T | None:
    """
    Tell what a transaction has written, or None if it did not happen and never will.

    :param recall: reads what was written, while the mark is held.
    :raises psycopg.Error: when that is not known yet.
    """
    name, number = mark
    cursor = psycopg.Cursor(connection)
    # Binary, so that numbers are what they were whatever the server's settings are.
    cursor.format = psycopg.pq.Format.BINARY
    with connection.transaction():
        cursor.execute(_ENTER, (name,))
        if cursor.execute(_LAST, (name,)).fetchone() == (number,):
            return recall(cursor)
        cursor.execute(_CLOSE, (name,))
    return None
