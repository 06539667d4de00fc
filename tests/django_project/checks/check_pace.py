"""Tests of how many threads are worth while for handlers that wait, or calculate."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Barrier, Lock
from threading import Event as Flag
from typing import Any
from unittest import skipUnless
from unittest.mock import patch

from django.test import SimpleTestCase
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import Clock, deferLater

from tests.django_project.checks.check_threads import LIMIT, in_reactor
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.django.crew import Crew
from twisted_dispatcher.django.hands import Hand
from twisted_dispatcher.django.pace import LITTLE, MOST_OF_IT, PACE, Pace

# Of the time of a processor: what some threads take that are in each other's way, in a process
# that takes all of it.
IN_THE_WAY, ALL = 0.5, 1.0
WAITING = (0.0, 0.0)


class PaceTests(SimpleTestCase):
    """How many threads are allowed, by what they take."""

    def allowed(self, *looks: tuple[float, float]) -> list[int]:
        """Give how many of ten threads are allowed, after some looks, beginning with one."""
        pace = Pace(10)
        for _ in range(4):
            pace.go_by(IN_THE_WAY, ALL)
        found = [pace.allowed]
        for threads, process in looks:
            pace.go_by(threads, process)
            found.append(pace.allowed)
        return found

    def test_first(self) -> None:
        """At first all are allowed."""
        self.assertEqual(10, Pace(10).allowed)

    def test_in_the_way(self) -> None:
        """Threads that are in each other's way become fewer, down to one."""
        looks = [WAITING] * 4 + [(IN_THE_WAY, ALL)] * 5
        self.assertEqual([10, 5, 2, 1, 1, 1], self.allowed(*looks)[4:])

    def test_time_is_left(self) -> None:
        """Threads become more, up to the most, while some of the processor's time is left."""
        self.assertEqual([1, 2, 4, 8, 10, 10], self.allowed(*[(IN_THE_WAY, 0.8)] * 5))

    def test_others_take_it(self) -> None:
        """So do threads that take little in a process that takes all of it."""
        self.assertEqual([1, 2, 4, 8, 10, 10], self.allowed(*[(0.9 * LITTLE, ALL)] * 5))

    def test_do_not_need_the_lock(self) -> None:
        """So do threads of which each takes a processor for itself."""
        looks = [(0.95 * each, each) for each in (1, 2, 4)]
        self.assertEqual([1, 2, 4, 8], self.allowed(*looks))

    def test_try_again(self) -> None:
        """One that takes all it can is joined by another, which goes if it takes no more then."""
        looks = [(1.1 * MOST_OF_IT, ALL)] * 2
        self.assertEqual([1, 2, 1], self.allowed(*looks))


class HandTests(SimpleTestCase):
    """What a thread tells of its processor's time."""

    @skipUnless(sys.platform == "linux", "other systems do not tell it of single threads")
    def test_taken(self) -> None:
        """A thread has taken what it has calculated, and nothing while it waits."""
        hand, may_end, waits = Hand(), Flag(), Flag()
        self.addCleanup(may_end.set)

        def calculate() -> bool:
            while time.thread_time() < 0.02:
                pass
            waits.set()
            may_end.wait(LIMIT)
            return False

        self.assertEqual(0.0, hand.taken())
        hand.tell(calculate)
        hand.start()
        self.assertTrue(waits.wait(LIMIT))

        self.assertGreaterEqual(hand.taken(), 0.02)
        self.assertLess(hand.taken(), 0.01)

    def taken_by_one(self) -> float:
        """Give what a thread has taken that has just begun."""
        hand, is_done, may_end = Hand(), Flag(), Flag()
        self.addCleanup(may_end.set)

        def wait() -> bool:
            is_done.set()
            may_end.wait(LIMIT)
            return False

        hand.tell(wait)
        hand.start()
        self.assertTrue(is_done.wait(LIMIT))
        return hand.taken()

    def test_unknown(self) -> None:
        """Where the system has no such clocks, it is taken to wait, and nothing is held back."""
        with patch.object(sys, "platform", "darwin"):
            self.assertEqual(0.0, self.taken_by_one())

    def test_refused(self) -> None:
        """So it is where the system does not know the clock."""
        with patch("twisted_dispatcher.django.hands.get_native_id", return_value=2**22):
            self.assertEqual(0.0, self.taken_by_one())


class Looks:
    """The reactor, but that it is looked at the threads when a test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.callLater = self.clock.callLater
        self.callFromThread = reactor_thread().reactor.callFromThread


class CrewTests(SimpleTestCase):
    """Threads, more or fewer."""

    most = 4

    def setUp(self) -> None:
        """Have threads, which are let go in the end."""
        self.looks = Looks()
        self.crew = Crew(self.looks, self.most, Clock())
        self.addCleanup(in_reactor, self.crew.let_go)

    def look(self, threads: float, process: float) -> None:
        """Have it looked at the threads, and found that so much is taken."""
        with patch.object(Pace, "measure", return_value=(threads, process)):
            self.looks.clock.advance(PACE)

    def call(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Have something done that nobody waits for."""
        return self.crew.call(work, is_urgent=True)

    async def hold_back(self) -> None:
        """Have one thread be worth while."""
        may_end = Flag()
        calls = [self.call(lambda: may_end.wait(LIMIT)) for _ in range(self.most + 1)]
        for _ in range(self.most - 1):
            self.look(IN_THE_WAY, ALL)
        may_end.set()
        for call in calls:
            await call

    def test_join(self) -> None:
        """Calls that wait for one another come together, when it is seen that threads wait."""
        together = Barrier(self.most)

        async def scene() -> Any:
            await self.hold_back()
            calls = [self.call(lambda: together.wait(LIMIT)) for _ in range(self.most)]
            for _ in range(2):
                self.look(*WAITING)
            return await DeferredList(calls, fireOnOneErrback=True)

        found = in_reactor(scene)

        self.assertEqual({0, 1, 2, 3}, {place for _, place in found})

    def test_held_back(self) -> None:
        """Where threads are in each other's way, fewer are at work; all is done nevertheless."""
        lock = Lock()
        busy: list[int] = []
        found: list[int] = []
        one_is_there, may_end = Flag(), Flag()

        def work() -> None:
            with lock:
                busy.append(1)
                found.append(len(busy))
            one_is_there.set()
            may_end.wait(LIMIT)
            with lock:
                busy.pop()

        async def scene() -> None:
            await self.hold_back()
            calls = [self.call(work) for _ in range(20)]
            one_is_there.wait(LIMIT)
            may_end.set()
            for call in calls:
                await call

        in_reactor(scene)

        self.assertEqual([1] * 20, found)

    def test_looks_only_while_something_waits(self) -> None:
        """Nobody looks at threads for which nothing waits."""

        async def scene() -> int:
            may_end = Flag()
            calls = [self.call(lambda: may_end.wait(LIMIT)) for _ in range(self.most)]
            found = len(self.looks.clock.getDelayedCalls())
            calls.append(self.call(lambda: None))
            self.assertEqual(1, len(self.looks.clock.getDelayedCalls()))
            may_end.set()
            for call in calls:
                await call
            self.look(*WAITING)
            return found + len(self.looks.clock.getDelayedCalls())

        self.assertEqual(0, in_reactor(scene))

    def test_long(self) -> None:
        """Calls that take long, whatever they do meanwhile, do not hold up the others."""
        may_end = Flag()

        def calculate() -> None:
            while not may_end.is_set():
                pass

        async def scene() -> None:
            await self.hold_back()
            calls = [self.call(calculate) for _ in range(self.most - 1)]
            calls.append(self.call(may_end.set))
            while not may_end.is_set():
                self.looks.clock.advance(PACE)
                # The threads take as much as they can of the time that the reactor gives away.
                await deferLater(reactor_thread().reactor, PACE)
            for call in calls:
                await call

        in_reactor(scene)

        self.assertTrue(may_end.is_set())

    def test_time_stands(self) -> None:
        """Where the clock stands, as in some tests, nothing is measured, and all goes on."""

        async def scene() -> int:
            may_end = Flag()
            calls = [self.call(lambda: may_end.wait(LIMIT)) for _ in range(self.most + 1)]
            self.looks.clock.advance(PACE)
            may_end.set()
            for call in calls:
                await call
            return len(calls)

        with patch.object(time, "perf_counter", return_value=0.0):
            self.assertEqual(self.most + 1, in_reactor(scene))

    def test_no_thread_but_others(self) -> None:
        """What no thread can be begun for waits for those that there are."""

        async def scene() -> Any:
            may_end = Flag()
            first = self.call(lambda: may_end.wait(LIMIT))
            with patch.object(Hand, "start", side_effect=RuntimeError("can't start new thread")):
                second = self.call(lambda: "done")
                may_end.set()
                await first
            return await second

        self.assertEqual("done", in_reactor(scene))

    def test_no_thread(self) -> None:
        """What no thread can be begun for fails, and what comes later has one."""
        failed = RuntimeError("can't start new thread")

        async def scene() -> Any:
            with patch.object(Hand, "start", side_effect=failed):
                call = self.call(lambda: "done")
            with self.assertRaises(RuntimeError):
                await call
            return await self.call(lambda: "done")

        self.assertEqual("done", in_reactor(scene))
