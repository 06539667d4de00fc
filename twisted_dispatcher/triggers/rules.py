"""
What follows from what happens to a session: ``(session, fact) -> (session, effects)``.

Pure: no clock, no store, no reactor. A fact that is refused raises, and nothing has changed. See
`statuses` for the moves of an instance.

**Feeding.** A fire touches the tasks that name its trigger. Every waiting instance that lacks the
trigger takes its kwargs; the first ones that it got stay. A task without an instance gets its
first one, also for a trigger of `unless`; a task with `andEvery` gets one more when no waiting
instance could take the trigger. A new instance takes all that has fired before from the session.

**Settling.** Then every waiting instance of these tasks is abandoned if all of `unless` has fired,
else scheduled if all of `after` has. Whoever finishes fires its task's own name in the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted_dispatcher.errors import UnknownInstance, WrongInstanceStatus
from twisted_dispatcher.triggers import facts
from twisted_dispatcher.triggers.drafting import Draft
from twisted_dispatcher.triggers.facts import Effects, Fact
from twisted_dispatcher.triggers.session import Heard, Instance, Session
from twisted_dispatcher.triggers.statuses import (
    ABANDONED,
    ACTIVE,
    FAILED,
    REPLAYED,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    UNSTARTED,
)

# An instance whose worker died so often while it ran has failed.
MOST_DEATHS: Final = 5


def apply(
    session: Session, fact: Fact, now: float, finalizing: facts.Fire | None = None
) -> tuple[Session, Effects]:
    """
    Give what a session becomes by a fact, and what is to be done.

    :param finalizing: fires once, when all tasks that do not wait for its trigger are resolved;
        None where there is no such trigger.
    :raises UnknownInstance, WrongInstanceStatus, InvalidConfiguration: nothing has changed then.
    """
    draft = Draft(session, now)
    about = _RULES[type(fact)](draft, fact)
    if about is NOTHING:
        return session, Effects(changed=False)
    if finalizing is not None and draft.fired_or_settled:
        _finalize(draft, finalizing)
    return draft.end(about)


class _Nothing:
    """Stands for a fact that comes too late, or twice."""


NOTHING: Final = _Nothing()
_About = Any


def _finalize(draft: Draft, last: facts.Fire) -> None:
    if last.trigger in draft.latest:
        return
    if all(last.trigger in task.after for task in draft.unresolved_tasks()):
        draft.fire(last.trigger, last.kwargs)


def _configure(draft: Draft, fact: facts.Configure) -> _About:
    draft.config = draft.config.with_tasks(fact.tasks)
    draft.types = fact.types
    for trigger, kwargs in fact.latest.items():
        draft.latest.setdefault(trigger, kwargs)
        draft.since.setdefault(trigger, draft.now)
    return None


def _fire(draft: Draft, fact: facts.Fire) -> _About:
    draft.fire(fact.trigger, fact.kwargs)
    return None


def _fire_later(draft: Draft, fact: facts.FireLater) -> _About:
    draft.fire_later(fact.timer, fact.trigger, fact.kwargs, fact.delay)
    return None


def _due(draft: Draft, fact: facts.Due) -> _About:
    found = draft.timers.pop(fact.timer, None)
    if found is None:
        return NOTHING
    draft.fire(*found)
    return None


def _hear(draft: Draft, fact: facts.Hear) -> _About:
    heard = draft.heard.get(fact.trigger, Heard()).and_also(fact.number)
    if heard is None:
        return NOTHING
    draft.heard[fact.trigger] = heard
    draft.fire(fact.trigger, fact.kwargs)
    return None


def _link(draft: Draft, fact: facts.Link) -> _About:
    own = tuple(draft.links.get(fact.trigger, ()))
    if (fact.uid, fact.name) in own:
        return NOTHING
    draft.links[fact.trigger] = (*own, (fact.uid, fact.name))
    return None


def _start(draft: Draft, fact: facts.Start) -> _About:
    """Start an instance, unless it was started by somebody later, or has come to an end."""
    instance = _instance(draft, fact.instance)
    if instance.status not in ACTIVE or fact.attempt <= instance.attempt:
        return NOTHING
    deaths = instance.deaths + (instance.status == RUNNING)
    if deaths >= MOST_DEATHS:
        metadata = {**instance.metadata, **fact.if_dead}
        return draft.move(instance, FAILED, attempt=fact.attempt, deaths=deaths, metadata=metadata)
    metadata = dict(instance.metadata)
    config = draft.config.tasks.get(instance.task)
    metadata["actualKwargs"] = fact.merge(config, instance.kwargs)
    return draft.move(instance, RUNNING, attempt=fact.attempt, deaths=deaths, metadata=metadata)


def _give_back(draft: Draft, fact: facts.GiveBack) -> _About:
    instance = _instance(draft, fact.instance)
    if not _holds(instance, fact.attempt):
        return NOTHING
    return draft.move(instance, SCHEDULED)


def _end(draft: Draft, fact: facts.End) -> _About:
    instance = _instance(draft, fact.instance)
    if not _holds(instance, fact.attempt):
        return NOTHING
    metadata = {**instance.metadata, **fact.metadata}
    level = instance.log_level if fact.log_level is None else fact.log_level
    ended = draft.move(instance, fact.status, metadata=metadata, log_level=level)
    if fact.result is not None:
        draft.fire(instance.task, fact.result)
    return ended


def _retry(draft: Draft, fact: facts.Retry) -> _About:
    instance = _instance(draft, fact.instance)
    if not _holds(instance, fact.attempt):
        return NOTHING
    metadata = {**instance.metadata, **fact.metadata}
    level = instance.log_level if fact.log_level is None else fact.log_level
    failed = draft.move(instance, FAILED, metadata=metadata, log_level=level)
    return draft.clone(draft.move(failed, REPLAYED), fact.kwargs, fact.cooldown)


def _replay(draft: Draft, fact: facts.Replay) -> _About:
    instance = _failed(draft, fact.instance, "replayed")
    return draft.clone(draft.move(instance, REPLAYED), fact.kwargs, 0.0)


def _skip(draft: Draft, fact: facts.Skip) -> _About:
    instance = _failed(draft, fact.instance, "skipped")
    skipped = draft.move(instance, SKIPPED, metadata={**instance.metadata, **fact.metadata})
    if fact.cascade:
        draft.fire(instance.task, fact.result)
    return skipped


def _set_status(draft: Draft, fact: facts.SetStatus) -> _About:
    instance = _instance(draft, fact.instance)
    changed = draft.move(instance, fact.status, metadata={**instance.metadata, **fact.metadata})
    if fact.status == SCHEDULED and instance.status != SCHEDULED:
        # Whatever ran it before has another attempt; this is a new delivery.
        draft.hand_over(changed, 0.0)
    if fact.result is not None:
        draft.fire(instance.task, fact.result)
    return changed


def _note(draft: Draft, fact: facts.Note) -> _About:
    instance = _instance(draft, fact.instance)
    return draft.touch(instance, metadata={**instance.metadata, **fact.metadata})


def _resolve_logs(draft: Draft, fact: facts.ResolveLogs) -> _About:
    return draft.touch(_instance(draft, fact.instance), logs_resolved=True)


def _note_session(draft: Draft, fact: facts.NoteSession) -> _About:
    draft.metadata.update(fact.metadata)
    return None


def _overdue(draft: Draft, fact: facts.Overdue) -> _About:
    instance = _instance(draft, fact.instance)
    if instance.status != UNSTARTED:
        return NOTHING
    return draft.move(instance, ABANDONED, overdue=True)


def _instance(draft: Draft, name: str) -> Instance:
    instance = draft.instances.get(name)
    if instance is None:
        raise UnknownInstance(draft.uid, name)
    return instance


def _failed(draft: Draft, name: str, wish: str) -> Instance:
    instance = _instance(draft, name)
    if instance.status != FAILED:
        raise WrongInstanceStatus(name, instance.status, wish)
    return instance


def _holds(instance: Instance, attempt: int) -> bool:
    """The fence: only the last attempt can end an instance, and only while it runs."""
    return instance.status == RUNNING and instance.attempt == attempt


_RULES: Final[dict[type, Callable[[Draft, Any], _About]]] = {
    facts.Configure: _configure,
    facts.Fire: _fire,
    facts.FireLater: _fire_later,
    facts.Due: _due,
    facts.Hear: _hear,
    facts.Link: _link,
    facts.Start: _start,
    facts.GiveBack: _give_back,
    facts.End: _end,
    facts.Retry: _retry,
    facts.Replay: _replay,
    facts.Skip: _skip,
    facts.SetStatus: _set_status,
    facts.Note: _note,
    facts.ResolveLogs: _resolve_logs,
    facts.NoteSession: _note_session,
    facts.Overdue: _overdue,
}
