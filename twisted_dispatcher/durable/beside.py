"""
Handlers that are called in memory only, beside the deliveries of their event.

They keep to the phases: those of a phase start with its deliveries, and the deliveries of the
next phase wait for them. They are called by the process that accepted the event, if that sets out
at once, and at most once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import groupby
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.registration.handlers import Handler

Note = Callable[[Handler, Any], object]


class Beside:
    """Calls the handlers in memory of one event, phase by phase, as its deliveries get there."""

    def __init__(
        self,
        engine: Engine,
        event: Any,
        handlers: Iterable[tuple[int, Handler]],
        note: Note,
        context: Context | None = None,
    ) -> None:
        """
        :param handlers: each with the rank of its phase, in order.
        :param note: is told what a handler came to.
        :param context: the context variables that they see; None: those of where it is.
        """
        self._engine = engine
        self._event = event
        self._note = note
        self._context = context
        self._phases = deque(
            (rank, [handler for _, handler in group])
            for rank, group in groupby(handlers, key=lambda pair: pair[0])
        )
        self._lock = DeferredLock()
        # What the last phase that was begun is waited for with.
        self._running: tuple[int, Deferred[Any]] = (-1, fired(None))

    def reach(self, rank: int) -> Deferred[None]:
        """
        Call the handlers of all phases up to this one.

        :return: a Deferred that fires when those of the earlier phases are done.
        """
        return Deferred.fromCoroutine(self._reach(rank))

    def finish(self) -> Deferred[None]:
        """Call all that are left; give a Deferred that fires when they are done."""
        last = self._phases[-1][0] if self._phases else self._running[0]
        return self.reach(last + 1)

    async def _reach(self, rank: int) -> None:
        async with self._lock:
            while self._phases and self._phases[0][0] <= rank:
                await self._running[1]
                reached, handlers = self._phases.popleft()
                self._running = (reached, self._call(handlers))
            if self._running[0] < rank:
                await self._running[1]

    def _call(self, handlers: Sequence[Handler]) -> Deferred[Any]:
        if self._context is None:
            return self._run(handlers)
        return self._context.copy().run(self._run, handlers)

    def _run(self, handlers: Sequence[Handler]) -> Deferred[Any]:
        return self._engine.run(self._event, handlers).addCallback(self._called, handlers)

    def _called(self, result: Any, handlers: Sequence[Handler]) -> None:
        by_id = {handler.id: handler for handler in handlers}
        for outcome in result.outcomes:
            self._note(by_id[outcome.handler_id], outcome.failure or outcome.value)
