"""
Sessions of one namespace: ``applicant:123``, ``applicant:123/survey:9``.

A task may wait for triggers of a related session, which it names relative to its own:

- ``..#verified``: the trigger ``verified`` of the session above;
- ``../survey:8#done``: of a session beside it;
- ``./survey:9#done``: of a session below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted_dispatcher.triggers.configuration import LONGEST_NAME, TaskConfig


def resolve(uid: str, trigger: str) -> tuple[str, str] | None:
    """
    Give the session and the trigger that a name stands for; None for a trigger of its own.

    :raises ValueError: when the name leads out of the namespace, or to nothing.
    """
    if not trigger.startswith(("..#", "../", "./")):
        return None
    place, mark, name = trigger.partition("#")
    if not mark or not name:
        raise ValueError(f"{trigger!r} does not say which trigger: end it with '#' and its name")
    above, slash, _ = uid.rpartition("/")
    if place.startswith(".."):
        if not slash:
            raise ValueError(
                f"{trigger!r} is a trigger of a related session, and {uid!r} is in no namespace: "
                "name the session 'namespace/name'"
            )
        found = above + place[2:]
    else:
        found = uid + place[1:]
    if ".." in found.split("/") or "" in found.split("/") or len(found) > LONGEST_NAME:
        raise ValueError(f"{trigger!r} leads to no session: write '../name#trigger'")
    return found, name


def abroad(uid: str, tasks: Iterable[TaskConfig]) -> list[tuple[str, str, str]]:
    """Give the triggers of other sessions that tasks have to do with: session, trigger, name."""
    names = sorted({name for task in tasks for name in task.triggers})
    found = [(resolve(uid, name), name) for name in names]
    return [(*place, name) for place, name in found if place is not None]


def name_faults(uid: str, configuration: Mapping[str, Any]) -> list[str]:
    """Give the faults of names that stand for triggers of other sessions."""
    faults = []
    for task, directives in configuration.items():
        names = {*directives["after"], *(directives.get("unless") or ())}
        if directives.get("andEvery"):
            names.add(directives["andEvery"])
        for name in sorted(names):
            try:
                resolve(uid, name)
            except ValueError as error:
                faults.append(f"task {task!r}: {error}")
    return faults
