"""
Finds waits that would never end: a handler that waits for what can only follow its own event.

With `order_by`, and with a limit of concurrency, an event may have to wait until a handler is
done. If that handler waits for that event in turn, neither would ever go on. Firing such an event
is fine, waiting for it is not; so nothing can be said when it is fired. What can be seen is who
waits for whom: Twisted's Deferreds know whom they will tell. `reached_from` follows that from
the Deferred in question, through chains, coroutines, `inlineCallbacks` and fires; where it comes
back to whoever stands in the way, the circle is closed.

A suspect is examined when somebody begins to wait for it, when a handler has begun to wait, and
at the end of the reactor's turn in which it became one (which is when chained Deferreds show).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.firing.deferreds import waiters


class Suspect(Protocol):
    """Something that may turn out to wait for itself."""

    def examine(self) -> object:
        """Look whether it does, and then end the wait."""

    def examine_at_last(self) -> object:
        """Do so at the end of the turn."""


class Blocker:
    """Something that others wait for, without being a Deferred."""

    __slots__ = ()

    def blocks(self) -> Iterable[object]:
        """Give what goes on only when this has ended."""
        raise NotImplementedError


def reached_from(deferred: Deferred[Any]) -> set[int]:
    """Give the ids of all that waits, directly or not, for a Deferred."""
    seen: dict[int, object] = {id(deferred): deferred}
    unseen: list[object] = [deferred]
    while unseen:
        thing = unseen.pop()
        following: Iterable[object] = ()
        if isinstance(thing, Deferred):
            following = waiters(thing)
        elif isinstance(thing, Blocker):
            following = thing.blocks()
        for waiter in following:
            if id(waiter) not in seen:
                seen[id(waiter)] = waiter
                unseen.append(waiter)
    return set(seen)


class Watchman:
    """Has suspects examined at the end of the reactor's turn."""

    def __init__(self, clock: Callable[[], IReactorTime]) -> None:
        self._clock = clock
        self._suspects: dict[int, Suspect] = {}

    def suspect(self, suspect: Suspect) -> None:
        if not self._suspects:
            self._clock().callLater(0, self._examine)
        self._suspects[id(suspect)] = suspect

    def _examine(self) -> None:
        suspects, self._suspects = self._suspects, {}
        for suspect in suspects.values():
            suspect.examine_at_last()


class WatchedDeferred(Deferred[Any]):
    """A Deferred that says when somebody begins to wait for it."""

    def __init__(
        self, canceller: Callable[[Deferred[Any]], Any], on_waited_for: Callable[[], object]
    ) -> None:
        super().__init__(canceller)
        self._on_waited_for = on_waited_for

    def noticed(self) -> None:
        if not self.called:
            self._on_waited_for()


def _noticing(name: str) -> Any:
    """Make a method of `WatchedDeferred` that adds callbacks as `Deferred` does."""
    add = getattr(Deferred, name)

    @functools.wraps(add)
    def method(self: WatchedDeferred, *args: Any, **kwargs: Any) -> Any:
        add(self, *args, **kwargs)
        self.noticed()
        return self

    return method


# Twisted's four methods do not call one another.
for _name in ("addCallbacks", "addCallback", "addErrback", "addBoth"):
    setattr(WatchedDeferred, _name, _noticing(_name))
