"""Opening a file: its connections, their settings, and its tables."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from twisted_dispatcher.errors import CorruptStore, ForeignTables, SchemaTooOld, StoreUnavailable
from twisted_dispatcher.stores.migrations import (
    Migration,
    migrations_in,
    statements_of,
    steps_from,
)
from twisted_dispatcher.stores.sqlite.complaints import complain
from twisted_dispatcher.stores.sqlite.tables import META, TABLES

# ON CONFLICT DO NOTHING came with it.
OLDEST_SQLITE: Final = (3, 24, 0)

# Milliseconds for which a connection waits for another one's lock: in the reactor's thread not for
# long, since what could not be begun is tried again later; while opening there is no reactor yet.
BUSY_TIMEOUT: Final = 10
BUSY_TIMEOUT_WHILE_OPENING: Final = 5000

# What was written is moved from the log into the file after so many pages (of 4 KiB); the log
# grows to little more than that.
CHECKPOINT_PAGES: Final = 1000
CACHE_KIBIBYTES: Final = 32 * 1024

_VERSION = f"SELECT value FROM {META} WHERE name = 'schema'"
_SET_VERSION = f"INSERT OR REPLACE INTO {META} (name, value) VALUES ('schema', ?)"
_OURS = "SELECT name FROM sqlite_master WHERE name LIKE 'twisted\\_dispatcher\\_%' ESCAPE '\\'"


def check_place(path: str, store: str) -> None:
    """
    See that a file can be where it is to be, as far as SQLite says it less clearly.

    :raises StoreUnavailable: when that is a directory, or there is none.
    """
    if os.path.isdir(path):
        raise StoreUnavailable(f"{store} is a directory: name a file in it")
    if not os.path.isdir(Path(path).absolute().parent):
        raise StoreUnavailable(_no_directory(path, store))


def refuse_to_create(path: str, url: str) -> None:
    """Complain, where nothing may be made, that a store is not there."""
    try:
        os.stat(path)
    except FileNotFoundError:
        raise SchemaTooOld(url, 0, migrations_in(__package__)[-1].version) from None
    except PermissionError:
        pass  # It may be there; SQLite finds the same, and we say it then.


def connect(path: str | None, store: str) -> sqlite3.Connection:
    """
    Open the connection that writes.

    :param path: None is a database in memory.
    :raises StoreUnavailable, CorruptStore: when that cannot be.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnavailable(
            f"SQLite {sqlite3.sqlite_version} is too old: 3.24 or newer is needed, which comes "
            "with Python or with the system"
        )
    try:
        connection = sqlite3.connect(
            path or ":memory:", isolation_level=None, cached_statements=256
        )
        try:
            _configure(connection, path, store)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        complain(error, store)
    return connection


def _no_directory(path: str, store: str) -> str:
    reason = f"{store} cannot be opened: there is no directory {Path(path).absolute().parent}"
    if os.path.isdir(Path(f"/{path}").parent):
        reason += f"; if /{path} is meant, write four slashes: sqlite:////{path}"
    return reason


def _configure(connection: sqlite3.Connection, path: str | None, store: str) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_WHILE_OPENING}")
    # It is compiled in by default since 3.38, and was by all distributions before.
    connection.execute("SELECT value FROM json_each('[]')").close()
    if path is not None:
        ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        if mode != "wal":
            raise StoreUnavailable(
                f"{store} cannot have a write-ahead log (its journal is {mode!r}): put it on a "
                "local disk, not on a network's"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")


def connect_reader(path: str) -> sqlite3.Connection:
    """Open a connection that can only read."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    connection.execute("PRAGMA query_only = ON")
    be_impatient(connection)
    return connection


def be_impatient(connection: sqlite3.Connection) -> None:
    """Wait for locks no longer than the reactor can bear."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")


# Tables


def prepare_tables(connection: sqlite3.Connection, url: str, store: str, *, migrate: bool) -> None:
    """
    See that the tables are there and that this version can use them.

    :raises SchemaTooOld, SchemaTooNew, ForeignTables: see `open_store`.
    """
    migrations = migrations_in(__package__)
    try:
        # Others may be opening the same file: whoever has the lock looks, and migrates.
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection, url, store)
            for step in steps_from(version, migrations, migrate=migrate, url=url):
                _run(connection, step)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        complain(error, store)


def _version(connection: sqlite3.Connection, url: str, store: str) -> int:
    """Give the version of the tables; 0 when there are none."""
    names = sorted(name for (name,) in connection.execute(_OURS).fetchall())
    if not names:
        return 0
    try:
        with closing(connection.execute(_VERSION)) as found:
            ((version,),) = found.fetchall()
        number = int(version)
    except (sqlite3.OperationalError, ValueError):
        raise ForeignTables(url, names) from None
    missing = [name for name in TABLES if name not in names]
    if missing:
        raise CorruptStore(
            f"{store} lacks the table {missing[0]}: put a backup in its place, or use a new file"
        )
    return number


def _run(connection: sqlite3.Connection, migration: Migration) -> None:
    """Run a migration, in the transaction that is open."""
    for statement in statements_of(migration.sql):
        connection.execute(statement)
    connection.execute(_SET_VERSION, (str(migration.version),))
