"""
Tests of the table in docs/explanation/promises.rst: one for each row, named by its number.

A process is a dispatcher with a clock and a store of its own. It is killed by closing the store as
a kill would, and by never moving the clock again; where that has to happen within the store's own
work, the store raises `Killed` at a crash point.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import (
    Acceptance,
    Delivery,
    DurableDispatcher,
    HandlerOptions,
    RetryPolicy,
    current_delivery,
    errors,
    open_store,
)
from twisted_dispatcher.stores.sqlite import SQLiteStore
from twisted_dispatcher.testing import clocked_durable_dispatcher, later, pump

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "promises.rst"
# By then a worker has done what was due.
SOON = 2.0
LEASE = 61.0


class Killed(BaseException):
    """The process has been killed at this point."""


class Process:
    """A dispatcher, with a store and a clock of its own."""

    def __init__(self, path: str, clock: Any, **options: Any) -> None:
        store = open_store(f"sqlite:///{path}", reactor=clock)
        assert isinstance(store, SQLiteStore)
        self.store = store
        self.clock = clock
        self.dispatcher: DurableDispatcher
        self.dispatcher, _ = clocked_durable_dispatcher(store=store, clock=clock, **options)

    def on(
        self,
        handler: Callable[..., Any],
        guarantee: str | None = None,
        *,
        phase: str = "during",
        **options: Any,
    ) -> None:
        """Register a handler, under the name of its phase."""
        named = HandlerOptions(name=phase, guarantee=guarantee, **options)
        self.dispatcher.on(phase, options=named)(handler)

    def accept(self, event: object = "an event", **options: Any) -> Acceptance:
        """Accept an event under the one key of these tests."""
        acceptance: Acceptance = self.wait(self.dispatcher.accept_event(event, key="k", **options))
        return acceptance

    def deliveries(self) -> list[Delivery]:
        """Give the deliveries, in the order of their phases."""
        deliveries: list[Delivery] = self.wait(self.dispatcher.deliveries())
        return deliveries[::-1]

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Wait for an answer."""
        return pump(self.clock, deferred, limit=3600)

    def go_on(self, seconds: float = SOON) -> None:
        """Let time pass."""
        self.wait(deferLater(self.clock, seconds))

    def accept_and_go_on(self) -> None:
        """Accept an event, and let some time pass."""
        self.accept()
        self.go_on()

    def die_at(self, point: str) -> None:
        """See to it that the process is killed when the store gets to a point."""

        def on_point(reached: str) -> None:
            if reached == point:
                raise Killed

        self.store.on_point = on_point

    def kill(self) -> None:
        """Be killed, if that has not happened already."""
        self.store.on_point = None
        self.store.crash()


class KillTests(SynchronousTestCase):
    """What a kill does at each point."""

    def setUp(self) -> None:
        """Have a file that outlives the processes, with a table of the handlers' own."""
        self.path = self.mktemp()
        self.calls: list[int] = []
        with sqlite3.connect(self.path) as connection:
            connection.execute("CREATE TABLE effect (attempt INTEGER)")
        connection.close()

    def effects(self) -> list[int]:
        """Give the attempts that have left an effect in the database."""
        connection = sqlite3.connect(self.path)
        found = [attempt for (attempt,) in connection.execute("SELECT attempt FROM effect")]
        connection.close()
        return found

    def process(self, before: Process | None = None, **options: Any) -> Process:
        """Give a process: the first, or the one after another that was killed."""
        if before is None:
            return Process(self.path, Clock(), **options)
        before.kill()
        return Process(self.path, later(before.clock), **options)

    def handle(self, event: object) -> None:
        """Note the attempt."""
        self.calls.append(current_delivery().attempt)

    def never_ends(self, event: object) -> Deferred[None]:
        """Note the attempt, and do not end."""
        self.calls.append(current_delivery().attempt)
        return Deferred()

    def book(self, event: object, transaction: Any) -> None:
        """Leave an effect in the database."""
        attempt = current_delivery().attempt
        self.calls.append(attempt)
        transaction.execute("INSERT INTO effect VALUES (?)", (attempt,))

    def test_row_1(self) -> None:
        """Killed before the acceptance is committed: nothing is stored, and it may come again."""
        first = self.process()
        first.on(self.handle)
        first.die_at("before commit")
        self.assertRaises(Killed, first.accept)

        second = self.process(first)
        second.on(self.handle)
        self.assertEqual([], second.deliveries())

        self.assertTrue(second.accept().new)
        second.go_on()
        self.assertEqual([1], self.calls)

    def test_row_2(self) -> None:
        """Killed after the commit, before the caller is told: it is dispatched, and known."""
        first = self.process()
        first.on(self.handle)
        first.die_at("after commit")
        self.assertRaises(Killed, first.accept)
        self.assertEqual([], self.calls)

        second = self.process(first)
        second.on(self.handle)

        self.assertFalse(second.accept().new)
        second.go_on()
        self.assertEqual([2], self.calls)

    def test_row_3(self) -> None:
        """Killed before the handler is called: it is called when the lease is over."""
        first = self.process()
        first.on(self.handle, "at-most-once")
        first.die_at("before settle done")
        self.assertRaises(Killed, first.accept)
        self.assertEqual([], self.calls)

        second = self.process(first)
        second.on(self.handle, "at-most-once")
        second.go_on()

        self.assertEqual([2], self.calls)

    def test_row_4(self) -> None:
        """Killed within a handler, at least once: it is called again, when the lease is over."""
        first = self.process()
        first.on(self.never_ends)
        first.accept()

        early = self.process(first)
        early.kill()
        second = Process(self.path, later(first.clock, 30))
        second.on(self.handle)
        second.go_on()
        self.assertEqual([1], self.calls)

        second.go_on(LEASE)
        self.assertEqual([1, 2], self.calls)

    def test_row_5(self) -> None:
        """Killed within a handler, at most once: it is not called again, and the event goes on."""
        first = self.process()
        first.on(self.never_ends, "at-most-once")
        first.on(self.handle, phase="after")
        first.accept()
        first.go_on()
        self.assertEqual(["done", "running"], [each.status for each in first.deliveries()])

        second = self.process(first)
        second.on(self.never_ends, "at-most-once")
        second.on(self.handle, phase="after")
        second.go_on()

        self.assertEqual([1, 2], self.calls)
        self.assertEqual(["done", "done"], [each.status for each in second.deliveries()])

    def test_row_6(self) -> None:
        """Killed within a handler, exactly once: nothing is written, and it is called again."""

        def book_and_die(event: object, transaction: Any) -> None:
            self.book(event, transaction)
            raise Killed

        first = self.process()
        first.on(book_and_die, "exactly-once")
        self.assertRaises(Killed, first.accept_and_go_on)

        second = self.process(first)
        second.on(self.book, "exactly-once")
        second.go_on()

        self.assertEqual(([1, 2], [2]), (self.calls, self.effects()))

    def test_row_7(self) -> None:
        """Killed after the handler, before it is settled: it is called again with its key."""
        keys = []

        def handle(event: object) -> None:
            keys.append(current_delivery().idempotency_key)

        first = self.process()
        first.on(handle)
        first.die_at("before settle done")
        self.assertRaises(Killed, first.accept_and_go_on)

        second = self.process(first)
        second.on(handle)
        second.go_on()

        self.assertEqual(["k/during"] * 2, keys)

    def test_row_8(self) -> None:
        """Killed after a failure, before the retry is stored: the next attempt is made."""

        def fail(event: object) -> None:
            self.handle(event)
            raise ValueError

        first = self.process()
        first.on(fail)
        first.die_at("before settle retrying")
        self.assertRaises(Killed, first.accept_and_go_on)

        second = self.process(first)
        second.on(self.handle)
        second.go_on()

        self.assertEqual([1, 2], self.calls)

    def test_row_9(self) -> None:
        """Killed while a delivery waits: it is run when it is due."""
        first = self.process()
        first.on(self.handle)
        first.accept(at=first.clock.seconds() + 3600)

        second = self.process(first)
        second.on(self.handle)
        second.go_on(3000)
        self.assertEqual([], self.calls)
        second.go_on(600)

        self.assertEqual([1], self.calls)

    def test_row_10(self) -> None:
        """Killed after the settling is committed: the handler is not called again."""
        first = self.process()

        def handle(event: object) -> None:
            self.handle(event)
            first.die_at("after commit")

        first.on(handle)
        self.assertRaises(Killed, first.accept_and_go_on)

        second = self.process(first)
        second.on(self.handle)
        second.go_on()

        self.assertEqual([1], self.calls)
        self.assertEqual(["done"], [each.status for each in second.deliveries()])

    def test_row_11(self) -> None:
        """Killed between phases: the next one is run, and the one before it is not run again."""
        first = self.process()
        first.on(self.handle)
        first.on(self.never_ends, phase="after")
        first.accept()
        first.go_on()
        self.assertEqual([1, 1], self.calls)

        second = self.process(first)
        second.on(self.handle)
        second.on(self.handle, phase="after")
        second.go_on()

        self.assertEqual([1, 1, 2], self.calls)
        self.assertEqual([1, 2], [each.attempts for each in second.deliveries()])

    def killed_in_commit(self, point: str) -> None:
        """Kill a process while an exactly-once transaction commits, and start another one."""
        first = self.process()

        def book(event: object, transaction: Any) -> None:
            self.book(event, transaction)
            first.die_at(point)

        first.on(book, "exactly-once")
        self.assertRaises(Killed, first.accept_and_go_on)
        second = self.process(first)
        second.on(self.book, "exactly-once")
        second.go_on()

    def test_row_12_not_committed(self) -> None:
        """Killed before an exactly-once transaction is committed: it is done again."""
        self.killed_in_commit("before commit")

        self.assertEqual(([1, 2], [2]), (self.calls, self.effects()))

    def test_row_12_committed(self) -> None:
        """Killed after an exactly-once transaction was committed: it is not done again."""
        self.killed_in_commit("after commit")

        self.assertEqual(([1], [1]), (self.calls, self.effects()))

    def fail_in_commit(self, point: str) -> Process:
        """Give a process whose next commit raises, before or after it has happened."""
        process = self.process()

        def on_point(reached: str) -> None:
            if reached == point:
                process.store.on_point = None
                raise sqlite3.OperationalError("disk I/O error")

        process.store.on_point = on_point
        return process

    def test_row_13_not_committed(self) -> None:
        """A commit that raises, and has not happened, fails what was asked for."""
        process = self.fail_in_commit("before commit")

        self.assertRaises(errors.StoreUnavailable, process.accept)

        self.assertTrue(process.accept().new)

    def test_row_13_committed(self) -> None:
        """A commit that raises, and has happened, is told as what it is."""
        process = self.fail_in_commit("after commit")

        self.assertTrue(process.accept().new)

        self.assertFalse(process.accept().new)

    def test_row_14(self) -> None:
        """A worker that was away for longer than its lease can settle nothing any more."""
        late = self.process()
        ends: Deferred[None] = Deferred()

        def handle(event: object) -> Deferred[None]:
            self.handle(event)
            return ends

        late.on(handle)
        late.accept()
        other = Process(self.path, later(late.clock))
        other.on(self.never_ends)
        other.go_on()

        ends.callback(None)
        late.clock.advance(LEASE)
        late.go_on()

        self.assertEqual([1, 2], self.calls)
        (delivery,) = other.deliveries()
        self.assertEqual(("running", 2), (delivery.status, delivery.attempts))

    def test_row_14_exactly_once(self) -> None:
        """A worker that was away for longer than its lease does not begin a transaction."""
        late = self.process()
        late.on(self.book, "exactly-once")
        asked: list[tuple[Any, ...]] = []

        def hold(*arguments: Any) -> Deferred[Any]:
            asked.append(arguments)
            return Deferred()

        begin = late.store.transact
        self.patch(late.store, "transact", hold)
        late.accept_and_go_on()
        other = Process(self.path, later(late.clock))
        other.on(self.book, "exactly-once")
        other.go_on()

        value, settled = late.wait(begin(*asked[0]))

        self.assertEqual((None, False), (value, settled.held))
        self.assertEqual(([2], [2]), (self.calls, self.effects()))

    def test_row_15(self) -> None:
        """What does not end within stop() is run by the next worker at once."""
        first = self.process(drain=5)
        first.on(self.never_ends)
        first.accept()
        first.wait(first.dispatcher.stop())
        first.kill()

        second = Process(self.path, later(first.clock, 0))
        second.on(self.handle)
        second.go_on()

        self.assertEqual([1, 2], self.calls)

    def test_row_16(self) -> None:
        """Killed in every attempt: the delivery is dead in the end, and the event goes on."""
        retry = RetryPolicy(max_attempts=3)
        process: Process | None = None
        for _ in range(4):
            process = self.process(process)
            process.on(self.never_ends, retry=retry)
            process.on(self.handle, phase="after")
            process.accept()
            process.go_on()

        assert process is not None
        self.assertEqual([1, 2, 3, 1], self.calls)
        dead, after = process.deliveries()
        self.assertEqual(("dead", "done"), (dead.status, after.status))
        self.assertEqual("its worker died in attempt 3 (exit unknown)", dead.error)
        self.flushLoggedErrors(errors.DeliveryDied)

    def test_row_17(self) -> None:
        """One of several workers is killed: another one goes on with what it ran, in order."""
        killed = self.process(order_by=())
        killed.on(self.never_ends)
        killed.accept()
        other = Process(self.path, later(killed.clock, 1), order_by=())
        events: list[object] = []
        other.on(events.append)
        other.wait(other.dispatcher.accept_event("the next one"))
        other.go_on()
        self.assertEqual([], events)

        killed.kill()
        other.go_on(LEASE)

        self.assertEqual(["an event", "the next one"], events)

    def test_every_row(self) -> None:
        """There is a test for every row of the page's table, and no other."""
        table = PAGE.read_text("utf-8").partition("What a kill does")[2].partition("Shown by")[0]
        rows = re.findall(r"^   \* - (\d+)$", table, re.MULTILINE)

        tests = {name.split("_")[2] for name in dir(self) if name.startswith("test_row_")}

        self.assertEqual([str(number) for number in range(1, len(rows) + 1)], rows)
        self.assertEqual(set(rows), tests)
