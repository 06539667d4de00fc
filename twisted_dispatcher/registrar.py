"""
How a registration is made: everything about it is checked, then there is a complete `Handler`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.firing.calls import Function, call_for, run_by
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.interfaces import IRunner, Listener
from twisted_dispatcher.observers.log import report_never_called
from twisted_dispatcher.options import DEFAULT_OPTIONS, EXACTLY_ONCE, HandlerOptions
from twisted_dispatcher.registration.handlers import (
    Handler,
    Place,
    callable_name,
    check_callable,
    hold_weakly,
    warn_if_fleeting,
)
from twisted_dispatcher.registration.keywords import check_spec
from twisted_dispatcher.registration.phases import check_phase
from twisted_dispatcher.registration.registry import Registry


class Terms(Protocol):
    """On what terms a dispatcher takes handlers."""

    def check(self, handler: Handler) -> HandlerOptions:
        """
        Refuse a handler, or give those of its options that are kept by each call of it.

        :raises InvalidOptions: for what the dispatcher cannot promise.
        """


class Registrar:
    """Makes the handlers of one dispatcher; what it refuses has left no trace."""

    def __init__(
        self,
        phases: tuple[str, ...],
        registry: Registry,
        engine: Engine,
        clock: Callable[[], IReactorTime],
        runners: Mapping[str, IRunner],
        terms: Terms,
        reserved: frozenset[str],
    ) -> None:
        """:param reserved: what cannot be a keyword."""
        self._phases = phases
        self._registry = registry
        self._engine = engine
        self._clock = clock
        self._runners = runners
        self._terms = terms
        self._reserved = reserved

    def make(
        self,
        function: Listener,
        phase: str,
        use_weakref: bool,
        options: HandlerOptions | None,
        spec: Mapping[str, Any],
        place: Place,
    ) -> Handler:
        """
        Make the handler of a registration, without adding it to the registry.

        :raises: as `IEventDispatcher.add_event_handler` does.
        """
        check_callable(function)
        runner: IRunner | None = None
        if options is None:
            options = DEFAULT_OPTIONS
        elif isinstance(options, HandlerOptions):
            runner = self._runner(options, function)
        else:
            raise InvalidOptions(f"options is a HandlerOptions, not {options!r}")
        check_spec(spec, self._registry.index.keywords, self._reserved)
        phase = check_phase(phase, self._phases)
        named = callable_name(function) if use_weakref else function
        handler = Handler(self._registry.next_id(), phase, options, place, named)
        kept = self._terms.check(handler)
        handler.set_spec(spec)
        if takes_transaction(options):
            _check_exactly_once(function, handler.name)
        answering: Function = function
        if use_weakref:
            warn_if_fleeting(function, place)
            answering = self._held_weakly(handler, function)
        elif takes_transaction(options):
            answering = partial(_call_with, function)
        if runner is not None:
            answering = run_by(runner, answering)
        if kept is not DEFAULT_OPTIONS:
            answering = call_for(
                handler, kept, answering, self._clock, self._engine, self._registry.remove
            )
        handler.call = answering
        return handler

    def _held_weakly(self, handler: Handler, function: Listener) -> Function:
        def collected(called: bool) -> None:
            if not (called or handler.retired or sys.is_finalizing()):
                report_never_called(handler.name, handler.phase, handler.registered_at)
            self._registry.collected(handler)

        return hold_weakly(function, collected, takes_transaction(handler.options))

    def _runner(self, options: HandlerOptions, function: Listener) -> IRunner | None:
        """Give the runner that the options ask for; None is the reactor's own thread."""
        if options.runner == "reactor":
            return None
        runner = options.runner
        if isinstance(runner, str):
            if runner not in self._runners:
                known = ", ".join(["reactor", *self._runners])
                raise InvalidOptions(f"no runner {runner!r}: there are {known}")
            runner = self._runners[runner]
        elif not IRunner.providedBy(runner):
            raise InvalidOptions(f"a runner is a name or provides IRunner, unlike {runner!r}")
        if inspect.iscoroutinefunction(function):
            raise InvalidOptions(
                f"{callable_name(function)} is an async def, which runs in the reactor's thread: "
                f"leave the runner out, or give a plain function to {options.runner!r}"
            )
        return runner


def takes_transaction(options: HandlerOptions) -> bool:
    """Tell whether a handler is called with the event and a transaction, given as a pair."""
    return options.guarantee == EXACTLY_ONCE


def _check_exactly_once(function: Listener, name: str) -> None:
    if inspect.iscoroutinefunction(function):
        raise InvalidOptions(
            f"{name} is an async def, but an exactly-once handler runs within one transaction and "
            "cannot wait: make it a plain function of the event and the transaction"
        )
    if not _may_take_two(function):
        raise InvalidOptions(
            f"{name} cannot be called with an event and a transaction, as an exactly-once handler "
            "is: make it a function of both"
        )


def _may_take_two(function: Callable[..., Any]) -> bool:
    """Tell whether it is possible to call a function with two arguments, as far as is known."""
    try:
        # What a wrapper takes need not be what the function within it takes.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _call_with(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


class MemoryTerms:
    """The terms of a dispatcher in memory."""

    def check(self, handler: Handler) -> HandlerOptions:
        options = handler.options
        if options.durable or options.guarantee not in (None, "at-most-once"):
            asked = "durable=True" if options.durable else f"guarantee={options.guarantee!r}"
            raise InvalidOptions(
                f"{asked} cannot be held in memory, where nothing outlives a crash: leave it out"
            )
        return options
