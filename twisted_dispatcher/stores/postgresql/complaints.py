"""What PostgreSQL and its driver complain of, in our words."""

from __future__ import annotations

from typing import Final, NoReturn

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from twisted_dispatcher.errors import (
    CorruptStore,
    NotStorable,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreUnavailable,
)

# The server has undone the transaction for the sake of another one.
_COLLIDED: Final = (errors.DeadlockDetected, errors.SerializationFailure)
_LOCKED: Final = (errors.LockNotAvailable, errors.QueryCanceled)
_FULL: Final = (errors.DiskFull,)
_READ_ONLY: Final = (errors.ReadOnlySqlTransaction,)
_CORRUPT: Final = (
    errors.DataCorrupted,
    errors.IndexCorrupted,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
)
_DENIED: Final = (errors.InsufficientPrivilege,)

# What is wrong with a value rather than with the database.
_NOT_STORABLE: Final = (
    errors.DataError,
    errors.IntegrityError,
    errors.ProgramLimitExceeded,
    UnicodeEncodeError,
    OverflowError,
)


def is_passing(error: BaseException) -> bool:
    """Tell whether the same transaction may well succeed at once."""
    return isinstance(error, _COLLIDED) or is_lost(error)


def is_lost(error: BaseException) -> bool:
    """
    Tell whether the connection is, or may be, no more.

    The driver raises errors without a code then; class 57P has the server's own farewells.
    """
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def translated(error: Exception, store: str) -> Exception:
    """Give our error for one of the driver's, and any other one as it is."""
    if isinstance(error, _NOT_STORABLE):
        return NotStorable(f"{store} cannot hold this: {_message(error)}")
    if isinstance(error, psycopg.Error):
        return _translated(error, store)
    return error


def complain(error: Exception, store: str) -> NoReturn:
    """Raise our error for one of the driver's, and any other one as it is."""
    ours = translated(error, store)
    if ours is error:
        raise error
    raise ours from error


def _translated(error: psycopg.Error, store: str) -> StoreError:
    message = _message(error)
    if isinstance(error, _LOCKED):
        return StoreLocked(store)
    if isinstance(error, _FULL):
        return StoreFull(store)
    if isinstance(error, _READ_ONLY):
        return StoreUnavailable(
            f"{store} may only be read ({message}): name the primary server in its URL, not a "
            "standby, and see that default_transaction_read_only is off"
        )
    if isinstance(error, _CORRUPT):
        return CorruptStore(
            f"{store} is damaged, or its tables were changed or are no longer found ({message}): "
            "put a backup in its place, or see that search_path is what it was"
        )
    if isinstance(error, _DENIED):
        return StoreUnavailable(f"{store} cannot be used: {message}: GRANT that to this user")
    if isinstance(error, (PoolTimeout, PoolClosed)):
        return StoreUnavailable(f"{store} is away: no connection within the time limit")
    return StoreUnavailable(f"{store} cannot be used: {message}")


def _message(error: Exception) -> str:
    """Give what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
