"""Objects by the names of their modules: ``"package.module:name"``, or a dotted path."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from operator import attrgetter
from typing import Any

from twisted.python.reflect import namedAny

from twisted_dispatcher.errors import TaskNotImportable


def name_of(thing: Any) -> str:
    """Give the name of a class or function."""
    module = getattr(thing, "__module__", None) or "?"
    return f"{module}:{getattr(thing, '__qualname__', None) or type(thing).__qualname__}"


@lru_cache(maxsize=4096)
def named(name: str) -> Any:
    """
    Give what has a name.

    :raises TaskNotImportable: when there is no such thing.
    """
    module, colon, path = name.partition(":")
    if not all(part.isidentifier() for part in name.replace(":", ".", 1).split(".")) or (
        not colon and "." not in name
    ):
        raise TaskNotImportable(
            f"{name!r} names nothing that can be imported: write 'package.module:name'"
        )
    try:
        return attrgetter(path)(import_module(module)) if colon else namedAny(name)
    except Exception as error:
        raise TaskNotImportable(
            f"{name!r} cannot be imported ({type(error).__name__}: {error}): mend the name, or "
            "install its package where tasks run"
        ) from error
