"""
A dispatcher for tests: it knows the project's handlers, and to whom events go, but runs nothing.

Names, phases, order and options are those of a real dispatcher, since it is one. It is never
started, and the store that it has is empty and in memory: whoever calls the handlers that it finds
writes down what became of them.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.utils.module_loading import import_string
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from twisted_dispatcher.django import registry
from twisted_dispatcher.django.conf import Conf, conf
from twisted_dispatcher.django.lending import Lender
from twisted_dispatcher.django.references import resolved
from twisted_dispatcher.durable.planning import Plan
from twisted_dispatcher.interfaces import IRunner, Listener
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings


@implementer(IRunner)
class InPlace:
    """Calls a handler here and now, as `DjangoThreads` would in a thread."""

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        try:
            return succeed(handler(resolved(event)))
        except Exception:
            return fail()


class Rehearsal:
    """The project's handlers on a dispatcher that is never started."""

    def __init__(self, given: Conf) -> None:
        settings = Settings(store="sqlite://", keywords=("group",), order_by=given.order_by)
        self._seconds = given.timeout
        self.service = DispatcherService(
            settings,
            setup=import_string(given.setup) if given.setup else None,
            runners={"thread": InPlace()},
            reactor=Clock(),
        )
        self._dispatcher: Any = self.service.dispatcher
        registry.enter(self)

    def enter_group_handler(self, handler: Callable[..., Any], *rest: Any) -> Any:
        """Register a handler; one that is an ``async def`` is waited for when it is called."""
        if inspect.iscoroutinefunction(handler):
            handler = self._waited_for(handler)
        return self.service.sources.enter_group_handler(handler, *rest)

    def _waited_for(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Give a plain function that runs an ``async def`` in the reactor's thread."""

        @wraps(handler)
        def wait(*arguments: Any) -> Any:
            return Lender().run(handler, arguments, self._seconds)

        return wait

    def plan(self, details: dict[str, Any]) -> Plan:
        """Find out to whom an event with some details goes."""
        found: Plan = self._dispatcher.backstage.plan(details)
        return found

    def transaction(self, own: Any) -> Any:
        """Give a transaction as handlers know it; what is accepted in it goes to `own`."""
        return self._dispatcher.backstage.transaction(own)


_lock = threading.Lock()
_kept: tuple[Conf, list[Any], Rehearsal] | None = None


def rehearsal() -> Rehearsal:
    """Give a dispatcher with the handlers that are registered now."""
    global _kept
    with _lock:
        key = (conf(), list(registry.GROUP_HANDLERS))
        if _kept is None or _kept[:2] != key:
            if _kept is not None:
                _kept[2].service.stopService()
            _kept = (*key, Rehearsal(key[0]))
        return _kept[2]
