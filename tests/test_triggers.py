"""Trigger sessions on stores: firing, running, and what follows."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.defer import gatherResults, succeed

from tests import trigger_tasks
from tests.durable import on_stores
from tests.trigger_sessions import TASKS, SessionTests
from tests.trigger_tasks import CALLS, CONTEXTS, WAITING
from twisted_dispatcher import EventDispatcher
from twisted_dispatcher.errors import (
    InvalidConfiguration,
    InvalidKey,
    InvalidSession,
    NotEncodable,
    UnknownInstance,
    UnknownSession,
    UnknownTask,
    WrongInstanceStatus,
)
from twisted_dispatcher.records import Worker
from twisted_dispatcher.triggerrecords import (
    InstanceRow,
    SessionChange,
    SessionForm,
    SessionRow,
    SessionStep,
)
from twisted_dispatcher.triggers import (
    TriggerManager,
    TriggerStorage,
    expire_sessions,
    expiring,
    forget_session,
    install,
    list_sessions,
)
from twisted_dispatcher.triggers.naming import named


class ConfiguringTests(SessionTests):
    """Configurations are stored, or refused as a whole."""

    async def test_stored(self) -> None:
        """A configuration is stored at once, and read by others (T001, T008, T192)."""
        manager = await self.manager(a={"after": {"x", "y"}, "unless": ["z"], "mine": [1]})

        other = await self.manager()
        await self.result(other.storage.load())

        self.assertEqual(other.storage.tasks, manager.storage.tasks)
        self.assertEqual(other.storage.tasks["a"].extra, {"mine": [1]})

    async def test_refused(self) -> None:
        """All faults are told at once, and nothing is stored (T003, T005, T069, T070, T072)."""
        manager = await self.manager()

        with self.assertRaises(InvalidConfiguration) as raised:
            await self.configure(
                manager,
                good=["x"],
                a={"after": "x"},
                b={"after": ["x"], "run": "nobody:knows"},
                c={"after": ["x"], "run": "NoTask"},
                d={"after": ["x"], "run": "NOT_A_TASK"},
                e={"after": ["x"], "using": "nobody"},
                f={"after": ["x"], "run": lambda context: None},
            )

        self.assertEqual(len(raised.exception.faults), 6)
        with self.assertRaises(UnknownSession):
            await self.result(manager.storage.load())

    async def test_task_given_itself(self) -> None:
        """A task may be given itself, where it can be found again by its name."""
        manager = await self.manager(a={"after": ["x"], "run": trigger_tasks.Repeat})
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})

    async def test_unknown_session(self) -> None:
        """Firing into a session that is not there is an error, unless it may be made (T032)."""
        manager = await self.manager("unknown")

        with self.assertRaises(UnknownSession):
            await self.fire(manager, "x")
        assert self.dispatcher is not None
        maker = self.manager_of("unknown", self.dispatcher, create=True)
        await self.fire(maker, "x")

        self.assertEqual(dict(maker.storage.latest_kwargs), {"x": {}})

    async def test_bad_input(self) -> None:
        """What is no trigger, no kwargs, and no uid is refused (T031, T201)."""
        manager = await self.manager(a=["x"])

        for trigger, kwargs in (("", None), (7, None), ("x", [1]), ("x", "text")):
            with self.assertRaises(InvalidSession):
                await self.result(manager.fire(trigger, kwargs))  # type: ignore[arg-type]
        with self.assertRaises(NotEncodable):
            await self.fire(manager, "x", thing=object())
        for uid in (7, "", None, "a\nb"):
            self.assertRaises(TypeError, TriggerStorage, uid, self.dispatcher)
        self.assertRaises(InvalidSession, TriggerStorage, "s", EventDispatcher(()))
        self.assertEqual(len(manager.storage.instances), 0)

    async def test_foreign_store(self) -> None:
        """Sessions with the same configuration have nothing to do with each other (T033)."""
        one, two = await self.manager("one", a=["x", "y"]), await self.manager("two", a=["x", "y"])
        await self.fire(one, "x")
        await self.fire(two, "y")

        self.assertEqual(await self.all_of(one), {"a#0": "unstarted"})
        self.assertEqual(await self.all_of(two), {"a#0": "unstarted"})


class TaskTests(SessionTests):
    """Tasks are run."""

    async def test_runs(self) -> None:
        """A task is run when all has fired; its result is kept (T023, T081)."""
        manager = await self.manager(a=["x", "y"])
        self.assertEqual(await self.fire(manager, "x", n=1), [])

        self.assertEqual(await self.fire(manager, "y", m=2), ["a#0"])
        await self.all_of(manager)

        instance = manager.storage["a#0"]
        self.assertEqual(CALLS, [("a#0", {"x": {"n": 1}, "y": {"m": 2}})])
        self.assertEqual(instance.status, "finished")
        self.assertEqual(instance.metadata["result"], {"x": {"n": 1}, "y": {"m": 2}})
        self.assertTrue(instance.is_resolved)

    async def test_cascade(self) -> None:
        """A finished task fires its own name with its result (T100, T105)."""
        manager = await self.manager(a=["x"], b=["a", "x"])
        await self.fire(manager, "x", n=1)

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(CALLS[1], ("b#0", {"a": {"x": {"n": 1}}, "x": {"n": 1}}))

    async def test_params(self) -> None:
        """Params are merged under the kwargs, at all levels (T060, T061, T062, T063, T064)."""
        manager = await self.manager(
            a={
                "after": ["x"],
                "withParams": {
                    "x": {"n": 1, "deep": {"a": 1, "b": 1}, "list": [1, 2], "none": 1},
                    "other": {"p": 1},
                },
            },
            b={"after": ["a"], "withParams": {"a": {"x": "mine", "added": 1}}},
        )
        kwargs = {"n": 2, "deep": {"b": 2}, "list": [3], "none": None}
        await self.fire(manager, "x", **kwargs)
        await self.all_of(manager)

        got = {
            "x": {"n": 2, "deep": {"a": 1, "b": 2}, "list": [3], "none": None},
            "other": {"p": 1},
        }
        instance = manager.storage["a#0"]
        self.assertEqual(CALLS[0][1], got)
        self.assertEqual(instance.metadata["actualKwargs"], got)
        self.assertEqual(instance.kwargs, {"x": kwargs})
        self.assertEqual(CALLS[1][1], {"a": {**got, "added": 1}})

    async def test_results(self) -> None:
        """Nothing and what is false is an empty result; what is no mapping fails (T082, T083)."""
        manager = await self.manager(
            a={"after": ["x"], "run": "Nothing"},
            b={"after": ["x"], "run": "gives_empty_list"},
            c={"after": ["x"], "run": "gives_list"},
            d={"after": ["x"], "run": "gives_object"},
        )
        await self.fire(manager, "x")
        statuses = await self.all_of(manager)

        self.assertEqual(list(statuses.values()), ["finished", "finished", "failed", "failed"])
        self.assertEqual(manager.storage["a#0"].metadata["result"], {})
        self.assertEqual(manager.storage["b#0"].metadata["result"], {})
        metadata = manager.storage["c#0"].metadata
        self.assertEqual(metadata["exceptionContext"], {"actual_result": [1]})
        self.assertTrue(metadata["exceptionType"].endswith("InvalidResult"))

    async def test_fails(self) -> None:
        """A failure is kept with its type, traceback and context (T084, T085, T102)."""
        manager = await self.manager(a={"after": ["x"], "run": "Fails"}, b=["a"])
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "failed"})
        metadata = manager.storage["a#0"].metadata
        self.assertEqual(metadata["exceptionType"], f"{TASKS}.Problem")
        self.assertIn("Traceback", metadata["exceptionInfo"])
        self.assertEqual(metadata["exceptionContext"], {"what": 1})
        self.assertEqual(manager.get_unresolved_instances(), [manager.storage["a#0"]])

    async def test_context(self) -> None:
        """The context has the manager, the instance and the session (T086, T087)."""
        manager = await self.manager("s", "finalizing", a=["x"])
        await self.fire(manager, "x", n=1)
        await self.all_of(manager)

        (context,) = CONTEXTS
        self.assertEqual(type(context.manager), type(manager))
        self.assertIsNot(context.manager, manager)
        self.assertEqual(type(context.manager.storage), type(manager.storage))
        self.assertIsNot(context.manager.storage, manager.storage)
        self.assertEqual(context.manager.storage.uid, "s")
        self.assertEqual((context.storage_uid, context.instance_name), ("s", "a#0"))
        self.assertEqual(context.task_instance.kwargs, {"x": {"n": 1}})

    async def test_filters(self) -> None:
        """Kwargs are filtered; complaints are kept (T088, T089)."""
        manager = await self.manager(a={"after": [], "andEvery": "x", "run": "filters"})
        await self.fire(manager, "x", n="3", other=1)
        await self.fire(manager, "x", n="-3")
        await self.all_of(manager)

        good, bad = manager.storage["a#0"].metadata, manager.storage["a#1"].metadata
        self.assertEqual(
            good["result"], {"clean": {"x": {"n": 3, "other": 1}, "absent": {"m": False}}}
        )
        self.assertTrue(bad["exceptionType"].endswith("InvalidKwargs"))
        self.assertEqual(bad["exceptionContext"], {"filter_errors": {"x": {"n": "not positive"}}})

    async def test_fires(self) -> None:
        """A task may fire, also without waiting for it (T035)."""
        manager = await self.manager(a={"after": ["x"], "run": "fires"}, b=["fired"])
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(CALLS[1], ("b#0", {"fired": {"by": "a#0"}}))

    async def test_thread(self) -> None:
        """A task may run in a thread (T067)."""
        manager = await self.manager(a={"after": ["x"], "using": "thread"})
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})

    async def test_waits(self) -> None:
        """A task may take its time; it is running meanwhile (T080, T236)."""
        manager = await self.manager(a={"after": ["x"], "run": "waits"})
        await self.fire(manager, "x")
        await self.quiet()
        joining = manager.join_all()
        await self.pass_time(10)
        await self.result(manager.storage.load())
        self.assertEqual(manager.storage["a#0"].status, "running")
        self.assertFalse(joining.called)

        WAITING["a#0"].callback({"n": 1})
        await self.result(joining)

        self.assertEqual(manager.storage["a#0"].metadata["result"], {"n": 1})

    async def test_timeout(self) -> None:
        """A task that runs for too long is cancelled, and fails."""
        manager = await self.manager(a={"after": ["x"], "run": "waits", "timeout": 5})
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "failed"})
        kind = manager.storage["a#0"].metadata["exceptionType"]
        self.assertTrue(kind.endswith("TaskTimeout"), kind)

    async def test_joining_itself(self) -> None:
        """A task cannot wait for itself (T237)."""
        manager = await self.manager(a={"after": ["x"], "run": "joins"})
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "failed"})

    async def test_deadline(self) -> None:
        """An instance that waits for too long is abandoned."""
        manager = await self.manager(a={"after": ["x", "y"], "deadline": 60})
        await self.fire(manager, "x")
        await self.pass_time(61)
        await self.result(manager.storage.load())

        self.assertEqual(manager.storage["a#0"].status, "abandoned")
        self.assertTrue(manager.storage["a#0"].metadata["overdue"])

    async def test_fires_later(self) -> None:
        """A trigger may be fired for a later time; then it fires once."""
        manager = await self.manager(a={"after": [], "andEvery": "x"})
        await self.result(manager.fire("x", {"n": 1}, at=self.clock.seconds() + 3600))
        self.assertEqual(await self.all_of(manager), {})

        await self.pass_time(3700)

        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})
        self.assertEqual(CALLS[0][1], {"x": {"n": 1}})

    async def test_many_fires(self) -> None:
        """Thirty managers that fire at once count thirty times (T034)."""
        await self.manager(a={"after": [], "andEvery": "x"})
        managers = [await self.manager() for _ in range(30)]

        await self.result(
            gatherResults(each.fire("x", {"n": n}) for n, each in enumerate(managers))
        )
        statuses = await self.all_of(managers[0])

        self.assertEqual(len(statuses), 30)
        self.assertEqual(set(statuses.values()), {"finished"})
        self.assertEqual(sorted(each["x"]["n"] for _, each in CALLS), list(range(30)))


class MendingTests(SessionTests):
    """Retries, skips and replays."""

    async def test_skips(self) -> None:
        """A task that skips itself is skipped, without a cascade (T110, T120)."""
        manager = await self.manager(a={"after": ["x"], "run": "Skips"}, b=["a"])
        with self.assertLogs("twisted_dispatcher.triggers.a", "ERROR"):
            await self.fire(manager, "x")
            statuses = await self.all_of(manager)

        self.assertEqual(statuses, {"a#0": "skipped"})
        self.assertEqual(manager.storage["a#0"].metadata["why"], "nothing to do")
        self.assertEqual(manager.storage["a#0"].log_level, logging.ERROR)
        self.assertTrue(manager.storage["a#0"].logs_resolved)

    async def test_status_change(self) -> None:
        """A status that a task sets itself does not cascade (T111)."""
        manager = await self.manager(a={"after": ["x"], "run": "says_finished"}, b=["a"])
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})
        self.assertEqual(manager.storage["a#0"].metadata["by"], "itself")

    async def test_retries(self) -> None:
        """A task is retried so often, then it fails with its cause (T112, T113, T114, T118)."""
        manager = await self.manager(a={"after": ["x"], "run": "Retries"})
        await self.fire(manager, "x")

        self.assertEqual(
            await self.all_of(manager), {"a#0": "replayed", "a#1": "replayed", "a#2": "failed"}
        )
        first, last = manager.storage["a#0"].metadata, manager.storage["a#2"].metadata
        self.assertEqual((first["n"], first["cooldown"]), (1, 0.0))
        self.assertEqual(first["exceptionType"], f"{TASKS}.Problem")
        self.assertTrue(last["exceptionType"].endswith("MaxRetriesExceeded"))
        self.assertIn("Problem: again", last["exceptionInfo"])
        self.assertEqual(last["exceptionContext"], {"replay_metadata": {"n": 1}})
        self.assertEqual((last["depth"], last["parent"]), (2, "a#1"))

    async def test_cooldown(self) -> None:
        """A cooldown is waited for, and there need not be a limit (T116, T117)."""
        manager = await self.manager(a={"after": ["x"], "run": "RetriesLater"})
        await self.fire(manager, "x")
        await self.pass_time(29)
        self.assertEqual(self.calls(), ["a#0"])

        await self.pass_time(95)

        self.assertEqual(self.calls(), ["a#0", "a#1", "a#2", "a#3", "a#4"])

    async def test_manual_replays_count(self) -> None:
        """Replays by hand count as retries (T115)."""
        manager = await self.manager(a={"after": ["x"], "run": "Retries"})
        await self.fire(manager, "x")
        await self.all_of(manager)

        await self.result(manager.replay_failed_instance("a#2"))

        statuses = await self.all_of(manager)
        self.assertEqual((len(statuses), statuses["a#3"]), (4, "failed"))

    async def test_replacement_kwargs(self) -> None:
        """Replacement kwargs replace all; params are still merged (T119)."""
        manager = await self.manager(
            a={"after": ["x"], "run": "Replaces", "withParams": {"y": {"p": 1}}}
        )
        await self.fire(manager, "x", a=1)
        await self.all_of(manager)

        self.assertEqual(CALLS[1], ("a#1", {"y": {"b": 2, "p": 1}}))

    async def test_replays(self) -> None:
        """A failed instance is replayed, by its name or itself (T130, T135, T138)."""
        manager = await self.manager(a={"after": ["x"], "run": "Fails"})
        await self.fire(manager, "x")
        await self.all_of(manager)
        stale = manager.storage["a#0"]
        await self.configure(manager, a=["x"])

        made = await self.result(manager.replay_failed_instance(stale, {"x": {"n": 7}}))

        self.assertEqual((made.name, made.parent, made.depth), ("a#1", "a#0", 1))
        self.assertEqual(await self.all_of(manager), {"a#0": "replayed", "a#1": "finished"})
        self.assertEqual(CALLS, [("a#1", {"x": {"n": 7}})])
        with self.assertRaises(WrongInstanceStatus):
            await self.result(manager.replay_failed_instance(stale))
        with self.assertRaises(UnknownInstance):
            await self.result(manager.replay_failed_instance("a#7"))

    async def test_skips_from_outside(self) -> None:
        """A failed instance is skipped, with or without a cascade (T140, T141, T142, T144)."""
        manager = await self.manager(a={"after": [], "andEvery": "x", "run": "Fails"}, b=["a"])
        await self.fire(manager, "x", "x")
        other = await self.manager()
        await self.all_of(manager)

        await self.result(other.skip_failed_instance("a#0"))
        self.assertNotIn("b#0", await self.all_of(manager))
        skipped = await self.result(
            other.skip_failed_instance("a#1", cascade=True, result={"n": 1})
        )

        self.assertEqual(skipped.status, "skipped")
        self.assertEqual(
            (skipped.metadata["cascade"], skipped.metadata["result"]), (True, {"n": 1})
        )
        await self.all_of(manager)
        self.assertEqual(CALLS, [("b#0", {"a": {"n": 1}})])

    async def test_updates(self) -> None:
        """Status and metadata are set by name or by object (T156, T162, T163)."""
        manager = await self.manager(a={"after": ["x"], "run": "Fails"}, b=["a"])
        await self.fire(manager, "x")
        await self.all_of(manager)
        stale = manager.storage["a#0"]

        await self.result(manager.update_instance_metadata(stale, {"n": 1}))
        changed = await self.result(
            manager.update_instance_status(
                stale, "waived", {"m": 2}, cascade=True, cascade_kwargs={"k": 3}
            )
        )

        self.assertEqual((changed.status, changed.metadata["n"]), ("waived", 1))
        self.assertIn("waived", changed.metadata["timestamps"])
        await self.all_of(manager)
        self.assertEqual(CALLS, [("b#0", {"a": {"k": 3}})])

    async def test_run_again_by_status(self) -> None:
        """What is set to scheduled is run again."""
        manager = await self.manager(a=["x"])
        await self.fire(manager, "x")
        await self.all_of(manager)

        await self.result(manager.update_instance_status("a#0", "scheduled"))
        await self.all_of(manager)

        self.assertEqual(self.calls(), ["a#0", "a#0"])
        self.assertEqual(manager.storage["a#0"].status, "finished")


class LogTests(SessionTests):
    """What tasks log."""

    async def test_levels(self) -> None:
        """The highest level is kept, over contexts, also where the task fails (T164, T166)."""
        manager = await self.manager(a={"after": ["x"], "run": "logs"}, b=["x"])
        await self.fire(manager, "x")
        await self.all_of(manager)

        one, two = manager.storage["a#0"], manager.storage["b#0"]
        self.assertEqual((one.log_level, one.log_level_name), (logging.WARNING, "WARNING"))
        self.assertEqual((two.log_level, two.log_level_name), (logging.NOTSET, "NOTSET"))

    async def test_resolved(self) -> None:
        """Errors stay unresolved until marked; contexts are merged (T167, T170 to T172)."""
        manager = await self.manager(a={"after": ["x"], "run": "logs_errors"}, b=["x"])
        with self.assertLogs("tests.trigger_tasks", "ERROR") as logged:
            await self.fire(manager, "x")
            await self.all_of(manager)
        found = [each.name for each in manager.get_instances_with_unresolved_logs()]
        self.assertEqual(found, ["a#0"])

        await self.result(manager.mark_instance_logs_resolved("a#0"))

        self.assertEqual(manager.get_instances_with_unresolved_logs(), [])
        record: Any = logged.records[0]
        self.assertEqual(record.context, {"a": 1, "b": 2})

    async def test_exception(self) -> None:
        """An exception that leaves the context is logged with its own (T165)."""
        manager = await self.manager(a={"after": ["x"], "run": "fails_in_context"})
        with self.assertLogs("tests.trigger_tasks", "ERROR") as logged:
            await self.fire(manager, "x")
            await self.all_of(manager)

        record: Any = logged.records[0]
        self.assertEqual(record.context, {"n": 3})
        self.assertEqual(manager.storage["a#0"].log_level, logging.ERROR)


def _state_of(row: SessionRow) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(row.state)
    return {"state": state}


def _itself(row: InstanceRow) -> InstanceRow:
    return row


def _joined(session: dict[str, Any], rows: Mapping[str, InstanceRow]) -> dict[str, Any]:
    return {**session, **rows}


def _again(session: dict[str, Any]) -> tuple[Any, tuple[()], None]:
    return dict(session), (), None


def _unmarked(before: dict[str, Any], after: dict[str, Any]) -> SessionChange:
    """Write a session as it was written before instances had marks."""
    state = {k: v for k, v in after["state"].items() if k not in ("waiting", "marked")}
    rows = [each for name, each in after.items() if name != "state"]
    return SessionChange(
        None, json.dumps(state), tuple(attrs.evolve(each, mark="") for each in rows)
    )


class StorageTests(SessionTests):
    """What is known of a session."""

    async def test_reads(self) -> None:
        """Instances, tasks, latest kwargs and metadata are read (T190 to T193, T196)."""
        manager = await self.manager(a=["x"], b=["y", "z"])
        await self.fire(manager, "x", n=1)
        await self.fire(manager, "y")
        await self.result(manager.update_session_metadata({"who": "me"}))
        await self.all_of(manager)
        storage = manager.storage

        self.assertRaises(KeyError, lambda: storage["a"])
        self.assertEqual({each.name for each in storage}, {"a#0", "b#0"})
        self.assertEqual(list(storage.instances_of_task("a")), ["a#0"])
        self.assertEqual(storage.instances_of_task("nobody"), {})
        self.assertEqual(dict(storage.latest_kwargs)["x"], {"n": 1})
        self.assertEqual(dict(storage.metadata), {"who": "me"})
        shown = storage.debug_repr()
        self.assertEqual(sorted(shown), ["instances", "metas", "tasks"])
        self.assertEqual(shown["instances"]["a#0"]["status"], "finished")
        self.assertEqual(storage["b#0"].abandon_state, {})

    async def test_unresolved(self) -> None:
        """Tasks and instances that are not resolved are listed (T152, T153)."""
        manager = await self.manager(a=["x"], b=["y"], c={"after": ["x"], "run": "Fails"})
        await self.fire(manager, "x")
        await self.all_of(manager)

        self.assertEqual([each.name for each in manager.get_unresolved_tasks()], ["b", "c"])
        self.assertEqual([each.name for each in manager.get_unresolved_instances()], ["c#0"])

    async def test_questions(self) -> None:
        """An instance says what can be done with it (T154)."""
        manager = await self.manager(a={"after": ["x", "y"]}, b={"after": ["x"], "run": "Fails"})
        await self.fire(manager, "x")
        await self.all_of(manager)

        waiting, failed = manager.storage["a#0"], manager.storage["b#0"]
        self.assertEqual(
            [waiting.can_schedule, waiting.can_run, waiting.can_abandon, waiting.can_skip],
            [True, False, False, False],
        )
        self.assertEqual(
            [failed.can_schedule, failed.can_run, failed.can_skip, failed.can_replay],
            [False, False, True, True],
        )

    async def test_why(self) -> None:
        """It says what a task waits for, and what stands against it."""
        manager = await self.manager(
            a=["x", "y"], b={"after": ["y"], "unless": ["x", "z"]}, c=[], d=["x"]
        )
        self.assertIn("waits for x, y", str(manager.why("a")))
        await self.fire(manager, "x")

        self.assertIn("a#0 lacks y", str(manager.why("a")))
        self.assertEqual(manager.why("a").missing, ("y",))
        self.assertEqual(
            (list(manager.why("b").against), manager.why("b").sparing), (["x"], ("z",))
        )
        self.assertIn("never runs", str(manager.why("c")))
        self.assertRaises(UnknownTask, manager.why, "nobody")
        await self.fire(manager, "z")
        self.assertIn("'unless' has fired, since 2027", str(manager.why("b")))

    async def test_lists(self) -> None:
        """Sessions are listed by prefix, and can be deleted."""
        for uid in ("a/1", "a/2", "b"):
            await self.manager(uid, a=["x", "y"])
        assert self.dispatcher is not None

        listed = await self.result(list_sessions(self.dispatcher, "a/"))
        self.assertEqual([each.uid for each in listed], ["a/1", "a/2"])
        self.assertTrue(await self.result(forget_session(self.dispatcher, "a/1")))
        with self.assertRaises(UnknownSession):
            await self.fire(await self.manager("a/1"), "x")

    async def test_expires(self) -> None:
        """Sessions to which nothing has happened for long are deleted when that is asked for."""
        old = await self.manager("old", a=["x", "y"])
        busy = await self.manager("busy", a={"after": ["x"], "run": "waits"})
        await self.fire(old, "x")
        await self.fire(busy, "x")
        await self.pass_time(100)
        await self.manager("new", a=["x"])
        assert self.dispatcher is not None

        self.assertEqual(await self.result(expire_sessions(self.dispatcher, 60)), 1)

        left = await self.result(list_sessions(self.dispatcher))
        self.assertEqual([each.uid for each in left], ["busy", "new"])
        WAITING["a#0"].callback(None)
        await self.all_of(busy)

    async def test_expires_by_itself(self) -> None:
        """Who is told so deletes old sessions, and none in which something goes on."""
        old = await self.manager("old", a=["x", "y"])
        busy = await self.manager("busy", a={"after": ["x"], "run": "waits"})
        await self.fire(old, "x")
        await self.fire(busy, "x")
        assert self.dispatcher is not None
        await self.pass_time(100)
        listed = await self.result(list_sessions(self.dispatcher))
        self.assertEqual([each.uid for each in listed], ["busy", "old"])

        install(self.dispatcher, expire_after=90)
        install(self.dispatcher)
        await self.pass_time(20)

        left = await self.result(list_sessions(self.dispatcher))
        self.assertEqual([each.uid for each in left], ["busy"])
        WAITING["a#0"].callback(None)
        await self.all_of(busy)

    async def test_expires_in_pages(self) -> None:
        """All sessions are looked at in the end, a few of them at a time."""
        self.patch(expiring, "PAGE", 2)
        self.patch(expiring, "MOST_PAGES", 2)
        for number in range(10):
            await self.manager(f"s{number}", a=["x"])
        assert self.dispatcher is not None

        install(self.dispatcher, expire_after=1)
        await self.pass_time(70)

        self.assertEqual(await self.result(list_sessions(self.dispatcher)), [])

    async def test_expires_refused(self) -> None:
        """What cannot be a time to expire after is refused."""
        await self.manager()
        assert self.dispatcher is not None

        for wrong in (0, -1, True, "1", float("nan")):
            with self.assertRaises(InvalidSession):
                install(self.dispatcher, expire_after=wrong)  # type: ignore[arg-type]

    async def test_without_marks(self) -> None:
        """Instances that were stored before they were marked go on waiting, and are fed."""
        manager = await self.manager(a=["x", "y"], b={"after": ["y"], "andEvery": "x"})
        await self.fire(manager, "x")
        assert self.dispatcher is not None
        triggers = install(self.dispatcher).store
        form = SessionForm(_state_of, _itself, _joined, _unmarked)
        step = SessionStep("session", ("a#0", "b#0"), _again, form)
        await self.result(triggers.change(step, Worker("w", frozenset()), 0.0))

        await self.fire(manager, "x")

        await self.result(manager.storage.load())
        self.assertEqual(sorted(each.name for each in manager.storage), ["a#0", "b#0", "b#1"])
        self.assertEqual(await self.fire(manager, "y"), ["a#0", "b#0", "b#1"])
        self.assertEqual(set((await self.all_of(manager)).values()), {"finished"})
        self.assertEqual(manager.storage.session.waiting, {})


class ElsewhereTests(SessionTests):
    """Fires and tasks in different processes."""

    async def test_no_worker(self) -> None:
        """A process that does not work fires, and others run the tasks."""
        accepting = await self.process(install, worker=False)
        manager = self.manager_of("s", accepting.dispatcher)
        await self.configure(manager, a=["x"], b=["a"])
        await self.fire(manager, "x")
        await self.pass_time(5)
        self.assertEqual(self.calls(), [])

        await self.process(install)
        await self.pass_time(5)

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})

    async def test_not_importable(self) -> None:
        """A task that cannot be imported where it is run fails, and says so; replay mends it."""
        process = await self.process(install)
        manager = self.manager_of("s", process.dispatcher)
        await self.configure(manager, a=["x"])
        repeat = trigger_tasks.Repeat
        del trigger_tasks.Repeat
        named.cache_clear()
        try:
            await self.fire(manager, "x")
            statuses = await self.all_of(manager)
        finally:
            trigger_tasks.Repeat = repeat  # type: ignore[misc]

        self.assertEqual(statuses, {"a#0": "failed"})
        metadata = manager.storage["a#0"].metadata
        self.assertTrue(metadata["exceptionType"].endswith("TaskNotImportable"))
        self.assertIn("Repeat", metadata["exceptionInfo"])
        await self.result(manager.replay_failed_instance("a#0"))
        self.assertEqual((await self.all_of(manager))["a#1"], "finished")


class NamespaceTests(SessionTests):
    """Sessions that wait for one another."""

    async def test_related(self) -> None:
        """A task waits for triggers of related sessions (T221)."""
        above = await self.manager("p", a={"after": ["./1#done", "./2#done"]})
        one = await self.manager("p/1", b={"after": ["..#start"]})
        two = await self.manager("p/2", c={"after": [], "andEvery": "../1#b"})

        await self.fire(one, "done", n=1)
        await self.fire(two, "done", n=2)
        await self.fire(above, "start")
        await self.until_settled(above.storage.dispatcher)

        self.assertEqual(await self.all_of(above), {"a#0": "finished"})
        self.assertEqual(await self.all_of(one), {"b#0": "finished"})
        self.assertEqual(await self.all_of(two), {"c#0": "finished"})
        self.assertEqual(dict(CALLS)["a#0"], {"./1#done": {"n": 1}, "./2#done": {"n": 2}})

    async def test_history(self) -> None:
        """What a related session has fired before feeds an instance that is made later."""
        one = await self.manager("p/1", z=["never"])
        await self.fire(one, "done", n=1)
        two = await self.manager("p/2", a={"after": ["../1#done", "x"]})

        self.assertEqual(await self.fire(two, "x"), ["a#0"])

    async def test_refused(self) -> None:
        """Names that lead out of the namespace are refused."""
        manager = await self.manager("alone")

        with self.assertRaises(InvalidConfiguration) as raised:
            await self.configure(manager, a=["../x#t"], b=["./x"], c=["./../y#t"])

        self.assertEqual(len(raised.exception.faults), 3)


class Recipe(TriggerManager):
    """The cookbook's recipe, as it is printed."""

    TRIGGER_SESSION_FINALIZED = "sessionFinalized"

    def _post_fire(self, trigger_name: str, tasks_scheduled: Any) -> None:
        if trigger_name == self.TRIGGER_SESSION_FINALIZED:
            return
        if self.TRIGGER_SESSION_FINALIZED in self.storage.latest_kwargs:
            return
        for config in self.get_unresolved_tasks():
            if self.TRIGGER_SESSION_FINALIZED not in config.after:
                return
        self.fire(self.TRIGGER_SESSION_FINALIZED)


class Hooked(TriggerManager):
    """Notes what its hooks are called with."""

    seen: list[Any] = []

    def _post_fire(self, trigger_name: str, tasks_scheduled: Any) -> None:
        self.seen.append((trigger_name, [each.name for each in tasks_scheduled]))

    def _post_replay(self, task_instance: Any) -> None:
        self.seen.append(("replay", task_instance.name, task_instance.parent))

    async def _post_skip(self, task_instance: Any, cascade: bool) -> None:
        self.seen.append(("skip", task_instance.name, task_instance.status, cascade))


class BadHook(TriggerManager):
    """Has a hook that fails for cascades."""

    def _post_fire(self, trigger_name: str, tasks_scheduled: Any) -> None:
        if trigger_name == "a":
            raise trigger_tasks.Problem("the hook")


class Survey(TriggerStorage):
    """Has a configuration by default."""

    asked = 0

    def _load_default_configuration(self) -> Any:
        Survey.asked += 1
        return succeed({"a": self.task(["x"]), "b": self.task(["a"])})

    def task(self, after: list[str]) -> dict[str, Any]:
        """Give the directives of a task."""
        return {"after": after, "run": "tests.trigger_tasks:Repeat"}


class NoSurvey(TriggerStorage):
    """Has none after all."""

    def _load_default_configuration(self) -> Any:
        return None


class Broken(TriggerStorage):
    """Has one with faults."""

    def _load_default_configuration(self) -> Any:
        return {"a": {"after": "x"}}


class DefaultTests(SessionTests):
    """Storages with a default configuration."""

    async def own(self, kind: type[TriggerStorage], uid: str = "s") -> TriggerManager:
        """Give a manager of a session with a storage of a class."""
        if self.dispatcher is None:
            self.dispatcher = await self.started("kind")
        return TriggerManager(kind(uid, self.dispatcher))

    async def test_used(self) -> None:
        """A session without a configuration has that of its storage, and keeps it (T014)."""
        manager = await self.own(Survey)
        await self.result(manager.storage.load())
        self.assertEqual(sorted(manager.storage.tasks), ["a", "b"])

        self.assertEqual(await self.fire(manager, "x"), ["a#0"])

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})
        plain = await self.own(TriggerStorage)
        await self.result(plain.storage.load())
        self.assertEqual(sorted(plain.storage.tasks), ["a", "b"])

    async def test_asked_once(self) -> None:
        """It is asked for only while there is none (T014)."""
        manager = await self.own(Survey)
        await self.fire(manager, "x")
        asked = Survey.asked

        await self.fire(await self.own(Survey), "y")

        self.assertEqual(Survey.asked, asked)

    async def test_added_to(self) -> None:
        """What is configured is added to it (T014)."""
        manager = await self.own(Survey)

        await self.configure(manager, c=["b"])

        await self.fire(manager, "x")
        statuses = await self.all_of(manager)
        self.assertEqual(sorted(statuses), ["a#0", "b#0", "c#0"])

    async def test_fired_before(self) -> None:
        """A fire for later, or a note, can be the first to happen, too (T014)."""
        later = await self.own(Survey)
        await self.result(later.fire("x", at=0))
        self.assertEqual(sorted(await self.all_of(later)), ["a#0", "b#0"])
        noted = await self.own(Survey, "noted")
        await self.result(noted.update_session_metadata({"by": "me"}))
        self.assertEqual(sorted(noted.storage.tasks), ["a", "b"])

    async def test_none(self) -> None:
        """Without one, a session that is not there is unknown (T014, T032)."""
        manager = await self.own(NoSurvey)

        with self.assertRaises(UnknownSession):
            await self.fire(manager, "x")

    async def test_faults(self) -> None:
        """A default with faults is refused, and nothing is stored (T014)."""
        manager = await self.own(Broken)

        for ask in (manager.storage.load, lambda: manager.fire("x")):
            with self.assertRaises(InvalidConfiguration):
                await self.result(ask())
        with self.assertRaises(UnknownSession):
            await self.result((await self.own(TriggerStorage)).storage.load())


class KeyTests(SessionTests):
    """Fires with a key."""

    async def test_once(self) -> None:
        """A fire counts once for its key, whoever fires again, and whenever."""
        every = {"after": [], "andEvery": "x"}
        manager = await self.manager(a=every)
        again = self.manager_of("session", self.dispatcher)  # type: ignore[arg-type]

        first = manager.fire("x", key="k")
        second = again.fire("x", key="k")
        names = [[each.name for each in await self.result(fired)] for fired in (first, second)]
        self.assertEqual(names, [["a#0"], []])
        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})
        self.assertEqual(await self.result(again.fire("x", key="k")), [])
        await self.result(again.fire("x", key="l"))

        self.assertEqual(sorted(await self.all_of(manager)), ["a#0", "a#1"])

    async def test_later(self) -> None:
        """A fire for later counts once for its key as well."""
        manager = await self.manager(a={"after": [], "andEvery": "x"})
        for _ in range(2):
            await self.result(manager.fire("x", at=0, key="k"))

        self.assertEqual(sorted(await self.all_of(manager)), ["a#0"])

    async def test_each_session(self) -> None:
        """A key is one of its session; one that begins anew under its uid knows none."""
        every = {"after": [], "andEvery": "x"}
        manager = await self.manager(a=every)
        other = await self.manager("other", a=every)
        for each in (manager, other):
            self.assertEqual(len(await self.result(each.fire("x", key="k"))), 1)
        await self.all_of(manager)
        await self.result(forget_session(self.dispatcher, "session"))

        await self.configure(manager, a=every)

        self.assertEqual(len(await self.result(manager.fire("x", key="k"))), 1)

    async def test_first(self) -> None:
        """A fire that makes its session counts once, too."""
        await self.manager("else")
        maker = self.manager_of("new", self.dispatcher, create=True)  # type: ignore[arg-type]
        both = [maker.fire("x", {"n": n}, key="k") for n in (1, 2)]
        for each in both:
            await self.result(each)

        self.assertEqual(dict(maker.storage.latest_kwargs), {"x": {"n": 1}})

    async def test_refused(self) -> None:
        """What cannot be a key is refused, and nothing is stored."""
        manager = await self.manager(a=["x"])

        for key in ("", "k" * 401, 5):
            with self.assertRaises(InvalidKey):
                await self.result(manager.fire("x", key=key))  # type: ignore[arg-type]
        self.assertEqual(await self.all_of(manager), {})


class HookTests(SessionTests):
    """Managers of one's own."""

    async def own(self, kind: type[TriggerManager], **tasks: Any) -> TriggerManager:
        """Give a manager of a class."""
        if self.dispatcher is None:
            self.dispatcher = await self.started()
        manager = kind(TriggerStorage("s", self.dispatcher))
        await self.configure(manager, **tasks)
        return manager

    async def test_hooks(self) -> None:
        """Hooks are called after fires, cascades, replays and skips (T210 to T214)."""
        Hooked.seen.clear()
        manager = await self.own(
            Hooked, a=["x"], b={"after": ["a"], "run": "Fails"}, c=["nothing"]
        )
        await self.fire(manager, "x")
        await self.all_of(manager)
        await self.result(manager.replay_failed_instance("b#0"))
        await self.all_of(manager)
        await self.result(manager.skip_failed_instance("b#1", cascade=True))

        self.assertEqual(
            Hooked.seen,
            [
                ("x", ["a#0"]),
                ("a", ["b#0"]),
                ("replay", "b#1", "b#0"),
                ("b", []),
                ("skip", "b#1", "skipped", True),
            ],
        )

    async def test_failing_hook(self) -> None:
        """A hook that fails does not fail the task whose cascade it was called for (T103)."""
        manager = await self.own(BadHook, a=["x"], b=["a"])
        await self.fire(manager, "x")

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(len(self.flushLoggedErrors(trigger_tasks.Problem)), 1)

    async def test_recipe(self) -> None:
        """The recipe of the cookbook works as it is printed (T215, T216)."""
        manager = await self.own(Recipe, a=["x"], b=["a"], end=["sessionFinalized"])
        await self.fire(manager, "x")

        self.assertEqual(
            await self.all_of(manager), dict.fromkeys(("a#0", "b#0", "end#0"), "finished")
        )

    async def test_finalizing(self) -> None:
        """The library's manager finalizes once, also when the last tasks end at once (T219)."""
        tasks = {f"t{n}": {"after": ["x"], "run": "waits"} for n in range(5)}
        manager = await self.manager("f", "finalizing", **tasks, end=["sessionFinalized"])
        await self.fire(manager, "x")
        await self.quiet()
        for waiting in list(WAITING.values()):
            waiting.callback(None)

        statuses = await self.all_of(manager)

        self.assertEqual(statuses["end#0"], "finished")
        self.assertEqual(self.calls().count("end#0"), 1)


for tests in (
    ConfiguringTests,
    TaskTests,
    MendingTests,
    LogTests,
    StorageTests,
    NamespaceTests,
    DefaultTests,
    KeyTests,
    HookTests,
):
    globals().update(on_stores(tests))
# A store in memory has one process.
globals().update(on_stores(ElsewhereTests, that_outlive=True))
del tests, ElsewhereTests
