"""
Numbered SQL files that bring a store's tables up to date.

A package of migrations has files such as ``0001_initial.sql``. Their numbers have no gaps; the
number of the last one that was run is the version of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from sqlite3 import complete_statement
from typing import Final

import attrs

from twisted_dispatcher.errors import SchemaTooNew, SchemaTooOld

# On PostgreSQL several may bring the tables of one schema up to date: whoever has the lock looks,
# and migrates, until its transaction ends.
POSTGRESQL_LOCK: Final = """
    SELECT pg_advisory_xact_lock(
        hashtextextended('twisted_dispatcher migrations ' || current_schema(), 0))"""


@attrs.frozen
class Migration:
    """One step: the version that it leads to, and the SQL that does it."""

    version: int
    name: str
    sql: str


def migrations_in(package: str) -> tuple[Migration, ...]:
    """Read the migrations of a package, in order; it is not imported, and needs no driver."""
    parent, _, name = package.rpartition(".")
    found = [
        Migration(int(each.name.partition("_")[0]), each.name, each.read_text(encoding="utf-8"))
        for each in files(parent).joinpath(name).iterdir()
        if each.name.endswith(".sql")
    ]
    found.sort(key=lambda each: each.version)
    assert [each.version for each in found] == list(range(1, len(found) + 1)), found
    return tuple(found)


def statements_of(sql: str) -> Iterator[str]:
    """Give the statements of a migration for SQLite, whose drivers take them one by one."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if complete_statement(statement):
            yield statement
            statement = ""


def steps_from(
    version: int, migrations: tuple[Migration, ...], *, migrate: bool, url: str
) -> tuple[Migration, ...]:
    """
    Give the migrations that are still to be run on tables of a version; 0 means no tables.

    :raises SchemaTooNew: when no migration leads to that version.
    :raises SchemaTooOld: when there are some to be run, and that is not wanted.
    """
    newest = migrations[-1].version
    if version > newest:
        raise SchemaTooNew(url, version, newest)
    if version < newest and not migrate:
        raise SchemaTooOld(url, version, newest)
    return migrations[version:]
