"""Tests that a schema which is used by one test after another is as new for each."""

from __future__ import annotations

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from tests.postgresql import make_store_tables, url_of_schema
from tests.schemas import LARGEST, RESTING, Kept, KeptSchema

COUNT = "SELECT count(*) FROM twisted_dispatcher_event"
ACCEPT = """
    INSERT INTO twisted_dispatcher_event (id, key, body, details, accepted, due)
    SELECT nextval('twisted_dispatcher_event_id'), 'key ' || n, repeat('x', 1000), '', 1, 1
    FROM generate_series(1, %s) n"""


class KeptTests(SynchronousTestCase):
    """Schemas with the tables of a store."""

    def setUp(self) -> None:
        """Have one."""
        self.connection = psycopg.connect(url_of_schema("public"), autocommit=True)
        self.kept = Kept(self.connection, make_store_tables)
        self.addCleanup(self.kept.close)
        self.schema = self.kept.take()
        self.sql = self.connect(self.schema)

    def connect(self, schema: KeptSchema) -> psycopg.Connection[tuple[int]]:
        """Connect to a schema, as somebody whom nobody knows."""
        url = url_of_schema(schema.name)
        connection = psycopg.connect(url, autocommit=True, application_name="who is that")
        self.addCleanup(connection.close)
        return connection

    def changed(self, sql: str) -> bool:
        """Tell whether a schema is not as new when something has been done and it was emptied."""
        self.sql.execute(sql.encode())
        return not self.schema.empty()

    def test_rows(self) -> None:
        """Rows are no longer there, and numbers begin anew."""
        self.sql.execute(ACCEPT, [3])

        self.assertTrue(self.schema.empty())
        self.assertEqual(self.sql.execute(COUNT).fetchone(), (0,))
        first = self.sql.execute("SELECT nextval('twisted_dispatcher_event_id')").fetchone()
        self.assertEqual(first, (1,))

    def test_row_that_was_there(self) -> None:
        """Where a row that a new one has is another one, it is not as new."""
        self.assertTrue(self.changed("UPDATE twisted_dispatcher_meta SET value = '99'"))

    def test_tables(self) -> None:
        """Where something else is there, or something missing, it is not as new."""
        self.assertTrue(self.changed("CREATE TABLE mine (what TEXT)"))
        self.assertFalse(self.changed("DROP TABLE mine"))
        self.assertTrue(self.changed("DROP INDEX twisted_dispatcher_delivery_due"))

    def test_columns(self) -> None:
        """Where a column is another one, it is not as new."""
        self.assertTrue(
            self.changed("ALTER TABLE twisted_dispatcher_event ALTER COLUMN lane SET DEFAULT 'x'")
        )

    def test_functions(self) -> None:
        """Where a function is another one, it is not as new."""
        self.assertTrue(
            self.changed("ALTER FUNCTION twisted_dispatcher_reserve(REGCLASS, BIGINT) COST 7")
        )

    def test_lost_table(self) -> None:
        """Where a table is missing, it is not as new."""
        self.assertTrue(self.changed("DROP TABLE twisted_dispatcher_delivery"))

    def test_large(self) -> None:
        """One that has grown large is not worth to be used again."""
        self.sql.execute(ACCEPT, [LARGEST // 1000])

        self.assertFalse(self.schema.empty())

    def test_left_by_name(self) -> None:
        """Who was left behind under the schema's own name is cut off, and it is not used again."""
        left = psycopg.connect(url_of_schema(self.schema.name), autocommit=True)
        self.addCleanup(left.close)

        self.assertFalse(self.schema.empty())
        self.assertRaises(psycopg.OperationalError, left.execute, "SELECT 1")

    def test_left_with_lock(self) -> None:
        """Who was left behind with a lock is cut off, and it is not used again."""
        self.sql.execute("BEGIN")
        self.sql.execute(ACCEPT, [1])

        self.assertFalse(self.schema.empty())
        self.assertRaises(psycopg.OperationalError, self.sql.execute, "SELECT 1")

    def test_longest_rest(self) -> None:
        """When some rest, the one that has rested longest is used again."""
        others = [self.kept.take() for _ in range(RESTING)]
        for each in (self.schema, *others[:-1]):
            self.kept.give_back(each)

        again = self.kept.take()

        self.assertIs(again, self.schema)

    def test_thrown_away(self) -> None:
        """What is not as new when it is needed is dropped, and a new one made."""
        others = [self.kept.take() for _ in range(RESTING - 1)]
        for each in (self.schema, *others):
            self.kept.give_back(each)
        self.sql.execute("CREATE TABLE mine (what TEXT)")

        instead = self.kept.take()

        self.assertNotIn(instead, (self.schema, *others))
        there = self.connection.execute("SELECT to_regnamespace(%s)", [self.schema.name])
        self.assertEqual(there.fetchone(), (None,))
