"""
What a store is given and gives for trigger sessions: their rows, and steps that change them.

The store does not know what the texts say. It is handed functions: one that reads a session from
its rows, one that takes a step, one that tells which rows have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from twisted_dispatcher.records import NewEvent

# What an instance is to the store: it waits for triggers, something goes on in the background, or
# somebody has to decide; None of those that are resolved, of which there may be many.
WAITING: Final = 1
ACTIVE: Final = 2
OPEN: Final = 3

# Stands behind all that a text may begin with, in the order of code points.
LAST: Final = "\U0010ffff"


@attrs.frozen
class SessionRow:
    """
    A session.

    :ivar config: its configuration, which is long and seldom changes.
    :ivar state: all else that it knows beside its instances.
    """

    uid: str
    config: str
    state: str


@attrs.frozen
class InstanceRow:
    """
    An instance of a task.

    :ivar live: `WAITING`, `ACTIVE`, `OPEN`, or None.
    :ivar mark: a short text, by which those of a task that wait are found.
    """

    name: str
    task: str
    number: int
    status: str
    live: int | None
    body: str
    mark: str = ""


@attrs.frozen
class SessionChange:
    """What has changed in a session; `config` and `state` are None where they have not."""

    config: str | None
    state: str | None
    instances: tuple[InstanceRow, ...] = ()


@attrs.frozen
class SessionForm:
    """
    How a session is read and written.

    :ivar read: gives a session without instances for its row.
    :ivar instance: gives an instance for its row.
    :ivar join: gives a session with some instances more, by their names.
    :ivar changes: gives what has changed from a session (None: there was none) to another.
    """

    read: Callable[[SessionRow], Any]
    instance: Callable[[InstanceRow], Any]
    join: Callable[[Any, Mapping[str, Any]], Any]
    changes: Callable[[Any, Any], SessionChange]


# The task of instances that wait, and their mark.
Waiting = tuple[str, str]


def _none(session: Any) -> Collection[Waiting]:
    return ()


@attrs.frozen
class SessionStep:
    """
    Something that happens to a session.

    :ivar instances: the names of those that it is about.
    :ivar take: gives, for a session (None: there is none), what it becomes, the events that are to
        be accepted with it, and an answer. It may be called again, may run in any thread, and
        raises to refuse. None as the session: nothing is to be stored.
    :ivar creates: whether it may make the session.
    :ivar waiting: gives, for a session, which of the waiting instances it needs: those of a task
        and a mark. Like `take` it may run in any thread.
    :ivar once: gives, for a session, a key. Where an event of that key is known, the step is not
        taken, and its answer is None. What is taken accepts such an event.
    """

    uid: str
    instances: tuple[str, ...]
    take: Callable[[Any], tuple[Any, Sequence[NewEvent], Any]]
    form: SessionForm
    creates: bool = False
    waiting: Callable[[Any], Collection[Waiting]] = _none
    once: Callable[[Any], str] | None = None


@attrs.frozen
class SessionSummary:
    """A session, as it is listed: how many of its instances wait, go on, and need a decision."""

    uid: str
    changed: float
    waiting: int
    active: int
    open: int
