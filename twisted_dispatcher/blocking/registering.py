"""Registering handlers by way of a connection: what is a plain function runs in a thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

from twisted_dispatcher.blocking.caller import Caller
from twisted_dispatcher.interfaces import Listener, Registration
from twisted_dispatcher.options import EXACTLY_ONCE, HandlerOptions
from twisted_dispatcher.registration.handlers import Place, caller_place
from twisted_dispatcher.registration.phases import check_phase

THREAD = "thread"
DEFAULT_OPTIONS = HandlerOptions(runner=THREAD)
ListenerT = TypeVar("ListenerT", bound=Callable[..., Any])


class Registering(Caller):
    """
    The part of a connection with which handlers are registered.

    A plain function is called in a thread, so that it may block; an ``async def`` in the reactor's
    thread, and an exactly-once handler where the store commits.
    """

    def add_event_handler(
        self,
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        timeout: float | None = None,
        **match_spec: Any,
    ) -> int:
        """Register a handler, and give its id; see `IEventDispatcher`."""
        keywords = {"options": options, **match_spec}
        registration = ((listen_fn, phase, use_weakref), keywords)
        (handler_id,) = self._replace(caller_place(1), (), [registration], timeout)
        return handler_id

    def on(
        self,
        phase: str = "during",
        *,
        options: HandlerOptions | None = None,
        timeout: float | None = None,
        **match_spec: Any,
    ) -> Callable[[ListenerT], ListenerT]:
        """Give a decorator that registers a function, held strongly, and gives it back."""
        place = caller_place(1)
        check_phase(phase, self.dispatcher.phases)

        def register(listen_fn: ListenerT) -> ListenerT:
            keywords = {"options": options, **match_spec}
            self._replace(place, (), [((listen_fn, phase, False), keywords)], timeout)
            return listen_fn

        return register

    def remove_event_handler(self, handler_id: int, *, timeout: float | None = None) -> None:
        """Remove a registration; see `IEventDispatcher`."""
        self._ask(timeout, self.dispatcher.remove_event_handler, handler_id)

    def replace_event_handlers(
        self,
        handler_ids: Iterable[int],
        registrations: Iterable[Registration],
        *,
        timeout: float | None = None,
    ) -> list[int]:
        """Swap registrations for others, all or nothing; see `IEventDispatcher`."""
        return self._replace(caller_place(1), tuple(handler_ids), registrations, timeout)

    def _replace(
        self,
        place: Place,
        handler_ids: Iterable[int],
        registrations: Iterable[Registration],
        timeout: float | None,
    ) -> list[int]:
        in_threads = [_registration(*args, **keywords) for args, keywords in registrations]
        found: list[int] = self._ask(
            timeout, self.dispatcher.replace_for, place, handler_ids, in_threads
        )
        return found


def in_thread(function: Any, options: Any) -> Any:
    """
    Give the options with which a handler runs in a thread.

    They are as they were for a coroutine function, where they name a runner of their own, and for
    an exactly-once handler.
    """
    if inspect.iscoroutinefunction(function):
        return options
    if options is None:
        return DEFAULT_OPTIONS
    if not isinstance(options, HandlerOptions):
        return options  # is refused where it is registered
    if options.runner != "reactor" or options.guarantee == EXACTLY_ONCE:
        return options
    return attrs.evolve(options, runner=THREAD)


def _registration(
    listen_fn: Listener,
    phase: str,
    use_weakref: bool = True,
    *,
    options: HandlerOptions | None = None,
    **match_spec: Any,
) -> Registration:
    """Take the arguments of a registration, and have its handler run in a thread, if it can."""
    given = in_thread(listen_fn, options)
    return (listen_fn, phase, use_weakref), {"options": given, **match_spec}
