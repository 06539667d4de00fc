"""Tests of sources of events in synchronous programs: what is handed over stays in its thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.threadable import isInIOThread

from tests.blocking.threaded import LONG, BlockingTestCase, in_thread
from tests.dispatching import Problem
from twisted_dispatcher.blocking import Connection
from twisted_dispatcher.blocking.lending import Inbox, LendingCall, Lent, current_inbox, lend
from twisted_dispatcher.blocking.sources import BlockingSources
from twisted_dispatcher.errors import CallTimeout, InvalidSource, SourceBroke, SourcesNeedStore
from twisted_dispatcher.sources import event

SHORT = 0.05


class LendingTests(BlockingTestCase):
    """Calls during which the caller works for the reactor's thread."""

    def lend(
        self, connection: Connection, function: Any, *arguments: Any, seconds: float = LONG
    ) -> Any:
        """Call a function of the reactor's thread that may ask for things."""
        self.inbox = Inbox(connection.service.reactor)
        call = LendingCall(self.inbox, lend, (self.inbox, function, *arguments), {})
        return connection.run_call(call, seconds)

    @in_thread
    def test_iterating(self) -> None:
        """An iterable is made and gone through in the caller's thread."""
        connection = self.connect()
        threads: set[int] = set()

        def numbers() -> Iterator[int]:
            for number in range(3):
                threads.add(threading.get_ident())
                yield number

        async def total() -> int:
            return sum([each async for each in Lent(self.inbox, numbers, "numbers")])

        self.assertEqual(3, self.lend(connection, total))
        self.assertEqual({threading.get_ident()}, threads)

    @in_thread
    def test_raising(self) -> None:
        """What it raises is raised where it is asked for, after what it gave before."""
        connection = self.connect()
        seen: list[int] = []

        def numbers() -> Iterator[int]:
            yield 1
            raise Problem

        async def total() -> None:
            async for each in Lent(self.inbox, numbers, "numbers"):
                seen.append(each)

        self.assertRaises(Problem, self.lend, connection, total)
        self.assertEqual([1], seen)

    @in_thread
    def test_asking_back(self) -> None:
        """What is done for a call may itself make calls."""
        connection = self.connect()

        async def ask() -> Any:
            inbox = current_inbox()
            assert inbox is not None
            return await inbox.ask(lambda: connection.call(isInIOThread))

        self.assertTrue(self.lend(connection, ask))

    @in_thread
    def test_telling(self) -> None:
        """What is merely told is not waited for; what it raises ends the call."""
        connection = self.connect()
        cancelled = threading.Event()

        def fail() -> None:
            raise Problem

        async def tell() -> None:
            self.inbox.tell(lambda: None)
            self.inbox.tell(fail)
            await Deferred(lambda _: cancelled.set())

        self.assertRaises(Problem, self.lend, connection, tell)
        self.assertTrue(cancelled.wait(LONG))

    @in_thread
    def test_limit(self) -> None:
        """The time limit counts from the last thing that was asked; then nothing can be asked."""
        connection = self.connect()
        refused = threading.Event()

        async def wait() -> None:
            await self.inbox.ask(lambda: None)
            try:
                await Deferred()
            finally:
                self.inbox.tell(refused.clear)
                self.inbox.ask(lambda: None).addErrback(lambda _: refused.set())

        error = self.assertRaises(CallTimeout, self.lend, connection, wait, seconds=SHORT)

        self.assertTrue(error.begun)
        self.assertTrue(refused.wait(LONG))


class SourcesTests(BlockingTestCase):
    """Sources over a connection with a store."""

    def sources(self) -> BlockingSources:
        """Connect to a store of the test's own, with a handler that notes what it is given."""
        path = Path(self.mktemp()).absolute()
        self.connection = self.connect(f"sqlite:///{path}")
        self.handled: list[tuple[str, int]] = []
        self.threads: set[int] = set()
        sources = self.connection.sources
        sources.register_group_handler(handler=self.handle, group="^user_")
        return sources

    def handle(self, event: Any) -> None:
        """Note the event, and the thread."""
        self.assertFalse(isInIOThread())
        self.handled.append((event["key"], event["context"]["number"]))

    def declared(self, numbers: Any) -> Iterator[Any]:
        """Declare events, and note in which thread."""
        for number in numbers:
            self.threads.add(threading.get_ident())
            yield event("user_logs_in", number, {"number": number})

    @in_thread
    def test_processing(self) -> None:
        """A stream is made in the caller's thread, and handled in others when it is done."""
        sources = self.sources()
        report = sources.process_events(self.declared(range(5)))
        again = sources.process_events(self.declared(range(6)), window=10)

        self.assertEqual((5, 0, 5), (report.recorded, report.known, report.handled))
        self.assertEqual((1, 5, 1), (again.recorded, again.known, again.handled))
        self.assertEqual([(f"user_logs_in_{number}", number) for number in range(6)], self.handled)
        self.assertEqual({threading.get_ident()}, self.threads)

    @in_thread
    def test_only_new(self) -> None:
        """What is new is recorded as it is consumed, and no further."""
        sources = self.sources()
        sources.process_events(self.declared([1]))
        with sources.only_new_events(self.declared(iter([1, 2, 3]))) as new:
            first = next(new)
            report = new.report

        self.assertEqual("user_logs_in_2", first["key"])
        self.assertEqual((1, 1), (report.recorded, report.known))
        left = sources.only_new_events(self.declared([1, 2, 3])).collect()
        self.assertEqual(["user_logs_in_3"], [each["key"] for each in left])

    @in_thread
    def test_processing_what_is_new(self) -> None:
        """Processing what is new of a stream is processing the stream."""
        sources = self.sources()
        report = sources.process_events(sources.only_new_events(self.declared([1, 2])))

        self.assertEqual((2, 2), (report.recorded, report.handled))

    @in_thread
    def test_broken_stream(self) -> None:
        """A stream that raises is reported by its name; what it gave before is handled."""
        sources = self.sources()

        def broken() -> Iterator[Any]:
            yield from self.declared([1])
            raise Problem

        report = sources.process_events(broken())
        (problem,) = report.problems

        self.assertEqual(1, report.handled)
        self.assertTrue(problem.source.endswith("broken"), problem)
        self.assertIsInstance(problem.error, SourceBroke)
        self.assertRaises(SourceBroke, sources.only_new_events(broken()).collect)
        self.assertEqual(2, len(self.flushLoggedErrors(SourceBroke)))

    @in_thread
    def test_no_iterable(self) -> None:
        """What cannot be iterated over is refused."""
        sources = self.sources()

        self.assertRaises(TypeError, sources.process_events, 7)

    def register(self, sources: BlockingSources, objects: Any) -> None:
        """Register a source of the sender "user", which notes the threads that it is in."""

        def sign_in(number: int) -> Iterator[Any]:
            self.threads.add(threading.get_ident())
            yield event("user_logs_in", number, {"number": number})

        sources.register_source(sender="user", source=sign_in, objects=objects)

    def found(self) -> Iterator[int]:
        """Find objects, in the thread that asks for them."""
        for number in range(5):
            self.threads.add(threading.get_ident())
            yield number

    @in_thread
    def test_sweeping(self) -> None:
        """Objects are found, sources and the progress called, in the thread of the caller."""
        sources = self.sources()
        self.register(sources, self.found)
        told: list[tuple[int, int]] = []
        report = sources.sweep(
            progress=lambda report: told.append((report.objects, threading.get_ident()))
        )

        self.assertEqual((5, 5, 5), (report.objects, report.recorded, report.handled))
        self.assertEqual({threading.get_ident()}, self.threads)
        self.assertEqual((5, threading.get_ident()), told[-1])

    @in_thread
    def test_sweeping_some(self) -> None:
        """Objects may be given, those that are at hand and those that are found."""
        sources = self.sources()
        self.register(sources, None)
        at_hand = sources.sweep("user", [1, 2])
        generated = sources.sweep("user", iter(range(4)))
        found = sources.sweep("user", self.found)

        self.assertEqual(
            [(2, 2), (2, None), (1, None)],
            [(each.recorded, each.total) for each in (at_hand, generated, found)],
        )

    @in_thread
    def test_stopping_and_resuming(self) -> None:
        """A sweep that its progress stops keeps its place, and is resumed there."""
        sources = self.sources()
        asked: list[int] = []

        def numbers() -> Iterator[int]:
            for number in range(4):
                asked.append(number)
                if number == 2 and len(asked) == 3:
                    raise KeyboardInterrupt
                yield number

        self.register(sources, numbers)
        self.assertRaises(KeyboardInterrupt, sources.sweep)
        report = sources.sweep(resume=True)

        # What the first sweep had just been given may not have been recorded yet.
        self.assertIn((report.seen, report.objects), [(4, 2), (4, 3)])
        self.assertEqual(
            [(f"user_logs_in_{each}", each) for each in range(4)], sorted(self.handled)
        )

    @in_thread
    def test_sweeping_from_the_reactor(self) -> None:
        """Where nobody waits in a thread, sources run in a thread of the reactor's."""
        sources = self.sources()
        self.register(sources, [1, 2])
        report = self.connection.call(self.connection.service.sources.sweep)

        self.assertEqual((2, 2), (report.recorded, report.handled))
        self.assertNotIn(threading.get_ident(), self.threads)
        self.assertFalse(self.connection.call(lambda: threading.get_ident() in self.threads))

    @in_thread
    def test_broken_source(self) -> None:
        """A source that raises is reported by its name, after what it gave before."""
        sources = self.sources()

        def broken(number: int) -> Iterator[Any]:
            yield event("user_logs_in", number, {"number": number})
            raise Problem

        sources.register_source(sender="user", source=broken, objects=[1, 2])
        report = sources.sweep()

        self.assertEqual((2, 2), (report.recorded, report.broken))
        self.assertTrue(report.problems[0].source.endswith("broken"), report.problems)
        self.assertEqual(2, len(self.flushLoggedErrors(SourceBroke)))

    @in_thread
    def test_nothing(self) -> None:
        """A source that has nothing to say may give None; a single event is no stream of them."""
        sources = self.sources()
        sources.register_source(sender="user", source=lambda user: None, objects=[1, 2])
        self.assertEqual(0, sources.sweep().broken)

        sources.register_source(sender="user", source=lambda user: event("a", user))
        self.assertEqual(2, sources.sweep().broken)
        self.assertRaises(InvalidSource, sources.process_events, event("a", 1))
        self.assertEqual(2, len(self.flushLoggedErrors(SourceBroke)))

    @in_thread
    def test_objects_that_are_spent(self) -> None:
        """Objects that can be gone through but once are refused for a source."""
        self.assertRaises(InvalidSource, self.register, self.sources(), iter([1, 2]))

    @in_thread
    def test_in_memory(self) -> None:
        """Sources need a store."""
        self.assertRaises(SourcesNeedStore, getattr, self.connect(), "sources")
