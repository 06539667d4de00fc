"""Telling who has forgotten to migrate, by what the database says of tables that are missing."""

from __future__ import annotations

from typing import Final

from django.db import DatabaseError, ProgrammingError

from twisted_dispatcher.errors import DispatcherError

# PostgreSQL's codes of a function, a table and a column that are not there.
_MISSING: Final = frozenset({"42883", "42P01", "42703"})


class NotMigrated(DispatcherError, ProgrammingError):
    """The database has no tables for events, or those of an older version."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"the database {alias!r} has no tables for events, or those of an older version: run "
            "manage.py migrate"
        )


def has_not_migrated(error: DatabaseError) -> bool:
    """Tell whether a database complains of something that a migration makes."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return code in _MISSING or str(error).startswith(("no such table", "no such column"))
