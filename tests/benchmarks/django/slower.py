"""A slower disk, played: each commit takes a millisecond longer, as it does on most disks."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from time import sleep
from typing import Any
from urllib.parse import quote, urlsplit

# So many microseconds longer.
SLOWER = 1000

# What a URL has behind the path, by the kind of database.
_QUERIES = {
    "sqlite": "slower",
    "postgresql": f"options={quote(f'-c commit_delay={SLOWER} -c commit_siblings=0')}",
}


def on_slower_disk(url: str) -> str:
    """Gives the URL of the same database, on a slower disk."""
    return f"{url}{'&' if '?' in url else '?'}{_QUERIES[urlsplit(url).scheme]}"


def options_for(url: str) -> dict[str, Any]:
    """Gives what has Django play the slower disk that a URL asks for; PostgreSQL plays its own."""
    parts = urlsplit(url)
    is_slower = parts.scheme == "sqlite" and parts.query == _QUERIES["sqlite"]
    return {"factory": SlowerConnection} if is_slower else {}


class SlowerConnection(sqlite3.Connection):
    """A connection to SQLite that waits longer for each commit."""

    def commit(self) -> None:
        super().commit()
        sleep(SLOWER / 1e6)

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        return super().cursor(_slower(factory))


@lru_cache(maxsize=8)
def _slower(factory: Any) -> Any:
    """Gives a class of cursors that wait longer for what commits by itself."""

    class SlowerCursor(factory):
        def execute(self, sql: str, parameters: Any = ()) -> Any:
            answer = super().execute(sql, parameters)
            if not self.connection.in_transaction and sql.startswith(("INSERT", "UPDATE")):
                sleep(SLOWER / 1e6)
            return answer

    return SlowerCursor
