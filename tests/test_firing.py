"""What happens to an event that is fired: phases, answers, failures, results."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from collections import namedtuple
from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent, formatEventAsClassicLogText
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, failing, noting
from twisted_dispatcher import (
    DispatchResult,
    EventDispatcher,
    HandlerOptions,
    HandlerOutcome,
    errors,
)
from twisted_dispatcher.interfaces import IObserver


class Problem(Exception):
    """What handlers fail with here."""


class FiringTests(DispatcherTestCase):
    """How handlers are called."""

    def test_event_alone(self) -> None:
        """A handler is called with the event object as its only argument (E37)."""
        seen: list[Any] = []

        def handler(*arguments: Any, **keywords: Any) -> None:
            seen.append((arguments, keywords))

        dispatcher = self.make("user")
        event = object()
        self.add(dispatcher, handler, user="bob")
        self.fire(dispatcher, event, user="bob")

        self.assertEqual(seen, [((event,), {})])

    def test_any_event(self) -> None:
        """An event may be anything, and reaches the handlers as it is (E38)."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler)
        events: list[Any] = [None, 0, [], {"user": "eve"}, object(), Problem(), float("nan")]
        for event in events:
            self.fire(dispatcher, event, user="bob")

        self.assertTrue(all(a is b for a, b in zip(handler.events, events)))
        self.assertEqual(len(handler.events), len(events))

    def test_deferred_as_event(self) -> None:
        """An event that is a Deferred or a Failure is handed over, not waited for (E38)."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler)
        pending: Deferred[None] = Deferred()
        failure = Failure(Problem())
        self.fire(dispatcher, pending)
        self.fire(dispatcher, failure)

        self.assertEqual(handler.events, [pending, failure])

    def test_details_are_not_taken_from_the_event(self) -> None:
        """The event's own attributes do not count as details (E38)."""
        event_type = namedtuple("event_type", ["user"])
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler, user="bob")
        self.fire(dispatcher, event_type("bob"))

        self.assertEqual(handler.events, [])

    def test_at_once(self) -> None:
        """Handlers that answer at once have all been called when fire_event gives its Deferred."""
        dispatcher = self.make("user")
        log: list[str] = []
        for phase in dispatcher.phases:
            self.add(dispatcher, noting(log, phase), phase)
        firing = dispatcher.fire_event("event")

        self.assertEqual(log, ["before", "during", "after"])
        self.successResultOf(firing)

    def test_phase_waits_for_all(self) -> None:
        """The next phase starts only when every handler of the phase has finished (E39)."""
        dispatcher = self.make("user")
        slow, quick, after = Waiting(), Waiting(), Recorder()
        for handler in (slow, quick):
            self.add(dispatcher, handler, "during")
        self.add(dispatcher, after, "after")
        firing = dispatcher.fire_event("event")
        quick.pending[0].callback(None)

        self.assertEqual(after.events, [])
        self.assertNoResult(firing)
        slow.pending[0].callback(None)
        self.assertEqual(after.events, ["event"])
        self.successResultOf(firing)

    def test_phase_waits_for_failing(self) -> None:
        """The next phase starts when a handler that waits has finished badly, too (E39)."""
        dispatcher = self.make("user")
        waiting, after = Waiting(), Recorder()
        self.add(dispatcher, waiting, "before")
        self.add(dispatcher, after, "after")
        firing = dispatcher.fire_event("event")
        waiting.pending[0].errback(Problem())

        self.assertEqual(after.events, ["event"])
        self.assertEqual(len(self.successResultOf(firing).failures), 1)
        self.flushLoggedErrors(Problem)

    def test_all_are_called_before_any_is_waited_for(self) -> None:
        """All handlers of a phase are called, in order of registration, before a wait (E40)."""
        dispatcher = self.make("user")
        log: list[str] = []
        waiting = Waiting()
        self.add(dispatcher, noting(log, "first"))
        self.add(dispatcher, waiting)
        self.add(dispatcher, noting(log, "second"))
        self.add(dispatcher, waiting)
        self.add(dispatcher, noting(log, "third"))
        dispatcher.fire_event("event")

        self.assertEqual(log, ["first", "second", "third"])
        self.assertEqual(len(waiting.pending), 2)

    def test_empty_phases(self) -> None:
        """A phase without a handler is passed over at once (E44)."""
        dispatcher = self.make(phases=[f"phase {number}" for number in range(50)])
        handler = Recorder()
        self.add(dispatcher, handler, "phase 49")
        self.fire(dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_nobody(self) -> None:
        """An event that nobody handles is dispatched, with no outcome."""
        result = self.fire(self.make("user"), user="bob")

        self.assertIs(result.dispatched, True)
        self.assertEqual((result.outcomes, result.values, result.failures), ((), [], []))

    def test_independent_events(self) -> None:
        """By default an event does not wait for those fired before it (decision 4)."""
        dispatcher = self.make("user")
        waiting = Waiting()
        self.add(dispatcher, waiting)
        first = dispatcher.fire_event("first")
        second = dispatcher.fire_event("second")
        waiting.pending[1].callback(None)

        self.assertNoResult(first)
        self.successResultOf(second)

    def test_hanging_handler(self) -> None:
        """A handler that never finishes holds up its own event alone (E48, B-E11)."""
        dispatcher = self.make("user")
        self.add(dispatcher, Waiting(), user="bob")
        other = Recorder()
        dispatcher.fire_event("stuck", user="bob")
        handler_id = self.add(dispatcher, other)
        self.fire(dispatcher, "free", user="eve")
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.assertEqual(other.events, ["free"])

    def test_readme_of_the_ancestor(self) -> None:
        """The flow that the ancestor's README shows works as it says (E61)."""
        user_event = namedtuple("user_event", ["event_type", "user", "role"])
        calls: list[Any] = []

        def notify_admin(event: Any) -> Deferred[None]:
            calls.append(event)
            return succeed(None)

        def fire(event: Any) -> None:
            self.fire(dispatcher, event, **event._asdict())

        dispatcher = EventDispatcher(allowed_match_spec_keywords=("event_type", "user", "role"))
        handler_id = self.successResultOf(dispatcher.add_event_handler(notify_admin, "during"))
        dispatcher.start()
        bob, susan = user_event("created", "bob", "user"), user_event("created", "susan", "admin")
        fire(bob)
        fire(susan)
        self.assertEqual(calls, [bob, susan])
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        fire(susan)
        self.assertEqual(calls, [bob, susan])
        adding = dispatcher.add_event_handler(notify_admin, "during", role="user")
        self.successResultOf(adding)
        fire(susan)
        fire(bob)

        self.assertEqual(calls, [bob, susan, bob])


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
            self.assertIs(self.value_of(lambda event, v=value: v), value)

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
        """A SystemExit that a handler raises does not stay unseen."""
        dispatcher = self.one_handler(failing(SystemExit(3)))  # type: ignore[arg-type]
        try:
            (failure,) = self.fire(dispatcher).failures
        except SystemExit:
            return
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        failure.trap(SystemExit)

    def test_recursion_error(self) -> None:
        """A handler that recurses without end fails alone."""

        def handler(event: Any) -> Any:
            return handler(event)

        limit = sys.getrecursionlimit()
        self.failure_of(handler).trap(RecursionError)
        self.assertEqual(sys.getrecursionlimit(), limit)


class FailureTests(DispatcherTestCase):
    """What a failing handler does to the rest, and who is told."""

    def gather(self) -> None:
        """Collect garbage, in which unhandled errors would show."""
        for _ in range(3):
            gc.collect()

    def fire_with_failing(self, **options: Any) -> tuple[DispatchResult, list[str]]:
        """Fire at one failing handler per phase, and a good one behind it."""
        dispatcher = self.make("user", **options)
        log: list[str] = []
        for phase in dispatcher.phases:
            self.add(dispatcher, failing(Problem(phase)), phase)
            self.add(dispatcher, noting(log, phase), phase)
        result = self.fire(dispatcher)
        self.flushLoggedErrors(Problem)
        return result, log

    def test_stops_nothing(self) -> None:
        """A failing handler stops neither its phase nor later ones, nor the fire (E41)."""
        result, log = self.fire_with_failing()

        self.assertEqual(log, ["before", "during", "after"])
        self.assertEqual(len(result.failures), 3)

    def test_continue_in_words(self) -> None:
        """The policy "continue" is what happens by default."""
        _, log = self.fire_with_failing(on_failure="continue")

        self.assertEqual(log, ["before", "during", "after"])

    def test_stop(self) -> None:
        """With on_failure="stop" the phase is finished and no later one starts."""
        result, log = self.fire_with_failing(on_failure="stop")

        self.assertEqual(log, ["before"])
        self.assertEqual([outcome.phase for outcome in result.outcomes], ["before"] * 2)
        self.assertIs(result.dispatched, True)

    def test_stop_waits_for_the_phase(self) -> None:
        """With on_failure="stop" what runs in the failing phase is waited for."""
        dispatcher = self.make(on_failure="stop")
        waiting, later = Waiting(), Recorder()
        self.add(dispatcher, failing(Problem()), "before")
        self.add(dispatcher, waiting, "before")
        self.add(dispatcher, later, "during")
        firing = dispatcher.fire_event("event")
        self.assertNoResult(firing)
        waiting.pending[0].callback("value")
        self.flushLoggedErrors(Problem)

        self.assertEqual(self.successResultOf(firing).values, ["value"])
        self.assertEqual(later.events, [])

    def test_stop_for_late_failure(self) -> None:
        """With on_failure="stop" a handler that fails after a wait ends the dispatch as well."""
        dispatcher = self.make(on_failure="stop")
        waiting, later = Waiting(), Recorder()
        self.add(dispatcher, waiting, "before")
        self.add(dispatcher, later, "during")
        firing = dispatcher.fire_event("event")
        waiting.pending[0].errback(Problem())
        self.flushLoggedErrors(Problem)

        self.assertEqual(len(self.successResultOf(firing).failures), 1)
        self.assertEqual(later.events, [])

    def test_stop_without_failure(self) -> None:
        """With on_failure="stop" and no failure all phases run."""
        dispatcher = self.make(on_failure="stop")
        log: list[str] = []
        for phase in dispatcher.phases:
            self.add(dispatcher, noting(log, phase), phase)
        self.fire(dispatcher)

        self.assertEqual(log, ["before", "during", "after"])

    def test_stop_by_phase(self) -> None:
        """A policy by phase ends the dispatch after that phase; unnamed ones continue."""
        result, log = self.fire_with_failing(on_failure={"during": "stop"})

        self.assertEqual(log, ["before", "during"])
        self.assertEqual(len(result.failures), 2)

    def test_continue_by_phase(self) -> None:
        """A policy by phase may name phases that continue."""
        policies = {"before": "continue", "during": "continue", "after": "stop"}
        _, log = self.fire_with_failing(on_failure=policies)

        self.assertEqual(log, ["before", "during", "after"])

    def test_stop_for_next_event(self) -> None:
        """A dispatch that was ended by a failure says nothing about the next event."""
        dispatcher = self.make(on_failure="stop")
        answers: list[Any] = [Failure(Problem()), None]
        later = Recorder()
        self.add(dispatcher, lambda event: answers.pop(0), "before")
        self.add(dispatcher, later, "after")
        self.fire(dispatcher, 1)
        self.fire(dispatcher, 2)
        self.flushLoggedErrors(Problem)

        self.assertEqual(later.events, [2])

    def test_logged_once(self) -> None:
        """A failure is logged exactly once, and not again as an unhandled error (E42, B-E10)."""

        async def coroutine(event: Any) -> None:
            raise Problem("coroutine")

        async def slow(event: Any) -> None:
            await deferLater(self.clock, 1)
            raise Problem("slow")

        waiting = Waiting()
        dispatcher = self.make()
        logged = self.log_from_now()
        for handler in (failing(Problem("plain")), lambda event: fail(Problem("deferred"))):
            self.add(dispatcher, handler)
        for handler in (coroutine, slow, waiting):
            self.add(dispatcher, handler)
        dispatcher.fire_event("event")
        waiting.pending.pop().errback(Problem("waiting"))
        self.clock.advance(1)
        self.gather()

        names = [str(failure.value) for failure in self.flushLoggedErrors(Problem)]
        self.assertEqual(sorted(names), ["coroutine", "deferred", "plain", "slow", "waiting"])
        self.assertNotIn("Unhandled", " ".join(str(formatEvent(event)) for event in logged))

    def logged_failure(self) -> LogEvent:
        """Give the log event of a handler that fails for a payload with a secret in it."""
        dispatcher = self.make("user")
        options = HandlerOptions(name="the accountant")
        self.line = sys._getframe().f_lineno + 1
        dispatcher.add_event_handler(failing(Problem("no")), "after", False, options=options)
        logged = self.log_from_now()
        dispatcher.fire_event({"password": "swordfish"}, user="secret bob")
        (event,) = [event for event in logged if event["log_level"] is LogLevel.error]
        self.flushLoggedErrors(Problem)
        return event

    def test_logged_with_its_circumstances(self) -> None:
        """The log tells handler, phase and place of registration, in the text and as fields."""
        event = self.logged_failure()

        text = str(formatEvent(event))
        place = f"test_firing.py:{self.line}"
        for part in ("the accountant", "after", place):
            self.assertIn(part, text)
        self.assertEqual((event["handler"], event["phase"]), ("the accountant", "after"))
        self.assertTrue(event["registered_at"].endswith(place))
        self.assertTrue(event["log_namespace"].startswith("twisted_dispatcher"))
        event["log_failure"].trap(Problem)

    def test_payload_is_not_logged(self) -> None:
        """Neither the event nor its details stand in the log of a failure."""
        event = self.logged_failure()
        text = str(formatEventAsClassicLogText(event)) + str(formatEvent(event))

        self.assertNotIn("swordfish", text)
        self.assertNotIn("secret bob", text)

    def test_logged_when_it_happens(self) -> None:
        """A failure is logged at once, while other handlers are still being waited for."""
        dispatcher = self.make()
        waiting = Waiting()
        self.add(dispatcher, waiting)
        self.add(dispatcher, waiting)
        firing = dispatcher.fire_event("event")
        waiting.pending[0].errback(Problem())

        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)
        self.assertNoResult(firing)

    def test_ignored_result(self) -> None:
        """A fire whose result nobody looks at leaves no error behind (E42)."""
        dispatcher = self.make()
        self.add(dispatcher, failing(Problem()))
        dispatcher.fire_event("event")
        self.gather()

        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_failing_deferred_keeps_nothing(self) -> None:
        """A Deferred that a handler gave has its failure handled, whoever else looks at it."""
        dispatcher = self.make()
        given = fail(Problem())
        self.add(dispatcher, lambda event: given)
        self.fire(dispatcher)
        del given
        self.gather()

        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)


class ResultTests(DispatcherTestCase):
    """What the caller is told."""

    def result(self) -> DispatchResult:
        """Give the result of five handlers, two of which fail, and one is slow."""
        dispatcher = self.make()
        waiting = Waiting()
        self.ids = [
            self.add(dispatcher, lambda event: "last", "after", HandlerOptions(name="a")),
            self.add(dispatcher, waiting, "during", HandlerOptions(name="b")),
            self.add(dispatcher, failing(Problem("c")), "during", HandlerOptions(name="c")),
            self.add(dispatcher, failing(ValueError("d")), "before", HandlerOptions(name="d")),
            self.add(dispatcher, lambda event: None, "during", HandlerOptions(name="e")),
        ]
        firing = dispatcher.fire_event("event")
        waiting.pending[0].callback("slow")
        self.flushLoggedErrors(Problem, ValueError)
        return self.successResultOf(firing)

    def test_type(self) -> None:
        """A fire gives a DispatchResult with a tuple of HandlerOutcomes."""
        result = self.result()

        self.assertIsInstance(result, DispatchResult)
        self.assertIsInstance(result.outcomes, tuple)
        self.assertIsInstance(result.outcomes[0], HandlerOutcome)

    def test_outcomes(self) -> None:
        """There is one outcome per handler, by phase, then by registration (E43)."""
        a, b, c, d, e = self.result().outcomes

        self.assertEqual([one.name for one in (a, b, c, d, e)], ["d", "b", "c", "e", "a"])
        self.assertEqual([one.phase for one in (a, b, e)], ["before", "during", "after"])
        self.assertEqual(a.handler_id, self.ids[3])
        self.assertEqual((b.value, b.failure), ("slow", None))
        self.assertIs(c.value, None)
        assert c.failure is not None
        c.failure.trap(Problem)

    def test_values(self) -> None:
        """The values are those of the handlers that succeeded, in order, None included."""
        self.assertEqual(self.result().values, ["slow", None, "last"])

    def test_failures(self) -> None:
        """The failures are those of the handlers that failed, in order."""
        self.assertEqual([str(one.value) for one in self.result().failures], ["d", "c"])

    def test_raise_for_failures(self) -> None:
        """Raising for failures raises the first one's original exception."""
        result = self.result()
        error = self.assertRaises(ValueError, result.raise_for_failures)

        self.assertIs(error, result.failures[0].value)

    def test_raise_for_no_failures(self) -> None:
        """Raising for failures when there are none gives None."""
        dispatcher = self.make()
        self.add(dispatcher, Recorder())

        self.assertIs(self.fire(dispatcher).raise_for_failures(), None)

    def test_name_by_default(self) -> None:
        """A handler is named by its module and qualified name, unless it has another name."""
        dispatcher = self.make()
        self.add(dispatcher, self.result)
        self.add(dispatcher, failing)
        names = [one.name for one in self.fire(dispatcher).outcomes]
        self.flushLoggedErrors()

        self.assertEqual(names, ["tests.test_firing.ResultTests.result", "tests.dispatching.failing"])

    def test_does_not_change(self) -> None:
        """A result stays what it is when its handlers are removed and fired again."""
        dispatcher = self.make()
        handler = Recorder("first")
        handler_id = self.add(dispatcher, handler)
        result = self.fire(dispatcher)
        handler.answer = "second"
        self.fire(dispatcher)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.assertEqual(result.values, ["first"])
        self.assertEqual(result.outcomes[0].handler_id, handler_id)

    def test_result_of_none_does_not_change(self) -> None:
        """A result of handlers that gave None stays what it is when the next event gives more."""
        dispatcher = self.make()
        handler = Recorder()
        name = HandlerOptions(name="handler")
        handler_id = self.add(dispatcher, handler, options=name)
        first = self.fire(dispatcher)
        handler.answer = "value"
        second = self.fire(dispatcher)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        third = self.fire(dispatcher)

        self.assertEqual([first.values, second.values, third.values], [[None], ["value"], []])
        self.assertEqual([one.name for one in first.outcomes], ["handler"])

    def test_repr(self) -> None:
        """A result shows how many were called and failed, and none of what they gave."""
        text = repr(self.result())

        self.assertIn("5", text)
        self.assertIn("2", text)
        self.assertNotIn("slow", text)

    def test_frozen(self) -> None:
        """An outcome cannot be changed."""
        outcome = self.result().outcomes[0]

        self.assertRaises(AttributeError, setattr, outcome, "value", 5)


@implementer(IObserver)
class Watching:
    """An observer that notes what it sees, and may raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.error = error

    def note(self, *what: Any) -> None:
        """Keep what was seen."""
        self.seen.append(what)
        if self.error:
            raise self.error

    def fire_started(self, event: Any) -> None:
        """See a fire start."""
        self.note("fire started", event)

    def fire_ended(self, event: Any, result: DispatchResult) -> None:
        """See a fire end."""
        self.note("fire ended", event, len(result.outcomes))

    def handler_started(self, handler: Any, event: Any) -> None:
        """See a handler start."""
        self.note("started", handler.name)

    def handler_ended(self, handler: Any, event: Any, value: Any) -> None:
        """See a handler end."""
        self.note("ended", handler.name, value)

    def handler_failed(self, handler: Any, event: Any, failure: Failure) -> None:
        """See a handler fail."""
        self.note("failed", handler.name, str(failure.value))


class ObserverTests(DispatcherTestCase):
    """Who watches a dispatcher."""

    def fire_three(self, *observers: Any) -> DispatchResult:
        """Fire at a plain, a failing and a slow handler."""
        dispatcher = self.make(observers=observers)
        waiting = Waiting()
        self.add(dispatcher, lambda event: "value", options=HandlerOptions(name="plain"))
        self.add(dispatcher, failing(Problem("no")), options=HandlerOptions(name="failing"))
        self.add(dispatcher, waiting, options=HandlerOptions(name="slow"))
        firing = dispatcher.fire_event("event")
        waiting.pending[0].callback("late")
        return self.successResultOf(firing)

    def test_sees_all(self) -> None:
        """An observer sees the fire, and start and end of every handler, in order."""
        watching = Watching()
        self.fire_three(watching)
        self.flushLoggedErrors(Problem)

        self.assertEqual(
            watching.seen,
            [
                ("fire started", "event"),
                ("started", "plain"),
                ("ended", "plain", "value"),
                ("started", "failing"),
                ("failed", "failing", "no"),
                ("started", "slow"),
                ("ended", "slow", "late"),
                ("fire ended", "event", 3),
            ],
        )

    def test_raises(self) -> None:
        """What an observer raises is logged, and neither harms a handler nor other observers."""
        watching = Watching()
        result = self.fire_three(Watching(RuntimeError("observer")), watching)
        self.flushLoggedErrors(Problem)

        self.assertEqual(result.values, ["value", "late"])
        self.assertEqual(len(watching.seen), 8)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 8)

    def test_same_result(self) -> None:
        """A dispatcher that is watched gives the same results as one that is not."""
        watched, alone = self.fire_three(Watching()), self.fire_three()
        self.flushLoggedErrors(Problem)

        self.assertEqual(watched.values, alone.values)
        self.assertEqual(
            [(one.name, one.phase) for one in watched.outcomes],
            [(one.name, one.phase) for one in alone.outcomes],
        )
