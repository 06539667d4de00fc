"""
Making the store's tables by Django's migrations, with the store's own SQL.

Each of the store's numbered files has a migration here. It finds the tables as old as it expects
them and runs the file; or it finds them newer, since `open_store` has been there before, and
leaves them as they are. What `open_store` does is the same the other way round.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import router
from django.db.migrations.operations.base import Operation

from twisted_dispatcher.stores.migrations import (
    POSTGRESQL_LOCK,
    Migration,
    migrations_in,
    statements_of,
)

_META: Final = "twisted_dispatcher_meta"
_STORES: Final = "twisted_dispatcher.stores"
_VERSION: Final = f"SELECT value FROM {_META} WHERE name = 'schema'"
_SET_FIRST: Final = f"INSERT INTO {_META} (name, value) VALUES ('schema', %s)"
_SET: Final = f"UPDATE {_META} SET value = %s WHERE name = 'schema'"
_MADE: Final = re.compile(r"^CREATE (TABLE|SEQUENCE|FUNCTION) (\w+)", re.MULTILINE)


class StoreTables(Operation):
    """
    Brings the store's tables to a version, in every database that may have the application's.

    That is asked of the project's routers; where there are none, it is every database that a store
    can be in, as for the models of any application.

    Backwards the tables stay, as they do no harm; but back to before the first version they go.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, **versions: int) -> None:
        """:param versions: by the kind of database, the number of its file that is run."""
        self.versions = versions

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [], self.versions

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the models to other operations."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        version = self._version_on(schema_editor.connection, app_label)
        if version and (schema_editor.collect_sql or _version(schema_editor) < version):
            _run(schema_editor, _migrations(schema_editor.connection)[version - 1])

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if self._version_on(schema_editor.connection, app_label) != 1:
            return
        files = _migrations(schema_editor.connection)
        made = [each for migration in files for each in _MADE.findall(migration.sql)]
        for kind, name in reversed(made):
            schema_editor.execute(f"DROP {kind} IF EXISTS {name}", params=None)

    def _version_on(self, connection: Any, app_label: str) -> int | None:
        """Tell to which version a database is brought; None where there are to be no tables."""
        if not router.allow_migrate(connection.alias, app_label):
            return None
        return self.versions.get(connection.vendor)

    def describe(self) -> str:
        versions = ", ".join(f"{version} on {kind}" for kind, version in self.versions.items())
        return f"Brings the tables of events to version {versions}"


def _migrations(connection: Any) -> tuple[Migration, ...]:
    return migrations_in(f"{_STORES}.{connection.vendor}")


def _version(schema_editor: Any) -> int:
    """Give the version of the tables, 0 where there are none; keep others from changing it."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL_LOCK)
        if _META not in connection.introspection.table_names(cursor):
            return 0
        cursor.execute(_VERSION)
        ((version,),) = cursor.fetchall()
    return int(version)


def _run(schema_editor: Any, migration: Migration) -> None:
    # What is sent to PostgreSQL without parameters may be several statements.
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in statements_of(migration.sql) if is_sqlite else (migration.sql,):
        schema_editor.execute(statement, params=None)
    set_version = _SET_FIRST if migration.version == 1 else _SET
    schema_editor.execute(set_version, params=[str(migration.version)])
