"""
What a worker holds: the deliveries that are being run, and how they are settled.

A worker holds a delivery from the moment at which the store gives it out until the store was told
what it came to. That is tried again until the store is back, or there is no time left for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.journeys import Journey, Journeys
from twisted_dispatcher.durable.roster import Roster
from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.firing.deadlocks import Blocker
from twisted_dispatcher.firing.trampoline import Trampoline
from twisted_dispatcher.interfaces import IAnsweringStore
from twisted_dispatcher.records import Claim, Settled, Settlement, Worker
from twisted_dispatcher.registration.handlers import Handler

# What the store could not do is tried again after so many seconds.
AGAIN = 1.0

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

    def __init__(self, runner: Holder, claim: Claim, journey: Journey | None) -> None:
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


class Holder:
    """
    Holds the deliveries of one worker, and settles them.

    Who derives from it runs them.

    :ivar on_due: is told when a delivery is to be run again.
    :ivar is_watched: whether somebody wants to be told whenever one delivery less is being run.
    """

    def __init__(
        self,
        worker_id: str,
        roster: Roster,
        store: IAnsweringStore,
        journeys: Journeys,
        clock: Callable[[], IReactorTime],
        on_due: Callable[[float], object],
        on_ended: Callable[[], object],
    ) -> None:
        """
        :param roster: the handlers that can be run.
        :param on_ended: is told that one less is being run, while this is watched.
        """
        self._who = Worker(worker_id, frozenset())
        self._roster = roster
        self._handlers: dict[str, Handler] = {}
        self._is_stale = True
        self._hopeful = True
        self._store = store
        self._journeys = journeys
        self._clock = clock
        self.on_due = on_due
        self._on_ended = on_ended
        self.is_watched = False
        self._runs: dict[int, Run] = {}
        self._trampoline = Trampoline()

    def run(self, claims: Iterable[Claim]) -> None:
        """Run deliveries that the worker holds."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Give how many deliveries are being run."""
        return len(self._runs)

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

    def _now(self) -> float:
        return self._clock().seconds()

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
        if self.is_watched:
            self._on_ended()
