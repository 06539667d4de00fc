"""Connections to PostgreSQL that are lost, processes that die, servers that stop."""

from __future__ import annotations

import contextlib
from collections import Counter
from functools import partial
from typing import Any

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.postgresql import new_server
from tests.test_store_postgresql import PostgreSQLScene
from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.errors import (
    StoreUnavailable,
)
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DONE, RETRYING, RUNNING, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    WORKER,
    Scene,
    keys,
    new_event,
    settlement,
)

PRODUCER = Worker("producer", frozenset())


class LostConnectionTests(PostgreSQLScene, TestCase):
    """Connections that are lost, at every point, where threads do the work."""

    def _made(self, store: Any) -> None:
        super()._made(store)
        self.by_threads(store)

    async def test_idle(self) -> None:
        """When all connections were lost meanwhile, nobody notices."""
        await gatherResults([self.store.counts() for _ in range(4)])
        await self.accept_one(new_event("1", "a"))
        self.assertLess(0, self.kill_connections())

        self.assertTrue((await self.accept_one(new_event("2", "a"))).acceptance.new)

    async def test_before_each_statement(self) -> None:
        """Whatever a connection is lost before, what was asked for is done, and once."""
        for number, point in enumerate(
            (
                "before begin",
                "before insert events",
                "after insert events",
                "before commit",
            )
        ):
            passed = self.at(point, self.kill_connections)
            accepted = await self.accept_one(new_event(str(number), "a"))

            self.assertEqual((True, 1), (accepted.acceptance.new, len(accepted.claims)))
            # Other connections of the pool were lost as well.
            self.assertLess(1, passed.count("before begin"), passed)
            self.assertEqual({"a": RUNNING}, await self.statuses(str(number)))

    async def test_settle(self) -> None:
        """What was settled when the connection was lost is settled once more."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        self.at("before commit", self.kill_connections)
        settled = await self.settle(claims["a"])

        self.assertEqual(["b"], [each.handler for each in settled.opened])

    async def test_commit_that_happened(self) -> None:
        """A commit that seems to have failed is looked up, and told as what it was."""
        passed = self.at("after commit", lose_connection)
        accepted = await self.accept_one(new_event("k", "a"))

        self.assertEqual((True, 1), (accepted.acceptance.new, len(accepted.claims)))
        self.assertEqual(1, passed.count("before begin"))
        self.at("after commit", lose_connection)
        self.assertTrue((await self.settle(accepted.claims[0])).held)

    async def test_commit_that_did_not_happen(self) -> None:
        """A commit that has failed is looked up, and what was asked for is done again."""
        passed = self.at("before commit", lose_connection)
        accepted = await self.accept_one(new_event("k", "a"))

        self.assertEqual((True, 1), (accepted.acceptance.new, len(accepted.claims)))
        self.assertEqual(2, passed.count("before begin"))

    async def test_claim_that_was_committed(self) -> None:
        """What was claimed by a commit that seems to have failed is told."""
        await self.accept(new_event("k", "a"), worker=PRODUCER)
        self.at("after commit", lose_connection)

        self.assertEqual(["k"], keys(await self.claim()))

    async def test_work_is_done_once(self) -> None:
        """A handler's work is not repeated when its connection is lost, and nothing is kept."""
        claims = await self.claims_of(new_event("k", "a"))
        done: list[int] = []

        def work(transaction: Any) -> None:
            done.append(1)
            self.kill_connections()
            transaction.execute("SELECT 1")

        error = await self.failure_of(
            self.store.transact(claims["a"], work, WORKER, NOW), StoreUnavailable
        )
        self.assertIsInstance(error.__cause__, psycopg.OperationalError)
        self.assertEqual([1], done)
        self.assertEqual({"a": RUNNING}, await self.statuses("k"))

    async def test_work_whose_commit_is_unknown(self) -> None:
        """When the commit of a work did happen, the work is told as done; else it has failed."""
        for point, kept in (("after commit", True), ("before commit", False)):
            claims = await self.claims_of(new_event(point, "a"))
            self.at(point, lose_connection)
            asked = self.store.transact(claims["a"], lambda _: 42, WORKER, NOW)
            if kept:
                self.assertEqual(42, (await asked)[0])
            else:
                await self.failure_of(asked, StoreUnavailable)
            self.assertEqual({"a": DONE if kept else RUNNING}, await self.statuses(point))

    async def test_collision(self) -> None:
        """When the server undoes a transaction for the sake of another one, it is done again."""

        def collide() -> None:
            raise psycopg.errors.DeadlockDetected

        passed = self.at("after insert events", collide)
        accepted = await self.accept_one(new_event("k", "a"))

        self.assertTrue(accepted.acceptance.new)
        self.assertEqual(2, passed.count("before begin"))

    async def test_away(self) -> None:
        """While the server is away requests fail in time, and succeed when it is back."""
        url = self.store._conninfo
        self.store._pool.conninfo = "host=127.0.0.1 port=1 connect_timeout=1"
        self.store._office._patience = 0.3
        self.kill_connections()
        accepting = self.store.accept([new_event("1", "a")], WORKER, NOW)
        await self.failure_of(accepting, StoreUnavailable)
        await self.failure_of(self.store.counts(), StoreUnavailable)
        self.store._pool.conninfo = url
        self.store._office._patience = 10

        self.assertTrue((await self.accept_one(new_event("1", "a"))).acceptance.new)


class CrashTests(PostgreSQLScene, TestCase):
    """A process that dies at each point, and the next one."""

    timeout = 300

    def setUp(self) -> Any:
        """Note the points that were passed."""
        self.points: set[str] = set()
        return super().setUp()

    async def test_everywhere(self) -> None:
        """Wherever a process dies, the next one finds all or nothing of what it did."""
        number = 0
        while await self.dies_at(number, self.in_threads):
            number += 1

        self.assertGreater(number, 20)

    async def test_everywhere_on_the_reactor(self) -> None:
        """That holds as well where the reactor has the connections."""
        number = 0
        while await self.dies_at(number, self.wired):
            number += 1

        self.assertGreater(number, 20)
        self.assertLess({"before sending settle", "after sending accept"}, self.points)

    async def in_threads(self, store: Any) -> None:
        """Have a store do everything in threads."""
        self.by_threads(store)

    async def dies_at(self, number: int, prepare: Any) -> bool:
        """Let a process die at a point, and the next one finish; tell whether there is one."""
        store = await self.second_store()
        await prepare(store)
        key = f"k{number}"
        passed: list[str] = []
        died: list[str] = []

        def on_point(name: str) -> None:
            if died or len(passed) == number:
                died.append(name)
                raise Death
            passed.append(name)
            self.points.add(name)

        store.on_point = on_point  # type: ignore[attr-defined]
        life = Deferred.fromCoroutine(live(store, key))
        life.addErrback(lambda _: None)
        await self.until(lambda: died or life.called)
        store.crash()  # type: ignore[attr-defined]
        await self.finish(key)
        return bool(died)

    async def finish(self, key: str) -> None:
        """Do what a process has left, and see that nothing is lost or doubled."""
        await self.store.release_dead(NOW + 1)
        accepted = await self.accept_one(new_event(key, "a b", "c"))
        self.assertLessEqual(len(accepted.claims), 2 * accepted.acceptance.new)
        claims = list(accepted.claims)
        while claims or (claims := await self.claim(now=NOW + 1)):
            claim = claims.pop()
            settled = await self.settle(claim, now=NOW + 1)
            self.assertTrue(settled.held)
            claims.extend(settled.opened)
        self.assertEqual({"a": DONE, "b": DONE, "c": DONE}, await self.statuses(key))
        self.assertEqual(0, (await self.store.counts())["open"])


class RestartTests(Scene, TestCase):
    """A server that stops as in a power cut, while events are accepted and settled."""

    timeout = 120

    def make_store(self) -> Any:
        """Open a store on a server of the test's own."""
        self.server = new_server()
        self.addCleanup(self.server.remove)
        return open_store(self.server.url)

    async def test_restarts(self) -> None:
        """Nobody notices, but for the time: what was told is true, and nothing is done twice."""
        self.accepted = 0
        self.is_over = False
        callers = [Deferred.fromCoroutine(self.call(f"{n}")) for n in range(20)]
        for _ in range(4):
            await self.some_more()
            await deferToThread(self.server.stop)
            await deferToThread(self.server.start)
        await self.some_more()
        self.is_over = True
        await gatherResults(callers)

        self.assertEqual(0, (await self.store.counts())["open"])
        done = await self.store.deliveries(status=DONE, limit=1_000_000)
        self.assertEqual(self.accepted, len(done))

    async def call(self, name: str) -> None:
        """Accept events and run them, one after another."""
        number = 0
        while not self.is_over:
            number += 1
            accepted = await self.accept_one(new_event(f"{name}/{number}", "a"))
            self.assertTrue(accepted.acceptance.new)
            self.accepted += 1
            settled = await self.settle(accepted.claims[0])
            self.assertEqual((accepted.acceptance.event_id,), settled.finished)

    async def some_more(self) -> None:
        """Wait until more was accepted."""
        enough = self.accepted + 200
        while self.accepted < enough:
            await deferLater(reactor, 0.005)


class RestartedDispatcherTests(PostgreSQLScene, TestCase):
    """A dispatcher whose server stops, and whose connections are killed, while events flow."""

    timeout = 180

    def make_store(self) -> Any:
        """Open a store on a server of the test's own."""
        self.server = new_server()
        self.addCleanup(self.server.remove)
        return open_store(f"{self.server.url}&application_name=the_store")

    async def test_goes_on(self) -> None:
        """Nothing is lost: each event is handled, by every handler, and the rest goes on too."""
        dispatcher = DurableDispatcher(self.store, ("kind",))
        self.handled: Counter[tuple[str, str]] = Counter()
        for phase in dispatcher.phases:
            handler = partial(self.handle, phase)
            dispatcher.on(phase, options=HandlerOptions(name=phase))(handler)
        dispatcher.start()
        self.addCleanup(dispatcher.stop)
        self.is_over = False
        self.fired: set[str] = set()
        callers = [Deferred.fromCoroutine(self.call(dispatcher, f"{n}")) for n in range(10)]
        for disturb in (self.kill, self.restart, self.kill, self.restart, self.kill):
            enough = len(self.fired) + 50
            await self.until(lambda enough=enough: len(self.fired) >= enough)
            await deferToThread(disturb)
        self.is_over = True
        await gatherResults(callers)

        self.assertEqual(
            {(key, phase) for key in self.fired for phase in dispatcher.phases}, {*self.handled}
        )
        while (await self.store.counts())["open"]:
            await deferLater(reactor, 0.05)
        self.flushLoggedErrors(StoreUnavailable)

    def handle(self, phase: str, key: str) -> None:
        """Note that an event was handled."""
        self.handled[key, phase] += 1

    async def call(self, dispatcher: DurableDispatcher, name: str) -> None:
        """Fire events, one after another, each until it is accepted."""
        number = 0
        while not self.is_over:
            number += 1
            key = f"{name}/{number}"
            result = None
            while result is None:
                with contextlib.suppress(StoreUnavailable):
                    result = await dispatcher.fire_event(key, key=key)
            self.fired.add(key)

    def restart(self) -> None:
        """Stop the server as in a power cut, and start it."""
        self.server.stop()
        self.server.start()

    def kill(self) -> None:
        """Kill all connections of the store."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'the_store'"
            )


class Death(BaseException):
    """A process dies."""


def lose_connection() -> None:
    """Raise what the driver raises when a connection is lost."""
    raise psycopg.OperationalError("the connection was lost")


async def live(store: IStore, key: str) -> None:
    """Live as a worker does: accept an event, and run it to its end."""
    await store.heartbeat(WORKER, NOW, NOW)
    (accepted,) = await store.accept([new_event(key, "a b", "c")], WORKER, NOW)
    first, second = accepted.claims
    await store.settle([settlement(first)], WORKER, NOW)
    _, settled = await store.transact(second, lambda _: None, WORKER, NOW)
    (claim,) = settled.opened
    await store.settle([settlement(claim, RETRYING, due=NOW)], WORKER, NOW)
    (claim,) = await store.claim(WORKER, NOW, 10)
    await store.settle([settlement(claim)], WORKER, NOW)
