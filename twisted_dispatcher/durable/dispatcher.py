"""
`DurableDispatcher`: the dispatcher that does not forget.

It plans and accepts events; the store (`IStore`) keeps them, and the worker (`worker`) runs what
is due. Its handlers are registered, matched and explained as those of `EventDispatcher` are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.amounts import check
from twisted_dispatcher.durable.answering import answering
from twisted_dispatcher.durable.arguments import RULES, check_store
from twisted_dispatcher.durable.backstage import Backstage
from twisted_dispatcher.durable.codec import Codec, default_codec
from twisted_dispatcher.durable.departures import Departures
from twisted_dispatcher.durable.journeys import Journeys
from twisted_dispatcher.durable.keys import KeyMaker, due_at
from twisted_dispatcher.durable.planning import Plan, Planner
from twisted_dispatcher.durable.retention import Retention
from twisted_dispatcher.durable.roster import Roster
from twisted_dispatcher.durable.terms import DurableTerms
from twisted_dispatcher.durable.worker import DeliveryWorker
from twisted_dispatcher.errors import (
    InvalidReplay,
    NotRunning,
    StoreClosed,
)
from twisted_dispatcher.events import Event
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.interfaces import (
    IBackgroundUtility,
    IEventDispatcher,
    IObserver,
    IRunner,
    IStore,
)
from twisted_dispatcher.observers.log import event_label, report_retry
from twisted_dispatcher.records import (
    Acceptance,
    Claim,
    Delivery,
    Unplanned,
    check_status,
)
from twisted_dispatcher.registrar import Terms
from twisted_dispatcher.registration.explaining import Verdict, verdict_on_missing
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.registration.keywords import RESERVED, check_known
from twisted_dispatcher.registrations import Registrations
from twisted_dispatcher.results import DispatchResult, not_dispatched

DAY = 86400.0
# Events that were accepted elsewhere are planned so many at once.
MOST_PLANNED = 100
# After so many seconds it is tried again to start where the store is away.
RESTART = 1.0

_log = Logger()


@attrs.frozen
class _Delivered:
    """The event of a delivery, as logs and observers are told of it when it failed."""

    claim: Claim

    def log_label(self) -> str:
        return f"event {self.claim.key}"


@implementer(IEventDispatcher, IBackgroundUtility)
class DurableDispatcher(Registrations):
    """
    Dispatches events, and does not forget them.

    Once `accept_event` has given its acceptance, the event will be dispatched to its end, by this
    process or another, whatever is killed when. `fire_event` accepts an event and waits for that
    end. See `IEventDispatcher` for what is common to all dispatchers.

    A handler must have a name that is the same after a restart: `HandlerOptions.name`, or the
    module and qualified name of a function that has one.

    :ivar backstage: for the other parts of the package that use the same store.
    """

    _reserved_keywords = RESERVED | {"key", "at"}

    def __init__(
        self,
        store: IStore,
        allowed_match_spec_keywords: Iterable[str] = (),
        phases: Iterable[str] = ("before", "during", "after"),
        *,
        on_failure: str | Mapping[str, str] = "continue",
        order_by: Iterable[str] | None = None,
        clock: IReactorTime | None = None,
        observers: Iterable[IObserver] = (),
        runners: Mapping[str, IRunner] | None = None,
        worker: bool = True,
        codec: Codec | None = None,
        lease: float = 60.0,
        drain: float = 30.0,
        bury_after: float | None = 7 * DAY,
        keep_payloads: float | None = None,
        keep_keys: float | None = None,
    ) -> None:
        """
        :param store: where events live; see `open_store`.
        :param worker: whether it runs deliveries. One that does not only accepts events, which
            workers elsewhere plan and run.
        :param codec: how events are written down; by default that with which classes are
            registered by `twisted_dispatcher.durable.codec.register`.
        :param lease: after so many seconds without a sign of life, others take over what a worker
            was running.
        :param bury_after: a delivery that waits for a handler which no worker has registered is
            dead after so many seconds; None lets it wait for ever.
        :param keep_payloads: so many seconds after an event is settled, its payload is deleted;
            None keeps it for ever.
        :param keep_keys: the same for its key and its deliveries, not before its payload.
        :param drain: so many seconds `stop` waits for what is running; then that is given back.
        :raises InvalidOptions: for a store that is none, and a number that is out of its range.
        """
        check_store(store)
        check(
            RULES,
            worker=worker,
            lease=lease,
            drain=drain,
            bury_after=bury_after,
            keep_payloads=keep_payloads,
            keep_keys=keep_keys,
        )
        self._store = answering(store)
        self._works = worker
        self._keys = KeyMaker()
        self._codec = codec or default_codec
        self._lease = lease
        self._drain = drain
        self._bury_after = bury_after
        self._retention = Retention(self._store, keep_payloads, keep_keys)
        self._is_ready = False
        self._refusal: Failure | None = None
        self._unplannable: set[int] = set()
        self._roster = Roster()
        super().__init__(
            allowed_match_spec_keywords,
            phases,
            on_failure=on_failure,
            order_by=order_by,
            clock=clock,
            observers=observers,
            runners=runners,
        )

    def _prepare(self) -> None:
        self._journeys = Journeys(self._store, self._current_clock, self._engine.watchman)
        self._worker = DeliveryWorker(
            self._store,
            self._journeys,
            self._codec,
            self._current_clock,
            lease=self._lease,
            bury_after=self._bury_after,
            retention=self._retention,
            stops=self._engine.stopping,
            engine=self._engine,
            report=self._report,
            accept_in=self._accept_in,
            on_unplanned=self._plan_unplanned,
            roster=self._roster if self._works else Roster(),
        )
        self._planner = Planner(
            self._registry, self._phases, self._order_by, self._codec, self._works
        )
        self._departures = Departures(
            self._store, self._engine, self._journeys, self._worker, self._current_clock
        )
        self.backstage = Backstage(
            self._store,
            self._codec,
            self._current_clock,
            self._keys,
            self._planner,
            self._departures,
            self._worker,
            self._accept_in,
            lambda: self.allowed_keywords,
            self._register_at,
        )

    def _terms(self) -> Terms:
        return DurableTerms()

    def _enter(self, old: Collection[int], new: Sequence[Handler]) -> None:
        """Register handlers in the place of others, if deliveries can tell all by their names."""
        self._roster.check(new, old)
        super()._enter(old, new)
        self._roster.add(new)
        if self._works:
            self._worker.handlers_changed()
            self._worker.look()

    def _handlers_changed(self) -> None:
        # Any thread may call this at any moment, when a handler was collected.
        self._planner.forget()
        self._worker.handlers_changed()

    def _conditions_changed(self) -> None:
        self._planner.forget()

    # Starting and stopping

    def start(self) -> None:
        """Accept events, and run what is due, from now on."""
        if self._running:
            return
        self._running = True
        self._refusal = None
        self._journeys.open()
        if not self._works:
            self._became_ready(None)
            return
        starting = Deferred.fromCoroutine(self._worker.start())
        starting.addCallbacks(self._became_ready, self._not_started)

    def _became_ready(self, result: object) -> None:
        self._is_ready = True
        ready, self._ready = self._ready, []
        for deferred in ready:
            deferred.callback(None)

    def _refused(self, failure: Failure) -> None:
        self._refusal = failure
        ready, self._ready = self._ready, []
        for deferred in ready:
            deferred.errback(failure)

    def _not_started(self, failure: Failure) -> None:
        if not self._running:
            return
        if failure.check(StoreClosed):
            # Time does not mend it.
            _log.failure("{dispatcher} does not start", failure, dispatcher=self)
            self.stop()
            self._refused(failure)
            return
        _log.failure("{dispatcher} could not start yet, and tries again", failure, dispatcher=self)
        self._current_clock().callLater(RESTART, self._start_again)

    def _start_again(self) -> None:
        if self._running:
            self._running = False
            self.start()

    def when_ready(self) -> Deferred[None]:
        """
        Give a Deferred that fires when what others have left behind was taken over.

        It fails with `StoreClosed` when the store was closed before; then nothing is started.
        """
        if self._refusal is not None:
            return fail(self._refusal)
        if self._is_ready:
            return fired(None)
        deferred: Deferred[None] = Deferred(self._ready.remove)
        self._ready.append(deferred)
        return deferred

    def stop(self) -> Deferred[None]:
        """
        Accept no more events, claim nothing more, and wait for the handlers that are running.

        What does not end within the time to drain is cancelled and given back; it goes on with the
        next worker, as does everything that waits in the store.
        """
        self._running = self._is_ready = False
        self._refusal = None
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._worker.stop(self._drain)
        self._journeys.close()

    # Accepting

    def accept_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        **event_details: Any,
    ) -> Deferred[Acceptance]:
        """
        Make an event durable.

        :param key: what names it once and for all: an event whose key is known is not accepted
            again. By default an `Event` has its own, and anything else a new one.
        :param at: when it is to be dispatched: an aware datetime, or seconds since the epoch.
        :return: a Deferred that fires with the `Acceptance` when the event will be dispatched
            whatever happens. It fails with `NotEncodable` when the event or a detail could not be
            read back as it is, with `NotRunning`, or with a `StoreError`; nothing is stored then.
            Cancelling it ends the wait, and the event may be accepted all the same.
        :raises UnknownKeyword, InvalidKey, InvalidTime: at once.
        """
        return self._accept(event, key, at, event_details, False)

    def fire_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        **event_details: Any,
    ) -> Deferred[DispatchResult]:
        """
        Make an event durable, and wait until it has been dispatched to its end.

        See `accept_event`. The Deferred fires with the result when all phases are done, wherever
        they ran; the values that handlers gave are known for those that ran in this process.
        Cancelling it ends the wait, not the dispatch.
        """
        if self._running:
            return self._accept(event, key, at, event_details, True)
        check_known(event_details, self.allowed_keywords)
        now = self._current_clock().seconds()
        self._keys.key_of(event, key, now)
        due_at(at, now)
        _log.warn(
            "{dispatcher} is not running: {event_label} is not dispatched. Call start() first",
            dispatcher=self,
            event_label=event_label(event),
        )
        return fired(not_dispatched())

    def _accept(
        self,
        event: Any,
        key: str | None,
        at: datetime | float | None,
        given: dict[str, Any],
        is_fired: bool,
    ) -> Deferred[Any]:
        plan = self._planner.kept(given)
        if plan is None:
            check_known(given, self.allowed_keywords)
        now = self._current_clock().seconds()
        key = self._keys.key_of(event, key, now)
        due = now if at is None else due_at(at, now)
        if not self._running:
            return fail(NotRunning())
        try:
            body = self._codec.encode(event)
            if plan is None:
                plan = self._planner.plan(given)
        except Exception:
            return fail()
        return self._departures.accept(event, body, plan, key, due, now, is_fired)

    def _accept_in(
        self,
        store: Any,
        event: Any,
        key: str | None,
        at: datetime | float | None,
        given: dict[str, Any],
    ) -> Acceptance:
        """Accept an event within a store's transaction."""
        planned = self.backstage.write(event, key, at, given)
        acceptance: Acceptance = store.accept(planned.new)
        return acceptance

    async def _plan_unplanned(self) -> bool:
        """Plan events that were accepted where nobody knew the handlers."""
        now = self._current_clock().seconds()
        unplanned = await self._store.unplanned(self._worker.who, now, MOST_PLANNED)
        plans = [(event, plan) for event in unplanned if (plan := self._plan_of(event))]
        # These are committed together.  Those of lanes might wait for one another in a circle.
        storing = [
            Deferred.fromCoroutine(self._store_plan(event, plan, now))
            for event, plan in plans
            if event.lane is None
        ]
        for _, failure in await DeferredList(storing, consumeErrors=True):
            if isinstance(failure, Failure):
                failure.raiseException()
        for event, plan in plans:
            if event.lane is not None:
                await self._store_plan(event, plan, now)
        return len(plans) == MOST_PLANNED

    def _plan_of(self, event: Unplanned) -> Plan | None:
        """Plan an event that was accepted elsewhere, if that is possible here."""
        try:
            return self._planner.plan(self._codec.decode(event.details), event.details)
        except Exception:
            self._not_planned(event)
            return None

    async def _store_plan(self, event: Unplanned, plan: Plan, now: float) -> None:
        """Store the deliveries of an event, unless others have, and run those that are ours."""
        deliveries = plan.deliveries or ()
        accepted = await self._store.plan(event.event_id, deliveries, self._worker.who, now)
        if accepted is not None:
            self._worker.run(accepted.claims)

    def _not_planned(self, event: Unplanned) -> None:
        """Say once of an event that it cannot be planned; it waits for a worker that can."""
        if event.event_id not in self._unplannable:
            self._unplannable.add(event.event_id)
            _log.failure("Event {key} cannot be planned here, and waits", key=event.key)

    def _report(
        self, handler: Handler, claim: Claim, failure: Failure, delay: float | None
    ) -> None:
        event = _Delivered(claim)
        if delay is None:
            self._engine.report(handler, event, failure)
        else:
            report_retry(handler, event, failure, claim.attempt, delay)

    def why(self, **event_details: Any) -> list[Verdict]:
        """
        Say for every handler whether an event with these details would reach it now.

        At last for every handler that is not registered, by anybody, and that deliveries wait for:
        since when. Only one that works knows of these, and looks for them a few times within a
        lease.
        """
        known = self._roster.all()
        missing = [each for each in self._worker.missing if each.handler not in known]
        return super().why(**event_details) + [
            verdict_on_missing(
                each.handler,
                datetime.fromtimestamp(each.since, timezone.utc).isoformat(timespec="seconds"),
            )
            for each in missing
        ]

    # Deliveries

    def deliveries(
        self,
        status: str | None = None,
        *,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
    ) -> Deferred[list[Delivery]]:
        """
        List deliveries, the newest first, by status, by the event's key, or by handler.

        :raises InvalidOptions: at once, for a status that is none.
        """
        check_status(status)
        return self._store.deliveries(status=status, key=key, handler=handler, limit=limit)

    def replay(self, delivery_id: int, context: Mapping[str, Any] | None = None) -> Deferred[None]:
        """
        Have a delivery that is done, dead or skipped run again.

        :param context: what the event's context shall be from now on; by default as it was.
        :return: a Deferred that fires with None when that is stored. It fails with
            `UnknownDelivery`, with `WrongStatus` when it is none of these, with `PayloadGone`, or
            with another `StoreError`; with a context also with `InvalidReplay` when the event has
            none, and with `NotDecodable` or `NotEncodable`.
        """
        return Deferred.fromCoroutine(self._replay(delivery_id, context))

    async def _replay(self, delivery_id: int, context: Mapping[str, Any] | None) -> None:
        body = journey = event = None
        if context is not None:
            event = self._codec.decode(await self._store.body_of(delivery_id))
            if not isinstance(event, Event):
                raise InvalidReplay(delivery_id)
            event = attrs.evolve(event, context=dict(context))
            body = self._codec.encode(event)
            journey = self._journeys.get((await self._store.delivery(delivery_id)).event_id)
        await self._store.replay(delivery_id, body, self._current_clock().seconds())
        if journey is not None:
            journey.event = event
        self._worker.look()

    def skip(self, delivery_id: int) -> Deferred[None]:
        """
        Give a delivery up that is not settled, or is dead, so that its event goes on without it.

        A handler that is running runs to its end; nobody waits for that, and it changes nothing.

        :return: a Deferred that fires with None when that is stored. It fails with
            `UnknownDelivery`, with `WrongStatus` when it is done or was skipped, or with another
            `StoreError`.
        """
        skipping = self._store.skip(delivery_id, self._current_clock().seconds())
        return skipping.addCallback(lambda _: self._worker.look())
