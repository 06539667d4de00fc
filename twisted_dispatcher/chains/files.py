"""Reading configurations of chains from TOML and JSON files; what they say is judged elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted_dispatcher.errors import MissingExtra, UnreadableChainConfiguration


def _read_toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise MissingExtra("tomli", "reading TOML before Python 3.11", "toml") from error
    return tomllib.loads(text)


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    ".json": json.loads,
    ".toml": _read_toml,
}


def read_chain_configs(path: str | os.PathLike[str]) -> Any:
    """
    Give what a file says, which the end of its name says how to read.

    :raises UnreadableChainConfiguration: when it is not there, or not well formed.
    :raises MissingExtra: when Python cannot read TOML yet, and nothing is installed that can.
    """
    file = Path(path)
    read = _READERS.get(file.suffix.lower())
    if read is None:
        raise UnreadableChainConfiguration(file, f"its name ends neither in {_endings()}")
    try:
        return read(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableChainConfiguration(file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableChainConfiguration(file, str(error)) from error


def _endings() -> str:
    return " nor in ".join(sorted(_READERS))
