"""
A session while the steps of a group are taken in it, one after another; any store folds so.

What the steps need is told by the steps for the session as it stands. A store loads it for all of
them beforehand; a step that needs more, because the one before has changed the configuration, has
that loaded before it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import attrs
from twisted.python.failure import Failure

from twisted_dispatcher.records import NewEvent
from twisted_dispatcher.triggerrecords import (
    InstanceRow,
    SessionChange,
    SessionRow,
    SessionStep,
    Waiting,
)


@attrs.frozen
class Lack:
    """What waits of these tasks and marks, and the instances of these names, is not loaded."""

    waiting: Collection[Waiting]
    names: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.waiting or self.names)


Load = Callable[["Folding", Lack], Iterable[InstanceRow]]


@attrs.define(eq=False)
class Folding:
    """
    A session and its steps.

    :ivar steps: each with its place among all that is asked for.
    :ivar id: the store's own; None where there is not even a row.
    :ivar before: the session as it was loaded; None where there was none.
    :ivar now: what it has become.
    """

    steps: list[tuple[int, SessionStep]] = attrs.field(factory=list)
    id: int | None = None
    before: Any = None
    now: Any = None
    _waiting: set[Waiting] = attrs.field(factory=set)
    _names: set[str] = attrs.field(factory=set)
    _loaded: set[str] = attrs.field(factory=set)

    def read(self, row: SessionRow) -> None:
        """Take the session from its row."""
        self.before = self.now = self.steps[0][1].form.read(row)

    def lack(self, steps: Iterable[SessionStep] | None = None) -> Lack:
        """Give what steps (None: all of them) need, but for what was given here already."""
        if self.before is None:
            return Lack((), ())
        waiting: set[Waiting] = set()
        names: set[str] = set()
        for step in [step for _, step in self.steps] if steps is None else steps:
            waiting.update(step.waiting(self.now))
            names.update(step.instances)
        waiting -= self._waiting
        names -= self._names
        self._waiting |= waiting
        self._names |= names
        return Lack(waiting, names)

    def join(self, rows: Iterable[InstanceRow]) -> None:
        """Take in instances that were loaded; of those that are here nothing is changed."""
        form = self.steps[0][1].form
        found = {row.name: form.instance(row) for row in rows if row.name not in self._loaded}
        if not found:
            return
        self._loaded.update(found)
        is_unchanged = self.now is self.before
        self.before = form.join(self.before, found)
        self.now = self.before if is_unchanged else form.join(self.now, found)

    def once_keys(self) -> set[str]:
        """Give the keys of the steps that are to be taken once, as far as they may be known."""
        if self.before is None:
            return set()
        return {step.once(self.before) for _, step in self.steps if step.once is not None}

    def take(
        self, answers: list[Any], known: Collection[str], load: Load
    ) -> list[tuple[int, Sequence[NewEvent]]]:
        """
        Take the steps, and put the answer of each in its place; what one raises is its answer.

        :param known: those of `once_keys` of which there are events.
        :return: the events of each step that was taken, with its place.
        """
        taken = set(known)
        events: list[tuple[int, Sequence[NewEvent]]] = []
        for place, step in self.steps:
            # What it needs of the session as it was loaded is here.
            if self.now is not self.before and (lack := self.lack([step])):
                self.join(load(self, lack))
            if step.once is not None and self.now is not None and step.once(self.now) in taken:
                continue
            try:
                after, own, answers[place] = step.take(self.now)
            except Exception:
                answers[place] = Failure()
                continue
            if after is not None:
                self.now = after
            if step.once is not None:
                taken.update(event.key for event in own)
            events.append((place, own))
        return events

    def change(self) -> SessionChange | None:
        """Give what is to be written; None where nothing has changed."""
        if self.now is self.before:
            return None
        return self.steps[0][1].form.changes(self.before, self.now)


def foldings(requests: Sequence[tuple[SessionStep, Any, Any]]) -> dict[str, Folding]:
    """Give the sessions that are asked for, by uid, with their steps in order."""
    sessions: dict[str, Folding] = {}
    for place, (step, _, _) in enumerate(requests):
        sessions.setdefault(step.uid, Folding()).steps.append((place, step))
    return sessions
