"""The journal of a database that is a file of SQLite."""

from __future__ import annotations

from typing import Any

from django.db import connections

from twisted_dispatcher.django.conf import conf


def write_ahead(*, using: str, **rest: Any) -> None:
    """
    Have a file of SQLite that holds events keep a write-ahead log, when its tables were made.

    That is how a store opens it, so that readers and the one who writes do not wait for each
    other. The file is changed by it once and for all, which needs a moment in which nobody uses
    it, as there is while tables are being made.
    """
    connection = connections[using]
    is_ours = using == conf().database and connection.vendor == "sqlite"
    if is_ours and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
