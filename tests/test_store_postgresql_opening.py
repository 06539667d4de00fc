"""Opening a PostgreSQL store: URLs, drivers, tables."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.postgresql import PostgreSQL
from twisted_dispatcher import open_store
from twisted_dispatcher.errors import (
    BadStoreURL,
    CorruptStore,
    ForeignTables,
    MissingExtra,
    SchemaTooNew,
    SchemaTooOld,
    StoreUnavailable,
)
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.migrations import migrations_in
from twisted_dispatcher.stores.postgresql.connections import without_password

PRODUCER = Worker("producer", frozenset())


class OpeningTests(PostgreSQL, TestCase):
    """Opening a database that has tables, or none, or cannot be opened."""

    def setUp(self) -> None:
        """Make a schema."""
        self.make_schema()

    async def open(self, **options: Any) -> None:
        """Open a store, and close it."""
        await open_store(self.url, **options).close()

    async def test_open_again(self) -> None:
        """A database that was opened before can be opened, also where nothing may be migrated."""
        await self.open()
        await self.open(migrate=False)

    async def test_first_version(self) -> None:
        """Tables of the first version are brought up to date, and what waited in them goes on."""
        self.sql.execute(migrations_in("twisted_dispatcher.stores.postgresql")[0].sql)
        self.sql.execute("INSERT INTO twisted_dispatcher_meta VALUES ('schema', '1')")
        self.sql.execute(
            "INSERT INTO twisted_dispatcher_event (id, key, body, details, accepted, due, "
            "first_delivery, last_delivery) VALUES (1, 'old', '\"body\"', '{}', 1, 1, 1, 1)"
        )
        self.sql.execute("INSERT INTO twisted_dispatcher_open VALUES (1, NULL, 1, 1, 1)")
        self.sql.execute(
            "INSERT INTO twisted_dispatcher_delivery "
            "(id, event_id, handler, phase, rank, status, attempts, due, changed) "
            "VALUES (1, 1, 'handler', 'during', 1, 'retrying', 2, 1, 1)"
        )
        self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)
        store = open_store(self.url)
        (claim,) = await store.claim(Worker("w", frozenset({"handler"})), 10.0, 5)
        await store.close()

        self.assertEqual(("old", 3, 3), (claim.key, claim.attempt, claim.counted))

    async def test_opened_by_many(self) -> None:
        """Several processes may open an empty database at the same time."""
        stores = await gatherResults([deferToThread(open_store, self.url) for _ in range(4)])
        for each in stores:
            await each.close()

    def test_no_tables(self) -> None:
        """A database without tables is refused where nothing may be migrated, with the cure."""
        error = self.assertRaises(SchemaTooOld, open_store, self.url, migrate=False)
        self.assertIn("twisted-dispatcher migrate", str(error))

    async def test_newer_tables(self) -> None:
        """Tables of a newer version are refused."""
        await self.open()
        self.sql.execute("UPDATE twisted_dispatcher_meta SET value = '99' WHERE name = 'schema'")
        self.assertRaises(SchemaTooNew, open_store, self.url)

    def test_foreign_tables(self) -> None:
        """Tables of others with our names are refused, and left alone."""
        self.sql.execute("CREATE TABLE twisted_dispatcher_event (mine TEXT)")
        error = self.assertRaises(ForeignTables, open_store, self.url)

        self.assertEqual(("twisted_dispatcher_event",), error.tables)
        found = self.sql.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        )
        self.assertEqual((1,), found.fetchone())

    async def test_missing_table(self) -> None:
        """A database that lacks one of our tables is refused."""
        await self.open()
        self.sql.execute("DROP TABLE twisted_dispatcher_delivery")
        self.assertRaises(CorruptStore, open_store, self.url)

    def test_no_schema(self) -> None:
        """A search_path that names nothing is refused, with the cure."""
        url = self.url.replace(self.schema, "nothing_is_called_so")
        error = self.assertRaises(StoreUnavailable, open_store, url)
        self.assertIn("search_path", str(error))

    def test_no_server(self) -> None:
        """A server that does not answer is unavailable, and no message has the password."""
        url = "postgresql://user:secret@127.0.0.1:1/test"
        error = self.assertRaises(StoreUnavailable, open_store, url)

        self.assertNotIn("secret", str(error))
        self.assertIn("127.0.0.1", str(error))

    async def test_password_in_messages(self) -> None:
        """The command that a message names has no password in it."""
        url = self.url.replace("@", ":secret@", 1)
        error = self.assertRaises(SchemaTooOld, open_store, url, migrate=False)
        self.assertNotIn("secret", str(error))


class URLTests(SynchronousTestCase):
    """URLs of PostgreSQL, and the driver."""

    def test_bad_url(self) -> None:
        """A URL that the driver does not understand is refused."""
        for url in ("postgresql://[half", "postgres://host/db?colour=blue"):
            self.assertRaises(BadStoreURL, open_store, url)

    def test_no_driver(self) -> None:
        """Where the driver is missing, the error says how to install it."""
        with mock.patch.dict(sys.modules, {"psycopg": None}):
            error = self.assertRaises(MissingExtra, open_store, "postgresql://localhost/test")

        self.assertIn("twisted_dispatcher[postgresql]", str(error))

    def test_without_password(self) -> None:
        """A URL is shown without its password, wherever that stands."""
        for shown, url in (
            ("postgresql://me@host/db", "postgresql://me:secret@host/db"),
            ("postgresql://me@host/db?a=b", "postgresql://me@host/db?password=secret&a=b"),
            ("postgresql:///db", "postgresql:///db"),
            ("postgresql://me@host", "postgresql://me:sec@ret@host"),
        ):
            self.assertEqual(shown, without_password(url))
