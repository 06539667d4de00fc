"""Storing events on somebody else's connection: what a worker makes of them, and who waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from random import Random
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.postgresql import PostgreSQL
from twisted_dispatcher import DurableDispatcher, Event, open_store
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import NewEvent
from twisted_dispatcher.stores.lanelocks import MOST_LANES
from twisted_dispatcher.stores.outbox import outbox_on

if TYPE_CHECKING:
    _TestCase = TestCase
else:
    _TestCase = object

# Far longer than anybody waits for a lock here, in seconds.
PATIENCE = 60
# Before the real time, so that everything is due.
NOW = 1_700_000_000.0


def an_event(key: str, group: str = "told", lane: str | None = None) -> NewEvent:
    """Give an event that is to be stored."""
    body = default_codec.encode(Event(group, key=key))
    details = default_codec.encode({"group": group}, "details")
    return NewEvent(key, body, details, lane, NOW, None)


class Percents:
    """A cursor of SQLite's that takes ``%s``, as Django's does."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        """Execute a statement."""
        return self._cursor.execute(sql.replace("%s", "?"), parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


async def moment() -> None:
    """Let the reactor do something else."""
    from twisted.internet import reactor

    await deferLater(cast(IReactorTime, reactor), 0.01)


class OutboxTests(_TestCase):
    """An application's connection, and a dispatcher that works on the same database."""

    timeout = 2 * PATIENCE
    kind: str

    def connect(self) -> Any:
        """Open a connection that commits only when it is told to."""
        raise NotImplementedError

    def cursor(self, connection: Any) -> Any:
        """Give a cursor that takes ``%s``."""
        raise NotImplementedError

    def open_store(self) -> IStore:
        """Open the store."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the store, and connect."""
        self.store = self.open_store()
        self.addCleanup(self.store.close)
        self.connection = self.connect()
        self.addCleanup(self.connection.close)

    def record(self, *events: NewEvent, on: Any = None) -> list[bool]:
        """Store events; tell which of them are new."""
        cursor = self.cursor(on or self.connection)
        entries = outbox_on(self.kind)(cursor, events, NOW)
        self.assertEqual([each.key for each in events], [each.acceptance.key for each in entries])
        return [each.acceptance.new for each in entries]

    async def working(self, handler: Callable[[Any], Any], **options: Any) -> DurableDispatcher:
        """Give a dispatcher that calls a handler with all events."""
        dispatcher = DurableDispatcher(self.store, ("group",), **options)
        dispatcher.add_event_handler(handler, "during", False, options=self.named())
        dispatcher.start()
        self.addCleanup(dispatcher.stop)
        await dispatcher.when_ready()
        return dispatcher

    @staticmethod
    def named() -> Any:
        """Give options with a name that every process has."""
        from twisted_dispatcher import HandlerOptions

        return HandlerOptions(name="tests.handler")

    async def test_handled(self) -> None:
        """What was committed is planned and handled; what was rolled back never happened."""
        handled: list[str] = []
        last: Deferred[None] = Deferred()

        def handler(event: Event) -> None:
            handled.append(str(event.key))
            if event.key == "last":
                last.callback(None)

        await self.working(handler)
        self.record(an_event("undone"))
        self.connection.rollback()
        self.record(an_event("first"), an_event("second"))
        self.record(an_event("second"), an_event("third"))
        self.connection.commit()
        self.record(an_event("last"))
        self.connection.commit()

        await last
        self.assertEqual(["first", "last", "second", "third"], sorted(handled))

    async def test_accepted_as_well(self) -> None:
        """A key is one event, whether it is stored here or accepted by a dispatcher."""
        dispatcher = DurableDispatcher(self.store, ("group",), worker=False)
        dispatcher.start()
        self.addCleanup(dispatcher.stop)
        accepted = await dispatcher.accept_event(Event("told"), key="theirs", group="told")

        new = self.record(an_event("theirs"), an_event("ours"))
        self.connection.commit()
        again = await dispatcher.accept_event(Event("told"), key="ours", group="told")

        self.assertTrue(accepted.new)
        self.assertEqual([False, True], new)
        self.assertFalse(again.new)
        self.assertEqual(2, len(await self.store.events()))

    async def test_lanes(self) -> None:
        """The events of a lane are handled in the order in which they were stored."""
        handled: list[str] = []
        last: Deferred[None] = Deferred()

        async def handler(event: Event) -> None:
            await moment()
            handled.append(str(event.key))
            if len(handled) == 6:
                last.callback(None)

        lane = default_codec.lane_text(["told"])
        self.record(*[an_event(key, lane=lane) for key in ("z", "b", "a")])
        self.record(an_event("c", lane=lane))
        self.connection.commit()
        dispatcher = await self.working(handler, order_by=("group",))
        await dispatcher.accept_event(Event("told", key="d"), group="told")
        self.record(an_event("0", lane=lane))
        self.connection.commit()

        await last
        self.assertEqual(["z", "b", "a", "c", "d", "0"], handled)

    async def test_many_lanes(self) -> None:
        """Any number of lanes is locked at once, and none of them is in the way of another."""
        count = MOST_LANES + 1
        self.record(*[an_event(f"k{number}", lane=f"l{number}") for number in range(count)])
        self.connection.commit()

        stored = await self.store.events(limit=2 * count)
        self.assertEqual(count, len({each.lane for each in stored}))

    async def wait_for_each_other(self, ends: str) -> list[bool]:
        """Store a key in two transactions at once; give what the second one is told."""
        second = self.connect()
        try:
            self.record(an_event("same"))
            waiting = deferToThread(self.record, an_event("same"), an_event("other"), on=second)
            await self.until_it_waits(waiting)
            getattr(self.connection, ends)()
            told: list[bool] = await waiting
            second.commit()
        finally:
            second.close()
        self.assertEqual(2, len(await self.store.events()))
        return told

    async def until_it_waits(self, waiting: Deferred[Any]) -> None:
        """Wait until a transaction waits for another one."""
        raise NotImplementedError

    async def test_waits_for_commit(self) -> None:
        """A transaction waits for another one that stores the same key, and then knows it."""
        self.assertEqual([False, True], await self.wait_for_each_other("commit"))

    async def test_waits_for_rollback(self) -> None:
        """Where the other one is rolled back, the key is new."""
        self.assertEqual([True, True], await self.wait_for_each_other("rollback"))

    def test_no_circles(self) -> None:
        """Calls that store the same keys in any order never wait for one another in a circle."""
        keys = [f"key {number}" for number in range(30)]
        rounds = 20
        errors: list[BaseException] = []
        new: list[bool] = []
        barrier = Barrier(3)

        def work(seed: int) -> None:
            random = Random(seed)
            connection = self.connect()
            try:
                for number in range(rounds):
                    shuffled = random.sample(keys, len(keys))
                    events = [an_event(f"{number} {key}") for key in shuffled]
                    barrier.wait(PATIENCE)
                    new.extend(self.record(*events, on=connection))
                    connection.commit()
            except BaseException as error:
                errors.append(error)
                barrier.abort()
            finally:
                connection.close()

        threads = [Thread(target=work, args=(seed,), daemon=True) for seed in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(PATIENCE)

        self.assertEqual([], errors)
        self.assertEqual(rounds * len(keys), sum(new))


class SQLiteTests(OutboxTests, TestCase):
    """A file of SQLite."""

    kind = "sqlite"

    def open_store(self) -> IStore:
        self.path = self.mktemp()
        return open_store(f"sqlite:///{self.path}")

    def connect(self) -> Any:
        # Begun before statements that write, as late as it can be: that is Python's default.
        return sqlite3.connect(self.path, timeout=PATIENCE, check_same_thread=False)

    def cursor(self, connection: Any) -> Any:
        return Percents(connection.cursor())

    async def until_it_waits(self, waiting: Deferred[Any]) -> None:
        # Nobody can be asked who waits: so there are some turns in which it does not end.
        for _ in range(20):
            await moment()
        self.assertNoResult(waiting)


class PostgreSQLTests(PostgreSQL, OutboxTests, TestCase):
    """A server of PostgreSQL."""

    kind = "postgresql"

    def open_store(self) -> IStore:
        return open_store(self.have_tables())

    def connect(self) -> Any:
        import psycopg

        return psycopg.connect(
            self.url, cursor_factory=psycopg.ClientCursor, prepare_threshold=None
        )

    def cursor(self, connection: Any) -> Any:
        return connection.cursor()

    async def until_it_waits(self, waiting: Deferred[Any]) -> None:
        while not self.sql.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s "
            "AND wait_event_type = 'Lock'",
            (self.schema,),
        ).fetchall():
            await moment()
        self.assertNoResult(waiting)

    def notified(self) -> list[str]:
        """Give what was said on the channel of the store since it was asked last."""
        return [each.payload for each in self.sql.notifies(timeout=0)]

    def test_notified(self) -> None:
        """The commit of what is new tells the workers, once; nothing else does."""
        self.sql.execute(f"LISTEN twisted_dispatcher_{self.schema}")
        self.record(an_event("a"), an_event("b"))
        self.record(an_event("c"))
        self.sql.execute("SELECT 1")
        self.assertEqual([], self.notified())
        self.connection.commit()
        self.sql.execute("SELECT 1")
        self.assertEqual(["outbox work"], self.notified())

        self.record(an_event("a"))
        self.connection.commit()
        self.record(an_event("d"))
        self.connection.rollback()
        self.sql.execute("SELECT 1")
        self.assertEqual([], self.notified())

    async def test_heard(self) -> None:
        """A store that listens is told of work by the commit itself."""
        heard: list[str] = []
        self.addCleanup(self.store.listen(heard.append))
        while len(heard) < 3:  # which it calls back when it has begun to listen
            await moment()
        heard.clear()

        self.record(an_event("a"))
        self.connection.commit()

        while not heard:
            await moment()
        self.assertEqual(["work"], heard)

    async def test_circles_over_calls(self) -> None:
        """Over several calls a circle is possible: one transaction is ended, the other goes on."""
        import psycopg

        other = self.connect()
        self.addCleanup(other.close)
        self.record(an_event("a"))
        self.record(an_event("b"), on=other)
        waiting = deferToThread(self.record, an_event("b"))
        await self.until_it_waits(waiting)
        results: Any = await DeferredList(
            [waiting, deferToThread(self.record, an_event("a"), on=other)], consumeErrors=True
        )

        [error] = [value for done, value in results if not done]
        self.assertIsInstance(error.value, psycopg.errors.DeadlockDetected)
        for each, (done, _) in zip((self.connection, other), results):
            (each.commit if done else each.rollback)()
        self.assertEqual([False, False], self.record(an_event("a"), an_event("b")))
        self.connection.rollback()

    def test_ids(self) -> None:
        """Ids are in the order in which events were given."""
        self.record(*[an_event(key) for key in "ebcad"])
        self.connection.commit()

        rows = self.sql.execute("SELECT key FROM twisted_dispatcher_event ORDER BY id").fetchall()
        self.assertEqual([*"ebcad"], [key for (key,) in rows])


class KindTests(SynchronousTestCase):
    """Which databases there are."""

    def test_unknown(self) -> None:
        """There is none of another kind."""
        self.assertRaises(KeyError, outbox_on, "mysql")
