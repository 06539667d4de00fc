"""What a database allows at best: a row for each event, inserted by its key and then done.

No program that keeps its word can do with less: two transactions, each of them on the disk.  What
is written of an event is what ours writes: a key, its JSON and that of its details.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.keys import Keys
from tests.benchmarks.on_stores.places import SQLITE

BODY = '[1,{"number":12345}]'
DETAILS = '[1,{"kind":"order"}]'

SCHEMA = """
    CREATE TABLE raw (
        id {identity}, key TEXT NOT NULL UNIQUE, body TEXT NOT NULL, details TEXT NOT NULL,
        status TEXT NOT NULL)"""


class Raw(Protocol):
    """A connection by which rows are inserted and done, each call being one transaction."""

    def insert(self, keys: Sequence[str]) -> None:
        """Inserts a row for each key that is not known."""

    def finish(self, keys: Sequence[str]) -> None:
        """Sets the rows of some keys to be done."""

    def done(self) -> int:
        """Counts what is done."""

    def close(self) -> None:
        """Closes the connection."""


class RawSQLite:
    """SQLite with a write-ahead log that is synchronized at each commit."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(SCHEMA.format(identity="INTEGER PRIMARY KEY"))

    def insert(self, keys: Sequence[str]) -> None:
        self._transact(
            "INSERT INTO raw (key, body, details, status) VALUES (?, ?, ?, 'running') "
            "ON CONFLICT (key) DO NOTHING",
            [(key, BODY, DETAILS) for key in keys],
        )

    def finish(self, keys: Sequence[str]) -> None:
        self._transact("UPDATE raw SET status = 'done' WHERE key = ?", [(key,) for key in keys])

    def _transact(self, sql: str, rows: list[tuple[str, ...]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(sql, rows)
        self._connection.execute("COMMIT")

    def done(self) -> int:
        sql = "SELECT count(*) FROM raw WHERE status = 'done'"
        return int(self._connection.execute(sql).fetchone()[0])

    def close(self) -> None:
        self._connection.close()


class RawPostgreSQL:
    """PostgreSQL through psycopg: one statement for all rows of a transaction, prepared."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection: Any = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        # A plan that is made once, when the table is small, looks through it when it has grown.
        self._connection.execute("SET plan_cache_mode = force_custom_plan")
        self._connection.execute(
            SCHEMA.format(identity="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
        )

    def insert(self, keys: Sequence[str]) -> None:
        rows = [{"key": key, "body": BODY, "details": DETAILS} for key in keys]
        self._connection.execute(
            "INSERT INTO raw (key, body, details, status) "
            "SELECT key, body, details, 'running' "
            "FROM json_to_recordset(%s) AS given (key text, body text, details text) "
            "ON CONFLICT (key) DO NOTHING",
            (json.dumps(rows),),
        )

    def finish(self, keys: Sequence[str]) -> None:
        self._connection.execute(
            "UPDATE raw SET status = 'done' WHERE key = ANY (%s)", (list(keys),)
        )

    def done(self) -> int:
        sql = "SELECT count(*) FROM raw WHERE status = 'done'"
        return int(self._connection.execute(sql).fetchone()[0])

    def close(self) -> None:
        self._connection.close()


def raw_of(store: str, url: str) -> Raw:
    """Connects to a new database of a kind, and makes the table."""
    return RawSQLite(url) if store == SQLITE else RawPostgreSQL(url)


def insert_and_finish(raw: Raw, events: int, batch: int, keys: Keys) -> None:
    """Inserts and finishes so many events, so many at once; raises WrongCalls if it did not."""
    before = raw.done()
    for _ in range(events // batch):
        some = [keys() for _ in range(batch)]
        raw.insert(some)
        raw.finish(some)
    if raw.done() - before != events // batch * batch:
        raise WrongCalls(f"{raw.done() - before} of {events} raw events are done")


def insert_only(raw: Raw, events: int, batch: int, keys: Keys) -> None:
    """Inserts so many events, so many at once."""
    for _ in range(events // batch):
        raw.insert([keys() for _ in range(batch)])
