"""
`EventDispatcher`: the dispatcher in memory, as its users see it.

What it is made of stands elsewhere: `registration` knows the handlers, `matching` finds those that
an event concerns, `firing` takes it through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from zope.interface import implementer

from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.loop import DEEPEST, Fire
from twisted_dispatcher.firing.ordering import OrderedFire, OrderedLanes
from twisted_dispatcher.firing.signature import Plan, bind_fire_event
from twisted_dispatcher.firing.stopping import StopWait
from twisted_dispatcher.firing.watching import WatchedHandler
from twisted_dispatcher.interfaces import (
    IBackgroundUtility,
    IEventDispatcher,
    Listener,
)
from twisted_dispatcher.matching import MISSING, unhashable
from twisted_dispatcher.observers.log import event_label
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.registration.keywords import (
    check_known,
)
from twisted_dispatcher.registrations import Registrations
from twisted_dispatcher.results import DispatchResult, not_dispatched

# Plans for so many different details are kept; then all are forgotten and made anew.
MOST_PLANS = 4096

WAITING = HandlerOptions(name="wait_for")
ListenerT = TypeVar("ListenerT", bound=Listener)

_log = Logger()


@implementer(IEventDispatcher, IBackgroundUtility)
class EventDispatcher(Registrations):
    """
    Calls, for each event fired, the handlers whose match spec fits: in order, and waited for.

    A handler is registered for a phase, with a match spec of keyword values. An event is fired
    with details: a handler is called when its spec is a subset of them. The phases run one after
    another; within one, handlers start in the order of registration and run concurrently, and the
    next phase starts when all of them are done. See `IEventDispatcher` for each method.

    Events are independent of one another, unless `order_by` says otherwise. An event works on a
    snapshot of the handlers. A dispatcher belongs to the reactor's thread.
    """

    def _prepare(self) -> None:
        self._lanes: OrderedLanes = OrderedLanes()
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._conditions_changed()

    # Starting and stopping

    def start(self) -> None:
        """Dispatch what is fired from now on."""
        if self._running:
            return
        self._running = True
        self._engine.generation += 1
        self._conditions_changed()
        ready, self._ready = self._ready, []
        for deferred in ready:
            deferred.callback(None)

    def when_ready(self) -> Deferred[None]:
        """Give a Deferred that fires when events are dispatched."""
        if self._running:
            return fired(None)
        deferred: Deferred[None] = Deferred(self._ready.remove)
        self._ready.append(deferred)
        return deferred

    def stop(self) -> Deferred[None]:
        """
        Accept no more events, and give a Deferred that fires when all accepted have been handled.

        A handler may wait for it: its own event is not waited for then.
        """
        if self._running:
            self._running = False
            self._conditions_changed()
        if not self._engine.depth and not self._engine.in_flight:
            return fired(None)
        return StopWait(self._engine).deferred

    # Events

    def fire_event(self, event: Any, **event_details: Any) -> Deferred[DispatchResult]:
        """Call the handlers that match, phase after phase; see `IEventDispatcher`."""
        # Instances have the quick version in this place, unless a derived class overrides it.
        return self._quick_fire(event, **event_details)

    def _conditions_changed(self) -> None:
        """
        Make a new quick `fire_event`, for what has changed.

        It finds plans only while events may take the quick way; an older one that somebody has
        kept finds none ever again.
        """
        self._plans.clear()
        self._plans = {}
        self._watched_handlers: dict[Handler, WatchedHandler] = {}
        quick = self._running and self._order_by is None and not self._engine.observers
        keywords = self.allowed_keywords
        fire_event = bind_fire_event(
            keywords,
            self._plans if quick else {},
            self._engine,
            partial(self._fire_slowly, keywords),
        )
        self._quick_fire = fire_event
        if type(self).fire_event is EventDispatcher.fire_event:
            self.fire_event = fire_event  # type: ignore[method-assign]

    def _handlers_changed(self) -> None:
        self._plans.clear()
        self._watched_handlers.clear()

    def _fire_slowly(
        self,
        keywords: tuple[str, ...],
        event: Any,
        details: tuple[Any, ...],
        unknown: dict[str, Any],
    ) -> Deferred[DispatchResult]:
        """
        Do what the quick way cannot.

        :param keywords: the names of the details.
        :param unknown: further details, by names that were not known when it was made.
        """
        if unknown or keywords is not self.allowed_keywords:
            details = self._in_order({**dict(zip(keywords, details)), **unknown})
        if not self._running:
            _log.warn(
                "{dispatcher} is not running: {event_label} is not dispatched. Call start() first",
                dispatcher=self,
                event_label=event_label(event),
            )
            return fired(not_dispatched())
        try:
            handlers = self._handlers_for(details)
        except Exception:
            error = unhashable(self.allowed_keywords, details)
            return fail(error) if error is not None else fail()
        if self._order_by is not None:
            return self._fire_in_order(event, handlers, details)
        if self._engine.observers or self._engine.depth > DEEPEST:
            fire = Fire(self._engine, event, handlers, [])
            self._begin(fire)
            return fire.done
        return self._engine.run(event, handlers)

    def _in_order(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Bring details into the order of the keywords."""
        named = {name: value for name, value in given.items() if value is not MISSING}
        check_known(named, self.allowed_keywords)
        return tuple(named.get(keyword, MISSING) for keyword in self.allowed_keywords)

    def _handlers_for(self, details: tuple[Any, ...]) -> tuple[Handler, ...]:
        """
        Find the handlers for an event, and keep the plan if the same details find the same.

        :raises TypeError: when a detail cannot be hashed.
        """
        plans = self._plans
        plan = plans.get(details)
        if plan is not None:
            return plan[0]
        handlers, lasting = self._registry.index.find(details)
        if self._engine.observers:
            handlers = tuple(map(self._watched, handlers))
        if lasting and plans is self._plans:
            if len(plans) >= MOST_PLANS:
                plans.clear()
            plans[details] = handlers, DispatchResult(handlers, None)
        return handlers

    def _watched(self, handler: Handler) -> Handler:
        """Give what observers see of a handler, in its place."""
        watched = self._watched_handlers.get(handler)
        if watched is None:
            watched = self._watched_handlers[handler] = WatchedHandler(handler, self._engine)
        return cast(Handler, watched)

    def _fire_in_order(
        self, event: Any, handlers: tuple[Handler, ...], details: tuple[Any, ...]
    ) -> Deferred[DispatchResult]:
        given = dict(zip(self.allowed_keywords, details))
        lane = tuple(given[keyword] for keyword in self._order_by or ())
        fire = OrderedFire(self._engine, event, handlers, self._lanes, lane)
        if not fire.queued:
            self._begin(fire)
        return fire.done

    def _begin(self, fire: Fire) -> None:
        """Begin at once, or when the stack has unwound, if it is deep."""
        if self._engine.depth > DEEPEST:
            self._engine.trampoline.run(fire.begin_later)
        else:
            fire.begin()
