"""
Who is registered: a `Handler` for each registration, and how its function is held.

A handler's `call` is all that a dispatch uses. When the handler is removed, or its weakly held
function is collected, `call` is replaced by one that answers `NOT_CALLED`. Every plan that still
names the handler then starts nothing, and no dispatch has to ask whether a handler is alive.
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from twisted_dispatcher.errors import NotCallable, NotWeakReferenceable, WeakHandlerWarning
from twisted_dispatcher.interfaces import IHandler
from twisted_dispatcher.matching import Entry
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.results import NOT_CALLED

Place = tuple[str, int]


def not_called(event: Any) -> object:
    """Stand in for the function of a handler that must not be started any more."""
    return NOT_CALLED


def callable_name(function: Any) -> str:
    """Give the module and qualified name of a callable: stable over restarts for a function."""
    if isinstance(function, functools.partial):
        return callable_name(function.func)
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None) or getattr(
        type(getattr(function, "__self__", None)), "__module__", "builtins"
    )
    return f"{module}.{named.__qualname__}"


# Registrations made by one line share its place; there are no more places than such lines.
_places: dict[Place, Place] = {}


def caller_place(depth: int) -> Place:
    """Give file and line of the caller so many frames above the caller of this function."""
    frame = sys._getframe(depth + 1)
    place = (frame.f_code.co_filename, frame.f_lineno)
    return _places.setdefault(place, place)


@implementer(IHandler)
class Handler(Entry):
    """
    One registration: a function, held in one way or the other, for a phase and a spec.

    :ivar call: called with the event; gives the handler's answer, or `NOT_CALLED`.
    :ivar phase: the dispatcher's own string of the phase's name (compared by identity).
    """

    __slots__ = ("_named", "call", "options", "phase", "place")

    def __init__(
        self, handler_id: int, phase: str, options: HandlerOptions, place: Place, named: Any
    ) -> None:
        """
        :param named: what gives the name by default: a name, or the function that it is made of
            when somebody asks.
        """
        self.id = handler_id
        self.phase = phase
        self.options = options
        self.place = place
        self._named = named
        self.call: Callable[[Any], Any] = not_called

    @property
    def name(self) -> str:
        if self.options.name is not None:
            return self.options.name
        if not isinstance(self._named, str):
            self._named = callable_name(self._named)
        return self._named

    @property
    def registered_at(self) -> str:
        return f"{self.place[0]}:{self.place[1]}"

    @property
    def retired(self) -> bool:
        """Whether it was removed: no further call of it is started."""
        return self.call is not_called

    def retire(self) -> None:
        """Let go of the function; every plan that still names the handler skips it from now."""
        self._named = self.name  # Not the function any more, which this would keep alive.
        self.call = not_called

    def __repr__(self) -> str:
        return f"<Handler {self.id} {self.name} in {self.phase}>"


class FailedMatch:
    """Stands in a plan for a handler whose predicate raised: its call fails with that."""

    __slots__ = ("_handler", "error")

    def __init__(self, handler: Handler, error: Exception) -> None:
        self._handler = handler
        self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def call(self, event: Any) -> Any:
        raise self.error


def hold_weakly(
    function: Any, on_collected: Callable[[bool], object], several: bool = False
) -> Callable[[Any], Any]:
    """
    Give a function that calls the given one, or `NOT_CALLED` once that has been collected.

    Of a bound method, its instance is what is held weakly.

    :param on_collected: called (in whatever thread collects it) when it is gone, with whether it
        was ever called.
    :param several: whether what it is called with are the arguments of the function, in a tuple.
    :raises NotWeakReferenceable: when it cannot be held so.
    """
    held, method = _weak_parts(function)
    called = False

    def collected(reference: object) -> None:
        on_collected(called)

    def call_function(event: Any) -> Any:
        nonlocal called
        alive = reference()
        if alive is None:
            return NOT_CALLED
        called = True
        return alive(event)

    def call_method(event: Any) -> Any:
        nonlocal called
        alive = reference()
        if alive is None:
            return NOT_CALLED
        called = True
        return method(alive, event)  # type: ignore[misc]

    def call_with_several(arguments: Any) -> Any:
        nonlocal called
        alive = reference()
        if alive is None:
            return NOT_CALLED
        called = True
        return alive(*arguments) if method is None else method(alive, *arguments)

    try:
        reference = weakref.ref(held, collected)
    except TypeError as error:
        raise NotWeakReferenceable(
            f"{callable_name(function)} cannot be held weakly: register it with "
            "use_weakref=False, or with the decorator on()"
        ) from error
    if several:
        return call_with_several
    return call_function if method is None else call_method


def _weak_parts(function: Any) -> tuple[Any, Callable[[Any, Any], Any] | None]:
    """Give what to hold weakly, and for a method of it the function that takes it first."""
    if isinstance(function, types.MethodType):
        return function.__self__, function.__func__
    if isinstance(function, (types.BuiltinMethodType, types.MethodWrapperType)):
        owner = function.__self__
        if owner is not None and not isinstance(owner, types.ModuleType):
            return owner, getattr(type(owner), function.__name__)
    return function, None


def check_callable(function: Any) -> None:
    """
    Refuse what cannot be a handler.

    :raises NotCallable: naming the cure where one can be guessed.
    """
    if callable(function):
        return
    cure = "give the async function itself, without calling it"
    if not isinstance(function, types.CoroutineType):
        cure = "give a function of the event"
    raise NotCallable(f"a handler must be callable, not {type(function).__name__}: {cure}")


def warn_if_fleeting(function: Any, place: Place) -> None:
    """Warn, at the line that registers it, where nothing but the registration holds a function."""
    if isinstance(function, functools.partial):
        what = "a functools.partial"
    elif getattr(function, "__name__", None) == "<lambda>":
        what = "a lambda"
    else:
        return
    warnings.warn_explicit(
        f"{what} is held weakly and will be collected unless you keep it yourself: register it "
        "with use_weakref=False, or with the decorator on()",
        WeakHandlerWarning,
        *place,
    )
