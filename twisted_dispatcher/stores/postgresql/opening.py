"""Opening a database: seeing that the tables are there, and are ours."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from twisted_dispatcher.errors import CorruptStore, ForeignTables, StoreUnavailable
from twisted_dispatcher.stores.migrations import (
    POSTGRESQL_LOCK,
    Migration,
    migrations_in,
    steps_from,
)
from twisted_dispatcher.stores.postgresql.complaints import complain
from twisted_dispatcher.stores.postgresql.connections import StoreConnection
from twisted_dispatcher.stores.postgresql.tables import COMMIT, META, TABLES

# Older ones are maintained no longer.
OLDEST_SERVER: Final = 130000

_OURS: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname LIKE 'twisted\\_dispatcher\\_%'
    AND pg_table_is_visible(c.oid) ORDER BY c.relname"""
# Marks of connections that have ended long ago.
_FORGET: Final = f"DELETE FROM {COMMIT} WHERE began < now() - interval '1 day'"
_VERSION: Final = f"SELECT value FROM {META} WHERE name = 'schema'"
_SET_VERSION: Final = f"""
    INSERT INTO {META} (name, value) VALUES ('schema', %s)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""


def prepare_tables(connection: StoreConnection, url: str, store: str, *, migrate: bool) -> None:
    """
    See that the tables are there and that this version can use them.

    :raises SchemaTooOld, SchemaTooNew, ForeignTables: see `open_store`.
    """
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"{store} is on PostgreSQL {connection.info.parameter_status('server_version')}, "
            "which is too old: 13 or newer is needed"
        )
    cursor = psycopg.Cursor(connection)
    migrations = migrations_in(__package__)
    try:
        with connection.transaction():
            cursor.execute(POSTGRESQL_LOCK)
            version = _version(cursor, url, store)
            for step in steps_from(version, migrations, migrate=migrate, url=url):
                _run(cursor, step)
            cursor.execute(_FORGET)
    except psycopg.errors.InvalidSchemaName as error:
        raise StoreUnavailable(
            f"{store} has no schema to make tables in: create the one that search_path names"
        ) from error
    except psycopg.Error as error:
        complain(error, store)


def _version(cursor: psycopg.Cursor[Any], url: str, store: str) -> int:
    """Give the version of the tables; 0 when there are none."""
    names = [name for (name,) in cursor.execute(_OURS).fetchall()]
    if not names:
        return 0
    try:
        with cursor.connection.transaction():
            ((version,),) = cursor.execute(_VERSION).fetchall()
        number = int(version)
    except (psycopg.ProgrammingError, ValueError):
        raise ForeignTables(url, names) from None
    missing = [name for name in TABLES if name not in names]
    if missing:
        raise CorruptStore(
            f"{store} lacks the table {missing[0]}: put a backup in its place, or use another "
            "schema"
        )
    return number


def _run(cursor: psycopg.Cursor[Any], migration: Migration) -> None:
    """Run a migration, in the transaction that is open."""
    # Without parameters the driver takes several statements at once.
    cursor.execute(migration.sql.encode())
    cursor.execute(_SET_VERSION, (str(migration.version),))
