"""
The cursors by which events are recorded: the driver's own, unless somebody looks on.

What Django's cursors do at each statement costs as much as to store an event. They are there so
that others see the statements, and so that another backend may do what it likes with them; where
there are no such others, the driver is asked directly, with Django's errors all the same.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import django
from django.apps import apps
from django.db.backends.utils import CursorWrapper
from django.utils.asyncio import async_unsafe

# The backends whose cursors do nothing that a statement of ours needs.
_PLAIN: Final = frozenset(f"django.db.backends.{name}.base" for name in ("sqlite3", "postgresql"))
# By what statements go in Django. Tools that watch, or forbid, them put functions of their own in
# the place of one of these: on a connection, or on a class.
_OF_CONNECTIONS: Final = (
    *("ensure_connection", "cursor", "_cursor", "_prepare_cursor", "make_cursor"),
    "create_cursor",
)
_OF_CURSORS: Final = ("execute", "_execute_with_wrappers", "_execute")
_DJANGO: Final = f"{Path(django.__file__).parent}{os.sep}"


def cursor_on(connection: Any) -> AbstractContextManager[Any]:
    """
    Give a cursor that takes ``%s`` for parameters, on a connection of Django's.

    Its statements must have no other ``%`` in them. What the driver raises comes out of the
    context as Django's error.
    """
    return _Direct(connection) if _is_unheard(connection) else connection.cursor()


def _is_unheard(connection: Any) -> bool:
    """Tell whether nobody is to see what is asked of a database."""
    kind, own = type(connection), vars(connection)
    return (
        connection.connection is not None
        and not connection.execute_wrappers
        and not connection.queries_logged
        # Django warns of what is asked too early.
        and apps.ready
        and kind.__module__ in _PLAIN
        and not any(map(own.__contains__, _OF_CONNECTIONS))
        and _are_djangos(
            *[getattr(kind, name) for name in _OF_CONNECTIONS],
            *[getattr(CursorWrapper, name) for name in _OF_CURSORS],
        )
    )


@lru_cache(maxsize=16)
def _are_djangos(*functions: Any) -> bool:
    """Tell whether functions are all Django's own, and not somebody's in their place."""
    return all(
        isinstance(each, FunctionType) and each.__code__.co_filename.startswith(_DJANGO)
        for each in functions
    )


class _Direct:
    """A cursor of the driver's, and Django's errors."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._errors = connection.wrap_database_errors

    @async_unsafe
    def __enter__(self) -> Any:
        connection = self._connection
        connection.validate_thread_sharing()
        connection.validate_no_broken_transaction()
        driver = connection.connection
        with self._errors:
            if connection.vendor == "sqlite":
                self._cursor = driver.cursor(factory=_Formatting)
            else:
                self._cursor = driver.cursor()
        return self._cursor

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._cursor.close()
        self._errors.__exit__(kind, error, traceback)


class _Formatting(sqlite3.Cursor):
    """A cursor of SQLite's that takes ``%s`` for parameters, as those on other databases do."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:  # type: ignore[override]
        return super().execute(_with_question_marks(sql), parameters)


@lru_cache(maxsize=512)
def _with_question_marks(sql: str) -> str:
    return sql.replace("%s", "?")
