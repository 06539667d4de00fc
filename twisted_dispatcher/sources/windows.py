"""How many events of a stream may be under way at once, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.errors import EventGoesOn, WouldDeadlock
from twisted_dispatcher.firing.deadlocks import Blocker, WatchedDeferred
from twisted_dispatcher.results import DispatchResult
from twisted_dispatcher.sources.reports import SourceReport

_log = Logger()


class Window(Blocker):
    """
    Holds the events of a stream that are under way, and counts how they end.

    Whoever waits for room in it waits for them, which the search for deadlocks can see.
    """

    __slots__ = ("_clock", "_flying", "_landing", "_limit", "_report", "_size", "_timeout")

    def __init__(
        self,
        size: int,
        timeout: float | None,
        clock: Callable[[], IReactorTime],
        report: SourceReport,
    ) -> None:
        """:param timeout: after so many seconds an event has no place any more, and goes on."""
        self._size = size
        self._timeout = timeout
        self._clock = clock
        self._report = report
        self._flying: dict[int, tuple[Deferred[Any], IDelayedCall | None]] = {}
        self._landing: Deferred[None] | None = None
        self._limit = size

    @property
    def room(self) -> int:
        """How many more may be under way."""
        return self._size - len(self._flying)

    def blocks(self) -> Iterable[object]:
        """Give who waits for room."""
        return () if self._landing is None else (self._landing,)

    def __contains__(self, event_id: int) -> bool:
        return event_id in self._flying

    def admit(self, event_id: int, result: Deferred[DispatchResult]) -> None:
        """Take in an event, with what its result will be."""
        late = None
        if self._timeout is not None and not result.called:
            late = self._clock().callLater(self._timeout, result.cancel)
        self._flying[event_id] = result, late
        result.addBoth(self._landed, event_id)

    async def roomy(self) -> None:
        """Wait, if it is full, until half of it is free."""
        if len(self._flying) >= self._size:
            await self._until(self._size // 2)

    async def emptied(self) -> None:
        """Wait until none is under way."""
        if self._flying:
            await self._until(0)

    def abandon(self) -> None:
        """Wait for none of them any more; they go on."""
        self._landing = None
        for result, _ in list(self._flying.values()):
            result.cancel()

    def _until(self, limit: int) -> Deferred[None]:
        self._limit = limit
        landing = self._landing = Deferred()
        for result, _ in list(self._flying.values()):
            if isinstance(result, WatchedDeferred):
                result.noticed()
        return landing

    def _landed(self, outcome: Any, event_id: int) -> None:
        _, late = self._flying.pop(event_id)
        if late is not None and late.active():
            late.cancel()
        self._count(outcome)
        landing = self._landing
        if landing is not None and len(self._flying) <= self._limit:
            self._landing = None
            landing.callback(None)

    def _count(self, outcome: DispatchResult | Failure) -> None:
        if not isinstance(outcome, Failure):
            if outcome.failures:
                self._report.failed += 1
            else:
                self._report.handled += 1
            return
        self._report.unfinished += 1
        if not outcome.check(CancelledError, EventGoesOn, WouldDeadlock):
            _log.failure("It is not known how an event of a stream ended", outcome)
