"""`PostgreSQLStore`: the face that the store shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool
from twisted.internet.defer import Deferred
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
from twisted_dispatcher.stores.postgresql import chains, claiming, mending, reading, retention
from twisted_dispatcher.stores.postgresql.accepting import accept_all, accept_each
from twisted_dispatcher.stores.postgresql.accepting_one import AcceptMessage
from twisted_dispatcher.stores.postgresql.complaints import complain
from twisted_dispatcher.stores.postgresql.connections import (
    StoreConnection,
    connect,
    conninfo_of,
    make_pool,
    name_of,
    without_password,
)
from twisted_dispatcher.stores.postgresql.crew import Crew
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.listening import Listeners, channel_of
from twisted_dispatcher.stores.postgresql.office import THREADS, Desk, Office
from twisted_dispatcher.stores.postgresql.opening import prepare_tables
from twisted_dispatcher.stores.postgresql.planning import plan_each
from twisted_dispatcher.stores.postgresql.settling import settle_all, settle_each
from twisted_dispatcher.stores.postgresql.settling_one import SettleMessage
from twisted_dispatcher.stores.postgresql.single import reads, writing
from twisted_dispatcher.stores.postgresql.sweeps import PostgreSQLSweeps
from twisted_dispatcher.stores.postgresql.transacting import transact
from twisted_dispatcher.stores.postgresql.triggers import PostgreSQLTriggers

# For so many seconds a server that is away is waited for.
PATIENCE: Final = 10.0


def open_postgresql(url: str, *, migrate: bool = True, reactor: Any = None) -> PostgreSQLStore:
    """Open the store that a PostgreSQL URL names; see `open_store`."""
    conninfo = conninfo_of(url)
    name = name_of(conninfo)
    with connect(conninfo, name) as connection:
        prepare_tables(connection, without_password(url), name, migrate=migrate)
        channel = channel_of(connection)
    return PostgreSQLStore(conninfo, name, channel, reactor)


def _listed(outcome: Any) -> list[Any]:
    return [outcome]


def _only(outcomes: list[Any]) -> Any:
    (outcome,) = outcomes
    return outcome


def _notify(ledger: Ledger, channel: str, message: str) -> None:
    # Nobody waits for the disk: news may be missing.
    sql = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"
    ledger.read(sql, (channel, message))


# Most events are accepted and settled here: by one statement each group, without a thread.
_ACCEPT_ONE: Final = Desk(accept_each, at_once=2, message=AcceptMessage)
_SETTLE_ONE: Final = Desk(settle_each, at_once=2, message=SettleMessage)
_MESSAGES: Final = {
    each.name: each.sql for each in (AcceptMessage, SettleMessage, *chains.MESSAGES)
}

_ACCEPT: Final = Desk(accept_all, at_once=2)
# The events of a lane are accepted in the order in which they were given.
_ACCEPT_IN_ORDER: Final = Desk(accept_all)
_SETTLE: Final = Desk(settle_all, at_once=2)
_PLAN: Final = Desk(plan_each)
_CLAIM: Final = writing(claiming.claim, marked=False)
# A handler's work can take its time: it leaves a thread to the others.
_TRANSACT: Final = writing(transact, at_once=THREADS - 1, once=True, largest=1)
_HEARTBEAT: Final = writing(claiming.heartbeat)
_RELEASE_DEAD: Final = writing(claiming.release_dead, marked=False)
_REPLAY: Final = writing(mending.replay)
_SKIP: Final = writing(mending.skip)
_PURGE: Final = writing(retention.purge, marked=False)

_DELIVERY: Final = reads(reading.delivery)
_DELIVERIES: Final = reads(reading.deliveries)
_DELIVERIES_OF: Final = reads(reading.deliveries_of)
_BODY_OF: Final = reads(reading.body_of)
_EVENTS: Final = reads(reading.events)
_SETTLED: Final = reads(reading.settled)
_COUNTS: Final = reads(reading.counts)
_UNPLANNED: Final = reads(reading.unplanned)
_NEXT_DUE: Final = reads(reading.next_due)
_ORPHANS: Final = reads(reading.orphans)
_NOTIFY: Final = reads(_notify)


@implementer(IAnsweringStore)
class PostgreSQLStore:
    """
    Keeps events in a PostgreSQL database; `open_store` makes it.

    What is asked for in one turn of the reactor is done together, in one transaction for each kind
    of thing: as one statement that the reactor sends, or by a few threads. When the connection is
    lost, it is done again on another one, for ten seconds; then it fails with `StoreUnavailable`,
    and with `StoreLocked` where it has waited as long for somebody else's transaction. A commit
    that may have happened is not told of before the server has said whether it did. The store
    goes on by itself when the server is back.

    :ivar chains: the chains that are in it.
    :ivar triggers: keeps trigger sessions; see `ITriggerStore`.
    :ivar sweeps: keeps where sweeps stand; see `ISweepStore`.
    :ivar on_point: for tests: what is called at every crash point; see `stores.postgresql.ledger`
        and `stores.postgresql.post`.
    """

    def __init__(self, conninfo: str, name: str, channel: str, reactor: Any = None) -> None:
        """:param conninfo: what the driver connects by, to a database with our tables."""
        self._name = name
        self._conninfo = conninfo
        self._channel = channel
        self._pool: ConnectionPool[StoreConnection] = make_pool(conninfo, THREADS)
        self._office = Office(self._pool, name, PATIENCE)
        self._crew = Crew(
            *(self._office, THREADS, self._connect_prepared, reactor),
            *(lambda: StoreClosed(self._name), self._tell),
        )
        self._listeners = Listeners(self._crew, self._connect, self._notify)
        self.chains = chains.PostgreSQLChains(self._crew)
        self.triggers = PostgreSQLTriggers(self._crew)
        self.sweeps = PostgreSQLSweeps(self._crew)
        self._walks = retention.Walks()
        self._closing: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<PostgreSQLStore: {self._name}>"

    @property
    def on_point(self) -> Callable[[str], object] | None:
        return self._office.on_point

    @on_point.setter
    def on_point(self, on_point: Callable[[str], object] | None) -> None:
        self._office.on_point = on_point

    # Events and their deliveries

    def accept(
        self, events: Sequence[NewEvent], worker: Worker, now: float
    ) -> Deferred[list[Accepted]]:
        if len(events) == 1 and AcceptMessage.suits(events[0]):
            return self._crew.ask(_ACCEPT_ONE, (events[0], worker, now)).addCallback(_listed)
        is_ordered = any(event.lane is not None for event in events)
        return self._crew.ask(_ACCEPT_IN_ORDER if is_ordered else _ACCEPT, (events, worker, now))

    def unplanned(self, worker: Worker, now: float, limit: int) -> Deferred[list[Unplanned]]:
        return self._crew.ask(_UNPLANNED, (worker, now, limit))

    def plan(
        self, event_id: int, deliveries: Sequence[NewDelivery], worker: Worker, now: float
    ) -> Deferred[Accepted | None]:
        return self._crew.ask(_PLAN, (event_id, deliveries, worker, now))

    def settle(
        self, settlements: Sequence[Settlement], worker: Worker, now: float
    ) -> Deferred[list[Settled]]:
        if len(settlements) == 1 and SettleMessage.suits(settlements[0]):
            asked = self._crew.ask(_SETTLE_ONE, (settlements[0], worker, now))
            return asked.addCallback(_listed)
        return self._crew.ask(_SETTLE, (settlements, worker, now))

    def claim(self, worker: Worker, now: float, limit: int) -> Deferred[list[Claim]]:
        return self._crew.ask(_CLAIM, (worker, now, limit))

    def transact(
        self, claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Settled]]:
        return self._crew.ask(_TRANSACT, (claim, work, worker, now))

    # The same for one event, without a Deferred

    def accept_one(
        self,
        event: NewEvent,
        worker: Worker,
        now: float,
        answer: Callable[[Accepted | Failure], object],
    ) -> None:
        if AcceptMessage.suits(event):
            self._crew.ask_for(answer, _ACCEPT_ONE, (event, worker, now))
        else:
            self.accept((event,), worker, now).addCallback(_only).addBoth(answer)

    def settle_one(
        self,
        settlement: Settlement,
        worker: Worker,
        now: float,
        answer: Callable[[Settled | Failure], object],
    ) -> None:
        if SettleMessage.suits(settlement):
            self._crew.ask_for(answer, _SETTLE_ONE, (settlement, worker, now))
        else:
            self.settle((settlement,), worker, now).addCallback(_only).addBoth(answer)

    # Workers

    def heartbeat(self, worker: Worker, until: float, now: float) -> Deferred[bool]:
        return self._crew.ask(_HEARTBEAT, (worker, until, now))

    def release_dead(self, now: float) -> Deferred[int]:
        return self._crew.ask(_RELEASE_DEAD, (now,))

    def next_due(self, worker: Worker, now: float) -> Deferred[float | None]:
        return self._crew.ask(_NEXT_DUE, (worker, now))

    def orphans(self, before: float, now: float, limit: int = 100) -> Deferred[list[Orphan]]:
        return self._crew.ask(_ORPHANS, (before, now, limit))

    # What people ask

    def delivery(self, delivery_id: int) -> Deferred[Delivery]:
        return self._crew.ask(_DELIVERY, (delivery_id,))

    def deliveries(
        self,
        status: str | None = None,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
    ) -> Deferred[list[Delivery]]:
        return self._crew.ask(_DELIVERIES, (status, key, handler, limit))

    def deliveries_of(self, event_id: int) -> Deferred[list[Delivery]]:
        return self._crew.ask(_DELIVERIES_OF, (event_id,))

    def body_of(self, delivery_id: int) -> Deferred[str]:
        return self._crew.ask(_BODY_OF, (delivery_id,))

    def events(
        self,
        ids: Collection[int] | None = None,
        keys: Collection[str] | None = None,
        open: bool | None = None,
        limit: int = 100,
    ) -> Deferred[list[StoredEvent]]:
        return self._crew.ask(_EVENTS, (ids, keys, open, limit))

    def settled(self, event_ids: Collection[int]) -> Deferred[frozenset[int]]:
        return self._crew.ask(_SETTLED, (event_ids,))

    def counts(self) -> Deferred[Mapping[str, int]]:
        return self._crew.ask(_COUNTS, ())

    def replay(self, delivery_id: int, body: str | None, now: float) -> Deferred[None]:
        return self._crew.ask(_REPLAY, (delivery_id, body, now))

    def skip(self, delivery_id: int, now: float) -> Deferred[None]:
        return self._crew.ask(_SKIP, (delivery_id, now))

    def purge(
        self, payloads_before: float | None, keys_before: float | None, limit: int
    ) -> Deferred[int]:
        return self._crew.ask(_PURGE, (self._walks, payloads_before, keys_before, limit))

    # News

    def listen(self, callback: Callable[[str], object]) -> Callable[[], None]:
        return self._listeners.add(callback)

    def _connect(self) -> StoreConnection:
        return connect(self._conninfo, self._name)

    def _connect_prepared(self) -> StoreConnection:
        connection = self._connect()
        try:
            connection.prepare(_MESSAGES)
        except psycopg.Error as error:
            connection.close()
            complain(error, self._name)
        return connection

    def _tell(self, news: frozenset[str]) -> None:
        self._listeners.tell(news)

    def _notify(self, message: str) -> None:
        if not self._crew.closed:
            # It is news, and may be missing.
            self._crew.ask(_NOTIFY, (self._channel, message)).addErrback(lambda _: None)

    # Its end

    def close(self) -> Deferred[None]:
        if self._closing is None:
            self._closing = Deferred()
            self._listeners.clear()
            self._crew.close().addCallback(self._disconnect)
        answer: Deferred[None] = Deferred()
        self._closing.chainDeferred(answer)
        return answer

    def crash(self) -> None:
        """For tests: end as if the process had been killed; nobody is answered."""
        self._listeners.clear()
        self._crew.abandon()
        self._office.close()

    def _disconnect(self, _: None) -> None:
        self._office.close()
        self._crew.dismiss()
        assert self._closing is not None
        self._closing.callback(None)
