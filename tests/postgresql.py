"""
A PostgreSQL server for tests, and a schema of its own for each of them.

The server is the one that TWISTED_DISPATCHER_TEST_POSTGRESQL names (a URL); else one that is
started here, from the system's binaries, and ends with the tests: it does not wait for the disk,
and nobody else fills its catalogs; else one that answers on this machine and has a database
``test``. Where there is none of these the tests are skipped, unless
TWISTED_DISPATCHER_REQUIRE_SERVICES is set: then they fail.
"""

from __future__ import annotations

import atexit
import getpass
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twisted.trial.unittest import SkipTest

from tests.schemas import SETTINGS, Kept, drop, new_name

try:
    import psycopg
except ImportError:
    psycopg = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    TestCase = object

URL = "TWISTED_DISPATCHER_TEST_POSTGRESQL"
REQUIRED = "TWISTED_DISPATCHER_REQUIRE_SERVICES"
RUNNING = "127.0.0.1:5432/test"
# Who runs the server where we are root, which it refuses to be.
UNPRIVILEGED = ("postgres", "nobody")
# Waits for the end of what holds its input, however that ends, and leaves nothing of the server.
GUARD = 'read -r _; "$0" -w -D "$1/data" -m immediate stop; rm -rf "$1"'
# What a server that is soon thrown away can do without. Where nothing is cleaned and analyzed at
# moments of the server's own choice, plans are the same each time.
CARELESS = "-c fsync=off -c full_page_writes=off -c autovacuum=off -c listen_addresses="


def is_there(url: str) -> bool:
    """Tell whether a server answers, and lets us in."""
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@lru_cache(maxsize=1)
def server_url() -> str | None:
    """Give the URL of a server, which may have been started for this; None if there is none."""
    if psycopg is None:
        return None
    if os.environ.get(URL):
        return os.environ[URL]
    binaries = binaries_of_the_system()
    if binaries is not None:
        try:
            return Server(binaries).url
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            print(f"no server of the tests' own: {error}; one that runs may do", file=sys.stderr)
    users = (getpass.getuser(), "postgres")
    urls = (f"postgresql://{user}@{RUNNING}" for user in users)
    return next((url for url in urls if is_there(url)), None)


def binaries_of_the_system() -> Path | None:
    """Find the directory of initdb and pg_ctl; Debian keeps one for each version."""
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = sorted(installed, key=lambda each: float(each.parts[-3]))
    return newest[-1].parent if newest else None


class Server:
    """
    A server in a directory of its own, which ends with this process, also when that is killed.

    :ivar url: names the database ``test`` on it.
    """

    def __init__(self, binaries: Path) -> None:
        """Make it, and start it."""
        self._binaries = binaries
        self._home = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._options: dict[str, Any] = {"cwd": self._home, "stdout": subprocess.DEVNULL}
        user = getpass.getuser()
        if os.getuid() == 0:
            names = {each.pw_name for each in pwd.getpwall()}
            user = next(each for each in UNPRIVILEGED if each in names)
            shutil.chown(self._home, user)
            group = pwd.getpwnam(user).pw_gid
            self._options |= {"user": user, "group": group, "extra_groups": ()}
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, str(binaries / "pg_ctl"), str(self._home)],
            **{**self._options, "cwd": "/"},
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.remove)
        self._run("initdb", "-A", "trust", "-E", "UTF8", "-U", user, "--no-sync", "--locale=C")
        self.start()
        url = f"postgresql://{user}@/{{}}?host={quote(str(self._home), safe='')}"
        with psycopg.connect(url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE test")
        self.url = url.format("test")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self._home / "data"), *arguments]
        subprocess.run(command, check=True, **self._options)

    def start(self) -> None:
        """Start it, and wait until it is there."""
        options = ("-l", str(self._home / "log"), "-o", f"{CARELESS} -k {self._home}")
        self._run("pg_ctl", "-w", *options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is what a power cut would be."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        atexit.unregister(self.remove)
        self._guard.communicate()


def new_server() -> Server:
    """
    Start a server that a test may stop.

    :raises SkipTest: when the system has none.
    """
    binaries = None if psycopg is None else binaries_of_the_system()
    if binaries is None:
        raise missing("the system has no binaries of PostgreSQL: install them")
    return Server(binaries)


def missing(reason: str) -> Exception:
    """Give what to raise where a server is missing."""
    return AssertionError(reason) if os.environ.get(REQUIRED) else SkipTest(reason)


def url_of_schema(schema: str) -> str:
    """
    Give the URL by which everything happens in one schema.

    :raises SkipTest: when there is no server.
    """
    url = server_url()
    if url is None:
        raise missing(f"there is no PostgreSQL: start one, or name one in {URL}")
    options = quote(f"-csearch_path={schema}", safe="")
    return f"{url}{'&' if '?' in url else '?'}options={options}&application_name={schema}"


def make_store_tables(schema: str) -> None:
    """Make the tables of a store, as who opens it does."""
    from twisted_dispatcher.stores.postgresql.connections import connect, conninfo_of
    from twisted_dispatcher.stores.postgresql.opening import prepare_tables

    url = url_of_schema(schema)
    with connect(conninfo_of(url), schema) as connection:
        prepare_tables(connection, url, schema, migrate=True)


@cache
def kept_schemas(prepare: Callable[[str], object]) -> Kept:
    """Give the schemas of this process whose tables are made by a function, given their names."""
    kept = Kept(psycopg.connect(url_of_schema("public"), autocommit=True), prepare)
    atexit.register(kept.close)
    return kept


class PostgreSQL(TestCase):
    """
    A test with a schema of its own.

    :ivar schema: its name.
    :ivar url: names a store in the schema.
    :ivar sql: a connection of the test's own.
    """

    def make_schema(self) -> str:
        """Make a schema with nothing in it, dropped after the test; give the URL of a store."""
        self._use(new_name())
        self.sql.execute(f"CREATE SCHEMA {self.schema}")
        self.addCleanup(drop, self.sql, self.schema)
        return self.url

    def have_tables(self, prepare: Callable[[str], object] = make_store_tables) -> str:
        """Have a schema with empty tables, which other tests use after it; give the URL."""
        kept = kept_schemas(prepare)
        schema = kept.take()
        self.addCleanup(kept.give_back, schema)
        self._use(schema.name)
        return self.url

    def _use(self, schema: str) -> None:
        self.schema = schema
        self.url = url_of_schema(schema)
        self.sql = psycopg.connect(self.url, autocommit=True, application_name="the test itself")
        self.sql.execute(SETTINGS)
        self.addCleanup(self.sql.close)

    def kill_connections(self, query: str = "") -> int:
        """
        Kill connections of the stores, and give their number.

        :param query: only those whose last statement begins so.
        """
        killed = self.sql.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = %s AND query ILIKE %s",
            (self.schema, f"{query}%"),
        )
        return len(killed.fetchall())
