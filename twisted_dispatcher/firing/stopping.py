"""Waiting for what is in flight, when a dispatcher stops."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from twisted_dispatcher.firing.deadlocks import WatchedDeferred, reached_from
from twisted_dispatcher.firing.loop import Engine


class StopWait:
    """
    Waits until every event that was accepted before a stop has been handled.

    Only those are not waited for whose handlers wait for this very stop.

    :ivar deferred: fires with None then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generation = engine.generation
        self.deferred: Deferred[None] = WatchedDeferred(self._cancelled, self.examine)
        engine.stops.append(self)
        engine.watchman.suspect(self)

    def _cancelled(self, deferred: Deferred[None]) -> None:
        """Nobody waits any more; what is in flight goes on."""
        self._engine.stops.remove(self)

    def examine_at_last(self) -> None:
        self.examine()

    def examine(self) -> None:
        """Look whether all is done."""
        if self not in self._engine.stops:
            return
        if self._engine.depth:
            # A handler is being called that may still become a fire in flight.
            self._engine.watchman.suspect(self)
            return
        waiting = self._waiting_for_this() if self._engine.in_flight else set()
        for fire in self._engine.in_flight:
            if fire.generation <= self._generation and id(fire) not in waiting:
                return
        self._engine.stops.remove(self)
        self.deferred.callback(None)

    def _waiting_for_this(self) -> set[int]:
        """
        Give the ids of all that waits for this stop, also by way of other stops.

        Another stop waits for this one if it waits for an event that does.
        """
        waiting = reached_from(self.deferred)
        others = {
            id(stop): reached_from(stop.deferred)
            for stop in self._engine.stops
            if stop is not self
        }
        grown = bool(others)
        while grown:
            grown = False
            for name, reached in list(others.items()):
                held_up = {id(fire) for fire in self._engine.in_flight} & waiting - reached
                if held_up:
                    waiting |= others.pop(name)
                    grown = True
        return waiting
