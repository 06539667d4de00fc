"""Under which name the deliveries of a group's handler are kept."""

from __future__ import annotations

from collections.abc import Callable, Container
from types import FunctionType
from typing import Any

from twisted_dispatcher.registration.handlers import callable_name


def handler_name(
    handler: Callable[..., Any],
    pattern: str,
    taken: Container[str] = (),
    name: str | None = None,
) -> str:
    """
    Name a handler so that it has the same name after a restart.

    A function of a module is called by its module and qualified name, so that its pattern can be
    changed while events wait for it; where that name is taken, by the pattern as well. Of
    everything else (methods of an instance, partials, functions made by functions) there may be
    several that are called the same, in any order: these have the pattern in their name always.

    :param pattern: the text of the group's pattern.
    :param taken: the names that are not free any more.
    :param name: what the handler shall be called, instead of by its own name.
    :return: a name that may be taken as well, where one handler comes twice with one pattern.
    """
    plain = callable_name(handler) if name is None else name
    if plain not in taken and (name is not None or _is_known_by_name(handler)):
        return plain
    return f"{plain} for {pattern!r}"


def _is_known_by_name(handler: Callable[..., Any]) -> bool:
    return isinstance(handler, FunctionType) and "<locals>" not in handler.__qualname__
