"""Processes that die between any two effects, while they execute a chain."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.killing.daemon import ClockAhead
from tests.killing.orders import Call, Orders, complaints, create_effect
from tests.postgresql import PostgreSQL
from tests.test_store_postgresql import wired
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import DONE
from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.testing import pump
from twisted_dispatcher.testing.durable import later
from twisted_dispatcher.testing.stores.crashes import CrashPoint, ProcessDied

ORDER = "17"


class SQLiteCrashTests(SynchronousTestCase):
    """A process on a SQLite file."""

    def setUp(self) -> None:
        """Nothing was called yet."""
        self.calls: list[Call] = []

    def open(self, clock: Clock) -> Any:
        """Open the file, without waiting for the disk: the machine does not die."""
        store: Any = open_store(f"sqlite:///{self.path}", reactor=clock)
        connection = store._ledger.connection
        connection.execute("PRAGMA synchronous = OFF")
        create_effect(connection.execute)
        self.query = lambda sql: connection.execute(sql).fetchall()
        return store

    def start(self, store: Any, clock: Clock) -> Orders:
        """Start the daemon."""
        dispatcher = DurableDispatcher(store, clock=clock)
        orders = Orders(dispatcher, self.calls.append, clock)
        dispatcher.start()
        pump(clock, dispatcher.when_ready(), 1.0)
        return orders

    def live(self, store: Any, clock: Clock) -> None:
        """Place an order and execute it as a caller does."""
        orders = self.start(store, clock)
        chain = pump(clock, Deferred.fromCoroutine(orders.place(ORDER)), 1.0)
        pump(clock, orders.chains.run_chain(chain, callback=orders.callback), 1.0)
        clock.advance(0)

    def follow(self, clock: Clock) -> None:
        """Let the next daemon go on, whose schedule does what there is to do."""
        store = self.open(clock)
        orders = self.start(store, clock)
        chain = pump(clock, Deferred.fromCoroutine(orders.place(ORDER)), 1.0)
        orders.chains.start(orders.callback)
        for _ in range(20):
            clock.advance(0.5)
        self.assertEqual(DONE, pump(clock, orders.chains.get_chain(chain.id), 1.0).state)
        self.assertEqual(0, pump(clock, store.counts(), 1.0)["open"])

    def test_every_point(self) -> None:
        """Nothing is lost or doubled, wherever the process dies."""
        deaths = []
        for nth in itertools.count(1):
            self.path = f"{self.mktemp()}.db"
            del self.calls[:]
            clock = Clock()
            clock.advance(1e9)
            store = self.open(clock)
            store.on_point = CrashPoint(nth)
            try:
                self.live(store, clock)
                death = None
            except ProcessDied as died:
                death = str(died)
            store.crash()
            self.follow(later(clock))

            self.assertEqual([], list(complaints([ORDER], self.calls, self.query)), death)
            if death is None:
                break
            deaths.append(death)

        self.assertGreater(len(deaths), 60)
        for name in ("insert chain", "lock chain", "move chain", "insert history", "use signal"):
            self.assertIn(f"before {name}", deaths)
            self.assertIn(f"after {name}", deaths)


class OfChains:
    """
    A crash point among those of transactions that write chains.

    These come one after another, whatever other threads do meanwhile.
    """

    STEPS = frozenset(
        {"insert chains", "poke chain", "insert signal", "lock chains", "move chains"}
    )
    # What is sent on the reactor, each a transaction of its own.
    SENT = frozenset(
        f"{place} sending {step}"
        for place in ("before", "after")
        for step in ("find", "lock", "move")
    )

    def __init__(self, reached: CrashPoint, died: list[str]) -> None:
        """:param died: gets the name of the point."""
        self._reached = reached
        self._died = died
        self._thread = threading.local()

    def __call__(self, name: str) -> None:
        """Be told of a crash point, in the thread of the transaction."""
        if self._died:
            raise ProcessDied(self._died[0])
        if name in self.SENT:
            self._reach(name)
            return
        place, _, step = name.partition(" ")
        if step in self.STEPS:
            self._thread.is_of_chains = True
        if not getattr(self._thread, "is_of_chains", False):
            return
        if step == "begin":
            self._thread.is_of_chains = False
        if name == "after commit":
            self._thread.is_of_chains = False
        elif place == "after" or step == "begin":
            # Nothing of a transaction is there before it commits: after a step is before the next.
            return
        self._reach(name)

    def _reach(self, name: str) -> None:
        try:
            self._reached(name)
        except ProcessDied:
            self._died.append(name)
            raise


class PostgreSQLCrashTests(PostgreSQL, TestCase):
    """A process on a PostgreSQL database."""

    timeout = 900

    def setUp(self) -> None:
        """Make the schema."""
        self.make_schema()
        self.calls: list[Call] = []

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        return self.sql.execute(sql.encode()).fetchall()

    async def until(self, condition: Any) -> None:
        """Wait for what threads bring about; trial's time limit ends it."""
        while not condition():
            await deferLater(reactor, 0.002)

    async def start(self, store: Any, ahead: float) -> Orders:
        """Start the daemon, whose clock is some seconds ahead."""
        clock: Any = ClockAhead(reactor, ahead)
        self.clock = clock
        self.dispatcher = DurableDispatcher(store, clock=clock)
        orders = Orders(self.dispatcher, self.calls.append, clock)
        self.dispatcher.start()
        await self.dispatcher.when_ready()
        return orders

    async def live(self, store: Any, order: str, ahead: float) -> None:
        """Place an order and execute it as a caller does."""
        orders = await self.start(store, ahead)
        chain = await orders.place(order)
        await orders.chains.run_chain(chain, callback=orders.callback)
        while (await store.counts())["open"]:
            await deferLater(reactor, 0.002)

    async def die(self, prepare: Any, nth: int, order: str, ahead: float) -> str | None:
        """Live until a crash point is reached; give its name."""
        died: list[str] = []
        store: Any = open_store(self.url)
        await prepare(store)
        store.on_point = OfChains(CrashPoint(nth), died)
        life = Deferred.fromCoroutine(self.live(store, order, ahead))
        life.addErrback(lambda _: None)
        await self.until(lambda: died or life.called)
        store.crash()
        self.silence(self.dispatcher)
        return died[0] if died else None

    def silence(self, dispatcher: DurableDispatcher) -> None:
        """Let the timers of a dead process do nothing, and those that it is yet to set."""
        self.clock.is_dead = True
        for call in reactor.getDelayedCalls():
            owner = getattr(getattr(call, "func", None), "__self__", None)
            if type(owner).__module__.startswith("twisted_dispatcher."):
                call.cancel()

    async def follow(self, placed: list[str], ahead: float) -> None:
        """Let the next daemon go on, whose schedule does what there is to do."""
        store: Any = open_store(self.url)
        orders = await self.start(store, ahead)
        for order in placed:
            await orders.place(order)
        orders.chains.start(orders.callback)
        while await orders.chains.counts() != {DONE: len(placed)}:
            await deferLater(reactor, 0.005)
        while (await store.counts())["open"]:
            await deferLater(reactor, 0.005)
        await orders.chains.stop()
        await self.dispatcher.stop()
        await store.close()

    async def in_threads(self, store: Any) -> None:
        """Have a store do everything in threads."""
        store._crew.wires.close()

    async def deaths(self, prepare: Any) -> list[str]:
        """Let processes die at every point, and the next one go on; give the points."""
        create_effect(self.sql.execute)
        orders, deaths = [], []
        for nth in itertools.count(1):
            orders.append(f"order {nth}")
            death = await self.die(prepare, nth, orders[-1], nth * 65.0)
            if death is None:
                break
            deaths.append(death)
        await self.follow(orders, (len(orders) + 1) * 65.0)
        # What had been answered before a death may have had the dead ask for more.
        self.flushLoggedErrors(StoreClosed)
        self.assertEqual([], list(complaints(orders, self.calls, self.query)), deaths)
        return deaths

    async def test_every_point(self) -> None:
        """Nothing is lost or doubled, wherever the process dies."""
        deaths = await self.deaths(self.in_threads)

        self.assertGreater(len(deaths), 15)
        for name in ("insert chains", "lock chains", "move chains", "insert events", "commit"):
            self.assertIn(f"before {name}", deaths)
        self.assertIn("after commit", deaths)

    async def test_every_point_on_the_reactor(self) -> None:
        """That holds as well where the reactor has the connections."""
        deaths = await self.deaths(wired)

        self.assertLess(OfChains.SENT, set(deaths))
