"""Finding what a configuration file names: ``package.module:Name`` or ``package.module.Name``."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import Any


class LeadsNowhere(Exception):
    """A name cannot be followed; the message says to where it could be."""


def named(name: str) -> Any:
    """
    Import what a name stands for; with a colon also what is nested in a class.

    Importing a module runs it: names are read from files that are as trusted as code.

    :raises LeadsNowhere: also when importing the module raises, from what it raised.
    """
    module_name, colon, path = name.partition(":")
    if not colon:
        module_name, _, path = name.rpartition(".")
    if not (module_name and path):
        raise LeadsNowhere(
            f"{name!r} names nothing that can be imported: write it as package.module:Name"
        )
    module = _import(module_name)
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise LeadsNowhere(f"module {module_name!r} has no {path!r}: mend the name") from None


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise LeadsNowhere(f"importing {name!r} failed: {error}") from error
        raise LeadsNowhere(
            f"there is no module {error.name!r}: mend the name, or put it where Python looks"
        ) from None
    except Exception as error:
        raise LeadsNowhere(
            f"importing {name!r} failed: {type(error).__name__}: {error}"
        ) from error
