"""Waiting for the next event that matches, without registering a handler by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.errors import AwaitedCheck, WaitTimeout
from twisted_dispatcher.results import NOT_CALLED


class Waiter:
    """
    Is called like a handler, and gives the first event that it likes to its Deferred.

    It is no handler to who fires the event: it leaves no outcome.
    """

    def __init__(self, check: Callable[[Any], object] | None, leave: Callable[[], object]) -> None:
        """:param leave: takes it out of the registry, once it waits no more."""
        self._check = check
        self._leave = leave
        self._left = False
        self.deferred: Deferred[Any] = Deferred(lambda _: self._end())

    def limit(self, seconds: float, clock: IReactorTime, spec: dict[str, Any]) -> None:
        """Fail after so many seconds."""

        def expire() -> None:
            self._end()
            self.deferred.errback(WaitTimeout(seconds, spec))

        timer = clock.callLater(seconds, expire)

        def stop_timer(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        self.deferred.addBoth(stop_timer)

    def call(self, event: Any) -> object:
        if self._left:
            return NOT_CALLED
        try:
            wanted = self._check is None or self._check(event)
            if isinstance(wanted, Awaitable):
                raise AwaitedCheck(wanted)
        except Exception:
            self._end()
            self.deferred.errback()
            return NOT_CALLED
        if wanted:
            self._end()
            self.deferred.callback(event)
        return NOT_CALLED

    def _end(self) -> None:
        if not self._left:
            self._left = True
            self._leave()
