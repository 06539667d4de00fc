"""What a handler may answer: values, Deferreds, coroutines, and what is none of these."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.dispatching import DispatcherTestCase, Problem, Recorder, Waiting, failing, noting
from twisted_dispatcher import (
    EventDispatcher,
    errors,
)


class AnswerTests(DispatcherTestCase):
    """What a handler may answer."""

    def value_of(self, handler: Callable[[Any], Any]) -> Any:
        """Give the one value of a dispatch to a handler that is done at once."""
        (value,) = self.fire(self.one_handler(handler)).values
        return value

    def failure_of(self, handler: Callable[[Any], Any]) -> Failure:
        """Give the one failure of a dispatch to a handler that is done at once."""
        (failure,) = self.fire(self.one_handler(handler)).failures
        self.flushLoggedErrors()
        return failure

    def one_handler(self, handler: Callable[[Any], Any]) -> EventDispatcher:
        """Give a dispatcher with one handler."""
        dispatcher = self.make()
        self.add(dispatcher, handler)
        return dispatcher

    def test_value(self) -> None:
        """What a handler returns is its value in the result (E43)."""
        for value in (None, 0, False, "", [], {}, object(), Problem, (), float, print):
            self.assertIs(self.value_of(Recorder(value)), value)

    def test_fired_deferred(self) -> None:
        """What a Deferred that has fired holds is the value (E43)."""
        self.assertEqual(self.value_of(lambda event: succeed("value")), "value")

    def test_deferred_that_fires_later(self) -> None:
        """What a Deferred fires with later is the value."""
        waiting = Waiting()
        firing = self.one_handler(waiting).fire_event("event")
        waiting.pending[0].callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_deferred_of_a_deferred(self) -> None:
        """A Deferred whose callback gives another Deferred is waited for to the end."""
        inner: Deferred[str] = Deferred()
        handler = self.one_handler(lambda event: succeed(None).addCallback(lambda _: inner))
        firing = handler.fire_event("event")
        self.assertNoResult(firing)
        inner.callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_paused_deferred(self) -> None:
        """A Deferred that has fired but is paused is waited for."""
        paused: Deferred[str] = succeed("value")
        paused.pause()
        firing = self.one_handler(lambda event: paused).fire_event("event")
        self.assertNoResult(firing)
        paused.unpause()

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_deferred_subclass(self) -> None:
        """An instance of a class derived from Deferred is waited for."""

        class MyDeferred(Deferred):  # type: ignore[type-arg]
            """A Deferred of somebody else."""

        mine = MyDeferred()
        firing = self.one_handler(lambda event: mine).fire_event("event")
        self.assertNoResult(firing)
        mine.callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_same_deferred_for_every_event(self) -> None:
        """A Deferred that several handlers give leaves its result to each of them."""
        shared: Deferred[str] = Deferred()
        dispatcher = self.make()
        for _ in range(3):
            self.add(dispatcher, lambda event: shared)
        first, second = dispatcher.fire_event(1), dispatcher.fire_event(2)
        shared.callback("value")

        self.assertEqual(self.successResultOf(first).values, ["value"] * 3)
        self.assertEqual(self.successResultOf(second).values, ["value"] * 3)
        self.assertEqual(self.successResultOf(shared), "value")

    def test_coroutine(self) -> None:
        """What a coroutine returns is the value."""

        async def handler(event: Any) -> Any:
            return (event, await succeed(2))

        self.assertEqual(self.value_of(handler), ("event", 2))

    def test_coroutine_that_waits(self) -> None:
        """A coroutine is waited for, over any number of waits."""

        async def handler(event: Any) -> float:
            for _ in range(3):
                await deferLater(self.clock, 1)
            return self.clock.seconds()

        firing = self.one_handler(handler).fire_event("event")
        self.clock.pump([1, 1])
        self.assertNoResult(firing)
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, [3.0])

    def test_coroutine_starts_at_once(self) -> None:
        """A coroutine runs up to its first wait while the other handlers have yet to start."""
        log: list[str] = []

        async def handler(event: Any) -> None:
            log.append("coroutine")
            await deferLater(self.clock, 1)
            log.append("end")

        dispatcher = self.make()
        self.add(dispatcher, handler)
        self.add(dispatcher, noting(log, "plain"))
        dispatcher.fire_event("event")
        self.clock.advance(1)

        self.assertEqual(log, ["coroutine", "plain", "end"])

    def test_coroutine_catches(self) -> None:
        """A coroutine can catch what it waits for fails with, and go on."""

        async def handler(event: Any) -> str:
            try:
                await fail(Problem())
            except Problem:
                await deferLater(self.clock, 1)
            return "mended"

        firing = self.one_handler(handler).fire_event("event")
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, ["mended"])

    def test_coroutine_waits_for_coroutines(self) -> None:
        """A coroutine may wait for other coroutines, a thousand times in a row."""

        async def inner(number: int) -> int:
            return await succeed(number)

        async def handler(event: Any) -> int:
            return sum([await inner(number) for number in range(1000)])

        self.assertEqual(self.value_of(handler), 499_500)

    def test_coroutine_that_gives_a_deferred(self) -> None:
        """A Deferred that a coroutine returns is waited for."""

        async def handler(event: Any) -> Deferred[str]:
            return deferLater(self.clock, 1, lambda: "value")

        firing = self.one_handler(handler).fire_event("event")
        self.assertNoResult(firing)
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_coroutine_sees_its_context(self) -> None:
        """A coroutine keeps its context variables over its waits, and changes nobody else's."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

        async def handler(event: str) -> str:
            variable.set(event)
            await deferLater(self.clock, 1)
            return variable.get()

        dispatcher = self.one_handler(handler)
        first, second = dispatcher.fire_event("first"), dispatcher.fire_event("second")
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(first).values, ["first"])
        self.assertEqual(self.successResultOf(second).values, ["second"])
        self.assertEqual(variable.get(), "none")

    def test_inline_callbacks(self) -> None:
        """What an inlineCallbacks function returns is the value."""

        @inlineCallbacks
        def handler(event: Any) -> Generator[Deferred[Any], Any, str]:
            yield deferLater(self.clock, 1)
            return "value"

        firing = self.one_handler(handler).fire_event("event")
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_raised(self) -> None:
        """What a handler raises is its failure, as it was raised."""
        problem = Problem("no")

        self.assertIs(self.failure_of(failing(problem)).value, problem)

    def test_failed_deferred(self) -> None:
        """What a handler's Deferred fails with is its failure."""
        problem = Problem("no")

        self.assertIs(self.failure_of(lambda event: fail(problem)).value, problem)

    def test_failing_coroutine(self) -> None:
        """What a coroutine raises is its failure, before a wait and after it."""
        problem = Problem("no")

        async def handler(event: Any) -> None:
            raise problem

        async def slow_handler(event: Any) -> None:
            await deferLater(self.clock, 1)
            raise problem

        self.assertIs(self.failure_of(handler).value, problem)
        firing = self.one_handler(slow_handler).fire_event("event")
        self.clock.advance(1)
        (failure,) = self.successResultOf(firing).failures
        self.assertIs(failure.value, problem)
        self.flushLoggedErrors(Problem)

    def test_returned_failure(self) -> None:
        """A Failure that a handler returns is its failure."""
        failure = Failure(Problem("no"))

        self.assertIs(self.failure_of(lambda event: failure).value, failure.value)

    def test_exception_as_value(self) -> None:
        """An exception that is returned, not raised, is a value."""
        problem = Problem()

        self.assertIs(self.value_of(lambda event: problem), problem)

    def test_foreign_awaitable(self) -> None:
        """An awaitable that Twisted cannot wait for is a failure that says so."""

        class Foreign:
            def __await__(self) -> Generator[None, None, None]:
                yield None

        failure = self.failure_of(lambda event: Foreign())

        failure.trap(errors.ForeignAwaitable)
        self.assertIn("Foreign", str(failure.value))

    def test_asyncio_future(self) -> None:
        """An asyncio future is a failure that names the cure."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        failure = self.failure_of(lambda event: loop.create_future())

        failure.trap(TypeError)
        self.assertIn("fromFuture", str(failure.value))

    def test_coroutine_that_waits_for_a_future(self) -> None:
        """A coroutine that awaits an asyncio future fails where it does so, and can clean up."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        cleaned: list[bool] = []

        async def handler(event: Any) -> None:
            try:
                await loop.create_future()
            finally:
                cleaned.append(True)

        self.failure_of(handler).trap(errors.ForeignAwaitable)
        self.assertEqual(cleaned, [True])

    def test_generator(self) -> None:
        """A generator, of which nothing would run, is a failure that names the cure."""

        def handler(event: Any) -> Generator[None, None, None]:
            yield None

        failure = self.failure_of(handler)

        failure.trap(TypeError)
        self.assertIn("inlineCallbacks", str(failure.value))

    def test_asynchronous_generator(self) -> None:
        """An asynchronous generator is a failure, too."""

        async def handler(event: Any) -> Any:
            yield None

        self.failure_of(handler).trap(TypeError)

    def test_wrong_signature(self) -> None:
        """A handler that cannot be called with one argument fails, and nobody else does."""
        dispatcher = self.one_handler(lambda: None)  # type: ignore[misc, arg-type]
        other = Recorder()
        self.add(dispatcher, other)
        (failure,) = self.fire(dispatcher).failures
        self.flushLoggedErrors(TypeError)

        failure.trap(TypeError)
        self.assertEqual(other.events, ["event"])

    def test_generator_exit_and_stop_iteration(self) -> None:
        """Exceptions that mean something to generators are failures like any other."""
        for error in (StopIteration("x"), StopAsyncIteration(), GeneratorExit()):
            failure = self.failure_of(failing(error))  # type: ignore[arg-type]

            self.assertIs(failure.value, error)

    def test_exits(self) -> None:
        """A SystemExit that a handler raises is a failure like any other, and logged."""
        dispatcher = self.one_handler(failing(SystemExit(3)))  # type: ignore[arg-type]
        (failure,) = self.fire(dispatcher).failures

        failure.trap(SystemExit)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_recursion_error(self) -> None:
        """A handler that recurses without end fails alone."""

        def handler(event: Any) -> Any:
            return handler(event)

        limit = sys.getrecursionlimit()
        self.failure_of(handler).trap(RecursionError)
        self.assertEqual(sys.getrecursionlimit(), limit)
