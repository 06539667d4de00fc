"""
Runs deliveries that a worker holds: calls handlers, settles, and goes on with what opens.

How a delivery is run depends on its handler's guarantee. *At least once*: the handler is called,
then the delivery is settled. *At most once*: the delivery is settled, then the handler is called;
what the settling has opened waits for it. *Exactly once*: the store calls the handler within the
transaction that settles the delivery.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.current import reset_claim, set_claim
from twisted_dispatcher.durable.journeys import Journey, Journeys
from twisted_dispatcher.durable.quarantine import Quarantine
from twisted_dispatcher.durable.rules import (
    after_exhaustion,
    after_failure,
    after_success,
    given_back,
    is_exhausted,
    is_suspect,
)
from twisted_dispatcher.durable.transactions import AcceptIn, Transaction
from twisted_dispatcher.errors import (
    AwaitableFromRunner,
    DeliveryDied,
    StoreClosed,
    StoreUnavailable,
)
from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, kind_of, settle
from twisted_dispatcher.firing.deadlocks import Blocker
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.firing.trampoline import Trampoline
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.options import AT_MOST_ONCE, EXACTLY_ONCE, RetryPolicy
from twisted_dispatcher.records import DEAD, Claim, Delivery, Settled, Settlement, Worker
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED

# What the store could not do is tried again after so many seconds.
AGAIN = 1.0

DEFAULT_RETRY = RetryPolicy()

# Is told of a failure at once, and after how many seconds it is retried, if it is.
Report = Callable[[Handler, Claim, Failure, "float | None"], object]
Follow = Callable[[Settled, Claim], object]

_log = Logger()


@attrs.define(eq=False)
class _Run(Blocker):
    """
    A delivery that is being run.

    :ivar waiting: what its handler is waited for with, if it is.
    :ivar again: the call with which the store is told again, while it is away.
    :ivar came_to: is told what the handler came to, unless the delivery was given back before.
    """

    claim: Claim
    journey: Journey | None
    waiting: Deferred[Any] | None = None
    came_to: Callable[[Any], None] | None = None
    again: IDelayedCall | None = None

    def arrived(self, value: Any) -> None:
        if self.waiting is not None and self.came_to is not None:
            self.waiting = None
            self.came_to(value)

    def blocks(self) -> Iterable[object]:
        journey = self.journey
        if journey is None or journey.journeys is None:
            return ()
        blocked = [journey, *journey.journeys.behind(journey)]
        return [waiting for each in blocked for waiting in each.waiting]


class DeliveryRunner:
    """
    Runs the deliveries of one worker.

    :ivar who: how the store knows the worker.
    :ivar accepting: whether what is handed over is run; else it is given back at once.
    """

    def __init__(
        self,
        who: Worker,
        store: IStore,
        journeys: Journeys,
        codec: Codec,
        clock: Callable[[], IReactorTime],
        *,
        stops: frozenset[str],
        engine: Engine,
        report: Report,
        accept_in: AcceptIn,
        on_due: Callable[[float], object],
        on_ended: Callable[[], object],
    ) -> None:
        """
        :param stops: the phases after which a dead delivery ends the dispatch.
        :param engine: knows the observers.
        :param accept_in: accepts an event within the transaction of an exactly-once handler.
        :param on_due: is told when a delivery is to be run again.
        :param on_ended: is told whenever one delivery less is being run.
        """
        self.who = who
        self.accepting = False
        self._hopeful = True
        self._store = store
        self._journeys = journeys
        self._codec = codec
        self._clock = clock
        self._stops = stops
        self._engine = engine
        self._report = report
        self._accept_in = accept_in
        self._on_due = on_due
        self._on_ended = on_ended
        self._handlers: dict[str, Handler] = {}
        self._runs: dict[int, _Run] = {}
        self._trampoline = Trampoline()
        self._quarantine = self._new_quarantine()

    def _new_quarantine(self) -> Quarantine:
        return Quarantine(self._clock, partial(self._start, is_alone=True), self._give_back)

    def __len__(self) -> int:
        """Give how many deliveries are being run."""
        return len(self._runs)

    def open(self) -> None:
        """Run what is handed over, from now on."""
        self.accepting = self._hopeful = True
        self._quarantine = self._new_quarantine()

    def set_handlers(self, handlers: Iterable[Handler]) -> None:
        """Know by name what can be run."""
        self._handlers = {handler.name: handler for handler in handlers}
        self.who = attrs.evolve(self.who, handlers=frozenset(self._handlers))

    def run(self, claims: Iterable[Claim]) -> None:
        """Run deliveries that the worker holds."""
        for claim in claims:
            journey = self._journeys.get(claim.event_id)
            self._runs[claim.delivery_id] = run = _Run(claim, journey)
            if journey is not None:
                journey.runs.add(run)
            if journey is None or journey.beside is None:
                self._start(claim)
            else:
                run.waiting = journey.beside.reach(claim.rank)
                run.waiting.addCallback(self._reached, claim)

    def park(self) -> None:
        """
        Cancel what runs, and give it back, also what does not end for being cancelled.

        What the store cannot be told now is left to the end of the lease.
        """
        self._hopeful = False
        for run in list(self._runs.values()):
            if run.again is not None:
                run.again.cancel()
                self._ended(run.claim)
            elif run.waiting is not None:
                run.waiting.cancel()
                if run.waiting is not None:
                    run.waiting = None
                    self._settle(run.claim, given_back(run.claim, self._now()))

    def _now(self) -> float:
        return self._clock().seconds()

    def _reached(self, result: None, claim: Claim) -> None:
        self._runs[claim.delivery_id].waiting = None
        self._start(claim)

    def _start(self, claim: Claim, is_alone: bool = False) -> None:
        handler = self._handlers.get(claim.handler)
        if handler is None or not self.accepting:
            self._settle(claim, given_back(claim, self._now()))
        elif handler.options.guarantee == AT_MOST_ONCE:
            # It was never called: nobody has died of it.
            self._settle(claim, after_success(claim), self._call_once)
        elif claim.attempt > 1 and is_exhausted(claim, _policy_of(handler)):
            self._bury(claim, handler)
        elif claim.died and not is_alone and is_suspect(claim, _policy_of(handler)):
            self._quarantine.admit(claim)
        elif handler.options.guarantee == EXACTLY_ONCE:
            self._transact(claim, handler)
        else:
            self._call(claim, handler, self._came_to)

    def _give_back(self, claim: Claim, seconds: float, stored: Callable[[], Any]) -> None:
        def follow(settled: Settled, claim: Claim) -> None:
            self._follow(settled, claim)
            stored()

        self._settle(claim, given_back(claim, self._now() + seconds), follow)

    def _bury(self, claim: Claim, handler: Handler) -> None:
        """Settle a delivery whose workers have died in all of its attempts, and say so."""

        def found(delivery: Delivery) -> None:
            failure = Failure(DeliveryDied(delivery.id, handler.name, delivery.error or ""))
            self._report(handler, claim, failure, None)
            self._note(claim, handler, failure)
            self._settle(claim, after_exhaustion(claim, claim.phase in self._stops))

        def not_found(failure: Failure) -> None:
            if failure.check(StoreUnavailable):
                self._again(claim, self._bury, claim, handler)
            else:
                self._not_settled(failure, claim, given_back(claim, self._now()), None)

        self._store.delivery(claim.delivery_id).addCallbacks(found, not_found)

    # Calling

    def _event_of(self, claim: Claim) -> Any:
        journey = self._journeys.get(claim.event_id)
        if journey is None or journey.event is None:
            return self._codec.decode(claim.body)
        return journey.event

    def _call(self, claim: Claim, handler: Handler, came_to: Callable[..., None]) -> None:
        """Call the handler of a delivery, and tell what it came to."""
        token = set_claim(claim)
        try:
            event = self._event_of(claim)
            if self._engine.observers:
                self._engine.tell("handler_started", handler, event)
            answer = settle(handler.call(event))
        except BaseException:
            answer = Failure()
        finally:
            reset_claim(token)
        if kind_of(answer) == DEFERRED:
            run = self._runs[claim.delivery_id]
            run.waiting = answer
            run.came_to = partial(came_to, claim=claim, handler=handler)
            answer.addBoth(run.arrived)
        else:
            came_to(answer, claim, handler)

    def _came_to(self, value: Any, claim: Claim, handler: Handler) -> None:
        """Settle a delivery by what its handler came to."""
        failed = kind_of(value) == FAILURE
        parked = failed and not self.accepting and value.check(CancelledError)
        if parked or value is NOT_CALLED:
            self._settle(claim, given_back(claim, self._now()))
        elif failed:
            self._failed(value, claim, handler)
        else:
            self._note(claim, handler, value)
            self._settle(claim, after_success(claim))

    def _failed(self, failure: Failure, claim: Claim, handler: Handler) -> None:
        policy = _policy_of(handler)
        now = self._now()
        settlement = after_failure(
            claim, failure, policy, now, claim.phase in self._stops, random.random
        )
        delay = None if settlement.due is None else settlement.due - now
        self._report(handler, claim, failure, delay)
        if settlement.status == DEAD:
            self._note(claim, handler, failure)
        self._settle(claim, settlement)

    def _note(self, claim: Claim, handler: Handler, value: Any) -> None:
        if self._engine.observers and kind_of(value) != FAILURE:
            self._engine.tell("handler_ended", handler, self._event_of(claim), value)
        journey = self._journeys.get(claim.event_id)
        if journey is not None:
            journey.note(handler, value)

    def _call_once(self, settled: Settled, claim: Claim) -> None:
        """Call an at-most-once handler, whose delivery is settled; then go on."""
        handler = self._handlers.get(claim.handler)
        if handler is None or not settled.held:
            self._follow(settled, claim)
            return

        def came_to(value: Any, claim: Claim, handler: Handler) -> None:
            if kind_of(value) == FAILURE:
                self._report(handler, claim, value, None)
            self._note(claim, handler, value)
            self._follow(settled, claim)

        self._call(claim, handler, came_to)

    def _transact(self, claim: Claim, handler: Handler) -> None:
        """Have the store call an exactly-once handler."""

        def work(transaction: Any) -> Any:
            token = set_claim(claim)
            try:
                own = Transaction(transaction, self._accept_in)
                event = self._event_of(claim)
                if self._engine.observers:
                    self._engine.tell("handler_started", handler, event)
                value = handler.call((event, own))
                if kind_of(value) > FAILURE:
                    raise AwaitableFromRunner(value)
                return value
            finally:
                reset_claim(token)

        def done(result: tuple[Any, Settled]) -> None:
            value, settled = result
            if settled.held:
                self._note(claim, handler, value)
            self._follow(settled, claim)

        def failed(failure: Failure) -> None:
            if failure.check(StoreUnavailable):
                _log.warn("{error}", error=failure.getErrorMessage())
                self._again(claim, self._start, claim)
            else:
                self._came_to(failure, claim, handler)

        self._store.transact(claim, work, self.who, self._now()).addCallbacks(done, failed)

    # Settling

    def _settle(self, claim: Claim, settlement: Settlement, follow: Follow | None = None) -> None:
        settling = self._store.settle([settlement], self.who, self._now())
        settling.addCallbacks(
            self._settled,
            self._not_settled,
            callbackArgs=(claim, settlement, follow or self._follow),
            errbackArgs=(claim, settlement, follow),
        )

    def _settled(
        self, settled: list[Settled], claim: Claim, settlement: Settlement, follow: Follow
    ) -> None:
        follow(settled[0], claim)
        if settlement.due is not None:
            self._on_due(settlement.due)

    def _not_settled(
        self, failure: Failure, claim: Claim, settlement: Settlement, follow: Follow | None
    ) -> None:
        """Try again until the store is back: what a handler has done is not forgotten."""
        if failure.check(StoreClosed):
            self._ended(claim)
            return
        _log.failure(
            "Delivery {delivery} could not be settled, which is tried again",
            failure,
            delivery=claim.delivery_id,
        )
        self._again(claim, self._settle, claim, settlement, follow)

    def _again(self, claim: Claim, function: Callable[..., None], *arguments: Any) -> None:
        """Try something again in a while, unless there is no time left for it."""
        run = self._runs.get(claim.delivery_id)
        if run is None or not self._hopeful:
            self._ended(claim)
            return

        def again() -> None:
            run.again = None
            function(*arguments)

        run.again = self._clock().callLater(AGAIN, again)

    def _follow(self, settled: Settled, claim: Claim) -> None:
        """Go on with what a settlement has brought about."""
        if not settled.held:
            _log.warn(
                "Worker {worker} had lost its lease of delivery {delivery} ({handler}), which "
                "somebody else runs: what it did now counts for nothing",
                worker=self.who.id,
                delivery=claim.delivery_id,
                handler=claim.handler,
            )
        if settled.opened:
            self._trampoline.run(lambda: self.run(settled.opened))
        for event_id in settled.finished:
            self._journeys.finished(event_id)
        self._ended(claim)

    def _ended(self, claim: Claim) -> None:
        run = self._runs.pop(claim.delivery_id, None)
        if run is not None and run.journey is not None:
            run.journey.runs.discard(run)
        if claim.died:
            self._quarantine.ended(claim)
        self._on_ended()


def _policy_of(handler: Handler) -> RetryPolicy:
    return handler.options.retry or DEFAULT_RETRY
