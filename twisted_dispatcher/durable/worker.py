"""
A worker: lives by its lease, claims deliveries that are due, and has them run.

A worker holds what it runs by a lease: its row in the store says until when it is alive, and it
renews that as long as it lives. When it does not, others give its deliveries back. Whatever it
writes carries the number of the attempt, so that a worker that comes back late writes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.journeys import Journeys
from twisted_dispatcher.durable.orphans import Orphans
from twisted_dispatcher.durable.retention import Retention
from twisted_dispatcher.durable.roster import Roster
from twisted_dispatcher.durable.running import DeliveryRunner, Report
from twisted_dispatcher.durable.transactions import AcceptIn
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import Orphan, Worker

# So many deliveries are run at once; the others wait in the store.
MOST_RUNNING = 1000
# At least so often, in seconds, it looks for what it was not told of.
SLOWEST_POLL = 1.0
# News of others that come within so many seconds after a look are looked into together.
GATHER = 0.01
# What is due but cannot be had is looked for after this time, and then less and less often.
SHORTEST_POLL = 0.01

# What is done each time that the lease is renewed; it is given the time.
Chore = Callable[[float], Awaitable[None]]

_log = Logger()


class DeliveryWorker:
    """
    Claims deliveries and has them run, until it is stopped.

    :ivar run: runs deliveries that the store has given to this worker.
    :ivar chores: what it does, one after the other, each time that it renews its lease.
    """

    def __init__(
        self,
        store: IAnsweringStore,
        journeys: Journeys,
        codec: Codec,
        clock: Callable[[], IReactorTime],
        *,
        lease: float,
        bury_after: float | None,
        retention: Retention,
        stops: frozenset[str],
        engine: Engine,
        report: Report,
        accept_in: AcceptIn,
        on_unplanned: Callable[[], Awaitable[bool]],
        roster: Roster,
    ) -> None:
        """
        :param lease: seconds for which it is believed to be alive, without another sign.
        :param bury_after: deliveries to handlers that nobody knows are dead after so many seconds.
        :param retention: what is forgotten, and when.
        :param on_unplanned: plans events that nobody has planned; tells whether there are more.
        :param roster: the handlers that can be run here.
        """
        self._store = store
        self._journeys = journeys
        self._clock = clock
        self._lease = lease
        self._on_unplanned = on_unplanned
        worker_id = uuid.uuid4().hex
        self._runner = DeliveryRunner(
            worker_id,
            roster,
            store,
            journeys,
            codec,
            clock,
            stops=stops,
            engine=engine,
            report=report,
            accept_in=accept_in,
            on_due=self._look_at,
            on_ended=self._ended,
        )
        self.run = self._runner.run
        self._orphans = Orphans(store, worker_id, bury_after, stops)
        self.chores: list[Chore] = [retention.keep_to_it]
        self._looking = self._look_again = self._full = self._stopped = self._alive = False
        self._has_news = False
        self._looked = 0.0
        self._pause = SHORTEST_POLL
        self._due: IDelayedCall | None = None
        self._beat: IDelayedCall | None = None
        self._drained: Deferred[None] | None = None
        self._stop_listening: Callable[[], None] = lambda: None

    @property
    def who(self) -> Worker:
        """How the store knows it."""
        return self._runner.who

    @property
    def acceptor(self) -> Worker:
        """The same, with the handlers for which it takes deliveries at once."""
        who = self._runner.who
        return who if self._runner.accepting else Worker(who.id, frozenset())

    @property
    def missing(self) -> list[Orphan]:
        """The handlers that deliveries wait for and nobody has, as they were a moment ago."""
        return self._orphans.missing

    def handlers_changed(self) -> None:
        """Take note that other handlers are registered. Any thread may call it at any moment."""
        self._runner.handlers_changed()

    # Living

    async def start(self) -> None:
        """Sign on, give back what the dead have left, and begin to claim."""
        self._stopped = False
        self._alive = True
        await self._sign_on()
        if self._stopped:
            return
        self._runner.open()
        self._stop_listening = self._store.listen(self._told)
        self.look()

    async def stop(self, limit: float) -> None:
        """
        Claim nothing more, and wait for what runs.

        :param limit: after so many seconds what still runs is cancelled and given back.
        """
        self._runner.accepting = False
        self._stopped = True
        self._stop_listening()
        _cancel(self._due)
        if len(self._runner):
            drained = self._drained = Deferred()
            self._runner.is_watched = True
            parking = self._clock().callLater(limit, self._runner.park)
            await drained
            _cancel(parking)
        self._alive = False
        _cancel(self._beat)

    async def _sign_on(self) -> None:
        now = self._clock().seconds()
        known = await self._store.heartbeat(self.who, now + self._lease, now)
        if not known and len(self._runner):
            _log.warn(
                "Worker {worker} was taken for dead: what it runs may be run by others as well",
                worker=self.who.id,
            )
        if await self._store.release_dead(now):
            self.look()
        await self._orphans.look(now)
        for chore in self.chores:
            await chore(now)
        if self._alive:
            self._beat = self._clock().callLater(self._lease / 4, self._beat_again)

    def _beat_again(self) -> None:
        Deferred.fromCoroutine(self._sign_on()).addErrback(self._no_beat)

    def _no_beat(self, failure: Failure) -> None:
        if not self._alive:
            return
        _log.failure("Worker {worker} could not renew its lease", failure, worker=self.who.id)
        self._beat = self._clock().callLater(min(1.0, self._lease / 4), self._beat_again)

    # Claiming

    def _told(self, news: str) -> None:
        if news == "work":
            self.look_soon()
        elif news == "settled":
            self._journeys.ask_soon()

    def look_soon(self) -> None:
        """
        Look for what others have just stored: now, or in a moment where one look has just ended.

        So a single event is run at once, and where many are stored one after another each look
        finds some of them, which costs little more than to find one.
        """
        if self._looking:
            self._has_news = True
            return
        now = self._clock().seconds()
        if now - self._looked >= GATHER:
            self.look()
        else:
            self._look_at(self._looked + GATHER)

    def look(self) -> None:
        """Look for something to do, now and until there is nothing left."""
        if not self._runner.accepting:
            return
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        Deferred.fromCoroutine(self._look()).addErrback(self._look_failed)

    async def is_idle(self, until: float) -> bool:
        """Tell whether nothing runs here, and nothing that can is due before a time."""
        if len(self._runner) or self._looking:
            return False
        due = await self._store.next_due(self.who, self._clock().seconds())
        return not len(self._runner) and (due is None or due > until)

    async def _look(self) -> None:
        more = True
        while more and self._runner.accepting:
            self._look_again = self._has_news = False
            truce = self._runner.truce()
            if truce:
                self._looking = False
                self._look_later(truce)
                return
            room = MOST_RUNNING - len(self._runner)
            if room <= 0:
                # Whoever ends makes room, and looks again.
                self._full = self._runner.is_watched = True
                break
            claims = await self._store.claim(self.who, self._clock().seconds(), room)
            self.run(claims)
            if claims:
                self._pause = SHORTEST_POLL
            unplanned = await self._on_unplanned()
            more = len(claims) == room or unplanned or self._look_again
        if self._full or not self._has_news:
            await self._look_when_due()
        self._looking = False
        self._looked = self._clock().seconds()
        if self._has_news and not self._full:
            self._look_later(GATHER)

    async def _look_when_due(self) -> None:
        now = self._clock().seconds()
        due = await self._store.next_due(self.who, now)
        if due is None or self._full:
            self._look_later(SLOWEST_POLL)
        elif due > now:
            self._look_later(due - now)
        else:
            self._look_later(self._pause)
            self._pause = min(2 * self._pause, SLOWEST_POLL)

    def _look_at(self, due: float) -> None:
        """See that somebody looks when a delivery is due again."""
        planned = self._due
        is_early = planned is not None and planned.active() and planned.getTime() <= due
        if not self._looking and not is_early:
            self._look_later(due - self._clock().seconds())

    def _look_later(self, delay: float) -> None:
        _cancel(self._due)
        if self._runner.accepting:
            self._due = self._clock().callLater(min(max(delay, 0.0), SLOWEST_POLL), self.look)

    def _look_failed(self, failure: Failure) -> None:
        self._looking = False
        if self._stopped:
            return
        _log.failure("Worker {worker} could not look for work", failure, worker=self.who.id)
        self._look_later(SLOWEST_POLL)

    def _ended(self) -> None:
        running = len(self._runner)
        if self._full and running <= MOST_RUNNING // 2:
            self._full = False
            self._runner.is_watched = self._drained is not None
            self.look()
        if not running and self._drained is not None:
            drained, self._drained = self._drained, None
            self._runner.is_watched = self._full
            drained.callback(None)


def _cancel(timer: Any) -> None:
    if timer is not None and timer.active():
        timer.cancel()
