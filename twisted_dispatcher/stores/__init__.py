"""
Where durable events live: one store per database, behind `IStore`.

A store knows nothing of handlers and of the dispatcher: it keeps rows, and the rules by which one
delivery opens the next.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted_dispatcher.errors import MissingExtra
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.stores.urls import SQLITE, scheme_of

__all__ = ["open_store"]


def open_store(url: str, *, migrate: bool = True, reactor: Any = None) -> IStore:
    """
    Open the store that a URL names, and make its tables where there are none.

    ``sqlite:///relative/path.db`` and ``sqlite:////absolute/path.db`` are files, ``sqlite://`` is
    a store in memory that ends with its process, ``postgresql://user@host/database`` is a server.
    Opening waits for the database; do it before the reactor runs, or expect that to take a moment.

    :param migrate: bring older tables up to date. False: refuse to run on them.
    :param reactor: by default the global one, taken when it is first needed.
    :raises BadStoreURL: when the URL names no store.
    :raises SchemaTooOld, SchemaTooNew, ForeignTables: when its tables are not ours, or not ours
        to use.
    :raises StoreUnavailable, CorruptStore: when there is no way to use it.
    :raises MissingExtra: when the driver is not installed.
    """
    if scheme_of(url) == SQLITE:
        from twisted_dispatcher.stores.sqlite import open_sqlite

        return open_sqlite(url, migrate=migrate, reactor=reactor)
    if find_spec("psycopg") is None or find_spec("psycopg_pool") is None:
        raise MissingExtra("psycopg", "a store on PostgreSQL", "postgresql")
    from twisted_dispatcher.stores.postgresql import open_postgresql

    return open_postgresql(url, migrate=migrate, reactor=reactor)
