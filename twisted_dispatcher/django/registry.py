"""
What a project has registered: handlers of groups, and sources of the events of models.

It is filled while the applications of the project get ready, before anything runs. A worker that
starts takes the handlers from here (`enter`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import iscoroutinefunction
from re import Pattern
from threading import RLock
from typing import Any, Final, Protocol

import attrs

from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.django.conf import KEYWORDS
from twisted_dispatcher.django.presence import require_installed
from twisted_dispatcher.durable.terms import DurableTerms
from twisted_dispatcher.errors import InvalidOptions, NameTaken
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registrar import Terms, takes_transaction
from twisted_dispatcher.registration.handlers import Place, caller_place, check_callable
from twisted_dispatcher.sources.groups import group_pattern
from twisted_dispatcher.sources.naming import handler_name

Source = Callable[[Any], "Iterable[Any] | None"]

MODEL_SOURCES: Final[dict[type, list[Source]]] = {}
"""By model, the sources of its events, in order of registration."""


@attrs.frozen(eq=False)
class GroupHandler:
    """
    A handler, the pattern of the groups that it is for, and its options.

    :ivar place: where it was registered.
    """

    handler: Callable[..., Any]
    group: Pattern[str]
    options: HandlerOptions | None
    place: Place


class TakesHandlers(Protocol):
    """What `EventSources` has of the kind."""

    def enter_group_handler(
        self,
        handler: Callable[..., Any],
        group: str | Pattern[str],
        options: HandlerOptions | None,
        place: Place,
    ) -> Any: ...


GROUP_HANDLERS: Final[list[GroupHandler]] = []
"""The handlers of groups, in order of registration."""

_followers: list[Callable[[GroupHandler], object]] = []
_lock = RLock()


def register_group_handler(
    *,
    handler: Callable[..., Any],
    group: str | Pattern[str],
    options: HandlerOptions | None = None,
) -> None:
    """
    Have a handler called with the events whose group a pattern is found in.

    :param group: a regular expression, as text or compiled; it need not match the whole group.
    :param options: see `options_of` for where the handler runs.
    :raises InvalidSource: at once, for a pattern that is no regular expression.
    :raises NotCallable, InvalidOptions, NameTaken: at once, as for any durable handler.
    :raises NotInstalled: when the project has not installed the application.
    """
    require_installed()
    check_callable(handler)
    if options is not None and not isinstance(options, HandlerOptions):
        raise InvalidOptions(f"options is a HandlerOptions, not {options!r}")
    registered = GroupHandler(handler, group_pattern(group), options, caller_place(1))
    with _lock:
        _try(registered)
        GROUP_HANDLERS.append(registered)
        followers = tuple(_followers)
    for each in followers:
        each(registered)


def _named(registered: GroupHandler) -> HandlerOptions:
    """
    Give the options of a handler with the name that it gets beside those that there are.

    :raises NameTaken: when one of them has it.
    """
    options, taken = options_of(registered), _names()
    name = handler_name(registered.handler, registered.group.pattern, taken, options.name)
    if name in taken and options.durable is not False:
        raise NameTaken(name)
    return attrs.evolve(options, name=name)


def _names() -> set[str]:
    names: set[str] = set()
    for each in GROUP_HANDLERS:
        name = each.options.name if each.options else None
        names.add(handler_name(each.handler, each.group.pattern, names, name))
    return names


class _Trial(EventDispatcher):
    """
    Takes a handler as a worker does, to refuse what none would take.

    A worker has all handlers or does not start: one bad handler would keep the others from being
    called, in another thread or process than the one to be told.
    """

    def _terms(self) -> Terms:
        return DurableTerms()


def _try(registered: GroupHandler) -> None:
    """
    Have a handler refused that no worker would take.

    :raises InvalidOptions, NameTaken: when that is so.
    """
    _Trial(KEYWORDS).add_event_handler(
        registered.handler,
        "during",
        use_weakref=False,
        options=_named(registered),
        group=registered.group,
    )


def enter(sources: TakesHandlers, follow: Callable[[GroupHandler], object] | None = None) -> None:
    """
    Give a worker's sources all handlers.

    :param follow: called with each handler that is registered later on, in whatever thread that
        is.
    """
    with _lock:
        registered = tuple(GROUP_HANDLERS)
        if follow is not None:
            _followers.append(follow)
    for each in registered:
        hand_over(sources, each)


def leave(follow: Callable[[GroupHandler], object]) -> None:
    """Tell of later registrations no more."""
    with _lock:
        _followers.remove(follow)


def hand_over(sources: TakesHandlers, registered: GroupHandler) -> None:
    """Give a worker's sources one handler."""
    sources.enter_group_handler(
        registered.handler, registered.group, options_of(registered), registered.place
    )


def options_of(registered: GroupHandler) -> HandlerOptions:
    """
    Give the options that a handler gets: those that were given, but for where it runs.

    A plain function runs in a thread, where it may use the ORM, unless another runner was named; a
    coroutine function in the reactor's. One that is exactly-once runs where the store commits.
    """
    options = registered.options or HandlerOptions()
    is_plain = options.runner == "reactor" and not _is_coroutine_function(registered.handler)
    if is_plain and not takes_transaction(options):
        return attrs.evolve(options, runner="thread")
    return options


def _is_coroutine_function(handler: Any) -> bool:
    """Tell whether a handler is one, also if it is a partial or an object with such a call."""
    while isinstance(handler, partial):
        handler = handler.func
    return iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__)
