"""
A session and its instances as values, for `rules`.

Kwargs, results and other data of users are texts here, as the codec has written them: the rules
pass them on and never look into them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from twisted_dispatcher.triggers.configuration import Configuration, TaskConfig
from twisted_dispatcher.triggers.statuses import RESOLVED, UNSTARTED


@attrs.frozen
class Instance:
    """
    One run of a task, from the first trigger on.

    :ivar kwargs: by trigger, what it was fired with; for those of `after` that have fired.
    :ivar vetoes: those of `unless` that have fired.
    :ivar depth: how often it is a replay of a replay.
    :ivar parent: the instance that it replays.
    :ivar attempt: the number of the attempt that runs it or ran it last; a fence.
    :ivar deaths: how often a worker died while it ran.
    :ivar overdue: whether it was abandoned because its deadline had passed.
    :ivar times: when it was made, changed last, and got each status.
    :ivar is_counted: whether it is among those of its session that wait, if it does.
    """

    task: str
    number: int
    status: str = UNSTARTED
    kwargs: Mapping[str, str] = attrs.field(factory=dict)
    vetoes: frozenset[str] = frozenset()
    depth: int = 0
    parent: str | None = None
    attempt: int = 0
    deaths: int = 0
    overdue: bool = False
    log_level: int = 0
    logs_resolved: bool = False
    times: Mapping[str, float] = attrs.field(factory=dict)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    is_counted: bool = attrs.field(default=True, eq=False)

    @property
    def name(self) -> str:
        """The task's name and the number of the instance."""
        return f"{self.task}#{self.number}"

    @property
    def is_resolved(self) -> bool:
        """Whether nothing is left to be done about it."""
        return self.status in RESOLVED

    @property
    def has(self) -> str:
        """What has fired of that which it waits for, as a text; see `touching`."""
        return json.dumps([sorted(self.kwargs), sorted(self.vetoes)])

    def is_ready(self, config: TaskConfig) -> bool:
        """Tell whether all that it waits for has fired."""
        return bool(config.after) and self.kwargs.keys() >= config.after

    def is_vetoed(self, config: TaskConfig) -> bool:
        """Tell whether all has fired that stands against it."""
        return bool(config.unless) and self.vetoes >= config.unless


@attrs.frozen
class Tally:
    """How many instances a task has, and how many of them are not resolved."""

    count: int = 0
    unresolved: int = 0


@attrs.frozen
class Heard:
    """
    Which fires of another session have been heard of, so that none counts twice.

    :ivar upto: all up to this number.
    :ivar beyond: and these.
    """

    upto: int = 0
    beyond: frozenset[int] = frozenset()

    def and_also(self, number: int) -> Heard | None:
        """Give what is heard of with one more; None when that was known."""
        if number <= self.upto or number in self.beyond:
            return None
        upto, beyond = self.upto, self.beyond | {number}
        while upto + 1 in beyond:
            upto += 1
            beyond -= {upto}
        return Heard(upto, beyond)


@attrs.frozen
class Session:
    """
    What a session holds that is alive.

    :ivar token: tells it from an earlier session of the same uid.
    :ivar types: the names of the manager and the storage that it was configured with.
    :ivar latest: what each trigger was fired with last.
    :ivar since: when each trigger was fired last.
    :ivar tallies: by task; a finished instance is nothing more than a number here.
    :ivar links: by trigger, the sessions that wait for it, and how they call it.
    :ivar sent: how many fires were handed on to other sessions.
    :ivar heard: by trigger of another session, what of it has arrived.
    :ivar timers: the triggers, and their kwargs, that are to fire later.
    :ivar instances: those that wait and the fact at hand may change, and those that it is about.
    :ivar waiting: by task, how many of its instances wait that have the same; see `Instance.has`.
    :ivar is_marked: whether all that waits is found by that; False in sessions that are older.
    """

    uid: str
    token: str
    types: tuple[str, str] = ("default", "default")
    config: Configuration = attrs.field(factory=lambda: Configuration({}))
    latest: Mapping[str, str] = attrs.field(factory=dict)
    since: Mapping[str, float] = attrs.field(factory=dict)
    tallies: Mapping[str, Tally] = attrs.field(factory=dict)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    links: Mapping[str, Any] = attrs.field(factory=dict)
    sent: Mapping[str, int] = attrs.field(factory=dict)
    heard: Mapping[str, Heard] = attrs.field(factory=dict)
    timers: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    instances: Mapping[str, Instance] = attrs.field(factory=dict)
    waiting: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    is_marked: bool = True

    def with_instances(self, instances: Mapping[str, Instance]) -> Session:
        """Give the session with other instances loaded."""
        return attrs.evolve(self, instances=instances)

    def unresolved_tasks(self) -> list[TaskConfig]:
        """Give the tasks without an instance, and those with one that is not resolved."""
        nothing = Tally()
        return [
            task
            for name, task in self.config.tasks.items()
            if (tally := self.tallies.get(name, nothing)).unresolved or not tally.count
        ]
