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
    :raises InvalidDeclaration: when the group is no text or empty, or the context no mapping; and
        when the id is None, as the primary key of what is not saved is, or the thing itself: all
        whose texts are equal would share one key, and all but the first be taken for known.
    """
    _require_text(group, "group")
    _require_id(group, instance_id)
    if context is not None:
        _require_mapping(context)
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
    # Whether something is a dict is told sooner than whether it is a mapping; here and below.
    if not isinstance(declaration, (dict, Mapping)):
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


def _require_id(group: str, value: object) -> None:
    """Refuse what tells nothing from the others of a group, here and in every process."""
    if value is None:
        raise InvalidDeclaration(
            f"an event of {group!r} needs what tells it from the others, and its id is None: give "
            "the key of something that is saved",
            "key",
        )
    kind = type(value)
    is_bare = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    # A model of Django has both; what stands for one, as request.user does, answers as it would.
    if is_bare or (hasattr(value, "_meta") and hasattr(value, "pk")):
        raise InvalidDeclaration(
            f"an event of {group!r} needs what tells it from the others, and the text of a "
            f"{kind.__name__} does not: give its id, as in loan.pk",
            "key",
        )


def _require_mapping(context: object) -> None:
    if not isinstance(context, (dict, Mapping)):
        raise InvalidDeclaration(
            f"an event's 'context' is a mapping, not {type(context).__name__}", "context"
        )


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
    if given is not None:
        _require_mapping(given)
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
