"""Where stores are made for a measurement, and thrown away after it: a directory, or a server."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from tests.benchmarks.contenders import MissingPeer

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
STORES = (SQLITE, POSTGRESQL)


class Place(Protocol):
    """A kind of database, and a place for any number of them.

    :ivar kept: the URLs of databases that several scenarios use, by what is in them.
    """

    kept: dict[str, str]

    @property
    def store(self) -> str:
        """Tells the kind: one of STORES."""

    @property
    def title(self) -> str:
        """Tells the kind, as people write it."""

    def new_url(self) -> str:
        """Gives the URL of a new, empty database."""

    def remove(self) -> None:
        """Throws all databases away that were made here."""


class Directory:
    """A place for SQLite files, on the disk that holds the current directory."""

    store = SQLITE
    title = "SQLite"

    def __init__(self, path: str | None = None) -> None:
        """C{path}: a directory in which to make one; by default the current one."""
        self.kept: dict[str, str] = {}
        self._path = Path(tempfile.mkdtemp(prefix="durable-", dir=path or "."))

    def new_url(self) -> str:
        return f"sqlite:///{self._path.resolve() / uuid4().hex}.db"

    def remove(self) -> None:
        shutil.rmtree(self._path)


class Server:
    """A place for databases on a PostgreSQL server, each of them new."""

    store = POSTGRESQL
    title = "PostgreSQL"

    def __init__(self, url: str | None = None) -> None:
        """C{url}: a database to begin with, as somebody who may create others.

        Raises MissingPeer if the driver or the server is not there.
        """
        try:
            import psycopg
        except ImportError as error:
            raise MissingPeer("PostgreSQL: psycopg is not installed") from error
        self._url = url or f"postgresql://{getpass.getuser()}@127.0.0.1:5432/test"
        self._made: list[str] = []
        self.kept: dict[str, str] = {}
        try:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        except psycopg.OperationalError as error:
            raise MissingPeer(f"PostgreSQL: {self._url} does not answer: --postgresql") from error

    def new_url(self) -> str:
        name = f"benchmark_{os.getpid()}_{uuid4().hex[:8]}"
        self._connection.execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def remove(self) -> None:
        for name in self._made:
            self._connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._connection.close()


def place_of(store: str, server: str | None = None) -> Place:
    """Gives a place for one kind of store."""
    return Directory() if store == SQLITE else Server(server)
