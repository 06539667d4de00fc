"""`TaskInstance`: an instance as users see it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.session import Instance
from twisted_dispatcher.triggers.statuses import FAILED, QUIET, UNSTARTED


class TaskInstance:
    """
    One run of a task, as it stood when it was loaded. It does not change any more.

    :ivar name: the task's name, ``#``, and a number.
    :ivar config: the configuration of its task; None when the session has it no more.
    """

    __slots__ = ("_codec", "_instance", "config")

    def __init__(self, instance: Instance, config: TaskConfig | None, codec: Codec) -> None:
        self._instance = instance
        self._codec = codec
        self.config = config

    def __repr__(self) -> str:
        return f"<TaskInstance {self.name}: {self.status}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskInstance):
            return NotImplemented
        return self._instance == other._instance

    __hash__ = None  # type: ignore[assignment]

    @property
    def name(self) -> str:
        return self._instance.name

    @property
    def task_name(self) -> str:
        return self._instance.task

    @property
    def status(self) -> str:
        return self._instance.status

    @property
    def depth(self) -> int:
        """How often it is a replay of a replay; 0 for one that was made by a trigger."""
        return self._instance.depth

    @property
    def parent(self) -> str | None:
        """The name of the instance that it replays."""
        return self._instance.parent

    @property
    def kwargs(self) -> dict[str, Any]:
        """By trigger, what it was fired with."""
        return {name: self._codec.decode(text) for name, text in self._instance.kwargs.items()}

    @property
    def abandon_state(self) -> dict[str, bool]:
        """By trigger of `unless`, whether it has fired."""
        unless = self.config.unless if self.config is not None else self._instance.vetoes
        return {name: name in self._instance.vetoes for name in sorted(unless)}

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known of its run; the times are in ``timestamps``, in UTC."""
        own = self._instance
        found = {name: self._codec.decode(text) for name, text in own.metadata.items()}
        found["timestamps"] = {
            name: datetime.fromtimestamp(time, timezone.utc) for name, time in own.times.items()
        }
        if own.parent is not None:
            found.update(depth=own.depth, parent=own.parent)
        if own.deaths:
            found["workersDied"] = own.deaths
        if own.overdue:
            found["overdue"] = True
        if own.log_level:
            found["logLevel"] = own.log_level
        if own.logs_resolved:
            found["logsResolved"] = True
        return found

    @property
    def is_resolved(self) -> bool:
        """Whether nothing is left to be done about it."""
        return self._instance.is_resolved

    @property
    def can_schedule(self) -> bool:
        """Whether it has not been started."""
        return self.status == UNSTARTED

    @property
    def can_run(self) -> bool:
        """Whether it has not been started, all that it waits for is there, and nothing against."""
        config = self.config
        ready = config is not None and self._instance.is_ready(config)
        return self.can_schedule and ready and not self.can_abandon

    @property
    def can_abandon(self) -> bool:
        """Whether it has not been started, and all has fired that stands against it."""
        config = self.config
        return self.can_schedule and config is not None and self._instance.is_vetoed(config)

    @property
    def can_skip(self) -> bool:
        """Whether it can be skipped from outside."""
        return self.status == FAILED

    @property
    def can_replay(self) -> bool:
        """Whether it can be replayed from outside."""
        return self.status == FAILED

    @property
    def log_level(self) -> int:
        """The highest level that it has logged at; NOTSET before its end."""
        return self._instance.log_level

    @property
    def log_level_name(self) -> str:
        """The name of that level."""
        return logging.getLevelName(self.log_level)

    @property
    def logs_resolved(self) -> bool:
        """Whether nobody needs to look at what it has logged."""
        own = self._instance
        return own.status in QUIET or own.log_level < logging.ERROR or own.logs_resolved

    def plain(self) -> Mapping[str, Any]:
        """Give it as plain data, for people to read."""
        return {
            "name": self.name,
            "task": self.task_name,
            "status": self.status,
            "kwargs": self.kwargs,
            "abandonState": self.abandon_state,
            "metadata": self.metadata,
        }
