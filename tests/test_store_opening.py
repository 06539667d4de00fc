"""Opening a store: its URL, its file, and its tables."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.errors import (
    BadStoreURL,
    CorruptStore,
    DispatcherError,
    ForeignTables,
    MissingExtra,
    SchemaTooNew,
    SchemaTooOld,
    StoreError,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.migrations import Migration, migrations_in, steps_from
from twisted_dispatcher.stores.sqlite import opening
from twisted_dispatcher.testing import pump

MIGRATIONS = migrations_in("twisted_dispatcher.stores.sqlite")
NEWEST = MIGRATIONS[-1].version


class URLTests(SynchronousTestCase):
    """What a store's URL can be."""

    def test_typos(self) -> None:
        """A URL that names no store is refused, with the forms that it can have."""
        wrong = [
            "",
            "store.db",
            "sqlite",
            "sqlite:",
            "sqlite:/store.db",
            "sqlite:store.db",
            "sqlite//store.db",
            "sqlite://store.db",
            "sqlite:///",
            "sqlite:////",
            "sqlite:///directory/",
            "sqlite:///:memory:",
            "sqlite:///store.db?timeout=5",
            "sqlite:///store.db#1",
            "sqlite:///store\0.db",
            "SQLite:///store.db",
            "sqlit:///store.db",
            "mysql://user@host/db",
            "://",
            None,
            42,
            b"sqlite://",
            Path("store.db"),
        ]
        for url in wrong:
            error = self.assertRaises(BadStoreURL, open_store, url)
            self.assertIsInstance(error, ValueError)
            self.assertIn("sqlite:///relative/path.db", str(error))
        self.assertFalse(os.path.exists("store.db"))

    def test_no_text(self) -> None:
        """What is no text is refused with its type, and without itself."""
        error = self.assertRaises(BadStoreURL, open_store, 42)

        self.assertTrue(str(error).startswith("a store's URL is a string, not int: "))

    def test_no_password(self) -> None:
        """A password in a URL that is refused is not repeated."""
        error = self.assertRaises(BadStoreURL, open_store, "postgre://user:secret@host/db")

        self.assertNotIn("secret", str(error))
        self.assertIn("'postgre'", str(error))

    def test_relative(self) -> None:
        """After three slashes stands a path that is relative to the current directory."""
        name = f"{self.mktemp()}.db"
        open_store(f"sqlite:///{name}").close()

        self.assertTrue(os.path.exists(name))

    def test_absolute(self) -> None:
        """A fourth slash makes the path absolute."""
        path = os.path.abspath(f"{self.mktemp()}.db")
        open_store(f"sqlite:///{path}").close()

        self.assertTrue(path.startswith("/"))
        self.assertTrue(os.path.exists(path))

    def test_memory(self) -> None:
        """Each store in memory is one of its own."""
        clock = Clock()
        stores = [open_store("sqlite://", reactor=clock) for _ in range(2)]
        for store in stores:
            self.addCleanup(store.close)
            self.assertEqual(0, pump(clock, store.counts())["open"])

    def test_missing_driver(self) -> None:
        """A store on PostgreSQL says what to install where its driver is missing."""
        self.patch(sys, "modules", {**sys.modules, "psycopg": None})
        error = self.assertRaises(MissingExtra, open_store, "postgresql://user@host/db")

        self.assertIn("twisted_dispatcher[postgresql]", str(error))


class FileTests(SynchronousTestCase):
    """What a store's file can be."""

    def setUp(self) -> None:
        """Choose a file."""
        self.path = f"{self.mktemp()}.db"
        self.url = f"sqlite:///{self.path}"

    def refused(self, kind: type[StoreError], **options: Any) -> str:
        """Open the file, which must fail; give the message."""
        return str(self.assertRaises(kind, open_store, self.url, **options))

    def test_no_directory(self) -> None:
        """A file in a directory that is not there is refused, and the directory named."""
        self.url = f"sqlite:///{self.path}/store.db"

        self.assertIn(f"no directory {os.path.abspath(self.path)}", self.refused(StoreUnavailable))

    def test_forgotten_slash(self) -> None:
        """Where an absolute path has a slash too few, the message says so."""
        self.url = f"sqlite://{os.path.abspath(self.path)}"

        self.assertIn(f"sqlite:///{os.path.abspath(self.path)}", self.refused(StoreUnavailable))

    def test_directory(self) -> None:
        """A directory is no store."""
        os.mkdir(self.path)

        said = self.refused(StoreUnavailable)
        self.assertIn(self.path, said)
        self.assertIn("is a directory: name a file in it", said)

    def test_closed_directory(self) -> None:
        """A file that may not be opened is refused, with what to look at."""
        os.mkdir(self.path, 0)
        self.url = f"sqlite:///{self.path}/store.db"
        if os.access(self.path, os.W_OK):
            raise SkipTest("whoever runs this test may write everything")

        self.assertIn("may read and write it", self.refused(StoreUnavailable))

    def test_not_opened(self) -> None:
        """What SQLite does not open, for whatever reason, says what to look at."""
        os.symlink(f"{self.path}/nowhere", f"{self.path}.link")
        self.url = f"sqlite:///{self.path}.link"

        self.assertIn("may read and write it", self.refused(StoreUnavailable))

    def test_no_directory_without_migrating(self) -> None:
        """Where nothing may be made either, a directory that is not there is named."""
        url = f"sqlite:///{self.path}/store.db"
        error = self.assertRaises(StoreUnavailable, open_store, url, migrate=False)

        self.assertIn("no directory", str(error))

    def test_not_a_database(self) -> None:
        """A file that is something else is refused, and not touched."""
        text = "This is my diary. " * 100
        Path(self.path).write_text(text, encoding="utf-8")

        self.assertIn("is no SQLite database", self.refused(CorruptStore))
        self.assertEqual(text, Path(self.path).read_text(encoding="utf-8"))

    def test_read_only(self) -> None:
        """A file that may not be written is refused, with the cure."""
        open_store(self.url).close()
        os.chmod(self.path, 0o444)
        if os.access(self.path, os.W_OK):
            raise SkipTest("whoever runs this test may write everything")

        self.assertIn("writable", self.refused(StoreReadOnly))

    def test_locked(self) -> None:
        """A file that somebody else keeps locked is refused after a while."""
        self.patch(opening, "BUSY_TIMEOUT_WHILE_OPENING", 1)
        open_store(self.url).close()
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")

        self.assertIn("End that one", self.refused(StoreLocked))

    def test_old_sqlite(self) -> None:
        """A SQLite that is too old is refused."""
        self.patch(sqlite3, "sqlite_version_info", (3, 8, 0))

        self.assertIn("too old", self.refused(StoreUnavailable))


class TableTests(SynchronousTestCase):
    """What tables a file can have."""

    def setUp(self) -> None:
        """Choose a file."""
        self.path = f"{self.mktemp()}.db"
        self.url = f"sqlite:///{self.path}"

    def execute(self, *statements: str) -> list[Any]:
        """Execute statements on the file, and give the rows of the last one."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        rows: list[Any] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.close()
        return rows

    def tables(self) -> set[str]:
        """Give the names of all tables."""
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master")}

    def test_twice(self) -> None:
        """A store that is opened again is as it was."""
        for _ in range(2):
            open_store(self.url).close()

        version = self.execute("SELECT value FROM twisted_dispatcher_meta WHERE name = 'schema'")
        self.assertEqual([(str(NEWEST),)], version)

    def test_first_version(self) -> None:
        """Tables of the first version are brought up to date, and what waited in them goes on."""
        connection = sqlite3.connect(self.path)
        connection.executescript(MIGRATIONS[0].sql)
        connection.close()
        self.execute(
            "INSERT INTO twisted_dispatcher_meta VALUES ('schema', '1')",
            "INSERT INTO twisted_dispatcher_event VALUES "
            "(1, 'old', '\"body\"', '{}', NULL, 1, 1, 1, 1)",
            "INSERT INTO twisted_dispatcher_delivery "
            "(id, event_id, handler, phase, rank, status, attempts, due) "
            "VALUES (1, 1, 'handler', 'during', 1, 'retrying', 2, 1)",
            "INSERT INTO twisted_dispatcher_event VALUES "
            "(2, 'unplanned', '\"body\"', '{}', NULL, 1, 1, NULL, NULL)",
            "INSERT INTO twisted_dispatcher_unplanned VALUES (2, 1)",
        )
        error = self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)
        self.assertEqual((1, NEWEST), (error.found, error.needed))
        clock = Clock()
        store = open_store(self.url, reactor=clock)
        worker = Worker("w", frozenset({"handler"}))
        (claim,) = pump(clock, store.claim(worker, 10.0, 5))
        (unplanned,) = pump(clock, store.unplanned(worker, 10.0, 5))
        store.close()

        self.assertEqual(("old", 3, 3), (claim.key, claim.attempt, claim.counted))
        self.assertEqual((2, "unplanned"), (unplanned.event_id, unplanned.key))

    def test_beside_others(self) -> None:
        """Tables of an application can be in the same file."""
        self.execute("CREATE TABLE orders (n)", "INSERT INTO orders VALUES (1)")
        open_store(self.url).close()

        self.assertEqual([(1,)], self.execute("SELECT n FROM orders"))

    def test_foreign_table(self) -> None:
        """A table of another program's with one of our names is refused, and nothing is made."""
        self.execute("CREATE TABLE twisted_dispatcher_event (n)")
        error = self.assertRaises(ForeignTables, open_store, self.url)

        self.assertEqual(("twisted_dispatcher_event",), error.tables)
        self.assertEqual({"twisted_dispatcher_event"}, self.tables())

    def test_foreign_meta(self) -> None:
        """So is one with the name of the table that has the version."""
        for columns, row in (("n", "1"), ("name, value", "'schema', 'none'")):
            self.execute(
                "DROP TABLE IF EXISTS twisted_dispatcher_meta",
                f"CREATE TABLE twisted_dispatcher_meta ({columns})",
                f"INSERT INTO twisted_dispatcher_meta VALUES ({row})",
            )
            self.assertRaises(ForeignTables, open_store, self.url)

        self.execute("DELETE FROM twisted_dispatcher_meta")
        self.assertRaises(ForeignTables, open_store, self.url)

    def test_missing_table(self) -> None:
        """A store that has lost a table is refused."""
        open_store(self.url).close()
        self.execute("DROP TABLE twisted_dispatcher_delivery")

        error = self.assertRaises(CorruptStore, open_store, self.url)
        self.assertIn("twisted_dispatcher_delivery", str(error))

    def test_newer(self) -> None:
        """Tables that a newer version has made are refused, and not touched."""
        open_store(self.url).close()
        self.execute("UPDATE twisted_dispatcher_meta SET value = '99'")
        error = self.assertRaises(SchemaTooNew, open_store, self.url)

        self.assertEqual((99, NEWEST), (error.found, error.needed))
        self.assertIn("install", str(error))

    def test_none_yet(self) -> None:
        """Without migrating, a store that is not there yet is refused, and not made."""
        error = self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)

        self.assertEqual((0, NEWEST), (error.found, error.needed))
        self.assertIn(f"twisted-dispatcher migrate --store {self.url}", str(error))
        self.assertIn("manage.py migrate", str(error))
        self.assertFalse(os.path.exists(self.path))

    def test_no_tables_yet(self) -> None:
        """Without migrating, a file without our tables is refused, and they are not made."""
        self.execute("CREATE TABLE orders (n)")
        self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)

        self.assertEqual({"orders"}, self.tables())

    def test_current(self) -> None:
        """Without migrating, tables of this version are used."""
        open_store(self.url).close()
        open_store(self.url, migrate=False).close()

        self.assertIn("twisted_dispatcher_event", self.tables())

    def test_memory_without_migrating(self) -> None:
        """In memory there is nothing that could be too old."""
        open_store("sqlite://", migrate=False).close()

        self.assertRaises(DispatcherError, open_store, self.url, migrate=False)

    def one_more_migration(self, sql: str) -> None:
        """Let there be one more migration."""
        more = (*MIGRATIONS, Migration(NEWEST + 1, "more.sql", sql))
        self.patch(opening, "migrations_in", lambda package: more)

    def test_older(self) -> None:
        """Older tables are refused without migrating, and brought up to date with it."""
        open_store(self.url).close()
        self.one_more_migration("CREATE TABLE twisted_dispatcher_more (n);\n-- The end.\n")
        error = self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)
        self.assertEqual((NEWEST, NEWEST + 1), (error.found, error.needed))
        self.assertNotIn("twisted_dispatcher_more", self.tables())
        open_store(self.url).close()

        self.assertIn("twisted_dispatcher_more", self.tables())
        open_store(self.url, migrate=False).close()

    def test_failing_migration(self) -> None:
        """Of a migration that fails nothing is kept."""
        self.one_more_migration(
            "CREATE TABLE twisted_dispatcher_more (n);\nCREATE TABLE orders;\n"
        )
        self.assertRaises(StoreUnavailable, open_store, self.url)

        self.assertEqual(set(), self.tables())


class MigrationTests(SynchronousTestCase):
    """Which migrations are run."""

    STEPS = tuple(Migration(n, f"000{n}.sql", "") for n in (1, 2, 3))

    def test_steps(self) -> None:
        """Those are run that come after the version that is there."""
        for version in range(4):
            steps = steps_from(version, self.STEPS, migrate=True, url="")
            self.assertEqual(self.STEPS[version:], steps)

    def test_up_to_date(self) -> None:
        """Without migrating, the newest version alone will do."""
        self.assertEqual((), steps_from(3, self.STEPS, migrate=False, url=""))
        for version in range(3):
            self.assertRaises(SchemaTooOld, steps_from, version, self.STEPS, migrate=False, url="")

    def test_newer(self) -> None:
        """A version that no migration leads to is refused."""
        self.assertRaises(SchemaTooNew, steps_from, 4, self.STEPS, migrate=True, url="")

    def test_files(self) -> None:
        """Migrations are the numbered SQL files of a package, in order and without gaps."""
        found = migrations_in("twisted_dispatcher.stores.sqlite")

        self.assertEqual(list(range(1, NEWEST + 1)), [each.version for each in found])
        self.assertGreater(NEWEST, 1)
        self.assertIn("CREATE TABLE twisted_dispatcher_event", found[0].sql)
