"""What can happen to a session (facts), and what follows from it (effects)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.session import Instance


@attrs.frozen
class Configure:
    """
    Tasks are added, or replaced as a whole.

    :ivar latest: what triggers of other sessions were fired with before.
    :ivar types: the names of the manager and the storage of whoever configures.
    """

    tasks: Mapping[str, TaskConfig]
    latest: Mapping[str, str] = attrs.field(factory=dict)
    types: tuple[str, str] = ("default", "default")


@attrs.frozen
class Fire:
    """A trigger fires, with kwargs."""

    trigger: str
    kwargs: str


@attrs.frozen
class FireLater:
    """A trigger is to fire after some seconds; `timer` names this once and for all."""

    timer: str
    trigger: str
    kwargs: str
    delay: float


@attrs.frozen
class Due:
    """The time of a trigger has come."""

    timer: str


@attrs.frozen
class Hear:
    """A trigger of another session has fired, for the so-many-th time."""

    trigger: str
    kwargs: str
    number: int


@attrs.frozen
class Link:
    """Another session wants to hear of a trigger, which it calls by another name."""

    trigger: str
    uid: str
    name: str


@attrs.frozen
class Start:
    """
    A worker is about to run an instance.

    :ivar attempt: rises with every attempt.
    :ivar merge: gives what the task gets, for its configuration and the kwargs.
    :ivar if_dead: metadata for the case that workers have died too often while it ran.
    """

    instance: str
    attempt: int
    merge: Callable[[TaskConfig | None, Mapping[str, str]], str]
    if_dead: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class GiveBack:
    """A worker that stops gives back what it was running."""

    instance: str
    attempt: int


@attrs.frozen
class End:
    """
    An instance that was running has come to something.

    :ivar result: what it cascades with; None is no cascade.
    """

    instance: str
    attempt: int
    status: str
    metadata: Mapping[str, str]
    result: str | None = None
    log_level: int | None = None


@attrs.frozen
class Retry:
    """A running instance wants to be run again, after some seconds, maybe with other kwargs."""

    instance: str
    attempt: int
    metadata: Mapping[str, str]
    kwargs: Mapping[str, str] | None
    cooldown: float
    log_level: int | None = None


@attrs.frozen
class Replay:
    """A failed instance is to be run again, maybe with other kwargs."""

    instance: str
    kwargs: Mapping[str, str] | None


@attrs.frozen
class Skip:
    """A failed instance is given up. With `cascade` others go on as if it had finished."""

    instance: str
    cascade: bool
    result: str
    metadata: Mapping[str, str]


@attrs.frozen
class SetStatus:
    """Somebody sets the status of an instance. `result`: what it cascades with, if it does."""

    instance: str
    status: str
    metadata: Mapping[str, str]
    result: str | None


@attrs.frozen
class Note:
    """Metadata is added to an instance."""

    instance: str
    metadata: Mapping[str, str]


@attrs.frozen
class ResolveLogs:
    """Somebody has seen what an instance has logged."""

    instance: str


@attrs.frozen
class NoteSession:
    """Metadata is added to a session."""

    metadata: Mapping[str, str]


@attrs.frozen
class Overdue:
    """The deadline of an instance has passed."""

    instance: str


Fact = (
    Configure
    | Fire
    | FireLater
    | Due
    | Hear
    | Link
    | Start
    | GiveBack
    | End
    | Retry
    | Replay
    | Skip
    | SetStatus
    | Note
    | ResolveLogs
    | NoteSession
    | Overdue
)


@attrs.frozen
class Ready:
    """An instance is to be run, after some seconds; later attempts than this one are for it."""

    instance: str
    attempt: int = 0
    delay: float = 0.0


@attrs.frozen
class Deadline:
    """An instance is to be looked at after some seconds."""

    instance: str
    delay: float


@attrs.frozen
class Timer:
    """A timer runs for some seconds."""

    name: str
    delay: float


@attrs.frozen
class Fired:
    """A trigger has fired, and has brought about that some instances are run."""

    trigger: str
    scheduled: tuple[str, ...]


@attrs.frozen
class Relay:
    """Another session is to hear of a fire, under its own name for the trigger."""

    uid: str
    trigger: str
    kwargs: str
    number: int


@attrs.frozen
class Effects:
    """
    What follows from a fact.

    :ivar changed: whether there is something to store.
    :ivar instance: the instance that it was about, as it is now; None where it did not apply.
    :ivar fired: the triggers that have fired, in order: the first, its cascades, the last.
    """

    changed: bool = True
    instance: Instance | None = None
    ready: tuple[Ready, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    timers: tuple[Timer, ...] = ()
    fired: tuple[Fired, ...] = ()
    relays: tuple[Relay, ...] = ()
