"""JSON Lines: one CloudEvent on each line, held against the CloudEvents SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

from twisted_dispatcher.errors import InvalidEvent, MissingExtra
from twisted_dispatcher.eventlogs.lines import LONGEST_LINE, BadLine, lines
from twisted_dispatcher.events import Event, parse_time

Validate = Callable[[dict[str, Any], Any], object]

_NO_ATTRIBUTES: Final = ("data", "data_base64")


def checked_jsonl(chunks: Iterable[str], name: str) -> Iterator[str]:
    """
    Give the text as it is: what is wrong with one line is no matter of the whole.

    :raises MissingExtra: if the CloudEvents SDK is not installed.
    """
    _sdk()
    yield from chunks


def read_jsonl(chunks: Iterable[str], name: str) -> Iterator[Event | BadLine]:
    """
    Read one event from each line that is not blank.

    :raises MissingExtra: if the CloudEvents SDK is not installed.
    """
    validate = _sdk()
    for number, line in enumerate(lines(chunks), 1):
        if line and not line.isspace():
            try:
                yield _event(line, validate)
            except InvalidEvent as error:
                yield BadLine(number, str(error))


def _sdk() -> Validate:
    try:
        from cloudevents.core.v1.event import CloudEvent
    except ImportError as error:
        raise MissingExtra("cloudevents", "reading JSON Lines", "cli") from error
    return CloudEvent


def _event(line: str, validate: Validate) -> Event:
    attributes = _json_object(line)
    event = Event.from_cloudevent(attributes)
    context = {name: attributes[name] for name in attributes if name not in _NO_ATTRIBUTES}
    if "time" in context:
        context["time"] = parse_time(context["time"])
    try:
        validate(context, None)
    except Exception as error:
        raise InvalidEvent(_first_reason(error)) from error
    return event


def _json_object(line: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise InvalidEvent(
            f"it is longer than {LONGEST_LINE:,} characters: write one event on each line"
        )
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidEvent(
            f"it is JSON, but of type {type(value).__name__} and no object: "
            "write one CloudEvent on each line"
        )
    return value


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _first_reason(error: Exception) -> str:
    """Boil the SDK's list of errors by attribute down to the first one."""
    for name, errors in getattr(error, "errors", {}).items():
        return f"{name!r}: {errors[0]}"
    return str(error)
