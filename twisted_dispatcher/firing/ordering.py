"""
Events in order: those with equal values of some keywords are handled one after another.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from twisted_dispatcher.errors import WouldDeadlock
from twisted_dispatcher.firing.deadlocks import Suspect, WatchedDeferred, reached_from
from twisted_dispatcher.firing.lanes import Lanes
from twisted_dispatcher.firing.loop import Engine, Fire
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import DispatchResult


class OrderedLanes(Lanes["OrderedFire"]):
    """
    The lanes of a dispatcher's events.

    :ivar fresh: by lane, the events of which it is new in this turn of the reactor that they wait,
        or that somebody waits for them. Older ones need not be looked at again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fresh: dict[Hashable, list[OrderedFire]] = {}


class OrderedFire(Fire):
    """
    A fire that first waits for its turn in a lane.

    While it waits it may turn out that a handler of the event before it waits for it; it is
    refused then, with `WouldDeadlock`.

    :ivar queued: whether it has not begun, because another goes before it.
    """

    __slots__ = ("_lane", "_lanes", "queued")

    def __init__(
        self,
        engine: Engine,
        event: Any,
        handlers: Sequence[Handler],
        lanes: OrderedLanes,
        lane: Hashable,
    ) -> None:
        super().__init__(engine, event, handlers, [])
        self.done = WatchedDeferred(self._cancel, self._waited_for)
        self._lanes = lanes
        self._lane = lane
        self.queued = not lanes.enter(lane, self)
        if self.queued:
            self._suspect()

    def begin(self) -> None:
        self.queued = False
        super().begin()

    def end(self) -> None:
        following = self._lanes.leave(self._lane, self)
        super().end()
        if following is not None:
            self.engine.trampoline.run(following.begin_later)

    def _cancel(self, done: Deferred[DispatchResult]) -> None:
        if self.queued:
            self._withdraw()
        else:
            super()._cancel(done)

    def _withdraw(self) -> None:
        """Leave the queue without having begun."""
        self.cancelled = True
        if self._lanes.first(self._lane) is not self:
            self._lanes.leave(self._lane, self)
            self.engine.in_flight.discard(self)
            self.engine.examine_stops()

    # Whether it waits for itself

    def blocks(self) -> Iterable[object]:
        return (self.done, *self._lanes.behind(self._lane, self))

    def suspects(self) -> Iterable[Suspect]:
        return tuple(self._lanes.fresh.get(self._lane, ()))

    def _waited_for(self) -> None:
        if self.queued:
            self.examine()
            self._suspect()

    def _suspect(self) -> None:
        """Have it looked at when a handler of its lane begins to wait, and when the turn ends."""
        self._lanes.fresh.setdefault(self._lane, []).append(self)
        self.engine.watchman.suspect(self)

    def examine_at_last(self) -> None:
        self._lanes.fresh.pop(self._lane, None)
        self.examine()

    def examine(self) -> None:
        """Refuse the event when the one that goes before it waits for it."""
        if not self.queued or self.cancelled:
            return
        first = self._lanes.first(self._lane)
        if first is not self and id(first) in reached_from(self.done):
            self._withdraw()
            self.done.errback(
                WouldDeadlock("the event is queued (order_by) behind the one that waits for it")
            )
