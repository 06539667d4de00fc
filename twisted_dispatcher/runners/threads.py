"""Runs handlers in threads of the reactor's thread pool."""

from __future__ import annotations

import contextvars
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from twisted_dispatcher.interfaces import IRunner, Listener


@implementer(IRunner)
class ThreadRunner:
    """
    Calls a handler in a thread, with the context variables of the caller.

    A thread cannot be cancelled: when the handler's Deferred is, the wait ends, and the thread
    goes on to its end unheard.
    """

    def __init__(self, reactor: Any = None) -> None:
        """:param reactor: has the thread pool; by default the global one, when first needed."""
        self._reactor = reactor

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        context = contextvars.copy_context()
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, context.run, handler, event)
