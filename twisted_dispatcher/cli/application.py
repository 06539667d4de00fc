"""Finding and calling the user's application: the function that registers its handlers."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

from twisted_dispatcher.errors import DispatcherError, UnknownPhase

# That of `feed` is given an `IEventDispatcher`, allows keywords and registers handlers; what it
# gives, if anything, is called at the end. That of `sweep` is given the `EventSources`.
Setup = Callable[[Any], Any]


class ApplicationNotFound(DispatcherError, ValueError):
    """What names an application does not lead to a function."""


class SetupFailed(DispatcherError):
    """An application's setup was refused something, or takes what it is given for another."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the application's setup failed: {reason}")


async def set_up(setup: Setup, given: Any, wanted: str) -> Any:
    """
    Call an application's setup, and give what it gives when that is there.

    :param given: what it is called with.
    :param wanted: says with what it is called, and by which command.
    :raises SetupFailed: when this package has refused what it does, or `given` is not what it
        expects. What else it raises is let through.
    """
    try:
        answer = setup(given)
        return await answer if inspect.isawaitable(answer) else answer
    except UnknownPhase as error:
        raise SetupFailed(f"{error}; name them with --phases") from error
    except DispatcherError as error:
        raise SetupFailed(str(error)) from error
    except AttributeError as error:
        if error.obj is not given:
            raise
        raise SetupFailed(f"{error}: {wanted}") from error


def load_application(name: str) -> Setup:
    """
    Import the function that ``package.module:function`` names.

    The current directory is among the places where modules are looked for.

    :raises ApplicationNotFound: saying which part of the name leads nowhere. What importing the
        module raises is let through.
    """
    function = load_value(name)
    if not callable(function):
        raise ApplicationNotFound(
            f"{name!r} is of type {type(function).__name__} and not a function"
        )
    return function  # type: ignore[no-any-return]


def load_value(name: str) -> Any:
    """
    Import what ``package.module:name`` names, of whatever kind; see `load_application`.

    :raises ApplicationNotFound: saying which part of the name leads nowhere.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise ApplicationNotFound(
            f"{name!r} does not name a function: write MODULE:FUNCTION, for example "
            "examples.helpdesk:setup"
        )
    module = _import(module_name)
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise ApplicationNotFound(
            f"module {module_name!r} has no {path!r}{_functions_of(module)}"
        ) from None


def look_here() -> None:
    """Let modules be looked for in the current directory, too."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def _import(name: str) -> Any:
    look_here()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # it was found, and imports something that was not
        raise ApplicationNotFound(
            f"there is no module {error.name!r}: run the command in the directory that it is in, "
            "or install it"
        ) from None


def _functions_of(module: Any) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    ]
    return f" (it has {', '.join(names)})" if names else ""
