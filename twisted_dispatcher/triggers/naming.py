"""Objects by the names of their modules: ``"package.module:name"``, or a dotted path."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

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
    if not colon:
        module, _, path = name.rpartition(".")
    if not module or not path:
        raise TaskNotImportable(
            f"{name!r} names nothing that can be imported: write 'package.module:name'"
        )
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise TaskNotImportable(
            f"{name!r} cannot be imported ({type(error).__name__}: {error}): mend the name, or "
            "install its package where tasks run"
        ) from error
    return found
