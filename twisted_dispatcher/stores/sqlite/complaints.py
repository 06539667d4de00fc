"""What SQLite complains of, in our words."""

from __future__ import annotations

import sqlite3
from typing import NoReturn

from twisted_dispatcher.errors import (
    CorruptStore,
    NotStorable,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)

# The beginnings of SQLite's messages. Its codes are known to Python from 3.11 on only.
_LOCKED = ("database is locked", "database table is locked", "database schema is locked")
_FULL = ("database or disk is full",)
_READ_ONLY = ("attempt to write a readonly database",)
_CORRUPT = ("database disk image is malformed", "file is not a database", "malformed database")
_UNOPENED = ("unable to open database file",)
_DENIED = ("not authorized",)

# What is wrong with a value rather than with the database.
_NOT_STORABLE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    UnicodeEncodeError,
    OverflowError,
)


def is_locked(error: Exception) -> bool:
    """Tell whether another connection is in the way, and that may pass soon."""
    return isinstance(error, sqlite3.Error) and str(error).startswith(_LOCKED)


def is_denied(error: BaseException) -> bool:
    """Tell whether somebody tried to end a transaction that is not theirs."""
    return isinstance(error, sqlite3.Error) and str(error).startswith(_DENIED)


def translated(error: Exception, store: str) -> Exception:
    """Give our error for one of the driver's, and any other one as it is."""
    if isinstance(error, _NOT_STORABLE):
        return NotStorable(f"{store} cannot hold this: {error}")
    if isinstance(error, sqlite3.DatabaseError):
        return _translated(str(error), store)
    return error


def complain(error: Exception, store: str) -> NoReturn:
    """Raise our error for one of the driver's, and any other one as it is."""
    ours = translated(error, store)
    if ours is error:
        raise error
    raise ours from error


def _translated(message: str, store: str) -> StoreError:
    if message.startswith(_LOCKED):
        return StoreLocked(store)
    if message.startswith(_FULL):
        return StoreFull(store)
    if message.startswith(_READ_ONLY):
        return StoreReadOnly(store)
    if message.startswith(_CORRUPT):
        return CorruptStore(
            f"{store} is damaged, or is no SQLite database ({message}): put a backup in its "
            "place, or save what can be read with the command '.recover' of the sqlite3 program"
        )
    if message.startswith(_UNOPENED):
        return StoreUnavailable(
            f"{store} cannot be opened: see that the user that runs this may read and write it, "
            "and the directory that it is in"
        )
    return StoreUnavailable(f"{store} cannot be used: {message}")
