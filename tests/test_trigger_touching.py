"""Which waiting instances a fact needs: the rules give the same with them as with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.errors import WrongInstanceStatus
from twisted_dispatcher.triggers.configuration import Configuration, TaskConfig, tasks_from
from twisted_dispatcher.triggers.facts import (
    Configure,
    Due,
    End,
    Fact,
    Fire,
    FireLater,
    Hear,
    NoteSession,
    Overdue,
    Replay,
    Retry,
    SetStatus,
    Skip,
    Start,
)
from twisted_dispatcher.triggers.rules import apply
from twisted_dispatcher.triggers.session import Session
from twisted_dispatcher.triggers.statuses import FAILED, FINISHED, STATUSES, UNSTARTED
from twisted_dispatcher.triggers.touching import mark_of, waiting_for

LAST = Fire("last", "{}")
TASKS = ("t0", "t1", "t2", "t3")
# Each task comes after triggers and after tasks before it, so that nothing goes round in circles.
CONFIGURATIONS = st.tuples(
    *(
        st.fixed_dictionaries(
            {"after": st.lists(st.sampled_from(["a", "b", "last", *TASKS[:number]]), max_size=3)},
            optional={
                "andEvery": st.sampled_from(["a", "b", *TASKS[:number]]),
                "unless": st.lists(st.sampled_from(["c", "a", *TASKS[:number]]), max_size=2),
            },
        )
        for number in range(len(TASKS))
    )
)
# What happens, and to which of the instances if it is about one.
HAPPENING = st.tuples(
    st.sampled_from(
        [
            *("a", "b", "c", "hear", "later", "due", "note", "configure"),
            *("end", "end", "fail", "retry", "replay", "skip", "status", "overdue"),
        ]
    ),
    st.integers(0, 20),
)


def configured(tasks: Sequence[dict[str, Any]]) -> dict[str, TaskConfig]:
    """Give the last ones of the tasks, with what they wait for."""
    names = TASKS[len(TASKS) - len(tasks) :]
    return tasks_from({name: {"run": "pass", **task} for name, task in zip(names, tasks)})


def facts_of(session: Session, what: str, number: int) -> list[Fact]:
    """Give the facts of a happening; none where there is nothing that it could be about."""
    if what in ("a", "b", "c"):
        return [Fire(what, "{}")]
    others: dict[str, Fact] = {
        "hear": Hear("b", "{}", number),
        "later": FireLater(str(number), "a", "{}", 1.0),
        "due": Due(str(number)),
        "note": NoteSession({"note": "1"}),
        "configure": NoteSession({}),
    }
    if what in others:
        return [others[what]]
    if not session.instances:
        return []
    instances = list(session.instances.values())
    about = instances[number % len(instances)]
    return facts_about(about.name, about.attempt + 1, what, number)


def facts_about(name: str, attempt: int, what: str, number: int) -> list[Fact]:
    """Give the facts of something that happens to an instance."""
    start = Start(name, attempt, lambda config, kwargs: "{}")
    runs: dict[str, Fact] = {
        "end": End(name, attempt, FINISHED, {}, "{}"),
        "fail": End(name, attempt, FAILED, {}),
        "retry": Retry(name, attempt, {}, None, 0.0),
    }
    if what in runs:
        return [start, runs[what]]
    others: dict[str, Fact] = {
        "replay": Replay(name, None),
        "skip": Skip(name, True, "{}", {}),
        "status": SetStatus(name, sorted(STATUSES)[number % len(STATUSES)], {}, "{}"),
        "overdue": Overdue(name),
    }
    return [others[what]]


class TouchingTests(SynchronousTestCase):
    """The rules on all of a session, and on what a fact needs of it."""

    @settings(PATIENT, max_examples=300)
    @given(
        tasks=CONFIGURATIONS,
        happenings=st.lists(HAPPENING, max_size=25),
        later=CONFIGURATIONS,
        finalizing=st.sampled_from([None, LAST]),
    )
    def test_same(
        self,
        tasks: tuple[dict[str, Any], ...],
        happenings: list[tuple[str, int]],
        later: tuple[dict[str, Any], ...],
        finalizing: Fire | None,
    ) -> None:
        """A fact comes to the same without what waits of tasks that it does not touch."""
        session = Session("uid", "token", config=Configuration(configured(tasks)))

        for now, (what, number) in enumerate(happenings):
            facts = facts_of(session, what, number)
            if what == "configure":
                facts = [Configure(configured(later[number % 4 :]))]
            for fact in facts:
                session = self.held_against(session, fact, float(now), finalizing)
            self.assertEqual(session.waiting, self.counted(session))

    def counted(self, session: Session) -> dict[str, dict[str, int]]:
        """Count the instances that wait, by what they have."""
        counts: dict[str, dict[str, int]] = {}
        for each in session.instances.values():
            if each.status == UNSTARTED:
                own = counts.setdefault(each.task, {})
                own[each.has] = own.get(each.has, 0) + 1
        return counts

    def held_against(
        self, session: Session, fact: Fact, now: float, finalizing: Fire | None
    ) -> Session:
        """Apply a fact to a session and to the part of it that it needs; give the session."""
        empty = session.with_instances({})
        touched = waiting_for(empty, fact, finalizing)
        part = {
            name: each
            for name, each in session.instances.items()
            if (each.status == UNSTARTED and (each.task, mark_of(each.has)) in touched)
            or name == getattr(fact, "instance", None)
        }
        try:
            after, effects = apply(session, fact, now, finalizing)
        except WrongInstanceStatus:
            return session
        partly, same = apply(session.with_instances(part), fact, now, finalizing)

        self.assertEqual(same, effects)
        self.assertEqual(partly.config.tasks, after.config.tasks)
        partly_so = attrs.evolve(partly, config=after.config, instances={})
        self.assertEqual(partly_so, after.with_instances({}))
        left = {
            name: each
            for name, each in after.instances.items()
            if session.instances.get(name) is not each
        }
        self.assertEqual(
            {name: each for name, each in partly.instances.items() if part.get(name) is not each},
            left,
        )
        return after
