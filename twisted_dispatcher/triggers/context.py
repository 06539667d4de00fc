"""`TaskContext`: what a task is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from twisted_dispatcher.errors import InvalidKwargs
from twisted_dispatcher.triggers.logs import LevelMeter, metered, with_context

if TYPE_CHECKING:
    from twisted_dispatcher.triggers.instances import TaskInstance

Filter = Any


class TaskContext:
    """
    What a task is called with.

    :ivar trigger_kwargs: by trigger, its params and, merged over them, what it was fired with.
    :ivar manager: a `TriggerManager` of the session, of the class of the one that fired.
    :ivar task_instance: the instance that runs.
    :ivar meter: has the highest level that was logged.
    """

    def __init__(
        self,
        manager: Any,
        task_instance: TaskInstance,
        trigger_kwargs: dict[str, Any],
    ) -> None:
        self.manager = manager
        self.task_instance = task_instance
        self.trigger_kwargs = trigger_kwargs
        self.meter = LevelMeter()

    @property
    def instance_name(self) -> str:
        """The name of the instance that runs."""
        return self.task_instance.name

    @property
    def storage_uid(self) -> str:
        """The uid of the session."""
        return str(self.manager.storage.uid)

    def filter_kwargs(
        self, filters: Mapping[str, Mapping[str, Filter]]
    ) -> dict[str, dict[str, Any]]:
        """
        Hold the kwargs against filters, by trigger and name, and give them as these leave them.

        :param filters: callables of the value (None where it is missing) that raise to refuse, or
            filters of the ``filters`` library where that is installed.
        :return: kwargs without a filter as they are; for triggers that have not fired, what the
            filters make of nothing.
        :raises InvalidKwargs: with all complaints in its context's ``filter_errors``.
        """
        clean = {name: dict(kwargs) for name, kwargs in self.trigger_kwargs.items()}
        complaints: dict[str, dict[str, str]] = {}
        for trigger, own in filters.items():
            given = clean.setdefault(trigger, {})
            for name, each in own.items():
                try:
                    given[name] = _filtered(each, given.get(name))
                except Exception as error:
                    complaints.setdefault(trigger, {})[name] = str(error) or type(error).__name__
        if complaints:
            refusal = InvalidKwargs("Invalid trigger kwargs: see 'filter_errors' in the context")
            raise with_context(refusal, {"filter_errors": complaints})
        return clean

    def get_logger_context(
        self, logger: Any = None, context: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Any]:
        """
        Give a context manager for a logger whose highest level is kept with the instance.

        :param logger: of `logging` or of `twisted.logger`, or a name; by default one of `logging`
            that is named by the task.
        :param context: merged with the ``context`` that is given with a message.
        """
        if logger is None:
            logger = f"twisted_dispatcher.triggers.{self.task_instance.task_name}"
        return metered(logger, self.meter, context or {})


def _filtered(each: Filter, value: Any) -> Any:
    if not hasattr(each, "__or__") or not _is_of_library(each):
        call: Callable[[Any], Any] = each
        return call(value)
    runner = import_module("filters").FilterRunner(each, value)
    if not runner.is_valid():
        raise ValueError("; ".join(str(text) for text in runner.get_errors().values()))
    return runner.cleaned_data


def _is_of_library(each: Filter) -> bool:
    if find_spec("filters") is None:
        return False
    base = import_module("filters").BaseFilter
    return isinstance(each, base) or (isinstance(each, type) and issubclass(each, base))
