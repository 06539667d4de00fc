"""Why a task has not run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import attrs

from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.session import Session, Tally
from twisted_dispatcher.triggers.statuses import UNSTARTED


@attrs.frozen
class Explanation:
    """
    Why a task runs or does not.

    :ivar missing: the triggers of `after` that it still waits for.
    :ivar fired: those that have fired, and when last.
    :ivar against: the triggers of `unless` that have fired, and when last.
    :ivar sparing: those of `unless` that have not; while there are some it can run.
    :ivar instances: how many instances it has, and `unresolved`: how many of them are open.
    :ivar waiting: for each instance that waits, the triggers that it lacks.
    :ivar verdict: all that in a sentence.
    """

    task: str
    missing: tuple[str, ...]
    fired: Mapping[str, datetime]
    against: Mapping[str, datetime]
    sparing: tuple[str, ...]
    instances: int
    unresolved: int
    waiting: Mapping[str, tuple[str, ...]]
    verdict: str

    def __str__(self) -> str:
        return f"{self.task}: {self.verdict}"


def explain(session: Session, task: TaskConfig) -> Explanation:
    """Say why a task of a session has not run."""
    tally = session.tallies.get(task.name, Tally())
    waiting = {
        name: tuple(sorted(task.after - each.kwargs.keys()))
        for name, each in list(session.instances.items())
        if each.task == task.name and each.status == UNSTARTED
    }
    missing = tuple(sorted(name for name in task.after if name not in session.latest))
    against = _since(session, task.unless)
    sparing = tuple(sorted(task.unless - against.keys()))
    return Explanation(
        task.name,
        missing,
        _since(session, task.after),
        against,
        sparing,
        tally.count,
        tally.unresolved,
        waiting,
        _verdict(task, tally, missing, against, sparing, waiting),
    )


def _since(session: Session, triggers: frozenset[str]) -> dict[str, datetime]:
    return {
        name: datetime.fromtimestamp(session.since[name], timezone.utc)
        for name in sorted(triggers)
        if name in session.since
    }


def _verdict(
    task: TaskConfig,
    tally: Tally,
    missing: tuple[str, ...],
    against: Mapping[str, datetime],
    sparing: tuple[str, ...],
    waiting: Mapping[str, tuple[str, ...]],
) -> str:
    if not task.after:
        return "it waits for no trigger, so that it never runs: name some in 'after'"
    if against and not sparing:
        since = max(against.values())
        return f"all of its 'unless' has fired, since {since:%Y-%m-%d %H:%M:%S} UTC"
    if waiting:
        lacks = "; ".join(
            f"{name} lacks {', '.join(own)}" if own else f"{name} runs at the next of its triggers"
            for name, own in waiting.items()
        )
        return lacks
    if tally.count:
        again = " and runs again with its next " + repr(task.and_every) if task.and_every else ""
        return f"it has {tally.count} instances, {tally.unresolved} of them not resolved{again}"
    if missing:
        return f"it waits for {', '.join(missing)}"
    return "all of its triggers fired before it was configured: it runs at the next of them"
