"""Tests of threads that linger with their connections when they have nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread, current_thread
from threading import Event as Flag
from typing import Any
from unittest import skipUnless
from unittest.mock import patch

from django.db import connection, connections, transaction
from django.test import TransactionTestCase
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.django_project.checks.check_threads import LIMIT, in_reactor
from tests.django_project.club.models import Member
from twisted_dispatcher import Event
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.django.crew import GATHER, LINGER
from twisted_dispatcher.django.threads import DjangoThreads

# A thread, and Django's connection in it.
Used = tuple[Thread, Any]


def query() -> Used:
    """Ask the database something; a handler may do that."""
    Member.objects.count()
    return current_thread(), connections["default"]


class Lingering(TransactionTestCase):
    """Threads, and a time that passes when it is told to."""

    most = 2

    def setUp(self) -> None:
        """Have them close their connections after the test."""
        self.clock = Clock()
        self.threads = DjangoThreads(most=self.most, clock=self.clock)
        self.addCleanup(self.let_go)

    def let_go(self) -> None:
        """Have the threads close their connections."""
        in_reactor(self.threads.let_go)

    def call(self, function: Callable[[], Any] = query) -> Any:
        """Call something in a thread, and give what it gives."""
        return in_reactor(self.threads.call, function)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        in_reactor(self.clock.advance, seconds)

    def assert_ends(self, thread: Thread) -> None:
        """Wait until a thread has ended, which takes no time."""
        thread.join(LIMIT)
        self.assertFalse(thread.is_alive())


class LingeringTests(Lingering):
    """A connection is kept for a while, and then closed by the thread that it belongs to."""

    def call_two(self) -> list[Used]:
        """Ask something in two threads at the same time; the first one is done first."""
        first_is_done, both_are_there = Flag(), Barrier(2)

        def second() -> Used:
            both_are_there.wait(LIMIT)
            first_is_done.wait(LIMIT)
            return query()

        def first() -> Used:
            both_are_there.wait(LIMIT)
            return query()

        async def scene() -> list[Used]:
            running = [self.threads.call(each) for each in (first, second)]
            found = [await running[0]]
            first_is_done.set()
            return [*found, await running[1]]

        found: list[Used] = in_reactor(scene)
        return found

    def test_keeps(self) -> None:
        """A thread keeps its connection for the next handler, when none waits for it yet."""
        thread, used = self.call()
        kept = used.connection
        self.pass_time(0.9 * LINGER)

        self.assertEqual(self.call(), (thread, used))
        self.assertIsNotNone(kept)
        self.assertIs(used.connection, kept)

    def test_closes(self) -> None:
        """When nothing has come for a while, a thread closes its connection and ends."""
        thread, used = self.call()
        self.pass_time(LINGER)

        self.assert_ends(thread)
        self.assertIsNone(used.connection)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_begins_again(self) -> None:
        """What comes after that is done by another thread."""
        thread, _ = self.call()
        self.pass_time(LINGER)
        self.assert_ends(thread)

        other, used = self.call()

        self.assertIsNot(other, thread)
        self.assertIsNotNone(used.connection)

    def test_begins_to_linger(self) -> None:
        """A thread lingers from the time on at which it had nothing more to do."""
        thread, used = self.call()
        self.pass_time(0.6 * LINGER)
        self.call()
        self.pass_time(0.6 * LINGER)
        self.assertIsNotNone(used.connection)
        self.pass_time(0.4 * LINGER)

        self.assert_ends(thread)
        self.assertIsNone(used.connection)

    def test_most_recent(self) -> None:
        """What one thread can do is done by that which was used last, and the other ends."""
        (first, first_used), (second, second_used) = self.call_two()
        for _ in range(2):
            self.pass_time(0.5 * LINGER)
            self.assertIs(self.call()[0], second)

        self.assert_ends(first)
        self.assertIsNot(first, second)
        self.assertIsNone(first_used.connection)
        self.assertIsNotNone(second_used.connection)

    def test_no_more_than_allowed(self) -> None:
        """There are no more threads than are allowed, also when one lingers."""
        self.call()

        async def scene() -> set[Thread]:
            running = [self.threads.call(query) for _ in range(20)]
            return {(await each)[0] for each in running}

        self.assertLessEqual(len(in_reactor(scene)), self.most)

    def test_cancelled(self) -> None:
        """What is cancelled when it was given to a thread, and not begun, is no harm to others."""
        self.call()
        called: list[str] = []

        async def scene() -> None:
            running = [self.threads.call(called.append, name) for name in "abcdef"]
            for each in running[:-1]:
                each.addErrback(lambda _: None)
                each.cancel()
            await running[-1]
            await self.threads.call(called.append, "g")

        in_reactor(scene)

        self.assertEqual(called[-2:], ["f", "g"])

    # What a handler leaves behind

    def test_no_transaction(self) -> None:
        """A thread that lingers holds no transaction open, whatever its handler has left."""

        def leave_open() -> None:
            transaction.atomic().__enter__()
            Member.objects.create(name="Ann")

        self.call(leave_open)
        Member.objects.create(name="Bob")

        self.assertEqual([each.name for each in Member.objects.all()], ["Bob"])
        self.assertEqual(self.call(Member.objects.count), 1)

    @skipUnless(connection.vendor == "postgresql", "there is no server that could go away")
    def test_server_restarted(self) -> None:
        """When the server has ended a connection that was kept, the next handler has another."""
        _, used = self.call()
        pid = used.connection.info.backend_pid
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        self.pass_time(0.5 * LINGER)

        _, used_again = self.call()

        self.assertIs(used_again, used)
        self.assertNotEqual(used.connection.info.backend_pid, pid)

    def test_trusts(self) -> None:
        """A connection that was just used is not asked whether it works."""
        _, used = self.call()
        with patch.object(used, "is_usable", side_effect=AssertionError):
            self.call()

    def test_doubts_once(self) -> None:
        """A connection that has lain idle is asked whether it works, by the first query alone."""
        _, used = self.call()
        self.pass_time(0.5 * LINGER)
        with patch.object(used, "is_usable", return_value=True) as is_usable:
            self.call(lambda: (query(), query()))
            self.call()

        is_usable.assert_called_once_with()

    # Letting go

    def test_let_go(self) -> None:
        """Told to let go, threads close their connections, each its own, and end."""
        found = self.call_two()

        self.let_go()

        self.assertEqual([used.connection for _, used in found], [None, None])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for thread, _ in found:
            self.assert_ends(thread)

    def test_let_go_at_work(self) -> None:
        """A thread that is at work when all are to let go does so when it is done."""
        may_end = Flag()

        def hold() -> Used:
            may_end.wait(LIMIT)
            return query()

        async def scene() -> Any:
            holding: Deferred[Used] = self.threads.call(hold)
            await self.threads.let_go()
            may_end.set()
            return await holding

        thread, used = in_reactor(scene)

        self.assert_ends(thread)
        self.assertIsNone(used.connection)

    def test_let_go_of_nothing(self) -> None:
        """Threads that were never needed have nothing to let go of."""
        self.assertIsNone(in_reactor(DjangoThreads().let_go))


class Timers:
    """The reactor, but that time passes when it is told to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: Deferred[None] = Deferred()
        self.callFromThread = reactor_thread().reactor.callFromThread

    def callLater(self, *arguments: Any) -> Any:  # noqa: N802
        """Take note that it was asked for."""
        call = self.clock.callLater(*arguments)
        self.asked.callback(None)
        return call


class TellingTests(TransactionTestCase):
    """When it is told what handlers came to, while others are at work."""

    def setUp(self) -> None:
        """Have threads, one of which is at work."""
        self.timers = Timers()
        self.threads = DjangoThreads(self.timers, most=2, clock=Clock())
        self.may_end = Flag()
        self.addCleanup(in_reactor, self.threads.let_go)
        self.addCleanup(self.may_end.set)

    def hold(self) -> Deferred[Any]:
        """Have a handler at work."""
        return self.threads.run(lambda event: self.may_end.wait(LIMIT), Event("g", "holds"))

    def run_quick(self) -> Deferred[Any]:
        """Have another handler called, which has nothing to do."""
        return self.threads.run(lambda event: "done", Event("g", "quick"))

    def test_in_a_moment(self) -> None:
        """A handler that is done is told of in a moment."""

        async def scene() -> list[bool]:
            holding, quick = self.hold(), self.run_quick()
            await self.timers.asked
            called = [quick.called]
            self.timers.clock.advance(GATHER)
            called.append(quick.called)
            self.may_end.set()
            await holding
            return called

        self.assertEqual(in_reactor(scene), [False, True])

    def test_last(self) -> None:
        """The last one that is at work has all told of at once."""

        async def scene() -> Any:
            holding, quick = self.hold(), self.run_quick()
            await self.timers.asked
            self.may_end.set()
            await holding
            return await quick

        self.assertEqual(in_reactor(scene), "done")

    def test_urgent(self) -> None:
        """What an ``async def`` waits for is told of at once."""

        async def scene() -> Any:
            holding = self.hold()
            found = await self.threads.call(str, "asked")
            self.may_end.set()
            await holding
            return found

        self.assertEqual(in_reactor(scene), "asked")


class AgeTests(Lingering):
    """Connections that may grow older, as their ``CONN_MAX_AGE`` says."""

    # What comes while a thread makes up its mind must wait for that one.
    most = 1

    def setUp(self) -> None:
        """Let them grow old."""
        super().setUp()
        given = patch.dict(connections.settings["default"], CONN_MAX_AGE=LIMIT)
        given.start()
        self.addCleanup(given.stop)

    def test_stays(self) -> None:
        """A thread with a connection that may grow older stays with it."""
        thread, used = self.call()
        kept = used.connection
        self.pass_time(LINGER)

        self.assertEqual(self.call(), (thread, used))
        self.assertIs(used.connection, kept)

    def test_too_old(self) -> None:
        """One that has grown old is closed, also while there is always something to do."""

        def grow_old() -> Any:
            query()
            connections["default"].close_at = 0.0
            return connections["default"].connection

        old = self.call(grow_old)
        _, used = self.call()

        self.assertIsNotNone(used.connection)
        self.assertIsNot(used.connection, old)

    def test_let_go(self) -> None:
        """Told to let go, a thread closes it all the same."""
        thread, used = self.call()
        self.pass_time(LINGER)

        self.let_go()

        self.assert_ends(thread)
        self.assertIsNone(used.connection)
