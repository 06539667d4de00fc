"""
Where in a configuration's text a task or a directive stands, so that a fault can name its line.

Pure. The text is known to be well-formed when it comes here: it was parsed before. A place is a
path of keys, ``("t_import",)`` or ``("t_import", "after")``; deeper ones are not looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

Place = tuple[str, ...]

_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder()

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TOML_LINE = re.compile(
    rf"^[ \t]*(?:\[[ \t]*(?P<header>{_KEYS})[ \t]*\]|(?P<keys>{_KEYS})[ \t]*=)"
)


def json_places(text: str) -> Iterator[tuple[Place, int]]:
    """Give each task and directive of a JSON text with its line; what is named twice, twice."""
    for task, at, value in _members(text, 0):
        yield (task,), _line(text, at)
        for directive, inner, _ in _members(text, value):
            yield (task, directive), _line(text, inner)


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Give the keys of the object that begins there, if one does, and where key and value are."""
    at = _after_blank(text, start)
    if text[at] != "{":
        return
    at = _after_blank(text, at + 1)
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        value = _after_blank(text, _after_blank(text, end) + 1)
        yield key, at, value
        at = _after_blank(text, _DECODER.raw_decode(text, value)[1])
        if text[at] == ",":
            at = _after_blank(text, at + 1)


def _after_blank(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def toml_places(text: str) -> Iterator[tuple[Place, int]]:
    """Give the tasks and directives of a TOML text, each where it is named first."""
    found: set[Place] = set()
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if not (match := _TOML_LINE.match(line)):
            continue
        path = _path_of(match["header"] or match["keys"])
        if match["header"]:
            table = path
        else:
            path = table + path
        for length in (1, 2):
            if path[:length] not in found and len(path) >= length:
                found.add(path[:length])
                yield path[:length], number


def _path_of(keys: str) -> Place:
    return tuple(
        key[1:-1] if key[0] in "\"'" else key for key in (m[0] for m in re.finditer(_KEY, keys))
    )


def lines_of(places: Iterator[tuple[Place, int]]) -> tuple[Mapping[Place, int], list[Place]]:
    """Give the line of each place, and the places that are there more than once."""
    lines: dict[Place, int] = {}
    twice: list[Place] = []
    for place, line in places:
        if place in lines:
            twice.append(place)
        lines[place] = line
    return lines, twice
