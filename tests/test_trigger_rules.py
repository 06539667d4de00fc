"""Tests of what follows from what happens to a session, without a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.errors import (
    InvalidConfiguration,
    UnknownInstance,
    WrongInstanceStatus,
)
from twisted_dispatcher.triggers.configuration import (
    Configuration,
    TaskConfig,
    faults_of,
    tasks_from,
)
from twisted_dispatcher.triggers.facts import (
    Configure,
    Effects,
    End,
    Fact,
    Fire,
    GiveBack,
    Hear,
    Link,
    Note,
    NoteSession,
    Overdue,
    Replay,
    ResolveLogs,
    Retry,
    SetStatus,
    Skip,
    Start,
)
from twisted_dispatcher.triggers.rules import MOST_DEATHS, apply
from twisted_dispatcher.triggers.session import Session
from twisted_dispatcher.triggers.statuses import (
    ABANDONED,
    FAILED,
    FINISHED,
    MOVES,
    REPLAYED,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    STATUSES,
    UNSTARTED,
)

NOW = 1000.0


def merge(config: TaskConfig | None, kwargs: Mapping[str, str]) -> str:
    """Stand in for the merging of params and kwargs."""
    return "merged"


class Story:
    """A session to which one thing happens after another."""

    def __init__(self, finalizing: str | None = None, **tasks: Mapping[str, Any]) -> None:
        self.session = Session("uid", "token")
        self.now = NOW
        self.finalizing = None if finalizing is None else Fire(finalizing, "{}")
        self.attempts: dict[str, int] = {}
        if tasks:
            self.configure(**tasks)

    def then(self, fact: Fact) -> Effects:
        """Let something happen, and keep only what a store would give back."""
        self.now += 1
        self.session, effects = apply(self.session, fact, self.now, self.finalizing)
        return effects

    def configure(self, **tasks: Mapping[str, Any]) -> None:
        """Add tasks; `run` may be left out."""
        given_tasks = {name: {"run": "pass", **task} for name, task in tasks.items()}
        self.then(Configure(tasks_from(given_tasks)))

    def fire(self, trigger: str, kwargs: str = "{}") -> list[str]:
        """Fire a trigger; give the instances that are run for that."""
        return [each.instance for each in self.then(Fire(trigger, kwargs)).ready]

    def fires(self, *triggers: str) -> list[str]:
        """Fire triggers, and give what is run for all that."""
        return [name for trigger in triggers for name in self.fire(trigger)]

    def start(self, name: str) -> Effects:
        """Have a worker start an instance."""
        self.attempts[name] = self.attempts.get(name, 0) + 1
        return self.then(Start(name, self.attempts[name], merge))

    def end(self, name: str, status: str = FINISHED, result: str | None = None) -> Effects:
        """Have the worker tell what it came to."""
        if status == FINISHED and result is None:
            result = "{}"
        return self.then(End(name, self.attempts[name], status, {"result": str(result)}, result))

    def run(self, name: str, status: str = FINISHED) -> list[str]:
        """Start and end an instance; give what is run after it."""
        self.start(name)
        return [each.instance for each in self.end(name, status).ready]

    def status(self, name: str) -> str:
        """Give the status of an instance."""
        return self.session.instances[name].status

    @property
    def statuses(self) -> dict[str, str]:
        """Give the status of every instance."""
        return {name: each.status for name, each in self.session.instances.items()}

    def kwargs(self, name: str) -> dict[str, str]:
        """Give the kwargs of an instance."""
        return dict(self.session.instances[name].kwargs)

    @property
    def unresolved(self) -> list[str]:
        """Give the names of the tasks that are not resolved."""
        return sorted(task.name for task in self.session.unresolved_tasks())


class FiringTests(SynchronousTestCase):
    """Fires feed instances."""

    def test_touches_only_its_tasks(self) -> None:
        """A fire touches the tasks with its trigger in `after` or `unless` alone (T020)."""
        story = Story(a={"after": ["x"]}, b={"after": ["y"]}, c={"after": ["y"], "unless": ["x"]})

        story.fire("x")

        self.assertEqual(story.statuses, {"a#0": SCHEDULED, "c#0": ABANDONED})

    def test_first_instance(self) -> None:
        """A task gets its first instance by any trigger, of `unless` as well (T021)."""
        story = Story(a={"after": ["x", "y"]}, b={"after": ["x"], "unless": ["y", "z"]})

        story.fire("y")

        self.assertEqual(story.statuses, {"a#0": UNSTARTED, "b#0": UNSTARTED})

    def test_waits_for_all(self) -> None:
        """An instance stays unstarted while a trigger of `after` is missing (T022)."""
        story = Story(a={"after": ["x", "y", "z"]})

        self.assertEqual(story.fires("x", "z"), [])
        self.assertEqual(story.status("a#0"), UNSTARTED)

    def test_any_order_once(self) -> None:
        """The last trigger schedules the instance once, in any order (T023, T004)."""
        for order in ("xyz", "zyx", "yxz"):
            story = Story(a={"after": {"x", "y", "z"}})

            self.assertEqual(story.fires(*order), ["a#0"])

    def test_keeps_kwargs(self) -> None:
        """Kwargs are kept on the instance under the trigger's name (T024)."""
        story = Story(a={"after": ["x", "y"]})

        story.fire("x", "1")

        self.assertEqual(story.kwargs("a#0"), {"x": "1"})

    def test_first_kwargs_stay(self) -> None:
        """A trigger that fires again does not replace the kwargs of what waits (T025)."""
        story = Story(a={"after": ["x", "y"]})
        story.fire("x", "1")

        story.fire("x", "2")

        self.assertEqual(story.kwargs("a#0"), {"x": "1"})

    def test_one_shot(self) -> None:
        """A one-shot task that has run or failed does not run again (T026)."""
        for status in (FINISHED, FAILED):
            story = Story(a={"after": ["x"]})
            story.fire("x")
            story.run("a#0", status)

            self.assertEqual(story.fire("x"), [])
            self.assertEqual(story.statuses, {"a#0": status})

    def test_latest_kwargs(self) -> None:
        """The kwargs of the last fire are the trigger's latest, used or not (T027)."""
        story = Story(a={"after": ["x"]})

        story.fire("nobody", "1")
        story.fire("nobody", "2")

        self.assertEqual(story.session.latest, {"nobody": "2"})

    def test_feeds_all_that_wait(self) -> None:
        """One fire feeds all waiting instances that lack the trigger (T028, T042)."""
        story = Story(a={"after": ["y"], "andEvery": "x"})

        self.assertEqual(story.fires("x", "x", "x"), [])
        self.assertEqual(story.fire("y"), ["a#0", "a#1", "a#2"])

    def test_several_tasks(self) -> None:
        """Tasks that wait for the same trigger are independent (T029)."""
        story = Story(a={"after": ["x"]}, b={"after": ["x", "y"]})

        self.assertEqual(story.fire("x"), ["a#0"])
        self.assertEqual(story.status("b#0"), UNSTARTED)

    def test_both_sides(self) -> None:
        """A trigger in `after` and `unless` abandons the task (T030)."""
        story = Story(a={"after": ["x"], "unless": ["x"]})

        self.assertEqual(story.fire("x"), [])
        self.assertEqual(story.status("a#0"), ABANDONED)


class ConfigurationChangeTests(SynchronousTestCase):
    """A configuration that is changed."""

    def test_replaces_tasks(self) -> None:
        """A task is replaced as a whole; other tasks stay (T002, T001)."""
        story = Story(a={"after": ["x"], "unless": ["y"]}, b={"after": ["x"]})

        story.configure(a={"after": ["z"]})

        tasks = story.session.config.tasks
        self.assertEqual(sorted(tasks), ["a", "b"])
        self.assertEqual((tasks["a"].after, tasks["a"].unless), ({"z"}, frozenset()))

    def test_not_retroactive(self) -> None:
        """What has fired already brings nothing about in a new configuration (T009)."""
        story = Story()
        story.fire("x")

        story.configure(a={"after": ["x"]})

        self.assertEqual(story.statuses, {})

    def test_history_feeds(self) -> None:
        """A new instance takes what has fired before its configuration (T010)."""
        story = Story()
        story.fire("x", "1")
        story.configure(a={"after": ["x", "y"]})

        self.assertEqual(story.fire("y", "2"), ["a#0"])
        self.assertEqual(story.kwargs("a#0"), {"x": "1", "y": "2"})

    def test_satisfied_by_new_configuration(self) -> None:
        """An instance that needs no more runs at the next fire that concerns it (T011, T071)."""
        story = Story(a={"after": ["x", "y", "z"]})
        story.fires("x", "y")
        story.configure(a={"after": ["x", "y"]})

        self.assertEqual(story.status("a#0"), UNSTARTED)
        self.assertEqual(story.fire("other"), [])
        self.assertEqual(story.fire("x"), ["a#0"])

    def test_instances_use_the_new_one(self) -> None:
        """What waits obeys the new configuration (T012)."""
        story = Story(a={"after": ["x", "y"]})
        story.fire("x")
        story.configure(a={"after": ["x", "z"]})

        self.assertEqual(story.fire("z"), ["a#0"])

    def test_empty_after(self) -> None:
        """A task that waits for nothing never runs, and stays unresolved (T013)."""
        story = Story(a={"after": [], "unless": ["x", "y"]})

        story.fires("x", "z")

        self.assertEqual(story.status("a#0"), UNSTARTED)
        self.assertEqual(story.unresolved, ["a"])

    def test_task_named_as_trigger(self) -> None:
        """A task may be named as a trigger is (T015)."""
        story = Story(x={"after": ["x"]})

        self.assertEqual(story.fire("x"), ["x#0"])


class AndEveryTests(SynchronousTestCase):
    """Tasks that run every time."""

    def test_new_instance(self) -> None:
        """Each fire makes an instance when none could take it (T040, T046)."""
        story = Story(a={"after": [], "andEvery": "x"})

        self.assertEqual(story.fires("x", "x"), ["a#0", "a#1"])

    def test_waiting_takes_it(self) -> None:
        """A waiting instance that lacks the trigger takes it (T041)."""
        story = Story(a={"after": ["y"], "andEvery": "x"})
        story.fire("y")

        self.assertEqual(story.fire("x"), ["a#0"])
        self.assertEqual(sorted(story.statuses), ["a#0"])

    def test_other_trigger_again(self) -> None:
        """Another trigger of `after` makes no new instance (T043)."""
        story = Story(a={"after": ["y"], "andEvery": "x"})
        story.fires("x", "y")

        self.assertEqual(story.fire("y"), [])
        self.assertEqual(sorted(story.statuses), ["a#0"])

    def test_latest_kwargs_of_others(self) -> None:
        """A new instance takes the latest kwargs of other triggers, not the first (T044)."""
        story = Story(a={"after": ["y"], "andEvery": "x"})
        story.fire("y", "1")
        story.fire("x", "a")
        story.fire("y", "2")

        story.fire("x", "b")

        self.assertEqual(story.kwargs("a#0"), {"y": "1", "x": "a"})
        self.assertEqual(story.kwargs("a#1"), {"y": "2", "x": "b"})

    def test_waits_for_the_rest(self) -> None:
        """A new instance waits while others have not fired (T045)."""
        story = Story(a={"after": ["y", "z"], "andEvery": "x"})
        story.fires("y", "x", "x")

        self.assertEqual(story.statuses, {"a#0": UNSTARTED, "a#1": UNSTARTED})

    def test_numbers(self) -> None:
        """Instances are numbered by their count, replays included (T047)."""
        story = Story(a={"after": [], "andEvery": "x"})
        story.fire("x")
        story.run("a#0", FAILED)
        story.then(Replay("a#0", None))

        self.assertEqual(story.fire("x"), ["a#2"])

    def test_cascades_between_kinds(self) -> None:
        """A multiple task runs a one-shot once, and a one-shot a multiple once (T048)."""
        story = Story(a={"after": [], "andEvery": "x"}, b={"after": ["a"]})
        story.fires("x", "x")
        self.assertEqual(story.run("a#0"), ["b#0"])
        self.assertEqual(story.run("a#1"), [])

        story = Story(a={"after": ["x"]}, b={"after": [], "andEvery": "a"})
        story.fire("x")
        self.assertEqual(story.run("a#0"), ["b#0"])


class UnlessTests(SynchronousTestCase):
    """What stands against a task."""

    def test_all_of_unless(self) -> None:
        """An instance is abandoned when all of `unless` has fired, not before (T050, T051)."""
        story = Story(a={"after": ["x"], "unless": ["y", "z"]})
        story.fire("y")
        self.assertEqual(story.status("a#0"), UNSTARTED)

        story.fire("z")

        self.assertEqual(story.status("a#0"), ABANDONED)
        self.assertEqual(story.fire("x"), [])

    def test_some_of_unless(self) -> None:
        """A task can still run when only some of `unless` has fired (T051)."""
        story = Story(a={"after": ["x"], "unless": ["y", "z"]})

        self.assertEqual(story.fires("y", "x"), ["a#0"])

    def test_nothing_is_recalled(self) -> None:
        """What is scheduled already is not recalled (T052)."""
        story = Story(a={"after": ["x"], "unless": ["y"]})
        story.fire("x")

        story.fire("y")

        self.assertEqual(story.status("a#0"), SCHEDULED)

    def test_stays_abandoned(self) -> None:
        """An abandoned instance stays so (T053)."""
        story = Story(a={"after": ["x"], "unless": ["y"]})
        story.fires("y", "x")

        self.assertEqual(story.statuses, {"a#0": ABANDONED})

    def test_born_abandoned(self) -> None:
        """An instance made after `unless` was satisfied is abandoned at once (T054)."""
        story = Story(a={"after": [], "andEvery": "x", "unless": ["y"]})
        story.fires("x", "y")

        story.fire("x")

        self.assertEqual(story.statuses, {"a#0": SCHEDULED, "a#1": ABANDONED})

    def test_all_that_wait(self) -> None:
        """All waiting instances are abandoned (T055)."""
        story = Story(a={"after": ["z"], "andEvery": "x", "unless": ["y"]})
        story.fires("x", "x", "y")

        self.assertEqual(set(story.statuses.values()), {ABANDONED})

    def test_clones(self) -> None:
        """A replay has the abandon state of its parent (T056, T130)."""
        story = Story(a={"after": ["x"], "unless": ["y", "z"]})
        story.fires("y", "x")
        story.run("a#0", FAILED)

        story.then(Replay("a#0", None))

        self.assertEqual(story.session.instances["a#1"].vetoes, {"y"})

    def test_empty_unless(self) -> None:
        """An empty `unless` abandons nothing (T057)."""
        story = Story(a={"after": ["x"], "unless": []})

        self.assertEqual(story.fire("x"), ["a#0"])

    def test_abandon_wins(self) -> None:
        """A fire that satisfies both sides abandons (T058)."""
        story = Story(a={"after": ["x", "y"], "unless": ["y", "z"]})
        story.fires("x", "z")

        self.assertEqual(story.fire("y"), [])
        self.assertEqual(story.status("a#0"), ABANDONED)


class RunningTests(SynchronousTestCase):
    """Instances are started and ended."""

    def setUp(self) -> None:
        """Have an instance scheduled, and a follower."""
        self.story = Story(a={"after": ["x"]}, b={"after": ["a"]})
        self.story.fire("x", "1")

    def test_starts(self) -> None:
        """A started instance is running, with what it really got (T080, T065)."""
        effects = self.story.start("a#0")

        assert effects.instance is not None
        self.assertEqual(effects.instance.status, RUNNING)
        self.assertEqual(effects.instance.metadata, {"actualKwargs": "merged"})
        self.assertEqual(effects.instance.kwargs, {"x": "1"})

    def test_finishes_and_cascades(self) -> None:
        """A finished task fires its own name with its result, in one step (T081, T100, T101)."""
        self.story.start("a#0")

        effects = self.story.end("a#0", result="the result")

        self.assertEqual([each.instance for each in effects.ready], ["b#0"])
        self.assertEqual(self.story.session.latest["a"], "the result")
        self.assertEqual(self.story.status("a#0"), FINISHED)
        self.assertEqual(self.story.kwargs("b#0"), {"a": "the result"})

    def test_no_cascade_otherwise(self) -> None:
        """There is no cascade after a failure or a skip (T102, T110)."""
        for status in (FAILED, SKIPPED):
            story = Story(a={"after": ["x"]}, b={"after": ["a"]})
            story.fire("x")

            self.assertEqual(story.run("a#0", status), [])
            self.assertEqual(story.statuses, {"a#0": status})

    def test_delivered_twice(self) -> None:
        """A delivery that comes twice does nothing the second time (T090)."""
        self.story.run("a#0")
        before = self.story.session

        self.assertFalse(self.story.start("a#0").changed)
        self.assertIs(self.story.session, before)

    def test_worker_died(self) -> None:
        """What a dead worker was running is started again, and says so (T091)."""
        self.story.start("a#0")

        effects = self.story.start("a#0")

        assert effects.instance is not None
        self.assertEqual((effects.instance.status, effects.instance.deaths), (RUNNING, 1))

    def test_fence(self) -> None:
        """A worker that was taken for dead cannot end what another one runs."""
        self.story.start("a#0")
        self.story.start("a#0")

        late = self.story.then(End("a#0", 1, FINISHED, {}, "late"))

        self.assertFalse(late.changed)
        self.assertEqual(self.story.status("a#0"), RUNNING)

    def test_dies_too_often(self) -> None:
        """An instance whose workers die again and again fails."""
        for _ in range(MOST_DEATHS):
            self.story.start("a#0")

        self.story.attempts["a#0"] += 1
        fact = Start("a#0", self.story.attempts["a#0"], merge, {"exceptionType": "died"})
        effects = self.story.then(fact)

        assert effects.instance is not None
        self.assertEqual(effects.instance.status, FAILED)
        self.assertEqual(effects.instance.metadata["exceptionType"], "died")

    def test_given_back(self) -> None:
        """What a stopping worker gives back is scheduled, and nobody has died."""
        self.story.start("a#0")
        self.story.then(GiveBack("a#0", 1))
        self.assertEqual(self.story.status("a#0"), SCHEDULED)

        effects = self.story.start("a#0")

        assert effects.instance is not None
        self.assertEqual((effects.instance.status, effects.instance.deaths), (RUNNING, 0))

    def test_retries(self) -> None:
        """A task that retries itself is replayed after its cooldown (T112, T117)."""
        self.story.start("a#0")

        effects = self.story.then(Retry("a#0", 1, {"why": "not yet"}, None, 30.0))

        self.assertEqual([(each.instance, each.delay) for each in effects.ready], [("a#1", 30.0)])
        self.assertEqual(self.story.statuses, {"a#0": REPLAYED, "a#1": SCHEDULED})
        old, new = (self.story.session.instances[name] for name in ("a#0", "a#1"))
        self.assertEqual(old.metadata["why"], "not yet")
        self.assertEqual((new.depth, new.parent, dict(new.metadata)), (1, "a#0", {}))

    def test_retry_replaces_kwargs(self) -> None:
        """The kwargs of a retry replace the old ones wholly (T119)."""
        self.story.start("a#0")

        self.story.then(Retry("a#0", 1, {}, {"y": "2"}, 0.0))

        self.assertEqual(self.story.kwargs("a#1"), {"y": "2"})

    def test_times(self) -> None:
        """`created` stays, `lastModified` moves, and each status has its time (T160, T161)."""
        times = [dict(self.story.session.instances["a#0"].times)]
        self.story.run("a#0")
        times.append(dict(self.story.session.instances["a#0"].times))

        self.assertEqual(times[0]["created"], times[1]["created"])
        self.assertLess(times[0]["lastModified"], times[1]["lastModified"])
        self.assertLess(times[1][RUNNING], times[1][FINISHED])


class MendingTests(SynchronousTestCase):
    """What is done from outside."""

    def setUp(self) -> None:
        """Have a failed instance, and a follower."""
        self.story = Story(a={"after": ["x"]}, b={"after": ["a"]})
        self.story.fire("x", "1")
        self.story.start("a#0")
        self.story.then(End("a#0", 1, FAILED, {"exceptionType": "E"}, None))

    def test_replays(self) -> None:
        """A failed instance is replayed by a clone; it keeps its error (T130, T131, T137)."""
        effects = self.story.then(Replay("a#0", None))

        assert effects.instance is not None
        self.assertEqual(effects.instance.name, "a#1")
        old = self.story.session.instances["a#0"]
        self.assertEqual((old.status, old.metadata["exceptionType"]), (REPLAYED, "E"))
        self.assertIn(REPLAYED, old.times)
        self.assertEqual((effects.instance.parent, effects.instance.depth), ("a#0", 1))
        self.assertEqual(effects.fired, ())

    def test_replay_kwargs(self) -> None:
        """No kwargs keep the old ones; empty ones are none (T132)."""
        self.story.then(Replay("a#0", None))
        self.assertEqual(self.story.kwargs("a#1"), {"x": "1"})
        self.story.run("a#1", FAILED)

        self.story.then(Replay("a#1", {}))

        self.assertEqual(self.story.kwargs("a#2"), {})
        self.assertEqual(self.story.session.instances["a#2"].depth, 2)

    def test_only_failed_ones(self) -> None:
        """Only what has failed is replayed or skipped; else it is told (T133, T143)."""
        self.story.then(Replay("a#0", None))

        for fact in (Replay("a#0", None), Skip("a#1", False, "{}", {})):
            with self.assertRaises(WrongInstanceStatus) as raised:
                self.story.then(fact)
            self.assertIn(fact.instance, str(raised.exception))
            self.assertIn(self.story.status(fact.instance), str(raised.exception))

    def test_unknown(self) -> None:
        """An unknown instance is a KeyError (T134)."""
        self.assertRaises(UnknownInstance, self.story.then, Replay("a#9", None))
        self.assertRaises(KeyError, self.story.then, Replay("a#9", None))

    def test_clone_cascades(self) -> None:
        """A clone that finishes cascades (T136)."""
        self.story.then(Replay("a#0", None))

        self.assertEqual(self.story.run("a#1"), ["b#0"])

    def test_skips(self) -> None:
        """A failed instance is skipped, without a cascade (T140, T142)."""
        effects = self.story.then(Skip("a#0", False, "{}", {"cascade": "no"}))

        self.assertEqual((effects.ready, effects.fired), ((), ()))
        self.assertEqual(self.story.status("a#0"), SKIPPED)
        self.assertEqual(self.story.session.instances["a#0"].metadata["cascade"], "no")

    def test_skips_with_cascade(self) -> None:
        """With `cascade` the task's name is fired with the result (T141)."""
        effects = self.story.then(Skip("a#0", True, "instead", {}))

        self.assertEqual([each.instance for each in effects.ready], ["b#0"])
        self.assertEqual(self.story.kwargs("b#0"), {"a": "instead"})

    def test_sets_status(self) -> None:
        """Any status can be set, with metadata and a cascade (T156, T111)."""
        effects = self.story.then(SetStatus("a#0", "waived", {"by": "me"}, "result"))

        assert effects.instance is not None
        self.assertEqual(effects.instance.status, "waived")
        self.assertEqual([each.instance for each in effects.ready], ["b#0"])

    def test_set_scheduled(self) -> None:
        """What is set to scheduled is run again, by a later attempt than before."""
        effects = self.story.then(SetStatus("a#0", SCHEDULED, {}, None))

        self.assertEqual([(each.instance, each.attempt) for each in effects.ready], [("a#0", 1)])

    def test_notes(self) -> None:
        """Metadata is merged and moves `lastModified`, not the status (T162)."""
        before = self.story.session.instances["a#0"]

        self.story.then(Note("a#0", {"n": "1"}))

        after = self.story.session.instances["a#0"]
        self.assertEqual(after.metadata, {**before.metadata, "n": "1"})
        self.assertEqual(after.status, FAILED)
        self.assertGreater(after.times["lastModified"], before.times["lastModified"])

    def test_resolves_logs(self) -> None:
        """Logs can be marked as resolved (T171)."""
        self.story.then(ResolveLogs("a#0"))

        self.assertTrue(self.story.session.instances["a#0"].logs_resolved)

    def test_session_metadata(self) -> None:
        """A session has metadata of its own (T192)."""
        self.story.then(NoteSession({"n": "1"}))

        self.assertEqual(self.story.session.metadata, {"n": "1"})


class ResolvedTests(SynchronousTestCase):
    """What is left to be done."""

    def test_unresolved(self) -> None:
        """Tasks without an instance, and those with a failed one, are unresolved (T151, T152)."""
        story = Story(a={"after": ["x"]}, b={"after": ["y"]}, c={"after": ["x"]})
        story.fire("x")
        self.assertEqual(story.unresolved, ["a", "b", "c"])
        story.run("a#0")
        story.run("c#0", FAILED)

        self.assertEqual(story.unresolved, ["b", "c"])

    def test_resolved_by_mending(self) -> None:
        """Replayed, skipped and abandoned ones are resolved (T151)."""
        story = Story(a={"after": ["x"]}, b={"after": ["y"], "unless": ["x"]})
        story.fire("x")
        story.run("a#0", FAILED)
        story.then(Replay("a#0", None))
        self.assertEqual(story.unresolved, ["a"])
        story.run("a#1", SKIPPED)

        self.assertEqual(story.unresolved, [])


class FinalizingTests(SynchronousTestCase):
    """The last trigger of a session."""

    TASKS: Mapping[str, Mapping[str, Any]] = {
        "a": {"after": ["x"]},
        "b": {"after": ["x"]},
        "end": {"after": ["done"]},
    }

    def test_fires_once(self) -> None:
        """It fires when all other tasks are resolved, once (T216)."""
        story = Story("done", **self.TASKS)
        story.fire("x")
        self.assertEqual(story.run("a#0"), [])

        self.assertEqual(story.run("b#0"), ["end#0"])
        self.assertEqual(story.run("end#0"), [])
        self.assertEqual(story.fire("x"), [])

    def test_failed_ones_keep_it(self) -> None:
        """A failed task keeps it from firing; skipping that one does not (T217, T218)."""
        story = Story("done", **self.TASKS)
        story.fire("x")
        story.run("a#0")
        self.assertEqual(story.run("b#0", FAILED), [])

        effects = story.then(Skip("b#0", False, "{}", {}))

        self.assertEqual([each.instance for each in effects.ready], ["end#0"])

    def test_abandoned_ones_do_not(self) -> None:
        """An abandoned task does not keep it from firing (T217)."""
        story = Story(
            "done",
            a={"after": ["x"]},
            b={"after": ["y"], "unless": ["x"]},
            end={"after": ["done"]},
        )
        story.fire("x")

        self.assertEqual(story.run("a#0"), ["end#0"])


class SeveralSessionsTests(SynchronousTestCase):
    """Sessions that wait for one another."""

    def test_hands_on(self) -> None:
        """A fire is handed on to who waits for it, numbered."""
        story = Story(a={"after": ["x"]})
        story.then(Link("x", "other", "../uid#x"))
        story.then(Link("x", "other", "../uid#x"))

        numbers = [relay.number for _ in range(2) for relay in story.then(Fire("x", "1")).relays]

        self.assertEqual(numbers, [1, 2])

    def test_hears_once(self) -> None:
        """A fire that is heard of twice, in whatever order, counts once."""
        story = Story(a={"after": [], "andEvery": "../s#x"})

        changed = [story.then(Hear("../s#x", "{}", number)).changed for number in (2, 1, 2, 1, 3)]

        self.assertEqual(changed, [True, True, False, False, True])
        self.assertEqual(len(story.statuses), 3)
        self.assertEqual(story.session.heard["../s#x"].beyond, frozenset())


class DeadlineTests(SynchronousTestCase):
    """Instances that have waited long enough."""

    def test_overdue(self) -> None:
        """What still waits at its deadline is abandoned; what was started is not."""
        story = Story(a={"after": ["x", "y"], "deadline": 60})
        effects = story.then(Fire("x", "{}"))
        self.assertEqual(
            [(each.instance, each.delay) for each in effects.deadlines], [("a#0", 60)]
        )

        story.then(Overdue("a#0"))

        self.assertEqual(story.status("a#0"), ABANDONED)
        self.assertTrue(story.session.instances["a#0"].overdue)
        self.assertFalse(story.then(Overdue("a#0")).changed)


class StatusTests(SynchronousTestCase):
    """The table of moves."""

    def test_names(self) -> None:
        """The statuses are those that the table leads from and to (T150)."""
        reached = {UNSTARTED, *MOVES.values()}

        self.assertEqual(set(STATUSES), reached)


class FaultTests(SynchronousTestCase):
    """Configurations that cannot be."""

    def faults(self, **directives: Any) -> list[str]:
        """Give the faults of a task."""
        return faults_of({"t": {"after": [], "run": "x", **directives}})

    def test_missing(self) -> None:
        """`after` and `run` must be there; it is a TypeError (T003)."""
        error = self.assertRaises(InvalidConfiguration, tasks_from, {"t": {}})

        self.assertEqual(len(error.faults), 2)
        self.assertIsInstance(error, TypeError)

    def test_misspelt(self) -> None:
        """What is very like a directive that is not there is refused, with that."""
        misspelt = {
            "andevery": "andEvery",
            "and_every": "andEvery",
            "unles": "unless",
            "timeot": "timeout",
            "withparams": "withParams",
            "with_parms": "withParams",
            "USING": "using",
            "deadlin": "deadline",
        }
        for key, meant in misspelt.items():
            fault = f"task 't': {key!r} is no directive: did you mean {meant!r}?"
            self.assertEqual(self.faults(**{key: None}), [fault])
        self.assertIn(
            "'Run' is no directive: did you mean 'run'?", str(faults_of({"t": {"Run": 1}}))
        )

    def test_names_of_ones_own(self) -> None:
        """What could be a directive of one's own is none of ours (T008)."""
        own = (
            "title description priority owner after_hours runner run_as run_by runs time_limit "
            "timeout_ms deadline_at time date user users every each params with_defaults mine "
            "only_unless queue retries max_retries tags note notes"
        )
        for key in own.split():
            self.assertEqual(self.faults(**{key: None}), [], key)
        self.assertEqual(self.faults(timeout=3, timeouts=4), [])

    def test_strings_for_lists(self) -> None:
        """A text where a list belongs is refused (T005)."""
        self.assertEqual(len(self.faults(after="abc", unless="abc")), 2)

    def test_every(self) -> None:
        """`andEvery` is one name (T007), and is among `after` (T006)."""
        self.assertEqual(len(self.faults(andEvery=["x"])), 1)
        self.assertEqual(
            tasks_from({"t": {"after": ["y"], "run": "x", "andEvery": "x"}})["t"].after, {"x", "y"}
        )

    def test_params(self) -> None:
        """`withParams` is a mapping of mappings (T066)."""
        self.assertEqual(len(self.faults(withParams=[1])), 1)
        self.assertEqual(len(self.faults(withParams={"x": 1})), 1)
        self.assertEqual(self.faults(withParams={"x": {"y": 1}}), [])

    def test_all_at_once(self) -> None:
        """All faults of all tasks are told at once."""
        given_tasks = {
            "a": {"after": "x", "run": "no"},
            "": {"after": [1], "run": "ok", "using": "nobody"},
            "c": 7,
        }

        faults = faults_of(
            given_tasks,
            lambda run: f"{run} is bad" if run == "no" else None,
            lambda using: f"no runner {using}",
        )

        self.assertEqual(len(faults), 6)

    def test_not_a_mapping(self) -> None:
        """A configuration is a mapping."""
        self.assertEqual(len(faults_of([])), 1)

    def test_seconds(self) -> None:
        """Times are numbers above zero."""
        for wrong in (0, -1, "1", True, float("inf"), float("nan")):
            self.assertEqual(len(self.faults(timeout=wrong)), 1, wrong)

    def test_cycles(self) -> None:
        """Tasks that would run each other for ever are refused, the store's included."""
        self.assertEqual(len(self.faults(andEvery="t")), 1)
        story = Story(a={"after": [], "andEvery": "b"})
        before = story.session

        with self.assertRaises(InvalidConfiguration) as raised:
            story.configure(b={"after": ["x"], "andEvery": "a"})

        self.assertIn("'a'", str(raised.exception))
        self.assertIs(story.session, before)

    def test_extra(self) -> None:
        """Unknown directives are kept, and all comes back from storage (T008)."""
        given_tasks = {
            "t": {
                "after": ["x"],
                "run": "r",
                "unless": ["y"],
                "andEvery": "z",
                "withParams": {"x": {"a": 1}},
                "using": "thread",
                "timeout": 3,
                "deadline": 4,
                "mine": 5,
            }
        }
        (task,) = tasks_from(given_tasks).values()

        self.assertEqual(task.extra, {"mine": 5})
        self.assertEqual(tasks_from({"t": task.directives()}), {"t": task})


# A model that knows nothing of drafts: it looks at the whole history of a session.

TRIGGERS = st.sampled_from("xyz")
TASKS = st.fixed_dictionaries(
    {"after": st.sets(TRIGGERS), "run": st.just("r")},
    optional={"unless": st.sets(TRIGGERS), "andEvery": TRIGGERS},
)


@attrs.define
class ModelInstance:
    """An instance, as somebody would keep it on paper."""

    has: dict[str, int]
    vetoes: set[str]
    status: str = UNSTARTED


class Model:
    """What the documents say about fires, done the simplest way."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        every = task.get("andEvery")
        self.every = every
        self.after = set(task["after"]) | ({every} if every else set())
        self.unless = set(task.get("unless", ()))
        self.history: list[str] = []
        self.instances: list[ModelInstance] = []

    def fire(self, trigger: str) -> None:
        """Fire a trigger; its kwargs are its place in the history."""
        self.history.append(trigger)
        place = len(self.history) - 1
        if trigger not in self.after | self.unless:
            return
        waiting = [each for each in self.instances if each.status == UNSTARTED]
        takers = [each for each in waiting if trigger in self.after and trigger not in each.has]
        for each in takers:
            each.has[trigger] = place
        for each in waiting:
            each.vetoes |= {trigger} & self.unless
        if not self.instances or (trigger == self.every and not takers):
            last = {name: index for index, name in enumerate(self.history)}
            has = {name: last[name] for name in self.after if name in last}
            self.instances.append(ModelInstance(has, self.unless & set(self.history)))
        for each in self.instances:
            if each.status == UNSTARTED:
                if self.unless and each.vetoes >= self.unless:
                    each.status = ABANDONED
                elif self.after and each.has.keys() >= self.after:
                    each.status = SCHEDULED


class ModelTests(SynchronousTestCase):
    """The rules and the model agree."""

    @settings(PATIENT, max_examples=300)
    @given(tasks=st.lists(TASKS, min_size=1, max_size=3), fires=st.lists(TRIGGERS, max_size=12))
    def test_fires(self, tasks: list[dict[str, Any]], fires: list[str]) -> None:
        """After any fires, every task has the instances that its history calls for."""
        named = {f"t{number}": task for number, task in enumerate(tasks)}
        models = {name: Model(task) for name, task in named.items()}
        session = Session("uid", "token", config=Configuration(tasks_from(named)))
        scheduled: list[str] = []

        for number, trigger in enumerate(fires):
            session, effects = apply(session, Fire(trigger, str(number)), NOW + number)
            scheduled += [each.instance for each in effects.ready]
            for model in models.values():
                model.fire(trigger)
            # What waits no more is not loaded any more.
            loaded = {
                name: each for name, each in session.instances.items() if each.status == UNSTARTED
            }
            for name, model in models.items():
                waiting = {
                    f"{name}#{index}": {key: str(place) for key, place in each.has.items()}
                    for index, each in enumerate(model.instances)
                    if each.status == UNSTARTED
                }
                found = {key: dict(e.kwargs) for key, e in loaded.items() if e.task == name}
                self.assertEqual(found, waiting)
            session = attrs.evolve(session, instances=loaded)

        expected = [
            f"{name}#{index}"
            for name, model in models.items()
            for index, each in enumerate(model.instances)
            if each.status == SCHEDULED
        ]
        self.assertEqual(sorted(scheduled), sorted(expected))
        for name, model in models.items():
            tally = session.tallies.get(name)
            left = [each for each in model.instances if each.status in (UNSTARTED, SCHEDULED)]
            self.assertEqual(
                (0, 0) if tally is None else (tally.count, tally.unresolved),
                (len(model.instances), len(left)),
            )
