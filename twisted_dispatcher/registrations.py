"""
What every dispatcher knows: its keywords, its phases, its handlers, and who watches.

How events get to the handlers is what dispatchers differ in, and stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.errors import KeywordInUse, UnknownHandler, UnknownKeyword
from twisted_dispatcher.firing.deadlocks import Watchman
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.firing.waiting import Waiter
from twisted_dispatcher.interfaces import IObserver, IRunner, Listener, Registration
from twisted_dispatcher.matching import unhashable
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registrar import MemoryTerms, Registrar, Terms
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
    check_order,
    check_spec,
)
from twisted_dispatcher.registration.observing import check_observer
from twisted_dispatcher.registration.phases import check_phase, check_phases, stopping_phases
from twisted_dispatcher.registration.registry import Registry
from twisted_dispatcher.runners.threads import ThreadRunner

WAITING = HandlerOptions(name="wait_for", durable=False)
ListenerT = TypeVar("ListenerT", bound=Listener)


class Registrations:
    """
    The part of a dispatcher with which handlers are registered, listed and explained.

    A dispatcher derives from it, and is told by `_handlers_changed` and `_conditions_changed`.
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
        self._order_by = None if order_by is None else check_order(order_by, keywords)
        self._clock = clock
        self._running = False
        self._ready: list[Deferred[None]] = []
        self._engine = Engine(
            stopping_phases(on_failure, self._phases), Watchman(self._current_clock)
        )
        self._engine.observers = tuple(map(check_observer, observers))
        self._registry = Registry(keywords, self._phases, self._handlers_changed)
        self.runners: Mapping[str, IRunner] = {"thread": ThreadRunner(), **(runners or {})}
        self._registrar = Registrar(
            self._phases,
            self._registry,
            self._engine,
            self._current_clock,
            self.runners,
            self._terms(),
            self._reserved_keywords,
        )
        self._prepare()

    def _current_clock(self) -> IReactorTime:
        if self._clock is None:
            from twisted.internet import reactor

            self._clock = cast(IReactorTime, reactor)
        return self._clock

    def __repr__(self) -> str:
        state = "running" if self._running else "stopped"
        keywords = ", ".join(self.allowed_keywords) or "no keywords"
        return f"<{type(self).__name__} for {keywords}: {state}>"

    @property
    def running(self) -> bool:
        """Whether events are dispatched."""
        return self._running

    # What a dispatcher does of its own

    def _terms(self) -> Terms:
        """Give the terms on which it takes handlers."""
        return MemoryTerms()

    def _prepare(self) -> None:
        """Make what the dispatcher itself needs; nothing is registered yet."""
        raise NotImplementedError

    def _handlers_changed(self) -> None:
        """Forget what was known of who handles what."""
        raise NotImplementedError

    def _conditions_changed(self) -> None:
        """Take note that keywords, observers or `running` are not what they were."""
        raise NotImplementedError

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
            self._conditions_changed()

    def forbid_keyword(self, name: str) -> None:
        """
        Forbid a keyword.

        :raises UnknownKeyword: when it is not allowed anyway.
        :raises KeywordInUse: when a handler's spec, or `order_by`, names it.
        """
        if name not in self.allowed_keywords:
            raise UnknownKeyword([name], self.allowed_keywords)
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
        self._conditions_changed()

    def add_observer(self, observer: IObserver) -> None:
        """
        Have an observer told of what is fired from now on.

        :raises InvalidOptions: for what has not all methods of one.
        """
        check_observer(observer)
        self._engine.observers = (*self._engine.observers, observer)
        self._conditions_changed()

    def remove_observer(self, observer: IObserver) -> None:
        """
        Tell an observer of nothing any more.

        :raises ValueError: when it does not watch.
        """
        observers = list(self._engine.observers)
        observers.remove(observer)
        self._engine.observers = tuple(observers)
        self._conditions_changed()

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
        self._enter((), (handler,))
        return fired(handler.id)

    def _register_at(
        self,
        listen_fn: Listener,
        phase: str,
        options: HandlerOptions | None,
        match_spec: Mapping[str, Any],
        place: Place,
    ) -> int:
        """Register a handler, held strongly, for somebody whose code stands at a place."""
        handler = self._registrar.make(listen_fn, phase, False, options, match_spec, place)
        self._enter((), (handler,))
        return handler.id

    def on(
        self, phase: str = "during", *, options: HandlerOptions | None = None, **match_spec: Any
    ) -> Callable[[ListenerT], ListenerT]:
        """Give a decorator that registers a function and holds it strongly."""
        place = caller_place(1)
        check_phase(phase, self._phases)
        check_spec(match_spec, self.allowed_keywords, self._reserved_keywords)

        def register(listen_fn: ListenerT) -> ListenerT:
            make = self._registrar.make
            self._enter((), (make(listen_fn, phase, False, options, match_spec, place),))
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
        try:
            return fired(self.replace_for(caller_place(1), handler_ids, registrations))
        except UnknownHandler:
            return fail()

    def replace_for(
        self, place: Place, handler_ids: Iterable[int], registrations: Iterable[Registration]
    ) -> list[int]:
        """
        Do as `replace_event_handlers` does for somebody who is not the caller, and give the ids.

        :param place: the file and the line where the registrations stand.
        :raises UnknownHandler: then nothing has changed.
        """
        handlers = [
            self._make_registration(place, *args, **kwargs) for args, kwargs in registrations
        ]
        self._enter(tuple(handler_ids), handlers)
        return [handler.id for handler in handlers]

    def _enter(self, old: Collection[int], new: Sequence[Handler]) -> None:
        """Register handlers in the place of others, all or nothing."""
        if not old and len(new) == 1:
            self._registry.add(new[0])
        else:
            self._registry.swap(old, new)

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
        check_known(event_details, self.allowed_keywords, self._reserved_keywords)
        error = unhashable(event_details, event_details.values())
        refusals = [str(error)] if error else []
        if not self._running:
            refusals.append("the dispatcher is not running")
        return [
            verdict_on(handler, event_details, refusals) for handler in self._registry.handlers()
        ]

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
        check_known(match_spec, self.allowed_keywords, self._reserved_keywords)
        seconds = HandlerOptions(timeout=timeout).timeout
        waiter = Waiter(check, lambda: self._registry.remove(handler.id))
        handler = self._registrar.make(
            waiter.call, self._phases[0], False, WAITING, match_spec, caller_place(1)
        )
        self._registry.add(handler)
        if seconds is not None:
            waiter.limit(seconds, self._current_clock(), handler.spec)
        return waiter.deferred
