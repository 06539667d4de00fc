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

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.durable.current import reset_claim, set_claim
from twisted_dispatcher.durable.journeys import Journey, Journeys
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
from twisted_dispatcher.firing.deadlocks import Blocker
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.firing.trampoline import Trampoline
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.options import AT_MOST_ONCE, EXACTLY_ONCE, RetryPolicy
from twisted_dispatcher.records import DEAD, Claim, Delivery, Settled, Settlement, Worker
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED

# What the store could not do is tried again after so many seconds.
AGAIN = 1.0

DEFAULT_RETRY = RetryPolicy()

# Is told of a failure at once, and after how many seconds it is retried, if it is.
Report = Callable[[Handler, Claim, Failure, "float | None"], object]

_log = Logger()


class Run(Blocker):
    """
    A delivery that is being run.

    :ivar handler: that of the delivery, when it has begun to be called.
    :ivar waiting: what its handler is waited for with, if it is.
    :ivar again: the call with which the store is told again, while it is away.
    :ivar came_to: is told what the handler came to, unless the delivery was given back before.
    :ivar settlement: what the store is being told of it.
    :ivar follow: is told what has followed from that.
    """

    __slots__ = (
        *("again", "came_to", "claim", "follow", "handler", "journey", "runner", "settlement"),
        "waiting",
    )

    def __init__(self, runner: DeliveryRunner, claim: Claim, journey: Journey | None) -> None:
        self.runner = runner
        self.claim = claim
        self.journey = journey
        self.handler: Handler
        self.waiting: Deferred[Any] | None = None
        self.came_to: CameTo | None = None
        self.again: IDelayedCall | None = None
        self.settlement: Settlement
        self.follow: Follow

    def arrived(self, value: Any) -> None:
        """Take what the handler was waited for."""
        if self.waiting is not None and self.came_to is not None:
            self.waiting = None
            self.came_to(value, self)

    def answered(self, outcome: Settled | Failure) -> None:
        """Take what the store has answered to what it was told."""
        if isinstance(outcome, Failure):
            self.runner.not_settled(outcome, self)
            return
        self.follow(outcome, self)
        if self.settlement.due is not None:
            self.runner.on_due(self.settlement.due)

    def blocks(self) -> Iterable[object]:
        journey = self.journey
        if journey is None or journey.journeys is None:
            return ()
        blocked = [journey, *journey.journeys.behind(journey)]
        return [waiting for each in blocked for waiting in each.waiting]


# Is told what a handler came to.
CameTo = Callable[[Any, Run], object]
# Is told what has followed from a settlement.
Follow = Callable[[Settled, Run], object]


class DeliveryRunner:
    """
    Runs the deliveries of one worker.

    :ivar accepting: whether what is handed over is run; else it is given back at once.
    :ivar on_due: is told when a delivery is to be run again.
    :ivar is_watched: whether somebody wants to be told whenever one delivery less is being run.
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
        :param roster: the handlers that can be run.
        :param stops: the phases after which a dead delivery ends the dispatch.
        :param engine: knows the observers.
        :param accept_in: accepts an event within the transaction of an exactly-once handler.
        :param on_ended: is told that, while it is watched.
        """
        self._who = Worker(worker_id, frozenset())
        self._roster = roster
        self._is_stale = True
        self.accepting = self.is_watched = False
        self._hopeful = True
        self._store = store
        self._journeys = journeys
        self._codec = codec
        self._clock = clock
        self._stops = stops
        self._engine = engine
        self._report = report
        self._accept_in = accept_in
        self.on_due = on_due
        self._on_ended = on_ended
        self._handlers: dict[str, Handler] = {}
        self._runs: dict[int, Run] = {}
        self._trampoline = Trampoline()
        self._quarantine = self._new_quarantine()

    def _new_quarantine(self) -> Quarantine[Run]:
        return Quarantine(self._clock, partial(self._start, is_alone=True), self._give_back)

    def __len__(self) -> int:
        """Give how many deliveries are being run."""
        return len(self._runs)

    def open(self) -> None:
        """Run what is handed over, from now on."""
        self.accepting = self._hopeful = True
        self._quarantine = self._new_quarantine()

    def handlers_changed(self) -> None:
        """Take note that other handlers are registered. Any thread may call it at any moment."""
        self._is_stale = True

    def _refresh(self) -> None:
        # First of all: a change that happens now may be seen or not, and makes it stale again.
        self._is_stale = False
        self._handlers = self._roster.all()
        self._who = Worker(self._who.id, frozenset(self._handlers))

    @property
    def who(self) -> Worker:
        """How the store knows the worker."""
        if self._is_stale:
            self._refresh()
        return self._who

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

    def _now(self) -> float:
        return self._clock().seconds()

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
            if answer is not None:
                answer = settle(answer)
        except BaseException:
            answer = Failure()
        finally:
            reset_claim(token)
        if answer is not None and kind_of(answer) == DEFERRED:
            run.waiting = answer
            run.came_to = came_to
            answer.addBoth(run.arrived)
        else:
            came_to(answer, run)

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

        def work(transaction: Any) -> Any:
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

    # Settling

    def _settle(self, run: Run, settlement: Settlement, follow: Follow | None = None) -> None:
        run.settlement = settlement
        run.follow = follow or self._follow
        self._store.settle_one(settlement, self.who, self._now(), run.answered)

    def not_settled(self, failure: Failure, run: Run) -> None:
        """Try again until the store is back: what a handler has done is not forgotten."""
        if failure.check(StoreClosed):
            self._ended(run)
            return
        _log.failure(
            "Delivery {delivery} could not be settled, which is tried again",
            failure,
            delivery=run.claim.delivery_id,
        )
        self._again(run, self._settle, run, run.settlement, run.follow)

    def _again(self, run: Run, function: Callable[..., None], *arguments: Any) -> None:
        """Try something again in a while, unless there is no time left for it."""
        if not self._hopeful or self._runs.get(run.claim.delivery_id) is not run:
            self._ended(run)
            return

        def again() -> None:
            run.again = None
            function(*arguments)

        run.again = self._clock().callLater(AGAIN, again)

    def _follow(self, settled: Settled, run: Run) -> None:
        """Go on with what a settlement has brought about."""
        if not settled.held:
            _log.warn(
                "Worker {worker} had lost its lease of delivery {delivery} ({handler}), which "
                "somebody else runs: what it did now counts for nothing",
                worker=self.who.id,
                delivery=run.claim.delivery_id,
                handler=run.claim.handler,
            )
        if settled.opened:
            self._trampoline.run(lambda: self.run(settled.opened))
        for event_id in settled.finished:
            self._journeys.finished(event_id)
        self._ended(run)

    def _ended(self, run: Run) -> None:
        if self._runs.get(run.claim.delivery_id) is run:
            del self._runs[run.claim.delivery_id]
        journey, run.journey = run.journey, None
        if journey is not None:
            journey.ended(run)
        if run.claim.died:
            self._quarantine.ended(run)
        if self.is_watched:
            self._on_ended()


def _policy_of(handler: Handler) -> RetryPolicy:
    return handler.options.retry or DEFAULT_RETRY
