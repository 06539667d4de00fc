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

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.current import reset_claim, set_claim
from twisted_dispatcher.durable.holding import CameTo, Holder, Run
from twisted_dispatcher.durable.journeys import Journeys
from twisted_dispatcher.durable.quarantine import Quarantine
from twisted_dispatcher.durable.roster import Roster
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
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.options import AT_MOST_ONCE, EXACTLY_ONCE, RetryPolicy
from twisted_dispatcher.records import DEAD, Claim, Delivery, Settled
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED

DEFAULT_RETRY = RetryPolicy()

# Is told of a failure at once, and after how many seconds it is retried, if it is.
Report = Callable[[Handler, Claim, Failure, "float | None"], object]

_log = Logger()


class DeliveryRunner(Holder):
    """
    Runs the deliveries of one worker.

    :ivar accepting: whether what is handed over is run; else it is given back at once.
    """

    def __init__(
        self,
        worker_id: str,
        roster: Roster,
        store: IAnsweringStore,
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
        See `Holder`.

        :param stops: the phases after which a dead delivery ends the dispatch.
        :param engine: knows the observers.
        :param accept_in: accepts an event within the transaction of an exactly-once handler.
        """
        super().__init__(worker_id, roster, store, journeys, clock, on_due, on_ended)
        self.accepting = False
        self._codec = codec
        self._stops = stops
        self._engine = engine
        self._report = report
        self._accept_in = accept_in
        self._quarantine = self._new_quarantine()

    def _new_quarantine(self) -> Quarantine[Run]:
        return Quarantine(self._clock, partial(self._start, is_alone=True), self._give_back)

    def open(self) -> None:
        """Run what is handed over, from now on."""
        self.accepting = self._hopeful = True
        self._quarantine = self._new_quarantine()

    def run(self, claims: Iterable[Claim]) -> None:
        """Run deliveries that the worker holds."""
        known = self._journeys.known
        for claim in claims:
            journey = known.get(claim.event_id)
            self._runs[claim.delivery_id] = run = Run(self, claim, journey)
            if journey is not None:
                journey.began(run)
            if journey is None or journey.beside is None:
                self._start(run)
            else:
                run.waiting = journey.beside.reach(claim.rank)
                run.waiting.addCallback(self._reached, run)
        if self._quarantine.arrived:
            self._quarantine.sort()

    def truce(self) -> float:
        """Tell for how many seconds nothing more is to be claimed; see `Quarantine`."""
        return self._quarantine.truce()

    def park(self) -> None:
        """
        Cancel what runs, and give it back, also what does not end for being cancelled.

        What the store cannot be told now is left to the end of the lease.
        """
        self._hopeful = False
        for run in list(self._runs.values()):
            if run.again is not None:
                run.again.cancel()
                self._ended(run)
            elif run.waiting is not None:
                run.waiting.cancel()
                if run.waiting is not None:
                    run.waiting = None
                    self._settle(run, given_back(run.claim, self._now()))

    def _reached(self, result: None, run: Run) -> None:
        run.waiting = None
        self._start(run)

    def _start(self, run: Run, is_alone: bool = False) -> None:
        claim = run.claim
        if self._is_stale:
            self._refresh()
        handler = self._handlers.get(claim.handler)
        if handler is None or not self.accepting:
            self._settle(run, given_back(claim, self._now()))
            return
        run.handler = handler
        guarantee = handler.options.guarantee
        if guarantee == AT_MOST_ONCE:
            # It was never called: nobody has died of it.
            self._settle(run, after_success(claim), self._call_once)
        elif claim.attempt > 1 and is_exhausted(claim, _policy_of(handler)):
            self._bury(run)
        elif claim.died and not is_alone and is_suspect(claim, _policy_of(handler)):
            self._quarantine.admit(run)
        elif guarantee == EXACTLY_ONCE:
            self._transact(run)
        else:
            self._call(run, self._came_to)

    def _give_back(self, run: Run, seconds: float, stored: Callable[[], Any]) -> None:
        def follow(settled: Settled, run: Run) -> None:
            self._follow(settled, run)
            stored()

        self._settle(run, given_back(run.claim, self._now() + seconds), follow)

    def _bury(self, run: Run) -> None:
        """Settle a delivery whose workers have died in all of its attempts, and say so."""
        claim, handler = run.claim, run.handler

        def found(delivery: Delivery) -> None:
            failure = Failure(DeliveryDied(delivery.id, handler.name, delivery.error or ""))
            self._report(handler, claim, failure, None)
            self._note(run, failure)
            self._settle(run, after_exhaustion(claim, claim.phase in self._stops))

        def not_found(failure: Failure) -> None:
            if failure.check(StoreClosed):
                self._ended(run)
            else:
                _log.failure(
                    "Delivery {delivery} could not be looked up, which is tried again",
                    failure,
                    delivery=claim.delivery_id,
                )
                self._again(run, self._bury, run)

        self._store.delivery(claim.delivery_id).addCallbacks(found, not_found)

    # Calling

    def _event_of(self, run: Run) -> Any:
        journey = run.journey
        if journey is None or journey.event is None:
            return self._codec.decode(run.claim.body)
        return journey.event

    def _call(self, run: Run, came_to: CameTo) -> None:
        """Call the handler of a delivery, and tell what it came to."""
        journey = run.journey
        if journey is None or journey.context is None:
            answer = self._answer_of(run)
        else:
            answer = journey.context.copy().run(self._answer_of, run)
        if answer is not None and kind_of(answer) == DEFERRED:
            run.waiting = answer
            run.came_to = came_to
            answer.addBoth(run.arrived)
        else:
            came_to(answer, run)

    def _answer_of(self, run: Run) -> Any:
        """Call the handler of a delivery, and give what it answers, settled."""
        handler = run.handler
        journey = run.journey
        token = set_claim(run.claim)
        try:
            event = None if journey is None else journey.event
            if event is None:
                event = self._event_of(run)
            if self._engine.observers:
                self._engine.tell("handler_started", handler, event)
            answer = handler.call(event)
            return answer if answer is None else settle(answer)
        except BaseException:
            return Failure()
        finally:
            reset_claim(token)

    def _came_to(self, value: Any, run: Run) -> None:
        """Settle a delivery by what its handler came to."""
        failed = value is not None and kind_of(value) == FAILURE
        parked = failed and not self.accepting and value.check(CancelledError)
        if parked or value is NOT_CALLED:
            self._settle(run, given_back(run.claim, self._now()))
        elif failed:
            self._failed(value, run)
        else:
            self._note(run, value)
            self._settle(run, after_success(run.claim))

    def _failed(self, failure: Failure, run: Run) -> None:
        claim, handler = run.claim, run.handler
        policy = _policy_of(handler)
        now = self._now()
        settlement = after_failure(
            claim, failure, policy, now, claim.phase in self._stops, random.random
        )
        delay = None if settlement.due is None else settlement.due - now
        self._report(handler, claim, failure, delay)
        if settlement.status == DEAD:
            self._note(run, failure)
        self._settle(run, settlement)

    def _note(self, run: Run, value: Any) -> None:
        if self._engine.observers and kind_of(value) != FAILURE:
            self._engine.tell("handler_ended", run.handler, self._event_of(run), value)
        if run.journey is not None:
            run.journey.note(run.handler, value)

    def _call_once(self, settled: Settled, run: Run) -> None:
        """Call an at-most-once handler, whose delivery is settled; then go on."""
        if self._is_stale:
            self._refresh()
        handler = self._handlers.get(run.claim.handler)
        if handler is None or not settled.held:
            self._follow(settled, run)
            return
        run.handler = handler

        def came_to(value: Any, run: Run) -> None:
            if kind_of(value) == FAILURE:
                self._report(run.handler, run.claim, value, None)
            self._note(run, value)
            self._follow(settled, run)

        self._call(run, came_to)

    def _transact(self, run: Run) -> None:
        """Have the store call an exactly-once handler."""
        claim, handler = run.claim, run.handler
        journey = run.journey
        context = None if journey is None else journey.context

        def work(transaction: Any) -> Any:
            return call(transaction) if context is None else context.copy().run(call, transaction)

        def call(transaction: Any) -> Any:
            token = set_claim(claim)
            try:
                own = Transaction(transaction, self._accept_in)
                event = self._event_of(run)
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
                self._note(run, value)
            self._follow(settled, run)

        def failed(failure: Failure) -> None:
            if failure.check(StoreUnavailable):
                _log.warn("{error}", error=failure.getErrorMessage())
                self._again(run, self._start, run)
            else:
                self._came_to(failure, run)

        self._store.transact(claim, work, self.who, self._now()).addCallbacks(done, failed)

    # Ending

    def _ended(self, run: Run) -> None:
        if run.claim.died and self._quarantine.ended(run):
            self.on_due(self._now())
        super()._ended(run)


def _policy_of(handler: Handler) -> RetryPolicy:
    return handler.options.retry or DEFAULT_RETRY
