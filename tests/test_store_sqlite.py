"""The SQLite store held against the contract, and how it behaves when the world does not."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_dispatcher import open_store
from twisted_dispatcher.errors import (
    CorruptStore,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
    TransactionMisused,
)
from twisted_dispatcher.records import DONE, RUNNING, Accepted, Claim, Worker
from twisted_dispatcher.stores.sqlite import SQLiteStore, listening
from twisted_dispatcher.stores.sqlite.store import PATIENCE
from twisted_dispatcher.testing import NeverSettled, pump, result_of
from twisted_dispatcher.testing.stores import AnsweringContract, SQLContract, StoreContract
from twisted_dispatcher.testing.stores.scene import NOW, OTHER, WORKER, new_event, settlement

PRODUCER = Worker("producer", frozenset())


class InMemoryTests(StoreContract, SQLContract, AnsweringContract, TestCase):
    """The contract, in memory."""

    def make_store(self) -> Any:
        return open_store("sqlite://")


class FileTests(StoreContract, SQLContract, AnsweringContract, TestCase):
    """The contract, on a file."""

    def make_store(self) -> Any:
        self.url = f"sqlite:///{self.mktemp()}.db"
        return open_store(self.url)

    def another_store(self) -> Any:
        return open_store(self.url)


class FileTestCase(SynchronousTestCase):
    """A store on a file, whose turns are taken one by one."""

    def setUp(self) -> None:
        """Open a new file."""
        self.path = f"{self.mktemp()}.db"
        self.clock = Clock()
        self.store = self.open()

    def open(self) -> SQLiteStore:
        """Open the file, perhaps once more."""
        store = open_store(f"sqlite:///{self.path}", reactor=self.clock)
        assert isinstance(store, SQLiteStore)
        self.addCleanup(store.close)
        return store

    def connect(self) -> sqlite3.Connection:
        """Open a connection of somebody else's to the file."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection with which the store writes."""
        return self.store._ledger.connection

    def accept(self, *keys: str, body: str = "1") -> Deferred[list[Accepted]]:
        """Ask to accept events for one handler."""
        events = [new_event(key, "a", body=body) for key in keys]
        return self.store.accept(events, WORKER, NOW)

    def now(self, deferred: Deferred[Any]) -> Any:
        """Take one turn, in which something must be answered."""
        self.clock.advance(0)
        return result_of(deferred)

    def running(self, key: str = "k") -> Claim:
        """Give a delivery that runs."""
        accepted: list[Accepted] = self.now(self.accept(key))
        return accepted[0].claims[0]

    def keys(self) -> list[str]:
        """Give the keys of all events."""
        return sorted(each.key for each in self.now(self.store.events(limit=10_000)))


class ContractTests(SynchronousTestCase):
    """The contract itself."""

    def test_nothing_is_hidden(self) -> None:
        """No part of the contract has a test that hides one of another part."""
        names = Counter(
            name
            for part in {*StoreContract.__mro__, *SQLContract.__mro__, *AnsweringContract.__mro__}
            for name in vars(part)
            if name.startswith("test_")
        )

        self.assertGreater(len(names), 100)
        self.assertEqual([], [name for name, count in names.items() if count > 1])


class DurabilityTests(FileTestCase):
    """The settings on which durability rests."""

    def test_journal(self) -> None:
        """The file has a write-ahead log, which is synced at every commit."""
        self.assertEqual([("wal",)], self.connection.execute("PRAGMA journal_mode").fetchall())
        self.assertEqual([(2,)], self.connection.execute("PRAGMA synchronous").fetchall())

    def test_group_commit(self) -> None:
        """All that is asked for in one turn is committed together."""
        points: list[str] = []
        self.store.on_point = points.append
        claim = self.running()
        del points[:]
        asked: list[Deferred[Any]] = [
            self.accept("1"),
            self.store.settle([settlement(claim)], WORKER, NOW),
            self.accept("2"),
            self.store.claim(OTHER, NOW, 5),
            self.store.heartbeat(WORKER, NOW, NOW),
        ]
        self.clock.advance(0)

        self.assertEqual([True] * 5, [each.called for each in asked])
        self.assertEqual(1, points.count("before commit"))
        self.assertEqual(1, points.count("before insert events"))

    def test_points_in_pairs(self) -> None:
        """Every crash point before something is followed by the one after it."""
        points: list[str] = []
        self.store.on_point = points.append
        claim = self.running()
        self.now(self.store.settle([settlement(claim)], WORKER, NOW))

        befores = [each.partition(" ")[2] for each in points[0::2]]
        afters = [each.partition(" ")[2] for each in points[1::2]]
        self.assertEqual(befores, afters)
        self.assertEqual({"before"}, {each.partition(" ")[0] for each in points[0::2]})
        self.assertIn("commit", befores)

    def test_reading_writes_nothing(self) -> None:
        """Queries begin no transaction."""
        points: list[str] = []
        self.store.on_point = points.append
        self.now(self.store.counts())

        self.assertEqual([], points)


class UnknownCommitTests(FileTestCase):
    """Commits that raise."""

    def fail_at(self, place: str) -> None:
        """Have SQLite fail the next time at a crash point."""

        def fail(point: str) -> None:
            if point == place:
                self.store.on_point = None
                raise sqlite3.OperationalError("disk I/O error")

        self.store.on_point = fail

    def test_accepted_all_the_same(self) -> None:
        """A commit that raises and has happened is found out, and the acceptors are told."""
        self.fail_at("after commit")
        (accepted,) = self.now(self.accept("k"))

        self.assertTrue(accepted.acceptance.new)
        settling = self.store.settle([settlement(accepted.claims[0])], WORKER, NOW)
        self.assertTrue(self.now(settling)[0].held)

    def test_others_all_the_same(self) -> None:
        """It is found out for settlements, claims, plans and works as well."""
        first, second = self.now(self.accept("1", "2"))
        waiting = new_event("w", "a", due=NOW - 1)
        self.now(self.store.accept([waiting], PRODUCER, NOW))
        asks: list[Callable[[], Deferred[Any]]] = [
            lambda: self.store.settle([settlement(first.claims[0])], WORKER, NOW),
            lambda: self.store.claim(WORKER, NOW, 5),
            lambda: self.store.transact(second.claims[0], lambda _: 7, WORKER, NOW),
        ]
        answers = []
        for ask in asks:
            self.fail_at("after commit")
            answers.append(self.now(ask()))

        self.assertTrue(answers[0][0].held)
        self.assertEqual(["w"], [claim.key for claim in answers[1]])
        self.assertEqual(7, answers[2][0])

    def test_not_committed(self) -> None:
        """A commit that raises and has not happened fails those who asked, and nothing is kept."""
        self.fail_at("before commit")
        asked = [self.accept("1"), self.accept("2")]
        self.clock.advance(0)

        for each in asked:
            self.failureResultOf(each, StoreUnavailable)
        self.assertEqual([], self.keys())
        self.assertTrue(self.now(self.accept("1"))[0].acceptance.new)

    def test_begin_fails(self) -> None:
        """Where no transaction can be begun those who asked are told, and the next ones go on."""
        for place in ("before begin", "after begin"):
            self.fail_at(place)
            asked = self.accept(place)
            self.clock.advance(0)
            self.failureResultOf(asked, StoreUnavailable)

        self.assertEqual([], self.keys())

    def test_statement_fails(self) -> None:
        """When a statement fails for reasons of the world, everybody is told."""
        self.fail_at("before insert deliveries")
        asked = [self.accept("1"), self.accept("2")]
        self.clock.advance(0)

        for each in asked:
            self.failureResultOf(each, StoreUnavailable)
        self.assertEqual([], self.keys())


class LockedTests(FileTestCase):
    """A file that somebody else has locked."""

    def lock(self) -> sqlite3.Connection:
        """Have another connection keep a transaction open."""
        other = self.connect()
        other.execute("BEGIN IMMEDIATE")
        return other

    def test_waits(self) -> None:
        """What is asked for while the file is locked is done when it is free again."""
        other = self.lock()
        first = self.accept("1")
        self.clock.advance(0)
        second = self.accept("2")
        self.clock.pump([0.1] * 20)
        self.assertNoResult(first)
        self.assertNoResult(second)
        other.execute("COMMIT")
        self.clock.pump([0.1] * 2)

        self.assertTrue(self.successResultOf(first)[0].acceptance.new)
        self.assertTrue(self.successResultOf(second)[0].acceptance.new)
        self.assertEqual(["1", "2"], self.keys())

    def test_gives_up(self) -> None:
        """After a time it fails, with an error that names the cure."""
        self.lock()
        asked = self.accept("1")
        self.clock.pump([0.1] * int(PATIENCE * 10 - 1))
        self.assertNoResult(asked)
        self.clock.pump([0.1] * 3)

        error = self.failureResultOf(asked, StoreLocked).value
        self.assertIn("keeps a transaction open", str(error))

    def test_each_has_its_time(self) -> None:
        """Who asks later waits for as long as who asked first."""
        other = self.lock()
        first = self.accept("1")
        self.clock.pump([0.1] * int(PATIENCE * 9))
        second = self.accept("2")
        self.clock.pump([0.1] * int(PATIENCE * 2))
        self.failureResultOf(first, StoreLocked)
        self.assertNoResult(second)
        other.execute("COMMIT")
        self.clock.pump([0.1] * 2)

        self.assertTrue(self.successResultOf(second)[0].acceptance.new)

    def test_does_not_block(self) -> None:
        """No connection waits for the lock for longer than the reactor can bear."""
        for connection in (self.connection, self.store._reader):
            ((milliseconds,),) = connection.execute("PRAGMA busy_timeout").fetchall()
            self.assertLessEqual(milliseconds, 20)

    def test_reading(self) -> None:
        """Queries are answered while the file is locked, also when somebody waits for that."""
        self.now(self.accept("1"))
        self.lock()
        waiting = self.accept("2")
        self.clock.advance(0)

        self.assertEqual(["1"], self.keys())
        self.assertNoResult(waiting)

    def test_closing(self) -> None:
        """A store that is closed while the file is locked tells those who wait."""
        self.lock()
        asked = self.accept("1")
        self.clock.advance(0)
        self.successResultOf(self.store.close())

        self.failureResultOf(asked, StoreLocked)

    def test_cancelled_while_waiting(self) -> None:
        """Who cancels while the file is locked has asked for nothing."""
        other = self.lock()
        asked = self.accept("1")
        kept = self.accept("2")
        self.clock.advance(0)
        asked.cancel()
        self.failureResultOf(asked)
        other.execute("COMMIT")
        self.clock.pump([0.1] * 2)

        self.successResultOf(kept)
        self.assertEqual(["2"], self.keys())


class FullTests(FileTestCase):
    """A disk that is full."""

    def fill(self, pages: int = 3) -> None:
        """Let the file grow by some pages and no more."""
        ((count,),) = self.connection.execute("PRAGMA page_count").fetchall()
        self.connection.execute(f"PRAGMA max_page_count = {count + pages}")

    def make_room(self) -> None:
        """Let the file grow again."""
        self.connection.execute("PRAGMA max_page_count = 1000000")

    def test_accept(self) -> None:
        """What finds no room fails with an error that says so, and nothing of it is kept."""
        self.fill()
        asked = self.store.accept(
            [new_event(key, "a", body="x" * 5000) for key in "123456"], WORKER, NOW
        )
        self.clock.advance(0)

        self.assertIn("full", str(self.failureResultOf(asked, StoreFull).value))
        self.assertEqual([], self.keys())

    def test_settle(self) -> None:
        """What needs no room is done beside what finds none."""
        claim = self.running()
        self.fill()
        large = self.accept("large", body="x" * 50_000)
        settling = self.store.settle([settlement(claim)], WORKER, NOW)
        small = self.accept("small")
        self.clock.advance(0)

        self.failureResultOf(large, StoreFull)
        self.assertTrue(self.successResultOf(settling)[0].held)
        self.assertTrue(self.successResultOf(small)[0].acceptance.new)

    def test_room_again(self) -> None:
        """The store goes on by itself when there is room again."""
        self.fill()
        asked = self.accept("1", body="x" * 50_000)
        self.clock.advance(0)
        self.failureResultOf(asked, StoreFull)
        self.make_room()

        self.assertTrue(self.now(self.accept("1", body="x" * 50_000))[0].acceptance.new)

    def test_work(self) -> None:
        """A work that finds no room fails with SQLite's own error, and its neighbours do not."""
        claim, neighbour = self.running(), self.running("neighbour")
        self.fill()

        def work(transaction: Any) -> None:
            transaction.execute("CREATE TABLE large AS SELECT zeroblob(100000)")

        asked = self.store.transact(claim, work, WORKER, NOW)
        settling = self.store.settle([settlement(neighbour)], WORKER, NOW)
        self.clock.advance(0)

        self.failureResultOf(asked, sqlite3.OperationalError)
        self.assertTrue(self.successResultOf(settling)[0].held)
        self.assertEqual(RUNNING, self.now(self.store.delivery(claim.delivery_id)).status)


class ReadOnlyTests(FileTestCase):
    """A file that cannot be written any more."""

    def test_accept(self) -> None:
        """What would write fails with an error that names the cure, until it can again."""
        self.now(self.accept("1"))
        self.connection.execute("PRAGMA query_only = ON")
        asked = [self.accept("2"), self.accept("3")]
        self.clock.advance(0)
        for each in asked:
            self.assertIn("writable", str(self.failureResultOf(each, StoreReadOnly).value))
        self.assertEqual(["1"], self.keys())
        self.connection.execute("PRAGMA query_only = OFF")

        self.assertTrue(self.now(self.accept("2"))[0].acceptance.new)


class CorruptTests(FileTestCase):
    """A file that was damaged."""

    def test_damaged(self) -> None:
        """What meets the damage fails with an error that says what to do."""
        self.now(self.accept("1"))
        self.successResultOf(self.store.close())
        ((size, root),) = (
            self.connect()
            .execute(
                "SELECT page_size, rootpage FROM pragma_page_size, sqlite_master "
                "WHERE name = 'twisted_dispatcher_event'"
            )
            .fetchall()
        )
        with open(self.path, "r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
        self.store = self.open()
        asked = self.accept("2")
        reading = self.store.events()
        self.clock.advance(0)

        self.assertIn("backup", str(self.failureResultOf(asked, CorruptStore).value))
        self.failureResultOf(reading, CorruptStore)


class WorkTests(FileTestCase):
    """What the works of exactly-once handlers can do to the connection, and cannot."""

    def transact(self, work: Any) -> Deferred[Any]:
        """Do a work beside something else, in one turn."""
        self.beside = self.accept("beside")
        asked = self.store.transact(self.claim, work, WORKER, NOW)
        self.after = self.accept("after")
        self.clock.advance(0)
        return asked

    def setUp(self) -> None:
        """Have a delivery that runs."""
        super().setUp()
        self.claim = self.running()

    def check_neighbours(self) -> None:
        """See that what was asked for beside the work was done."""
        for each in (self.beside, self.after):
            self.assertTrue(self.successResultOf(each)[0].acceptance.new)

    def test_ending_the_transaction(self) -> None:
        """A work that begins, commits or rolls back, in whatever way, fails."""

        def context(connection: sqlite3.Connection) -> None:
            with connection:
                pass

        ways = [
            sqlite3.Connection.commit,
            sqlite3.Connection.rollback,
            context,
            lambda connection: connection.execute("COMMIT"),
            lambda connection: connection.execute("END TRANSACTION"),
            lambda connection: connection.execute("ROLLBACK"),
            lambda connection: connection.execute("BEGIN"),
            lambda connection: connection.executescript("CREATE TABLE mine (n)"),
        ]
        for way in ways:

            def work(transaction: Any, way: Any = way) -> None:
                transaction.execute("CREATE TABLE mine (n)")
                way(transaction.connection)

            asked = self.store.transact(self.claim, work, WORKER, NOW)
            self.clock.advance(0)
            self.assertIn(
                "neither begin", str(self.failureResultOf(asked, TransactionMisused).value)
            )
            ((count,),) = self.connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'mine'"
            ).fetchall()
            self.assertEqual(0, count)

    def test_undoing_everything(self) -> None:
        """A statement that undoes the whole transaction fails its own work alone."""

        def work(transaction: Any) -> None:
            transaction.execute("CREATE TABLE mine (n UNIQUE)")
            transaction.execute("INSERT INTO mine VALUES (1)")
            transaction.execute("INSERT OR ROLLBACK INTO mine VALUES (1)")

        asked = self.transact(work)

        self.failureResultOf(asked, sqlite3.IntegrityError)
        self.check_neighbours()
        self.assertEqual(RUNNING, self.now(self.store.delivery(self.claim.delivery_id)).status)

    def test_undoing_everything_in_silence(self) -> None:
        """A work that goes on after such a statement fails as well, and nothing is half done."""

        def work(transaction: Any) -> None:
            transaction.execute("CREATE TABLE mine (n UNIQUE)")
            transaction.execute("INSERT INTO mine VALUES (1)")
            with contextlib.suppress(sqlite3.IntegrityError):
                transaction.execute("INSERT OR ROLLBACK INTO mine VALUES (1)")

        asked = self.transact(work)

        self.failureResultOf(asked, TransactionMisused)
        self.check_neighbours()
        self.assertEqual(RUNNING, self.now(self.store.delivery(self.claim.delivery_id)).status)

    def test_exit(self) -> None:
        """A work that wants to end the program fails like any other, and the program goes on."""
        asked = self.transact(lambda transaction: sys.exit(1))

        self.failureResultOf(asked, SystemExit)
        self.check_neighbours()

    def test_own_savepoints(self) -> None:
        """A work can have savepoints of its own."""

        def work(transaction: Any) -> list[Any]:
            transaction.execute("CREATE TABLE mine (n)")
            transaction.execute("SAVEPOINT own")
            transaction.execute("INSERT INTO mine VALUES (?)", (1,))
            transaction.execute("ROLLBACK TO own")
            transaction.execute("INSERT INTO mine VALUES (:n)", {"n": 2})
            transaction.execute("RELEASE own")
            found: list[Any] = transaction.execute("SELECT n FROM mine").fetchall()
            return found

        value, settled = self.successResultOf(self.transact(work))
        self.assertEqual(([(2,)], True), (value, settled.held))
        self.check_neighbours()


class OtherProcessTests(FileTestCase):
    """Two stores on one file, as two processes have them."""

    def test_told(self) -> None:
        """Who listens is told, after a while, of what another process has committed."""
        told: list[str] = []
        stop = self.store.listen(told.append)
        other = self.open()
        self.clock.advance(listening.POLL)
        self.assertEqual([], told)
        self.now(other.accept([new_event("k", "a")], PRODUCER, NOW))
        self.clock.advance(listening.POLL)

        self.assertEqual(["chains", "settled", "work"], sorted(told))
        del told[:]
        self.clock.advance(listening.POLL)
        self.assertEqual([], told)
        stop()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_nobody_listens(self) -> None:
        """Where nobody listens nothing is looked at again and again."""
        self.now(self.accept("k"))

        self.assertEqual([], self.clock.getDelayedCalls())

    def test_turns(self) -> None:
        """What one process has done the other one knows at once."""
        other = self.open()
        accepted = self.now(self.accept("k"))
        (again,) = self.now(other.accept([new_event("k", "a")], OTHER, NOW))
        self.assertEqual(
            (accepted[0].acceptance.event_id, False),
            (again.acceptance.event_id, again.acceptance.new),
        )
        (settled,) = self.now(other.settle([settlement(accepted[0].claims[0])], WORKER, NOW))

        self.assertTrue(settled.held)
        self.assertEqual(DONE, self.now(self.store.deliveries(key="k"))[0].status)


class PumpingTests(FileTestCase):
    """The store and the clock of a test."""

    def test_pump(self) -> None:
        """What is asked of a store on a clock can be pumped."""
        self.assertRaises(NeverSettled, result_of, asked := self.accept("k"))

        self.assertTrue(pump(self.clock, asked)[0].acceptance.new)

    def test_repr(self) -> None:
        """A store shows which file it is."""
        self.assertIn(self.path, repr(self.store))
