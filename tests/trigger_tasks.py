"""Tasks for the tests of trigger sessions; what they are called with is kept in `CALLS`."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twisted_dispatcher.triggers import StatusChange, TaskContext, TriggerTask, with_context

# The instance, and its trigger kwargs, for every call.
CALLS: list[tuple[str, dict[str, Any]]] = []
# What tasks wait for, by the name of the instance.
WAITING: dict[str, Deferred[Any]] = {}
CONTEXTS: list[TaskContext] = []


class Problem(Exception):
    """What tasks fail with."""


class Repeat(TriggerTask):
    """Gives back what it was given."""

    def _run(self, context: TaskContext) -> Any:
        CALLS.append((context.instance_name, context.trigger_kwargs))
        CONTEXTS.append(context)
        return context.trigger_kwargs


class Nothing(TriggerTask):
    """Gives nothing."""

    def _run(self, context: TaskContext) -> Any:
        CALLS.append((context.instance_name, context.trigger_kwargs))


class Fails(TriggerTask):
    """Fails."""

    def _run(self, context: TaskContext) -> Any:
        raise with_context(Problem("no"), {"what": 1})


class Retries(TriggerTask):
    """Retries itself."""

    max_retries: ClassVar[int | None] = 2
    cooldown: ClassVar[float | None] = None

    def _run(self, context: TaskContext) -> Any:
        CALLS.append((context.instance_name, context.trigger_kwargs))
        raise self.retry(exc=Problem("again"), metadata={"n": 1}, cooldown=self.cooldown)


class RetriesLater(Retries):
    """Retries itself, without a limit, after half a minute."""

    max_retries: ClassVar[int | None] = None
    cooldown: ClassVar[float | None] = 30.0


class Replaces(TriggerTask):
    """Retries itself once, with other kwargs."""

    def _run(self, context: TaskContext) -> Any:
        CALLS.append((context.instance_name, context.trigger_kwargs))
        if context.task_instance.depth == 0:
            raise self.retry(replacement_kwargs={"y": {"b": 2}})


class Skips(TriggerTask):
    """Skips itself."""

    def _run(self, context: TaskContext) -> Any:
        with context.get_logger_context() as logger:
            logger.error("nothing to do")
        raise self.skip({"why": "nothing to do"})


def says_finished(context: TaskContext) -> Any:
    """Set its own status to finished, which does not cascade."""
    raise StatusChange("finished", {"by": "itself"})


def gives_list(context: TaskContext) -> Any:
    """Give what no task may give."""
    return [1]


def gives_empty_list(context: TaskContext) -> Any:
    """Give something false."""
    return []


def gives_object(context: TaskContext) -> Any:
    """Give what cannot be stored."""
    return {"thing": object()}


async def fires(context: TaskContext) -> Any:
    """Fire a trigger of its session, and do not wait for it."""
    CALLS.append((context.instance_name, context.trigger_kwargs))
    context.manager.fire("fired", {"by": context.instance_name})


def waits(context: TaskContext) -> Deferred[Any]:
    """Wait until the test says so."""
    CALLS.append((context.instance_name, context.trigger_kwargs))
    WAITING[context.instance_name] = Deferred()
    return WAITING[context.instance_name]


async def joins(context: TaskContext) -> None:
    """Wait for itself."""
    await context.manager.join_all()


def logs(context: TaskContext) -> None:
    """Log in several contexts, and fail outside of them."""
    with context.get_logger_context(logging.getLogger("tests.trigger_tasks")) as logger:
        logger.info("one")
    with context.get_logger_context(Logger("tests.trigger_tasks"), context={"a": 1}) as own:
        own.warn("two {n}", n=2)
    raise Problem("outside")


def logs_errors(context: TaskContext) -> None:
    """Log an error, and finish."""
    own = logging.getLogger("tests.trigger_tasks")
    with context.get_logger_context(own, context={"a": 1, "b": 1}) as logger:
        logger.error("bad", extra={"context": {"b": 2}})


def fails_in_context(context: TaskContext) -> None:
    """Fail within a logger context."""
    with context.get_logger_context("tests.trigger_tasks"):
        raise with_context(Problem("inside"), {"n": 3})


def filters(context: TaskContext) -> Any:
    """Filter its kwargs."""

    def positive(value: Any) -> int:
        if int(value or 0) <= 0:
            raise ValueError("not positive")
        return int(value)

    return {"clean": context.filter_kwargs({"x": {"n": positive}, "absent": {"m": bool}})}


NOT_A_TASK = 7


class NoTask:
    """A class that is no task."""
