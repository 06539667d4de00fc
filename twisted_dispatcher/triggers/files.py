"""
Configurations of trigger sessions from files, for workflows that are written without code.

A file has the shape of the configuration in Python: each task's name, with its directives. JSON
and TOML are told apart by the file's name. ::

    [t_import]
    after = ["firstPageReceived", "questionnaireComplete"]
    run = "survey.tasks:ImportSubject"

    [t_import.withParams.firstPageReceived]
    source = "web"

What is wrong in a file is told in one error, whatever its kind, with the line of each fault.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NoReturn

import attrs

from twisted_dispatcher.errors import InvalidConfigurationFile
from twisted_dispatcher.triggers.configuration import Complain, faults_of
from twisted_dispatcher.triggers.places import Place, json_places, lines_of, toml_places
from twisted_dispatcher.triggers.tasks import task_fault

Directives = dict[str, Any]

_QUOTED = re.compile(r"'(\w+)'")
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)")


@attrs.frozen
class _Format:
    """How one kind of file is parsed, and where in its text things stand."""

    parse: Callable[[str], Any]
    places: Callable[[str], Iterator[tuple[Place, int]]]


@attrs.frozen
class ConfigurationText:
    """
    A configuration as it was read.

    :ivar tasks: the directives of each task.
    :ivar lines: the line of each task and of each directive.
    :ivar faults: what is wrong already that only a file can have, each with its line.
    """

    path: str
    tasks: dict[str, Directives]
    lines: Mapping[Place, int]
    faults: tuple[str, ...] = ()

    def place_of(self, fault: str) -> Place:
        """Find out which task a fault of `faults_of` is about, and which of its directives."""
        for task in self.tasks:
            if fault.startswith(f"{task!r} -> "):
                return (task, "andEvery")
            start = f"task {task!r}: "
            if fault.startswith(start):
                named = _QUOTED.findall(fault, len(start))
                return (task, *(name for name in named[:1] if (task, name) in self.lines))
        return ()

    def fault(self, place: Place, message: str) -> str:
        """Give a fault with the file, and the line of the nearest place that is known."""
        known = next((place[:n] for n in (2, 1) if place[:n] in self.lines), ())
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path}{line}: {message}"


def load_configuration(
    path: str | PathLike[str],
    run_fault: Complain | None = task_fault,
    using_fault: Complain | None = None,
) -> dict[str, Directives]:
    """
    Read a configuration for `TriggerManager.update_configuration` from a file.

    :param path: its name ends in ``.json`` or ``.toml``; the file is UTF-8.
    :param run_fault: says what is wrong with a ``run``: by default, that it cannot be imported
        here; None: nothing.
    :param using_fault: the same for a ``using``; by default nothing.
    :raises InvalidConfigurationFile: with all that is wrong in it.
    :raises OSError: when it cannot be opened.
    """
    text = read_configuration(path)
    faults = faults_of(text.tasks, run_fault, using_fault)
    if faults or text.faults:
        located = (text.fault(text.place_of(fault), fault) for fault in faults)
        raise InvalidConfigurationFile(text.path, (*text.faults, *located))
    return text.tasks


def read_configuration(path: str | PathLike[str]) -> ConfigurationText:
    """
    Read a file without judging its directives.

    :raises InvalidConfigurationFile: when it is no text of its kind at all.
    :raises OSError: when it cannot be opened.
    """
    name = fspath(path)
    form = _format_of(name)
    data = Path(name).read_bytes()
    try:
        text = data.decode("utf-8-sig")
        tasks = form.parse(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(name, f":{line}: this is not UTF-8: save the file as UTF-8", error)
    except RecursionError as error:
        _refuse(name, ": it is nested too deeply to be read", error)
    except ValueError as error:
        _refuse(name, _syntax_fault(error), error)
    if not isinstance(tasks, dict):
        _refuse(name, ':1: this is no object: write {"task\'s name": {directives}, ...}')
    lines, twice = lines_of(form.places(text))
    read = ConfigurationText(name, tasks, lines)
    faults = (read.fault(place, f"{'.'.join(place)} stands here twice") for place in twice)
    return attrs.evolve(read, faults=tuple(f"{fault}: remove one" for fault in faults))


def _format_of(name: str) -> _Format:
    form = _FORMATS.get(Path(name).suffix.lower())
    if form is None:
        _refuse(name, f": the name of the file must end in {' or '.join(_FORMATS)}")
    return form


def _syntax_fault(error: ValueError) -> str:
    """Give the place and the reason of a text that cannot be parsed."""
    if isinstance(error, json.JSONDecodeError):
        return f":{error.lineno}:{error.colno}: {error.msg}"
    if match := _TOML_PLACE.search(str(error)):
        return f":{match[1]}:{match[2]}: {str(error)[: match.start()]}"
    return f": {error}"


def _refuse(name: str, fault: str, cause: Exception | None = None) -> NoReturn:
    raise InvalidConfigurationFile(name, (f"{name}{fault}",)) from cause


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no value of JSON: write a number, a string or null")


def _parse_toml(text: str) -> Any:
    try:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
    except ImportError as error:
        cure = "pip install twisted_dispatcher[toml]"
        raise ValueError(f"TOML needs tomli before Python 3.11: {cure}") from error
    return tomllib.loads(text)


_FORMATS: Mapping[str, _Format] = {
    ".json": _Format(_parse_json, json_places),
    ".toml": _Format(_parse_toml, toml_places),
}
