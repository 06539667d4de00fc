"""
Which waiting instances a fact may change: the rules need these, and no others.

A trigger touches the tasks that name it. Of their waiting instances it may change those that lack
it, and those that run or are abandoned at the next of their triggers, because their task has been
configured anew. What an instance has, of `after` and of `unless`, tells which one it is. There may
be thousands that have the same, so that a session counts them by what they have, and a store finds
them by a short mark of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

from twisted_dispatcher.triggerrecords import Waiting
from twisted_dispatcher.triggers import facts
from twisted_dispatcher.triggers.configuration import TaskConfig
from twisted_dispatcher.triggers.facts import Fact, Fire
from twisted_dispatcher.triggers.session import Session


def waiting_for(session: Session, fact: Fact, finalizing: Fire | None) -> set[Waiting]:
    """
    Give the tasks and marks of the waiting instances that a fact may change.

    :param session: its instances need not be there.
    :param finalizing: as `rules.apply` is given it.
    """
    triggers = set(_triggers_of(session, fact))
    if finalizing is not None and finalizing.trigger not in session.latest:
        triggers.add(finalizing.trigger)
    return {
        (task.name, mark)
        for each in triggers
        for task in session.config.touched_by(each)
        for mark in _marks_of(session, task, each)
    }


@lru_cache(10_000)
def mark_of(has: str) -> str:
    """Give the mark of what an instance has; that others have it too would do no harm."""
    return blake2b(has.encode(), digest_size=8).hexdigest()


def _triggers_of(session: Session, fact: Fact) -> Iterable[str]:
    """Give the triggers that a fact may fire."""
    if isinstance(fact, (facts.Fire, facts.Hear)):
        return (fact.trigger,)
    if isinstance(fact, facts.Due):
        return session.timers.get(fact.timer, ())[:1]
    if isinstance(fact, (facts.End, facts.Skip, facts.SetStatus)):
        # The cascade: an instance is named after its task.
        return (fact.instance.rpartition("#")[0],)
    return ()


def _marks_of(session: Session, task: TaskConfig, trigger: str) -> Iterator[str]:
    """Give the marks of the waiting instances of a task that a trigger may change."""
    if not session.is_marked:
        yield ""
    for has in session.waiting.get(task.name, ()):
        if _is_changed(task, trigger, *_read(has)):
            yield mark_of(has)


@lru_cache(10_000)
def _read(has: str) -> tuple[frozenset[str], frozenset[str]]:
    kwargs, vetoes = json.loads(has)
    return frozenset(kwargs), frozenset(vetoes)


def _is_changed(
    task: TaskConfig, trigger: str, kwargs: frozenset[str], vetoes: frozenset[str]
) -> bool:
    lacks = trigger in task.after - kwargs or trigger in task.unless - vetoes
    is_ready = bool(task.after) and kwargs >= task.after
    is_vetoed = bool(task.unless) and vetoes >= task.unless
    return lacks or is_ready or is_vetoed
