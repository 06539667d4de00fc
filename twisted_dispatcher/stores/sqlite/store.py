"""`SQLiteStore`: the face that the store shows; what it does is in the modules beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import (
    Accepted,
    Claim,
    Delivery,
    NewDelivery,
    NewEvent,
    Orphan,
    Settled,
    Settlement,
    StoredEvent,
    Unplanned,
    Worker,
)
from twisted_dispatcher.stores.gathering import Gathering
from twisted_dispatcher.stores.sqlite import claiming, mending, reading, retention
from twisted_dispatcher.stores.sqlite.accepting import accept_all, accept_each, plan
from twisted_dispatcher.stores.sqlite.chains import SQLiteChains
from twisted_dispatcher.stores.sqlite.desk import Desk, each
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.listening import Listeners
from twisted_dispatcher.stores.sqlite.opening import (
    be_impatient,
    check_place,
    connect,
    connect_reader,
    prepare_tables,
    refuse_to_create,
)
from twisted_dispatcher.stores.sqlite.settling import settle_all, settle_each
from twisted_dispatcher.stores.sqlite.sweeps import SQLiteSweeps
from twisted_dispatcher.stores.sqlite.transacting import transact
from twisted_dispatcher.stores.sqlite.triggers import SQLiteTriggers
from twisted_dispatcher.stores.urls import sqlite_path

# For so many seconds a store that another connection has locked is tried again.
PATIENCE = 10.0


def open_sqlite(url: str, *, migrate: bool = True, reactor: Any = None) -> SQLiteStore:
    """Open the store that a SQLite URL names; see `open_store`."""
    path = sqlite_path(url)
    name = f"the store {path}" if path else "the store in memory"
    if path is not None:
        check_place(path, name)
        if not migrate:
            refuse_to_create(path, url)
    connection = connect(path, name)
    try:
        # In memory there is nothing that could be old.
        prepare_tables(connection, url, name, migrate=migrate or path is None)
        be_impatient(connection)
        return SQLiteStore(connection, path, name, reactor)
    except BaseException:
        connection.close()
        raise


_plan = each(plan)
_claim = each(claiming.claim)
_heartbeat = each(claiming.heartbeat)
_release_dead = each(claiming.release_dead)
_transact = each(transact)
_replay = each(mending.replay)
_skip = each(mending.skip)
_purge = each(retention.purge)

_delivery = each(reading.delivery)
_deliveries = each(reading.deliveries)
_deliveries_of = each(reading.deliveries_of)
_body_of = each(reading.body_of)
_events = each(reading.events)
_settled = each(reading.settled)
_counts = each(reading.counts)
_unplanned = each(reading.unplanned)
_next_due = each(reading.next_due)
_orphans = each(reading.orphans)


@implementer(IAnsweringStore)
class SQLiteStore:
    """
    Keeps events in a SQLite file, or in memory; `open_store` makes it.

    What is asked for in one turn of the reactor is written and committed at the end of the turn,
    in the reactor's thread: that blocks for one or two milliseconds for a hundred events, and for
    what the disk takes to make it durable. Queries are answered at the end of the turn as well.
    While another process has locked the file nothing blocks for more than some milliseconds at a
    time, and queries are answered; what is to be written is tried again for ten seconds, and fails
    with `StoreLocked` then.

    :ivar chains: the chains that are in it.
    :ivar triggers: keeps trigger sessions; see `ITriggerStore`.
    :ivar sweeps: keeps where sweeps stand; see `ISweepStore`.
    :ivar on_point: for tests: what is called at every crash point; see `stores.sqlite.ledger`.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: str | None, name: str, reactor: Any
    ) -> None:
        """:param connection: writes, and has our tables. The store closes it."""
        self._name = name
        self._ledger = Ledger(connection)
        self._reader = connection if path is None else connect_reader(path)
        self._walks = retention.Walks()
        self._desk = Desk(self._ledger, self._reader, name)
        self._writing = Gathering(self._desk.write, reactor, PATIENCE, self._closed, self._tell)
        self._reading = Gathering(self._desk.read, reactor, PATIENCE, self._closed, _nothing)
        self.chains = SQLiteChains(self._writing, self._reading)
        self.triggers = SQLiteTriggers(self._writing, self._reading)
        self.sweeps = SQLiteSweeps(self._writing, self._reading)
        self._listeners = Listeners(self._writing, connection, path is not None)

    def __repr__(self) -> str:
        return f"<SQLiteStore: {self._name}>"

    @property
    def on_point(self) -> Callable[[str], object] | None:
        return self._ledger.on_point

    @on_point.setter
    def on_point(self, on_point: Callable[[str], object] | None) -> None:
        self._ledger.on_point = on_point

    # Events and their deliveries

    def accept(
        self, events: Sequence[NewEvent], worker: Worker, now: float
    ) -> Deferred[list[Accepted]]:
        return self._writing.ask(accept_all, (events, worker, now))

    def unplanned(self, worker: Worker, now: float, limit: int) -> Deferred[list[Unplanned]]:
        return self._reading.ask(_unplanned, (worker, now, limit))

    def plan(
        self, event_id: int, deliveries: Sequence[NewDelivery], worker: Worker, now: float
    ) -> Deferred[Accepted | None]:
        return self._writing.ask(_plan, (event_id, deliveries, worker, now))

    def settle(
        self, settlements: Sequence[Settlement], worker: Worker, now: float
    ) -> Deferred[list[Settled]]:
        return self._writing.ask(settle_all, (settlements, worker, now))

    def claim(self, worker: Worker, now: float, limit: int) -> Deferred[list[Claim]]:
        return self._writing.ask(_claim, (worker, now, limit))

    def transact(
        self, claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Settled]]:
        return self._writing.ask(_transact, (claim, work, worker, now))

    # The same for one event, without a Deferred

    def accept_one(
        self,
        event: NewEvent,
        worker: Worker,
        now: float,
        answer: Callable[[Accepted | Failure], object],
    ) -> None:
        self._writing.ask_for(answer, accept_each, (event, worker, now))

    def settle_one(
        self,
        settlement: Settlement,
        worker: Worker,
        now: float,
        answer: Callable[[Settled | Failure], object],
    ) -> None:
        self._writing.ask_for(answer, settle_each, (settlement, worker, now))

    # Workers

    def heartbeat(self, worker: Worker, until: float, now: float) -> Deferred[bool]:
        return self._writing.ask(_heartbeat, (worker, until, now))

    def release_dead(self, now: float) -> Deferred[int]:
        return self._writing.ask(_release_dead, (now,))

    def next_due(self, worker: Worker, now: float) -> Deferred[float | None]:
        return self._reading.ask(_next_due, (worker, now))

    def orphans(self, before: float, now: float, limit: int = 100) -> Deferred[list[Orphan]]:
        return self._reading.ask(_orphans, (before, now, limit))

    # What people ask

    def delivery(self, delivery_id: int) -> Deferred[Delivery]:
        return self._reading.ask(_delivery, (delivery_id,))

    def deliveries(
        self,
        status: str | None = None,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
    ) -> Deferred[list[Delivery]]:
        return self._reading.ask(_deliveries, (status, key, handler, limit))

    def deliveries_of(self, event_id: int) -> Deferred[list[Delivery]]:
        return self._reading.ask(_deliveries_of, (event_id,))

    def body_of(self, delivery_id: int) -> Deferred[str]:
        return self._reading.ask(_body_of, (delivery_id,))

    def events(
        self,
        ids: Collection[int] | None = None,
        keys: Collection[str] | None = None,
        open: bool | None = None,
        limit: int = 100,
    ) -> Deferred[list[StoredEvent]]:
        return self._reading.ask(_events, (ids, keys, open, limit))

    def settled(self, event_ids: Collection[int]) -> Deferred[frozenset[int]]:
        return self._reading.ask(_settled, (event_ids,))

    def counts(self) -> Deferred[Mapping[str, int]]:
        return self._reading.ask(_counts, ())

    def replay(self, delivery_id: int, body: str | None, now: float) -> Deferred[None]:
        return self._writing.ask(_replay, (delivery_id, body, now))

    def skip(self, delivery_id: int, now: float) -> Deferred[None]:
        return self._writing.ask(_skip, (delivery_id, now))

    def purge(
        self, payloads_before: float | None, keys_before: float | None, limit: int
    ) -> Deferred[int]:
        return self._writing.ask(_purge, (self._walks, payloads_before, keys_before, limit))

    def listen(self, callback: Callable[[str], object]) -> Callable[[], None]:
        return self._listeners.add(callback)

    # Its end

    def close(self) -> Deferred[None]:
        if not self._writing.closed:
            self._listeners.clear()
            self._writing.close()
            self._reading.close()
            self._disconnect()
        return succeed(None)

    def crash(self) -> None:
        """For tests: end as if the process had been killed; nobody is answered."""
        self._listeners.clear()
        self._writing.abandon()
        self._reading.abandon()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._reader is not self._ledger.connection:
            self._reader.close()
        self._ledger.connection.close()

    def _closed(self) -> StoreClosed:
        return StoreClosed(self._name)

    def _tell(self) -> None:
        if self._desk.news:
            news, self._desk.news = self._desk.news, set()
            self._listeners.tell(news)


def _nothing() -> None:
    """Nobody is told that something was read."""
