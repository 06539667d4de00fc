"""
What each task of a configuration waits for: all that drawing and checking need to know of it.

Pure. A configuration may be given as it was written (directives by task), or as a session holds
it (a `TaskConfig` by task).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs


@attrs.frozen
class TaskLinks:
    """
    The triggers that a task has to do with, each once, in the order in which they were written.

    :ivar after: all of these must have fired; `and_every` is among them.
    :ivar unless: when all of these have fired first, the task is abandoned.
    :ivar and_every: each time that this one fires, there is one more instance.
    """

    name: str
    after: tuple[str, ...]
    unless: tuple[str, ...] = ()
    and_every: str | None = None

    @property
    def triggers(self) -> tuple[str, ...]:
        """Everything that the task is touched by."""
        return tuple(dict.fromkeys((*self.after, *self.unless)))


def links_of(configuration: Mapping[str, Any]) -> dict[str, TaskLinks]:
    """Give the links of each task, by its name."""
    return {name: _links(name, task) for name, task in configuration.items()}


def _links(name: str, task: Any) -> TaskLinks:
    if isinstance(task, Mapping):
        after, unless = task.get("after"), task.get("unless")
        and_every = task.get("andEvery")
    else:
        after, unless, and_every = task.after, task.unless, task.and_every
    waits = _names(after)
    if and_every is not None and and_every not in waits:
        waits = (*waits, and_every)
    return TaskLinks(name, waits, _names(unless), and_every)


def _names(given: Iterable[str] | None) -> tuple[str, ...]:
    """Give names in a stable order: sets, which have none, are sorted."""
    if isinstance(given, (set, frozenset)):
        given = sorted(given)
    return tuple(dict.fromkeys(given or ()))


def tasks_after(links: Mapping[str, TaskLinks]) -> dict[str, list[str]]:
    """Give for each task those that wait for its cascade."""
    followers: dict[str, list[str]] = {name: [] for name in links}
    for task in links.values():
        for trigger in task.after:
            if trigger in followers:
                followers[trigger].append(task.name)
    return followers
