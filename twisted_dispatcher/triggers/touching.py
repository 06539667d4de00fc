"""Which tasks a fact touches: the rules look at the waiting instances of these, and no others."""

from __future__ import annotations

from collections.abc import Iterable

from twisted_dispatcher.triggers import facts
from twisted_dispatcher.triggers.facts import Fact, Fire
from twisted_dispatcher.triggers.session import Session


def tasks_touched(session: Session, fact: Fact, finalizing: Fire | None) -> set[str]:
    """
    Give the tasks that a fact touches in a session, whose instances need not be there.

    :param finalizing: as `rules.apply` is given it.
    """
    triggers = set(_triggers_of(session, fact))
    if finalizing is not None and finalizing.trigger not in session.latest:
        triggers.add(finalizing.trigger)
    return {task.name for each in triggers for task in session.config.touched_by(each)}


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
