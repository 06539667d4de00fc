"""
Schemas with tables that one test after another uses, emptied in between.

To make the tables takes far longer than to empty them. A schema is emptied when it is needed
again, and of those that rest the one that has rested longest: by then the connections of the test
that used it have ended. Whoever is connected still was left behind; that one is cut off, and the
schema thrown away. So is a schema that is not in every row, and in the catalogs, what it was when
it was new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

try:
    import psycopg
except ImportError:
    psycopg = None  # type: ignore[assignment]

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]

# So many rest before one of them is used again.
RESTING = 3
# Bytes; whoever has grown so large, of rows that are no more, is slower than a new one.
LARGEST = 4_000_000
# Each schema that is dropped leaves some hundred dead rows in each of these, which everybody who
# makes tables, or looks for some, has to pass by; the server's own cleaning does not keep pace.
CATALOGS = (
    *("pg_attribute", "pg_attrdef", "pg_class", "pg_constraint", "pg_depend", "pg_index"),
    *("pg_namespace", "pg_proc", "pg_sequence", "pg_shdepend", "pg_statistic", "pg_type"),
)
# So many schemas are dropped until these are cleaned.
CLEANED_AFTER = 25
# Nobody waits for the disk to make and to drop what is there for a test.
SETTINGS = "SET synchronous_commit = off; SET client_min_messages = warning"

# Those who call themselves after the schema, as its URL has them do, or who hold locks in it.
_CUT_OFF = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (
        application_name = %(schema)s::text OR pid IN (
            SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
            WHERE c.relnamespace = %(schema)s::text::regnamespace))"""
# A row of a catalog that is changed has another xmin.
_CATALOGUED = """
    SELECT 'class', oid::text, xmin::text FROM pg_class
    WHERE relnamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'column', a.attrelid || '.' || a.attnum, a.xmin::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'constraint', oid::text, xmin::text FROM pg_constraint
    WHERE connamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'trigger', t.oid::text, t.xmin::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'function', oid::text, xmin::text FROM pg_proc
    WHERE pronamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'sequence', sequencename, last_value::text FROM pg_sequences
    WHERE schemaname = %(schema)s::text
    ORDER BY 1, 2"""
_TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY oid"""
_RESTARTS = """
    SELECT format('SELECT setval(%%L, %%s, %%L)', format('%%I.%%I', schemaname, sequencename),
        coalesce(last_value, start_value), last_value IS NOT NULL)
    FROM pg_sequences WHERE schemaname = %s"""
_SIZE = """
    SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = %s::regnamespace"""

_dropped = count(1)


def new_name() -> str:
    """Give a name that no schema has, whoever makes schemas on the server."""
    return f"test_{uuid4().hex[:12]}"


def drop(connection: Connection, schema: str) -> None:
    """Drop a schema, and clean the catalogs now and then."""
    connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    if not next(_dropped) % CLEANED_AFTER:
        connection.execute(f"VACUUM {', '.join(CATALOGS)}")


class KeptSchema:
    """
    A schema with tables.

    :ivar name: its name.
    """

    def __init__(self, connection: Connection, prepare: Callable[[str], object]) -> None:
        """Make it, and have its tables made by whoever is given its name."""
        self.name = new_name()
        self._connection = connection
        connection.execute(f"CREATE SCHEMA {self.name}")
        prepare(self.name)
        self._tables = [name for (name,) in connection.execute(_TABLES, [self.name])]
        self._emptying = "; ".join(
            [
                "SET CONSTRAINTS ALL DEFERRED",
                *(f"DELETE FROM {each}" for each in self._tables if not self._rows_of(each)),
                *(restart for (restart,) in connection.execute(_RESTARTS, [self.name])),
            ]
        )
        self._when_new = self._state()

    def empty(self) -> bool:
        """Make it what it was when it was new; tell whether it is, and worth to be used again."""
        if self.cut_off():
            return False
        try:
            self._connection.execute(self._emptying)
            ((size,),) = self._connection.execute(_SIZE, [self.name]).fetchall()
            return bool(size <= LARGEST) and self._state() == self._when_new
        except psycopg.DatabaseError:
            # A table is no longer there, or somebody unknown holds a lock.
            return False

    def cut_off(self) -> int:
        """End the connections of all who were left behind in it; give their number."""
        return len(self._connection.execute(_CUT_OFF, {"schema": self.name}).fetchall())

    def _rows_of(self, table: str) -> list[tuple[str]]:
        return self._connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()

    def _state(self) -> list[Any]:
        catalogued = self._connection.execute(_CATALOGUED, {"schema": self.name}).fetchall()
        return [catalogued, *map(self._rows_of, self._tables)]


class Kept:
    """The schemas of this process that have the same tables."""

    def __init__(self, connection: Connection, prepare: Callable[[str], object]) -> None:
        """Have none; the connection is for making, emptying and dropping them alone."""
        self._connection = connection
        self._prepare = prepare
        self._made: list[KeptSchema] = []
        self._resting: deque[KeptSchema] = deque()
        connection.execute(f"{SETTINGS}; SET lock_timeout = '5s'")

    def take(self) -> KeptSchema:
        """Give a schema that is as if it were new."""
        if len(self._resting) >= RESTING:
            found = self._resting.popleft()
            if found.empty():
                return found
            self._throw_away(found)
        self._made.append(KeptSchema(self._connection, self._prepare))
        return self._made[-1]

    def give_back(self, schema: KeptSchema) -> None:
        """Let a schema rest that its test no longer needs."""
        self._resting.append(schema)

    def close(self) -> None:
        """Drop all, whether they rest or not."""
        for each in self._made[:]:
            each.cut_off()
            self._throw_away(each)
        self._resting.clear()
        self._connection.close()

    def _throw_away(self, schema: KeptSchema) -> None:
        self._made.remove(schema)
        drop(self._connection, schema.name)
