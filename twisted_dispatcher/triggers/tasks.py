"""
What a task is: a `TriggerTask`, or any callable of the context.

A task that is not done yet, or has nothing to do, says so by raising: `Retry`, `Skip` or
`StatusChange`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isclass
from typing import TYPE_CHECKING, Any, ClassVar

from twisted_dispatcher.errors import MaxRetriesExceeded, NotATask, TaskNotImportable
from twisted_dispatcher.triggers.logs import with_context
from twisted_dispatcher.triggers.naming import name_of, named

if TYPE_CHECKING:
    from twisted_dispatcher.triggers.context import TaskContext


class StatusChange(Exception):
    """Raised by a task: its instance gets a status and metadata, and there is no cascade."""

    def __init__(self, status: str, metadata: Mapping[str, Any] | None = None) -> None:
        self.status = status
        self.metadata = dict(metadata or {})
        super().__init__(status)


class Skip(StatusChange):
    """Raised by a task that has nothing to do: its instance is skipped."""

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        super().__init__("skipped", metadata)


class Retry(Exception):
    """
    Raised by a task that wants to be run again, by another instance.

    :ivar exc: why, as an exception; kept with the instance.
    :ivar cooldown: not before so many seconds.
    :ivar replacement_kwargs: replace the trigger kwargs as a whole, unless None.
    :ivar max_retries: after so many the instance fails instead; None is no limit.
    """

    def __init__(
        self,
        exc: BaseException | None = None,
        cooldown: float = 0.0,
        replacement_kwargs: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_retries: int | None = 3,
    ) -> None:
        self.exc = exc
        self.cooldown = float(cooldown or 0.0)
        self.replacement_kwargs = replacement_kwargs
        self.metadata = dict(metadata or {})
        self.max_retries = max_retries
        super().__init__(str(exc or "retry"))

    def exceeded(self, name: str) -> MaxRetriesExceeded:
        """Make the error of an instance that may not be retried any more."""
        error = MaxRetriesExceeded(
            f"instance {name!r} was retried {self.max_retries} times, which is all that its task "
            "allows: replay it by hand, or raise max_retries"
        )
        error.__cause__ = self.exc
        with_context(error, {"replay_metadata": self.metadata})
        return error


class TriggerTask:
    """
    The base of tasks.

    :cvar max_retries: so often the task may retry itself; None is no limit.
    """

    max_retries: ClassVar[int | None] = 3

    def _run(self, context: TaskContext) -> Any:
        """
        Do what the task is for. Override it; it may be plain, ``async``, or give a Deferred.

        :return: a mapping, with which the task cascades; None is an empty one.
        """
        raise NotImplementedError

    def run(self, context: TaskContext) -> Any:
        """Run the task."""
        return self._run(context)

    def retry(
        self,
        exc: BaseException | None = None,
        metadata: Mapping[str, Any] | None = None,
        replacement_kwargs: Mapping[str, Any] | None = None,
        cooldown: float | None = None,
    ) -> Retry:
        """Give what to raise so that the task is run again; see `Retry`."""
        return Retry(exc, cooldown or 0.0, replacement_kwargs, metadata, self.max_retries)

    def skip(self, metadata: Mapping[str, Any] | None = None) -> Skip:
        """Give what to raise when there is nothing to do."""
        return Skip(metadata)


def name_of_task(run: Any) -> Any:
    """Give what stands for a task in storage: its name, also where the task itself was given."""
    if isinstance(run, str) or not callable(run):
        return run
    name = name_of(run)
    try:
        same = named(name) is run
    except TaskNotImportable:
        same = False
    return name if same else run


def task_fault(run: Any) -> str | None:
    """Say what is wrong with the `run` of a configuration, or nothing."""
    if callable(run):
        return (
            f"'run' is {run!r}, which cannot be found again by its name: define it at the top of "
            "a module"
        )
    if not isinstance(run, str):
        return f"'run' names a task by a text, such as 'package.module:name', not {run!r}"
    try:
        load_task(run)
    except (TaskNotImportable, NotATask) as error:
        return f"'run': {error}"
    return None


def load_task(run: str) -> Callable[[Any], Any]:
    """
    Give the code of a task, to be called with the context.

    :raises TaskNotImportable, NotATask: when there is none.
    """
    found = named(run)
    if isclass(found):
        if not issubclass(found, TriggerTask):
            raise NotATask(
                f"{run!r} is the class {found.__qualname__}, and a class as a task derives from "
                "TriggerTask"
            )
        task: TriggerTask = found()
        return task.run
    if isinstance(found, TriggerTask):
        return found.run
    if not callable(found):
        raise NotATask(f"{run!r} is {found!r}, and a task is a TriggerTask or a callable")
    return found  # type: ignore[no-any-return]
