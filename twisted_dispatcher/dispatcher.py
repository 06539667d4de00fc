"""
`EventDispatcher`: the dispatcher in memory, as its users see it.

What it is made of stands elsewhere: `registration` knows the handlers, `matching` finds those that
an event concerns, `firing` takes it through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from twisted_dispatcher.errors import KeywordInUse, UnknownHandler
from twisted_dispatcher.firing.deadlocks import Watchman
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.lanes import Lanes
from twisted_dispatcher.firing.loop import DEEPEST, Engine, Fire
from twisted_dispatcher.firing.ordering import OrderedFire
from twisted_dispatcher.firing.signature import Plan, bind_fire_event
from twisted_dispatcher.firing.stopping import StopWait
from twisted_dispatcher.firing.waiting import Waiter
from twisted_dispatcher.firing.watching import WatchedHandler
from twisted_dispatcher.interfaces import (
    IBackgroundUtility,
    IEventDispatcher,
    IObserver,
    IRunner,
    Listener,
    Registration,
)
from twisted_dispatcher.matching import MISSING, unhashable
from twisted_dispatcher.observers.log import event_label
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registrar import Registrar
from twisted_dispatcher.registration.explaining import (
    HandlerDescription,
    Verdict,
    description_of,
    verdict_on,
)
from twisted_dispatcher.registration.handlers import Handler, Place, caller_place, check_callable
from twisted_dispatcher.registration.keywords import (
    RESERVED,
    check_keyword,
    check_keywords,
    check_known,
)
from twisted_dispatcher.registration.phases import check_phase, check_phases, stopping_phases
from twisted_dispatcher.registration.registry import Registry
from twisted_dispatcher.results import DispatchResult, not_dispatched
from twisted_dispatcher.runners.threads import ThreadRunner

# Plans for so many different details are kept; then all are forgotten and made anew.
MOST_PLANS = 4096

WAITING = HandlerOptions(name="wait_for")
ListenerT = TypeVar("ListenerT", bound=Listener)

_log = Logger()


@implementer(IEventDispatcher, IBackgroundUtility)
class EventDispatcher:
    """
    Calls, for each event fired, the handlers whose match spec fits: in order, and waited for.

    A handler is registered for a phase, with a match spec of keyword values. An event is fired
    with details: a handler is called when its spec is a subset of them. The phases run one after
    another; within one, handlers start in the order of registration and run concurrently, and the
    next phase starts when all of them are done. See `IEventDispatcher` for each method.

    Events are independent of one another, unless `order_by` says otherwise. An event works on a
    snapshot of the handlers. A dispatcher belongs to the reactor's thread.
    """

    _reserved_keywords = RESERVED

    def __init__(
        self,
        allowed_match_spec_keywords: Iterable[str] = (),
        phases: Iterable[str] = ("before", "during", "after"),
        *,
        on_failure: str | Mapping[str, str] = "continue",
        order_by: Iterable[str] | None = None,
        clock: IReactorTime | None = None,
        observers: Iterable[IObserver] = (),
        runners: Mapping[str, IRunner] | None = None,
    ) -> None:
        """
        :param allowed_match_spec_keywords: the names that specs and details may have.
        :param phases: the names of the phases, in order.
        :param on_failure: whether a handler's failure ends the dispatch after its phase
            (``"stop"``) or not (``"continue"``), for all phases or by phase.
        :param order_by: events with equal values of these keywords are handled one after another,
            in the order of firing (a keyword that is left out counts as a value of its own);
            ``()`` orders all events, None none.
        :param clock: for time limits and retries; by default the reactor, when first needed.
        :param observers: who watches from the beginning.
        :param runners: runners by name, beside ``"reactor"`` and ``"thread"``.
        :raises InvalidKeyword, ReservedKeyword, InvalidPhases: for what it cannot be made of.
        :raises UnknownKeyword, UnknownPhase, InvalidOptions: likewise.
        """
        keywords = check_keywords(allowed_match_spec_keywords, self._reserved_keywords)
        self._phases = check_phases(phases)
        self._order_by = self._check_order_by(order_by, keywords)
        self._clock = clock
        self._running = False
        self._ready: list[Deferred[None]] = []
        self._engine = Engine(
            stopping_phases(on_failure, self._phases), Watchman(self._current_clock)
        )
        self._engine.observers = tuple(observers)
        self._lanes: Lanes[OrderedFire] = Lanes()
        self._registry = Registry(keywords, self._phases, self._forget_plans)
        self._registrar = Registrar(
            self._phases,
            self._registry,
            self._engine,
            self._current_clock,
            {"thread": ThreadRunner(), **(runners or {})},
        )
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._rebind()

    @staticmethod
    def _check_order_by(
        order_by: Iterable[str] | None, keywords: tuple[str, ...]
    ) -> tuple[str, ...] | None:
        if order_by is None:
            return None
        names = check_keywords(order_by, frozenset())
        check_known(names, keywords)
        return names

    def _current_clock(self) -> IReactorTime:
        if self._clock is None:
            from twisted.internet import reactor

            self._clock = cast(IReactorTime, reactor)
        return self._clock

    def __repr__(self) -> str:
        state = "running" if self._running else "stopped"
        return f"<{type(self).__name__} for {', '.join(self.allowed_keywords)}: {state}>"

    # Starting and stopping

    @property
    def running(self) -> bool:
        """Whether events are dispatched."""
        return self._running

    def start(self) -> None:
        """Dispatch what is fired from now on."""
        if self._running:
            return
        self._running = True
        self._engine.generation += 1
        self._rebind()
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
            self._rebind()
        if not self._engine.depth and not self._engine.in_flight:
            return fired(None)
        return StopWait(self._engine).deferred

    # Keywords, phases, observers

    @property
    def allowed_keywords(self) -> tuple[str, ...]:
        """The keywords that match specs and details may name."""
        return self._registry.index.keywords

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of the phases, in the order in which they run."""
        return self._phases

    def allow_keyword(self, name: str) -> None:
        """
        Allow one more keyword.

        :raises InvalidKeyword, ReservedKeyword: when it cannot be one.
        """
        check_keyword(name, self._reserved_keywords)
        if name not in self.allowed_keywords:
            self._registry.set_keywords((*self.allowed_keywords, name))
            self._rebind()

    def forbid_keyword(self, name: str) -> None:
        """
        Forbid a keyword.

        :raises UnknownKeyword: when it is not allowed anyway.
        :raises KeywordInUse: when a handler's spec, or `order_by`, names it.
        """
        check_known([name], self.allowed_keywords)
        users = [
            f"{handler.name} (id {handler.id}, registered at {handler.registered_at})"
            for handler in self._registry.handlers()
            if name in handler.keywords
        ]
        if name in (self._order_by or ()):
            users.append("order_by")
        if users:
            raise KeywordInUse(name, users)
        self._registry.set_keywords([k for k in self.allowed_keywords if k != name])
        self._rebind()

    def add_observer(self, observer: IObserver) -> None:
        """Have an observer told of what is fired from now on."""
        self._engine.observers = (*self._engine.observers, observer)
        self._rebind()

    def remove_observer(self, observer: IObserver) -> None:
        """
        Tell an observer of nothing any more.

        :raises ValueError: when it does not watch.
        """
        observers = list(self._engine.observers)
        observers.remove(observer)
        self._engine.observers = tuple(observers)
        self._rebind()

    # Handlers

    def add_event_handler(
        self,
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        **match_spec: Any,
    ) -> Deferred[int]:
        """Register a handler; see `IEventDispatcher`."""
        handler = self._registrar.make(
            listen_fn, phase, use_weakref, options, match_spec, caller_place(1)
        )
        self._registry.add(handler)
        return fired(handler.id)

    def on(
        self, phase: str = "during", *, options: HandlerOptions | None = None, **match_spec: Any
    ) -> Callable[[ListenerT], ListenerT]:
        """Give a decorator that registers a function and holds it strongly."""
        place = caller_place(1)
        check_phase(phase, self._phases)
        check_known(match_spec, self.allowed_keywords)

        def register(listen_fn: ListenerT) -> ListenerT:
            make = self._registrar.make
            self._registry.add(make(listen_fn, phase, False, options, match_spec, place))
            return listen_fn

        return register

    def remove_event_handler(self, handler_id: int) -> Deferred[None]:
        """Remove a registration; see `IEventDispatcher`."""
        try:
            self._registry.remove(handler_id)
        except UnknownHandler:
            return fail()
        return fired(None)

    def replace_event_handlers(
        self, handler_ids: Iterable[int], registrations: Iterable[Registration]
    ) -> Deferred[list[int]]:
        """Swap registrations for others, all or nothing; see `IEventDispatcher`."""
        place = caller_place(1)
        handlers = [
            self._make_registration(place, *args, **kwargs) for args, kwargs in registrations
        ]
        try:
            self._registry.swap(handler_ids, handlers)
        except UnknownHandler:
            return fail()
        return fired([handler.id for handler in handlers])

    def _make_registration(
        self,
        place: Place,
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        **match_spec: Any,
    ) -> Handler:
        """Make a handler of the arguments of one `add_event_handler` call."""
        return self._registrar.make(listen_fn, phase, use_weakref, options, match_spec, place)

    def describe(self) -> list[HandlerDescription]:
        """List what is registered, by phase and in the order of registration."""
        return [description_of(handler) for handler in self._registry.handlers()]

    def why(self, **event_details: Any) -> list[Verdict]:
        """Say for every handler whether an event with these details would reach it now."""
        check_known(event_details, self.allowed_keywords)
        return [
            verdict_on(handler, event_details, self._running)
            for handler in self._registry.handlers()
        ]

    # Events

    def fire_event(self, event: Any, **event_details: Any) -> Deferred[DispatchResult]:
        """
        Call the handlers that match, phase after phase; see `IEventDispatcher`.

        Each dispatcher has its own quick version of this in its place (`signature`), unless a
        derived class has overridden it.
        """
        return self._fire_slowly((), event, (), event_details)

    def _rebind(self) -> None:
        """
        Make a new quick `fire_event`, for what has changed.

        It finds plans only while events may take the quick way; an older one that somebody has
        kept finds none ever again.
        """
        self._plans.clear()
        self._plans = {}
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

    def _forget_plans(self) -> None:
        self._plans.clear()

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
        except TypeError:
            error = unhashable(self.allowed_keywords, details)
            return fail(error) if error is not None else fail()
        if self._order_by is not None:
            return self._fire_in_order(event, handlers, details)
        if self._engine.observers or self._engine.depth > DEEPEST:
            fire = Fire(self._engine, event, handlers, [])
            self._engine.trampoline.run(fire.begin)
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
            handlers = tuple(WatchedHandler(handler, self._engine) for handler in handlers)  # type: ignore[misc]
        if lasting and plans is self._plans:
            if len(plans) >= MOST_PLANS:
                plans.clear()
            plans[details] = handlers, DispatchResult(handlers, None)
        return handlers

    def _fire_in_order(
        self, event: Any, handlers: tuple[Handler, ...], details: tuple[Any, ...]
    ) -> Deferred[DispatchResult]:
        given = dict(zip(self.allowed_keywords, details))
        lane = tuple(given[keyword] for keyword in self._order_by or ())
        fire = OrderedFire(self._engine, event, handlers, self._lanes, lane)
        if not fire.queued:
            self._engine.trampoline.run(fire.begin)
        return fire.done

    def wait_for(
        self,
        *,
        timeout: float | None = None,
        check: Callable[[Any], object] | None = None,
        **match_spec: Any,
    ) -> Deferred[Any]:
        """Give the next event that matches; see `IEventDispatcher`."""
        if check is not None:
            check_callable(check)
        seconds = HandlerOptions(timeout=timeout).timeout
        waiter = Waiter(check, lambda: self._registry.remove(handler.id))
        handler = self._registrar.make(
            waiter.call, self._phases[0], False, WAITING, match_spec, caller_place(1)
        )
        self._registry.add(handler)
        if seconds is not None:
            waiter.limit(seconds, self._current_clock(), handler.spec)
        return waiter.deferred
