"""
How a source declares an event: what makes a declaration, and the `Event` that it stands for.

A declaration is a mapping with a group and a key. What else is known of the event stands in its
``"context"``, or beside group and key, or in both: a handler finds either by ``event["name"]`` and
by ``event["context"]["name"]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from twisted_dispatcher.errors import InvalidDeclaration
from twisted_dispatcher.events import Event

_HEADS: Final = frozenset(("group", "key", "context", "source", "time"))


def event(
    group: str, instance_id: object, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Declare an event of a group about one thing.

    :param instance_id: what tells the thing from the others of the group; it is written as text.
    :return: a new mapping with ``group``, ``key`` (``group_id``) and ``context``.
    :raises InvalidDeclaration: when it is None, as the primary key of what is not saved is: all
        such things would share one key, and all but the first be taken for known.
    """
    if instance_id is None:
        raise InvalidDeclaration(
            f"an event of {group!r} needs what tells it from the others, and its id is None: give "
            "the key of something that is saved",
            "key",
        )
    return {
        "group": group,
        "key": f"{group}_{instance_id}",
        "context": {} if context is None else context,
    }


def declared(declaration: Any) -> Event:
    """
    Give the event that a declaration stands for.

    :param declaration: what `event` gives; any mapping with ``group`` and ``key``, of which
        ``source`` (text) and ``time`` (a datetime) are the event's own and everything else is
        put into its context; or an `Event` that has a key.
    :raises InvalidDeclaration: which names what is missing, or of the wrong type.
    """
    if isinstance(declaration, Event):
        kind = _require_text(declaration.type, "group")
        key = _require_text(declaration.key, "key")
        if kind is declaration.type and key is declaration.key:
            return declaration
        return attrs.evolve(declaration, type=kind, key=key)
    if not isinstance(declaration, Mapping):
        raise InvalidDeclaration(
            f"a source gives events as mappings with 'group' and 'key', not as "
            f"{type(declaration).__name__}: make them with event(group, id, context)"
        )
    return Event(
        type=_require_text(declaration.get("group"), "group"),
        key=_require_text(declaration.get("key"), "key"),
        source=_optional(declaration, "source", str),
        context=_context_of(declaration),
        time=_optional(declaration, "time", datetime),
    )


def _require_text(value: object, name: str) -> str:
    """Give a text as it is, and plain where it is one of a kind: the member of an enum, say."""
    if not isinstance(value, str) or not value:
        found = "no" if value is None else "an empty" if value == "" else type(value).__name__
        raise InvalidDeclaration(
            f"an event from a source needs text as its {name!r}, and this one has {found} "
            f"{name}: make it with event(group, id, context)",
            name,
        )
    return value if type(value) is str else str.__str__(value)


def _optional(declaration: Mapping[str, Any], name: str, kind: type) -> Any:
    value = declaration.get(name)
    if value is not None and not isinstance(value, kind):
        raise InvalidDeclaration(
            f"an event's {name!r} is of type {kind.__name__}, not {type(value).__name__}: if it "
            "means something else, put it into the context",
            name,
        )
    return value


def _context_of(declaration: Mapping[str, Any]) -> dict[str, Any]:
    given = declaration.get("context")
    if given is not None and not isinstance(given, Mapping):
        raise InvalidDeclaration(
            f"an event's 'context' is a mapping, not {type(given).__name__}", "context"
        )
    context = dict(given or {})
    for name, value in declaration.items():
        if name not in _HEADS:
            _add(context, name, value)
    return context


def _add(context: dict[str, Any], name: str, value: Any) -> None:
    """Add what stands beside the context, unless it could not be found, or hides another."""
    if name == "type":
        raise InvalidDeclaration(
            "event['type'] is the group, and would hide the 'type' that stands beside it: put it "
            "into the context, or give it another name",
            name,
        )
    if name in context and context[name] is not value and context[name] != value:
        raise InvalidDeclaration(
            f"an event has one {name!r} in its context and another beside it: leave one out",
            name,
        )
    context[name] = value
