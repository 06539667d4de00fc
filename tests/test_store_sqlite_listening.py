"""How a store on a file of SQLite's hears of what others commit to it."""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import Any
from unittest import mock, skipUnless

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.sqlite import SQLiteStore, listening, watching
from twisted_dispatcher.testing import pump
from twisted_dispatcher.testing.stores.scene import NOW, new_event

PRODUCER = Worker("producer", frozenset())
ON_LINUX = sys.platform == "linux"


class WatchedFileTests(TestCase):
    """Two stores on a file, on the reactor, with no poll that could find anything in time."""

    timeout = 30.0

    def setUp(self) -> None:
        """Have one store that listens, and another one."""
        self.path = f"{self.mktemp()}.db"
        patch = mock.patch.object(listening, "POLL", 3600.0)
        patch.start()
        self.addCleanup(patch.stop)
        self.store, self.other = self.open(), self.open()

    def open(self, path: str | None = None) -> SQLiteStore:
        """Open the file, perhaps once more."""
        store = open_store(f"sqlite:///{path or self.path}")
        assert isinstance(store, SQLiteStore)
        self.addCleanup(store.close)
        return store

    def told(self) -> Deferred[str]:
        """Give a Deferred that fires with the first news of work."""
        heard: Deferred[str] = Deferred()

        def hear(news: str) -> None:
            if news == "work" and not heard.called:
                stop()
                heard.callback(news)

        stop = self.store.listen(hear)
        return heard

    @skipUnless(ON_LINUX, "only Linux tells who writes to a file")
    async def test_told(self) -> None:
        """Who listens is told soon of what another has committed, again and again."""
        for key in ("first", "second", "third"):
            told = self.told()
            await self.other.accept([new_event(key, "a")], PRODUCER, NOW)
            self.assertEqual("work", await told)

    @skipUnless(ON_LINUX, "only Linux tells who writes to a file")
    async def test_slow_commit(self) -> None:
        """A commit that takes long after it was written is found as well."""
        told = self.told()
        writer = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("BEGIN IMMEDIATE")
        # What is too much to be kept in memory is written before the commit.
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("CREATE TABLE mine (n)")
        writer.executemany("INSERT INTO mine VALUES (?)", [("x" * 4000,)] * 50)
        looks = Deferred[None]()
        look = self.store._listeners._read_version

        def counted() -> int:
            if not looks.called:
                looks.callback(None)
            return look()

        with mock.patch.object(self.store._listeners, "_read_version", counted):
            await looks
            self.assertFalse(told.called)
            writer.execute("COMMIT")
            await told

    @skipUnless(ON_LINUX, "only Linux tells who writes to a file")
    async def test_other_paths(self) -> None:
        """It does not matter by which path the file was opened, and from where."""
        link = f"{self.path}.link"
        os.symlink(os.path.abspath(self.path), link)
        for path in (os.path.abspath(link), link):
            self.store = self.open(path)
            here = os.getcwd()
            os.chdir("/")
            try:
                told = self.told()
            finally:
                os.chdir(here)
            await self.other.accept([new_event(path, "a")], PRODUCER, NOW)
            self.assertEqual("work", await told)

    async def test_stopped(self) -> None:
        """Nothing is left to the reactor when nobody listens any more."""
        readers: Any = reactor
        before = len(readers.getReaders())
        stop = self.store.listen(lambda news: None)
        self.assertEqual(ON_LINUX, len(readers.getReaders()) > before)
        stop()

        self.assertEqual(before, len(readers.getReaders()))


class PollingTests(SynchronousTestCase):
    """A store on a file, where nobody tells who writes to it."""

    def setUp(self) -> None:
        """Have a store that listens, and a connection of somebody else's."""
        self.path = f"{self.mktemp()}.db"
        self.clock = Clock()
        store = open_store(f"sqlite:///{self.path}", reactor=self.clock)
        assert isinstance(store, SQLiteStore)
        self.store = store
        self.addCleanup(store.close)
        self.told: list[str] = []
        store.listen(self.told.append)
        self.other = open_store(f"sqlite:///{self.path}", reactor=self.clock)
        self.addCleanup(self.other.close)
        self.count = 0

    def commit(self) -> None:
        """Commit something elsewhere."""
        self.count += 1
        pump(self.clock, self.other.accept([new_event(str(self.count), "a")], PRODUCER, NOW))

    def test_busy(self) -> None:
        """While others go on committing it is looked more often, and then less and less."""
        self.clock.advance(listening.POLL)
        self.commit()
        self.clock.advance(listening.POLL)
        self.assertEqual(1, self.told.count("work"))

        self.commit()
        self.clock.advance(listening.BUSY)
        self.assertEqual(2, self.told.count("work"))
        for number in range(1, 10):
            self.clock.advance(listening.BUSY * 2**number)
        self.commit()
        self.clock.advance(listening.POLL / 2)
        self.assertEqual(2, self.told.count("work"))
        self.clock.advance(listening.POLL / 2)
        self.assertEqual(3, self.told.count("work"))

    def test_failed_look(self) -> None:
        """A look that fails is no reason not to look again, however soon after the last one."""
        self.commit()
        self.clock.advance(listening.POLL)
        del self.told[:]
        failing = mock.patch.object(
            self.store._listeners, "_read_version", side_effect=sqlite3.OperationalError
        )
        with failing, self.assertRaises(sqlite3.OperationalError):
            self.clock.advance(listening.BUSY)
        self.commit()
        self.clock.advance(listening.POLL)

        self.assertEqual(1, self.told.count("work"))


class WatchedTests(SynchronousTestCase):
    """When a store that listens waits to hear of writing, and what it does then."""

    def test_pauses(self) -> None:
        """It looks soon when it hears of it, and listens again as soon as the pauses are long."""
        watch = mock.Mock()
        heard: list[Any] = []

        def watch_log(connection: object, reactor: object, written: Any) -> object:
            heard.append(written)
            return watch

        patch = mock.patch.object(listening, "watch_log", watch_log)
        patch.start()
        self.addCleanup(patch.stop)
        clock = Clock()
        path = f"{self.mktemp()}.db"
        store = open_store(f"sqlite:///{path}", reactor=clock)
        self.addCleanup(store.close)
        stop = store.listen(lambda news: None)
        self.assertEqual(1, watch.resume.call_count)

        heard[0]()
        pause = listening.SOON
        while pause <= listening.BUSY:
            self.assertEqual([pause], [c.getTime() - clock.seconds() for c in clock.calls])
            self.assertEqual(1, watch.resume.call_count)
            clock.advance(pause)
            pause *= 2
        self.assertEqual(2, watch.resume.call_count)

        # While others go on committing, nothing is to have it look more often than it does.
        heard[0]()
        other = open_store(f"sqlite:///{path}", reactor=clock)
        self.addCleanup(other.close)
        for pause in (listening.SOON, listening.BUSY, listening.BUSY):
            pump(clock, other.accept([new_event(str(clock.seconds()), "a")], PRODUCER, NOW))
            clock.advance(pause)
            (look,) = clock.calls
            self.assertAlmostEqual(listening.BUSY, look.getTime() - clock.seconds())
        self.assertEqual(2, watch.resume.call_count)
        stop()
        watch.stop.assert_called_once_with()


class Notifier:
    """What stands for the system's."""

    def __init__(self) -> None:
        self.connected = 1
        self.reads = False

    def startReading(self) -> None:  # noqa: N802
        """Tell of what happens."""
        self.reads = True

    def stopReading(self) -> None:  # noqa: N802
        """Keep it for later."""
        self.reads = False

    def connectionLost(self, reason: object) -> None:  # noqa: N802
        """End."""
        self.connected = 0


class WatchTests(SynchronousTestCase):
    """Hearing that a file is written to."""

    def setUp(self) -> None:
        """Hear of one."""
        self.count = 0
        self.notifier = Notifier()
        self.watch = watching.Watch(self.notifier, self.written)

    def written(self) -> None:
        """Count what is heard."""
        self.count += 1

    def test_once(self) -> None:
        """It calls back once for each time that it is told to go on."""
        self.watch.heard()
        self.assertEqual(0, self.count)
        for expected in (1, 2):
            self.watch.resume()
            self.watch.resume()
            self.assertTrue(self.notifier.reads)
            self.watch.heard()
            self.watch.heard()
            self.assertEqual((expected, False), (self.count, self.notifier.reads))

    def test_stopped(self) -> None:
        """Once stopped it calls nobody, and may be stopped again."""
        self.watch.resume()
        for _ in range(2):
            self.watch.stop()
        self.watch.heard()
        self.watch.resume()

        self.assertEqual((0, False, 0), (self.count, self.notifier.reads, self.notifier.connected))

    def test_other_reactor(self) -> None:
        """A reactor that watches no descriptors hears of nothing."""
        self.assertIsNone(watching.watch_log(self.connect(), Clock(), self.written))

    def test_no_log(self) -> None:
        """Neither does anybody of a database that has no log."""
        self.assertIsNone(watching.watch_log(self.connect(), reactor, self.written))

    def test_no_room(self) -> None:
        """Nor where the system lets no more listen, or is another one."""
        connection = self.connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE mine (n)")
        if ON_LINUX:
            from twisted.internet import inotify

            refused = mock.Mock(side_effect=inotify.INotifyError)
            with mock.patch.object(inotify, "INotify", refused):
                self.assertIsNone(watching.watch_log(connection, reactor, self.written))
            # Whatever a handler has attached.
            connection.execute("ATTACH ':memory:' AS another")
            found = watching.watch_log(connection, reactor, self.written)
            assert found is not None
            found.stop()
        with mock.patch.dict(sys.modules, {"twisted.internet.inotify": None}):
            self.assertIsNone(watching.watch_log(connection, reactor, self.written))

    def connect(self) -> sqlite3.Connection:
        """Open a file that is no store."""
        connection = sqlite3.connect(f"{self.mktemp()}.db", isolation_level=None)
        self.addCleanup(connection.close)
        return connection
