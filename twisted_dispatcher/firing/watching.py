"""How observers get to see the handlers: each is put into a `WatchedHandler` for them."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, kind_of, settle
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IHandler
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED


@implementer(IHandler)
class WatchedHandler:
    """
    Stands in a plan for a handler, and tells the observers of its start and its end.

    Plans have these only while there are observers, so that without them nothing is asked.
    Failures are not told of here: the engine tells everybody of them.
    """

    __slots__ = ("_engine", "_handler", "id", "name", "phase", "registered_at")

    def __init__(self, handler: Handler, engine: Engine) -> None:
        self._handler = handler
        self._engine = engine
        self.id = handler.id
        self.name = handler.name
        self.phase = handler.phase
        self.registered_at = handler.registered_at

    def call(self, event: Any) -> Any:
        if self._handler.retired:
            return NOT_CALLED
        self._engine.tell("handler_started", self, event)
        try:
            answer = settle(self._handler.call(event))
        except BaseException:
            return Failure()
        kind = kind_of(answer)
        if kind == DEFERRED:
            return answer.addCallback(self._ended, event)
        if kind != FAILURE:
            self._engine.tell("handler_ended", self, event, answer)
        return answer

    def _ended(self, value: Any, event: Any) -> Any:
        self._engine.tell("handler_ended", self, event, value)
        return value
