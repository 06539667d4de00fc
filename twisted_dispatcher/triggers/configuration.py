"""
What runs after what: task configurations, and every fault that they can have.

A configuration is a mapping of task names to directives. All faults are found at once and told in
one `InvalidConfiguration`; what is refused leaves nothing behind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import attrs

from twisted_dispatcher.errors import InvalidConfiguration
from twisted_dispatcher.triggers.cycles import cycles_of

LONGEST_NAME: Final = 200
_REQUIRED: Final = ("after", "run")
_KNOWN: Final = frozenset(
    {"after", "andEvery", "deadline", "run", "timeout", "unless", "using", "withParams"}
)
# What is so like a directive of ours is that one misspelt; "deadline_at" and "timeout_ms" are less
# so, and may be somebody's own.
_LIKE: Final = 0.9

# Says what is wrong with a `run` or a `using`, or nothing.
Complain = Callable[[Any], "str | None"]


@attrs.frozen
class TaskConfig:
    """
    When a task runs, and what it is.

    :ivar after: the triggers that must have fired, the one of `and_every` among them.
    :ivar unless: the triggers that, once all have fired, keep it from being started.
    :ivar and_every: the trigger for which there is an instance each time that it fires.
    :ivar run: names the task's code.
    :ivar using: names the runner; None is the manager's own.
    :ivar with_params: what kwargs are merged into, by trigger.
    :ivar timeout: it is cancelled after running for so many seconds.
    :ivar deadline: an instance that still waits after so many seconds is abandoned.
    :ivar extra: directives that are not ours.
    """

    name: str
    after: frozenset[str]
    run: Any
    unless: frozenset[str] = frozenset()
    and_every: str | None = None
    using: str | None = None
    with_params: Mapping[str, Any] = attrs.field(factory=dict)
    timeout: float | None = None
    deadline: float | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def triggers(self) -> frozenset[str]:
        """All triggers that it has to do with."""
        return self.after | self.unless

    def directives(self) -> dict[str, Any]:
        """Give it as it is written, for storage; `task_from` reads it back."""
        written: dict[str, Any] = {**self.extra, "after": sorted(self.after), "run": self.run}
        optional = {
            "unless": sorted(self.unless),
            "andEvery": self.and_every,
            "using": self.using,
            "withParams": dict(self.with_params),
            "timeout": self.timeout,
            "deadline": self.deadline,
        }
        written.update({name: value for name, value in optional.items() if value})
        return written


class Configuration:
    """All tasks of a session, and which of them a trigger touches."""

    __slots__ = ("_touched", "tasks")

    def __init__(self, tasks: Mapping[str, TaskConfig]) -> None:
        self.tasks = dict(tasks)
        touched: dict[str, list[TaskConfig]] = defaultdict(list)
        for task in self.tasks.values():
            for trigger in sorted(task.triggers):
                touched[trigger].append(task)
        self._touched = dict(touched)

    def touched_by(self, trigger: str) -> Iterable[TaskConfig]:
        """Give the tasks that wait for a trigger, or do not run unless it is missing."""
        return self._touched.get(trigger, ())

    def with_tasks(self, tasks: Mapping[str, TaskConfig]) -> Configuration:
        """
        Give the configuration with some tasks added, or replaced as a whole.

        :raises InvalidConfiguration: when tasks would bring each other about for ever.
        """
        merged = {**self.tasks, **tasks}
        if faults := cycle_faults(merged.values()):
            raise InvalidConfiguration(faults)
        return Configuration(merged)


def cycle_faults(tasks: Iterable[TaskConfig]) -> list[str]:
    """Give a fault for each circle of tasks that run each other every time."""
    follows = {task.name: [task.and_every] if task.and_every else [] for task in tasks}
    return [
        f"{' -> '.join(repr(name) for name in cycle)}: each of these tasks runs 'andEvery' time "
        "that the next one has finished, which would never end; wait for another trigger in one "
        "of them"
        for cycle in cycles_of(follows)
    ]


def tasks_from(
    given: Any, run_fault: Complain | None = None, using_fault: Complain | None = None
) -> dict[str, TaskConfig]:
    """
    Read a configuration as users write it.

    :param run_fault: says what is wrong with a `run`.
    :param using_fault: the same for a `using`.
    :raises InvalidConfiguration: with all faults.
    """
    if faults := faults_of(given, run_fault, using_fault):
        raise InvalidConfiguration(faults)
    return {name: task_from(name, directives) for name, directives in given.items()}


def task_from(name: str, directives: Mapping[str, Any]) -> TaskConfig:
    """Read the directives of one task, of which it is known that they are right."""
    every = directives.get("andEvery")
    after = frozenset(directives["after"])
    return TaskConfig(
        name,
        after | {every} if every is not None else after,
        directives["run"],
        frozenset(directives.get("unless") or ()),
        every,
        directives.get("using"),
        dict(directives.get("withParams") or {}),
        directives.get("timeout"),
        directives.get("deadline"),
        {key: value for key, value in directives.items() if key not in _KNOWN},
    )


def faults_of(
    given: Any, run_fault: Complain | None = None, using_fault: Complain | None = None
) -> list[str]:
    """Give all faults of a configuration, a sentence for each."""
    if not isinstance(given, Mapping):
        return [f"a configuration is a mapping of task names to directives, not {given!r}"]
    faults: list[str] = []
    for name, directives in given.items():
        own = [*_name_faults(name), *_task_faults(directives, run_fault, using_fault)]
        faults += [f"task {name!r}: {fault}" for fault in own]
    if not faults:
        faults = cycle_faults([task_from(*item) for item in given.items()])
    return faults


def _name_faults(name: Any) -> list[str]:
    if not isinstance(name, str) or not name:
        return ["the name of a task is a text that is not empty"]
    if len(name) > LONGEST_NAME:
        return [f"the name of a task has {LONGEST_NAME} characters at most"]
    return []


def _task_faults(
    directives: Any, run_fault: Complain | None, using_fault: Complain | None
) -> list[str]:
    if not isinstance(directives, Mapping):
        return [f"the directives are a mapping, not {directives!r}"]
    faults = [f"{key!r} is missing" for key in _REQUIRED if key not in directives]
    faults += [
        f"a directive is named by a text, not {key!r}"
        for key in directives
        if not isinstance(key, str)
    ]
    faults += _misspelt_faults(directives)
    for key in ("after", "unless"):
        faults += _list_faults(key, directives.get(key))
    faults += _every_faults(directives.get("andEvery"))
    faults += _params_faults(directives.get("withParams"))
    for key in ("timeout", "deadline"):
        faults += _seconds_faults(key, directives.get(key))
    if "run" in directives and run_fault is not None:
        faults += filter(None, [run_fault(directives["run"])])
    if directives.get("using") is not None and using_fault is not None:
        faults += filter(None, [using_fault(directives["using"])])
    return faults


def _misspelt_faults(directives: Mapping[Any, Any]) -> Iterator[str]:
    """Find what is no directive, but very like one of ours that is not there."""
    missing = {_folded(name): name for name in sorted(_KNOWN - directives.keys())}
    for key in directives:
        if isinstance(key, str) and key not in _KNOWN:
            for like in get_close_matches(_folded(key), missing, n=1, cutoff=_LIKE):
                yield f"{key!r} is no directive: did you mean {missing[like]!r}?"


def _folded(name: str) -> str:
    return name.casefold().replace("_", "")


def _list_faults(key: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [f"{key!r} is a list of triggers, not a text: write [{value!r}]"]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return [f"{key!r} is a list of triggers, not {value!r}"]
    return [
        f"{key!r} names a trigger by a text that is not empty, not {each!r}"
        for each in value
        if not isinstance(each, str) or not each
    ]


def _every_faults(value: Any) -> list[str]:
    if value is None or (isinstance(value, str) and value):
        return []
    return [f"'andEvery' is the name of one trigger, not {value!r}"]


def _params_faults(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, Mapping):
        return [f"'withParams' is a mapping of triggers to mappings, not {value!r}"]
    return [
        f"'withParams' has a mapping of kwargs for each trigger, not {each!r} for {trigger!r}"
        for trigger, each in value.items()
        if not isinstance(each, Mapping) or not isinstance(trigger, str)
    ]


def _seconds_faults(key: str, value: Any) -> list[str]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (number and 0 < value < float("inf")):
        return []
    return [f"{key!r} is a number of seconds above 0, not {value!r}"]
