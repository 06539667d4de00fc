"""Trigger sessions whose processes die: at every crash point, and while tasks run."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests import trigger_tasks
from tests.durable import Process, on_stores
from tests.killing.daemon import ClockAhead
from tests.postgresql import PostgreSQL
from tests.trigger_sessions import TASKS, SessionTests
from tests.trigger_tasks import CALLS, WAITING
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.errors import StoreClosed
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump
from twisted_dispatcher.testing.crashes import Crashed, crash_everywhere
from twisted_dispatcher.testing.stores.crashes import ProcessDied
from twisted_dispatcher.triggers import (
    FinalizingTriggerManager,
    TriggerManager,
    TriggerStorage,
    install,
)

reactor = cast(Any, _reactor)

CONFIGURATION = {
    "join": {"after": ["x", "y"], "run": f"{TASKS}:Repeat"},
    "each": {"after": [], "andEvery": "join", "run": f"{TASKS}:Nothing"},
    "again": {"after": ["x"], "run": f"{TASKS}:Replaces"},
    "end": {"after": ["sessionFinalized"], "run": f"{TASKS}:Nothing"},
}


FINISHED = dict.fromkeys(("join#0", "each#0", "again#1", "end#0"), "finished")
STATUSES = {**FINISHED, "again#0": "replayed"}


async def act(dispatcher: DurableDispatcher, uid: str = "s") -> None:
    """Do what users do who got no answer: all of it again."""
    manager = FinalizingTriggerManager(TriggerStorage(uid, dispatcher))
    await manager.update_configuration(CONFIGURATION)
    await manager.fire("x", {"n": 1})
    await manager.fire("y", {"n": 2})


async def act_with_keys(dispatcher: DurableDispatcher) -> None:
    """Do the same with fires that each call for an instance, and have a key."""
    manager = TriggerManager(TriggerStorage("s", dispatcher))
    every = {"after": [], "andEvery": "x", "run": f"{TASKS}:Repeat"}
    await manager.update_configuration({"every": every})
    for number in range(3):
        await manager.fire("x", {"n": number}, key=f"k{number}")


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
        self.assertEqual(statuses, STATUSES, said)
        calls = Counter(name for name, _ in CALLS)
        self.assertEqual(set(calls), set(STATUSES), said)
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

    def test_keys(self) -> None:
        """Wherever a process dies, a fire that is repeated with its key counts once."""
        for crash in crash_everywhere(self.new_path, (), install, act_with_keys):
            storage = self.session_in(crash.path).storage

            self.assertEqual(
                sorted(each.kwargs["x"]["n"] for each in storage), [0, 1, 2], crash.point
            )
            self.assertEqual({each.status for each in storage}, {"finished"}, crash.point)


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


class OfSessions:
    """
    A crash point before and after the commits of transactions that write sessions.

    Nothing of a transaction is there before it commits, so that all points before that are alike.
    """

    STEPS = frozenset({"make sessions", "change sessions", "put instances"})

    def __init__(self, nth: int) -> None:
        """:param nth: the number of the point at which the process dies."""
        self.died: str | None = None
        self._left = nth
        self._thread = threading.local()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        """Be told of a crash point, in the thread of the transaction."""
        place, _, step = name.partition(" ")
        with self._lock:
            if self.died is None and self._counts(place, step):
                self._left -= 1
                if not self._left:
                    self.died = name
        if self.died is not None:
            raise ProcessDied(self.died)

    def _counts(self, place: str, step: str) -> bool:
        if step in self.STEPS:
            self._thread.writes = True
        if not getattr(self._thread, "writes", False):
            return False
        if step == "begin" or (place, step) == ("after", "commit"):
            self._thread.writes = False
        return step == "commit"


class PostgreSQLCrashTests(PostgreSQL, TestCase):
    """Crashes at the points of what writes sessions, on a server."""

    timeout = 300

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what threads bring about; trial's time limit ends it."""
        while not condition():
            await deferLater(reactor, 0.002)

    async def start(self, store: Any, ahead: float) -> DurableDispatcher:
        """Start a process, whose clock is some seconds ahead."""
        clock: Any = ClockAhead(reactor, ahead)
        self.clock = clock
        dispatcher = DurableDispatcher(store, clock=clock)
        install(dispatcher)
        dispatcher.start()
        await dispatcher.when_ready()
        return dispatcher

    async def live(self, store: Any, ahead: float, uid: str) -> DurableDispatcher:
        """Do what users do, and work until nothing is left."""
        dispatcher = await self.start(store, ahead)
        await act(dispatcher, uid)
        while (await store.counts())["open"]:
            await deferLater(reactor, 0.002)
        return dispatcher

    async def die(self, nth: int, ahead: float, uid: str) -> str | None:
        """Live until a crash point is reached; give its name."""
        store: Any = open_store(self.url)
        point = store.on_point = OfSessions(nth)
        life = Deferred.fromCoroutine(self.live(store, ahead, uid))
        life.addErrback(lambda _: None)
        await self.until(lambda: point.died or life.called)
        store.crash()
        self.clock.is_dead = True
        for call in reactor.getDelayedCalls():
            if type(getattr(call.func, "__self__", None)).__module__.startswith("twisted_disp"):
                call.cancel()
        return point.died

    async def follow(self, ahead: float, uid: str) -> dict[str, str]:
        """Let the next process do what is left; give the status of every instance."""
        store: Any = open_store(self.url)
        dispatcher = await self.live(store, ahead, uid)
        storage = TriggerStorage(uid, dispatcher)
        await storage.load()
        await dispatcher.stop()
        await store.close()
        return {each.name: each.status for each in storage}

    async def test_every_point(self) -> None:
        """Wherever a process dies, no trigger, task or cascade is lost or doubled."""
        self.make_schema()
        deaths: list[str] = []
        for nth in itertools.count(1):
            uid, ahead = f"session {nth}", nth * 130.0
            death = await self.die(nth, ahead, uid)
            statuses = await self.follow(ahead + 65.0, uid)
            self.assertEqual(statuses, STATUSES, death)
            if death is None:
                break
            deaths.append(death)
        # What had been answered before a death may have had the dead ask for more.
        self.flushLoggedErrors(StoreClosed)

        self.assertGreater(len(deaths), 10)
        self.assertEqual(set(deaths), {"before commit", "after commit"})
