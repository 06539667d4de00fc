"""Trigger sessions whose processes die: at every crash point, and while tasks run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests import trigger_tasks
from tests.durable import Process, on_stores
from tests.trigger_sessions import TASKS, SessionTests
from tests.trigger_tasks import CALLS, WAITING
from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump
from twisted_dispatcher.testing.crashes import Crashed, crash_everywhere
from twisted_dispatcher.triggers import (
    FinalizingTriggerManager,
    TriggerManager,
    TriggerStorage,
    install,
)

CONFIGURATION = {
    "join": {"after": ["x", "y"], "run": f"{TASKS}:Repeat"},
    "each": {"after": [], "andEvery": "join", "run": f"{TASKS}:Nothing"},
    "again": {"after": ["x"], "run": f"{TASKS}:Replaces"},
    "end": {"after": ["sessionFinalized"], "run": f"{TASKS}:Nothing"},
}


async def act(dispatcher: DurableDispatcher) -> None:
    """Do what users do who got no answer: all of it again."""
    manager = FinalizingTriggerManager(TriggerStorage("s", dispatcher))
    await manager.update_configuration(CONFIGURATION)
    await manager.fire("x", {"n": 1})
    await manager.fire("y", {"n": 2})


class CrashPointTests(SynchronousTestCase):
    """Crashes at every crash point, with a restart after them."""

    def new_path(self) -> str:
        """Give a new file, without a past."""
        CALLS.clear()
        return str(self.mktemp())

    def session_in(self, path: str) -> TriggerManager:
        """Give a manager of the session that is left."""
        clock = Clock()
        clock.advance(2_000_000_000.0)
        dispatcher, clock = clocked_durable_dispatcher(store=f"sqlite:///{path}", clock=clock)
        self.addCleanup(dispatcher._store.close)
        manager = TriggerManager(TriggerStorage("s", dispatcher))
        pump(clock, manager.join_all())
        return manager

    def check(self, crash: Crashed) -> None:
        """Check that nothing was lost and nothing was doubled."""
        said = f"crashed at point {crash.number}, {crash.point}"
        manager = self.session_in(crash.path)
        statuses = {each.name: each.status for each in manager.storage}
        expected = dict.fromkeys(("join#0", "each#0", "again#1", "end#0"), "finished")
        self.assertEqual(statuses, {**expected, "again#0": "replayed"}, said)
        calls = Counter(name for name, _ in CALLS)
        self.assertEqual(set(calls), {*expected, "again#0"}, said)
        # Whoever dies may have run one task to its end, and not have told.
        repeated = [name for name, count in calls.items() if count > 1]
        self.assertTrue(len(repeated) <= 1 and max(calls.values()) <= 2, (said, calls))
        self.assertEqual(
            manager.storage["join#0"].metadata["result"], {"x": {"n": 1}, "y": {"n": 2}}
        )

    def test_every_point(self) -> None:
        """Wherever a process dies, no trigger, task or cascade is lost or doubled."""
        points = []
        for crash in crash_everywhere(self.new_path, (), install, act):
            points.append(crash.point)
            self.check(crash)

        self.assertIsNone(points[-1])
        self.assertTrue(len(points) > 50, points)


class DyingTests(SessionTests):
    """Workers that die while tasks run."""

    async def session(self, process: Process, **tasks: Any) -> TriggerManager:
        """Give a manager of the session, in a process."""
        manager = self.manager_of("s", process.dispatcher)
        if tasks:
            await self.configure(manager, **tasks)
        return manager

    async def test_run_again(self) -> None:
        """What a dead worker was running is run again when its lease ends, and says so (T091)."""
        first = await self.process(install)
        manager = await self.session(first, a={"after": ["x"], "run": "waits"}, b=["a"])
        await self.fire(manager, "x")
        await self.quiet()
        self.kill(first)
        lost = WAITING.pop("a#0")

        second = await self.process(install)
        await self.pass_time(120)
        WAITING["a#0"].callback({"n": 2})
        manager = await self.session(second)
        statuses = await self.all_of(manager)

        self.assertEqual(statuses, {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(manager.storage["a#0"].metadata["workersDied"], 1)
        lost.callback({"n": 1})
        await self.pass_time(5)
        await self.result(manager.storage.load())
        self.assertEqual(manager.storage["a#0"].metadata["result"], {"n": 2})

    async def test_taken_for_dead(self) -> None:
        """A worker that was taken for dead ends nothing when it comes back."""
        first = await self.process(install)
        manager = await self.session(first, a={"after": ["x"], "run": "waits"}, b=["a"])
        await self.fire(manager, "x")
        await self.quiet()
        early: Deferred[Any] = WAITING.pop("a#0")
        first.link.hold()
        second = await self.process(install)
        await self.pass_time(120)
        first.link.release()

        early.callback({"n": 1})
        await self.pass_time(5)
        manager = await self.session(second)
        await self.result(manager.storage.load())
        self.assertEqual(manager.storage["a#0"].status, "running")

        WAITING["a#0"].callback({"n": 2})
        await self.all_of(manager)

        self.assertEqual(manager.storage["a#0"].metadata["result"], {"n": 2})
        self.assertEqual([name for name, _ in trigger_tasks.CALLS].count("b#0"), 1)

    async def test_stops(self) -> None:
        """What a stopping worker was running goes on with the next one; nobody has died."""
        first = await self.process(install, drain=5.0)
        manager = await self.session(first, a={"after": ["x"], "run": "waits"})
        await self.fire(manager, "x")
        await self.quiet()
        await self.result(first.dispatcher.stop())
        self.kill(first)
        WAITING.clear()

        second = await self.process(install)
        await self.pass_time(5)
        WAITING["a#0"].callback(None)
        manager = await self.session(second)

        self.assertEqual(await self.all_of(manager), {"a#0": "finished"})
        self.assertNotIn("workersDied", manager.storage["a#0"].metadata)

    async def test_store_away(self) -> None:
        """What a task has done is not forgotten while the store is away."""
        from twisted_dispatcher.errors import StoreUnavailable

        process = await self.process(install)
        manager = await self.session(process, a={"after": ["x"], "run": "waits"}, b=["a"])
        await self.fire(manager, "x")
        await self.quiet()
        process.link.away = StoreUnavailable("away")
        WAITING["a#0"].callback({"n": 1})
        await self.pass_time(5)
        process.link.away = None

        self.assertEqual(await self.all_of(manager), {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(self.calls(), ["a#0", "b#0"])
        self.flushLoggedErrors()

    async def test_two_workers(self) -> None:
        """Two processes share the work of a session, and each fire counts once (T034)."""
        processes = [await self.process(install) for _ in range(2)]
        managers = [await self.session(each) for each in processes]
        await self.configure(managers[0], a={"after": [], "andEvery": "x"}, b=["a"])
        fires = [managers[n % 2].fire("x", {"n": n}) for n in range(20)]
        for fire in fires:
            await self.result(fire)

        statuses = await self.all_of(managers[0])

        self.assertEqual(len(statuses), 21)
        self.assertEqual(set(statuses.values()), {"finished"})


globals().update(on_stores(DyingTests, that_outlive=True))
del DyingTests
