"""
What is odd about a configuration though it is valid: tasks that never run, triggers nobody fires.

Pure. `check` looks at all tasks together, as `TriggerManager.update_configuration` does not: a
configuration may come in parts, so that what is missing today may come tomorrow. Its findings are
advice.

**Which tasks can run** is a least fixed point: what comes from outside can fire; a task can run
when everything that it waits for can fire, and then its name can fire, as its cascade. What is
not reached this way can never run.

**Which tasks are always abandoned**: before a task runs, certain triggers have fired for sure,
namely those that it waits for, and where one of them is a task's cascade, what that task waited
for. When all of ``unless`` is among them, the task is abandoned before it could start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from twisted_dispatcher.triggers.configuration import TaskConfig, faults_of
from twisted_dispatcher.triggers.cycles import cycles_of
from twisted_dispatcher.triggers.links import TaskLinks, links_of, tasks_after

INVALID = "invalid"
NEVER_RUNS = "never runs"
ALWAYS_ABANDONED = "always abandoned"
NOBODY_FIRES = "nobody fires"
NOBODY_WAITS = "nobody waits"
CYCLE = "cycle"
ENDLESS = "endless"


@attrs.frozen
class Finding:
    """
    One oddity.

    :ivar kind: one of ``never runs``, ``always abandoned``, ``nobody fires``, ``nobody waits``,
        ``cycle`` and ``endless``; or ``invalid``: a session would refuse the directives.
    :ivar names: the tasks, or the trigger, that it is about.
    :ivar message: a sentence that names the cure.
    """

    kind: str
    names: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return self.message


def check(
    configuration: Mapping[str, Any], triggers: Collection[str] | None = None
) -> list[Finding]:
    """
    Look for tasks that can never run, for triggers that nobody fires, and for cycles.

    :param configuration: directives by task, or a session's ``storage.tasks``.
    :param triggers: all that will be fired from outside; without it, every trigger that is no
        task's name counts as fired by somebody.
    :return: what was found; where directives are invalid, that alone.
    """
    if invalid := list(_invalid(configuration)):
        return invalid
    links = links_of(configuration)
    outside = _outside(links) if triggers is None else frozenset(triggers)
    fired = _can_fire(links, outside)
    return [
        *_unfired(links, outside),
        *(_unheard(links, outside) if triggers is not None else ()),
        *_cycles(links),
        *_never_run(links, fired),
        *_always_abandoned(links, fired, outside),
    ]


def _invalid(configuration: Mapping[str, Any]) -> Iterator[Finding]:
    """Find directives that nothing can be said about; that a task runs itself is found later."""
    for name, task in configuration.items():
        if isinstance(task, TaskConfig):
            continue
        for fault in faults_of({name: task}):
            if not fault.startswith(f"{name!r} -> "):
                yield Finding(INVALID, (name,), fault)


def _outside(links: Mapping[str, TaskLinks]) -> frozenset[str]:
    named = {trigger for task in links.values() for trigger in task.triggers}
    return frozenset(named - links.keys())


def _can_fire(links: Mapping[str, TaskLinks], outside: frozenset[str]) -> frozenset[str]:
    """Give the triggers that can fire, the cascades of tasks among them."""
    fired = set(outside)
    waiting = {task.name: set(task.after) - fired for task in links.values() if task.after}
    while ready := [name for name, missing in waiting.items() if not missing]:
        fired.update(ready)
        waiting = {name: after - fired for name, after in waiting.items() if name not in ready}
    return frozenset(fired)


def _unfired(links: Mapping[str, TaskLinks], outside: frozenset[str]) -> Iterator[Finding]:
    """Find triggers that are no task's name, and that nobody fires from outside either."""
    known = outside | links.keys()
    users: dict[str, list[str]] = {}
    for task in links.values():
        for trigger in task.triggers:
            if trigger not in known:
                users.setdefault(trigger, []).append(task.name)
    for trigger, names in users.items():
        yield Finding(
            NOBODY_FIRES,
            (trigger,),
            f"nobody fires {trigger}, which is named by {', '.join(names)}: "
            f"{_cure(trigger, known)}",
        )


def _cure(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else "fire it, or leave it out"


def _unheard(links: Mapping[str, TaskLinks], outside: frozenset[str]) -> Iterator[Finding]:
    """Find triggers that are fired from outside, and that no task has to do with."""
    heard = {trigger for task in links.values() for trigger in task.triggers}
    for trigger in sorted(outside - heard):
        cure = _cure(trigger, heard - outside - links.keys())
        yield Finding(NOBODY_WAITS, (trigger,), f"no task has to do with {trigger}: {cure}")


def _cycles(links: Mapping[str, TaskLinks]) -> Iterator[Finding]:
    followers = tasks_after(links)
    every = {
        name: [other for other in others if links[other].and_every == name]
        for name, others in followers.items()
    }
    endless = cycles_of(every)
    for cycle in endless:
        what = "each run of one makes the next one run, without an end"
        cure = "let one of them not be andEvery"
        yield Finding(ENDLESS, cycle[:-1], f"{' -> '.join(cycle)}: {what}; {cure}")
    for cycle in cycles_of(followers):
        if cycle not in endless:
            what = "each waits for the one before"
            cure = "take one out of an after"
            yield Finding(CYCLE, cycle[:-1], f"{' -> '.join(cycle)}: {what}; {cure}")


def _never_run(links: Mapping[str, TaskLinks], fired: frozenset[str]) -> Iterator[Finding]:
    for task in links.values():
        missing = [trigger for trigger in task.after if trigger not in fired]
        if not task.after:
            why = "it waits for nothing; give it an after or an andEvery"
        elif missing:
            why = f"{', '.join(missing)} can never fire"
        else:
            continue
        yield Finding(NEVER_RUNS, (task.name,), f"{task.name} can never run: {why}")


def _always_abandoned(
    links: Mapping[str, TaskLinks], fired: frozenset[str], outside: frozenset[str]
) -> Iterator[Finding]:
    for task in links.values():
        if not task.unless or not task.after or not fired.issuperset(task.after):
            continue
        if _surely_before(task, links, outside).issuperset(task.unless):
            unless = ", ".join(task.unless)
            yield Finding(
                ALWAYS_ABANDONED,
                (task.name,),
                f"{task.name} is always abandoned: before all that it waits for has fired, its "
                f"unless ({unless}) has; take out the one or the other",
            )


def _surely_before(
    task: TaskLinks, links: Mapping[str, TaskLinks], outside: frozenset[str]
) -> set[str]:
    """Give the triggers that have fired whenever a task is ready."""
    sure: set[str] = set()
    todo = list(task.after)
    while todo:
        trigger = todo.pop()
        if trigger in sure:
            continue
        sure.add(trigger)
        # What can come from outside as well says nothing about what was before.
        if trigger in links and trigger not in outside:
            todo.extend(links[trigger].after)
    return sure
