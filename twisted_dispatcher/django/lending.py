"""
Asynchronous handlers in tests: the thread that waits for one lends itself to it.

An ``async def`` belongs to the reactor's thread, which must not use the ORM, so that it has what
needs the ORM done in another thread (`threads.in_thread`). A test is in a transaction that only
its own thread can see: while that waits for the handler, it does these calls itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.blocking.calls import Call, name_of
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.django.guarding import refuse_orm
from twisted_dispatcher.errors import CallTimeout

_lender: ContextVar[Lender | None] = ContextVar("twisted_dispatcher.lender", default=None)

# What the waiting thread is to do next; it gives whether the waiting is over.
Job = Callable[[], bool]


class Lender:
    """A thread that waits for an ``async def``, and does for it what needs this thread."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._waiting: Deferred[Any] | None = None
        self._came_to: Any = None

    def run(self, function: Callable[..., Any], arguments: Any, seconds: float) -> Any:
        """
        Have an ``async def`` run in the reactor's thread, and give what it gives.

        :raises CallTimeout: when that takes longer than so many seconds; it is cancelled then.
        """
        thread = reactor_thread()
        token = _lender.set(self)
        try:
            begin = Call(self._begin, (function, arguments), {})
        finally:
            _lender.reset(token)
        thread.run(begin, seconds)
        deadline = time.monotonic() + seconds
        try:
            while not self._jobs.get(timeout=max(deadline - time.monotonic(), 0.0))():
                pass
        except Empty:
            thread.reactor.callFromThread(self._cancel)
            raise CallTimeout(seconds, name_of(function), True) from None
        if isinstance(self._came_to, Failure):
            self._came_to.raiseException()
        return self._came_to

    # In the reactor's thread

    def _begin(self, function: Callable[..., Any], arguments: Any) -> None:
        refuse_orm()
        self._waiting = Deferred.fromCoroutine(function(*arguments))
        self._waiting.addBoth(self._end)

    def _end(self, result: Any) -> None:
        self._came_to = result
        self._jobs.put(lambda: True)

    def _cancel(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    def call(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Have something done by the thread that waits."""
        answer: Deferred[Any] = Deferred()
        self._jobs.put(partial(_do, work, answer, reactor_thread().reactor))
        return answer


def _do(work: Callable[[], Any], answer: Deferred[Any], reactor: Any) -> bool:
    try:
        value = work()
    except Exception:
        value = Failure()
    reactor.callFromThread(answer.callback, value)
    return False


def lender() -> Lender | None:
    """Give the thread that waits for the code that is running, if one does."""
    return _lender.get()
