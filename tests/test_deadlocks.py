"""Handlers that wait for events which queue behind their own."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, failing
from twisted_dispatcher import (
    DispatchResult,
    EventDispatcher,
    HandlerOptions,
    RetryPolicy,
    errors,
)


def first_failure(failure: Failure) -> Failure:
    """Give the failure of the first of several things that were waited for."""
    assert isinstance(failure.value, FirstError)
    return failure.value.subFailure


def waits_for_inner(dispatcher: EventDispatcher, event: Any) -> Deferred[Any]:
    """Fire another event and wait for it."""
    return dispatcher.fire_event("inner")


class DeadlockTests(DispatcherTestCase):
    """A handler waits for an event that queues behind its own (decision 4)."""

    def setUp(self) -> None:
        """Make a dispatcher in strict order, and a handler for the inner event."""
        super().setUp()
        self.dispatcher = self.make("user", order_by=())
        self.inner = Recorder("inner value")
        self.add(self.dispatcher, self.inner, user="inner")

    def fire_inner(self) -> Deferred[Any]:
        """Fire the inner event."""
        return self.dispatcher.fire_event("inner", user="inner")

    def assert_refused(self, handler: Any) -> None:
        """The handler fails with WouldDeadlock; its event ends, and the inner one never was."""
        after = Recorder()
        self.add(self.dispatcher, handler, user="outer")
        self.add(self.dispatcher, after, "after", user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)
        (failure,) = self.successResultOf(firing).failures

        failure.trap(errors.WouldDeadlock)
        self.assertEqual(len(self.flushLoggedErrors(errors.WouldDeadlock)), 1)
        self.assertEqual(self.inner.events, [])
        self.assertEqual(after.events, ["outer"])
        self.fire(self.dispatcher, "next", user="inner")
        self.assertEqual(self.inner.events, ["next"])

    def test_returned(self) -> None:
        """Returning the inner event's Deferred is refused with WouldDeadlock."""
        self.assert_refused(lambda event: self.fire_inner())

    def test_awaited(self) -> None:
        """Awaiting the inner event in a coroutine is refused."""

        async def handler(event: Any) -> Any:
            return await self.fire_inner()

        self.assert_refused(handler)

    def test_awaited_after_a_wait(self) -> None:
        """Awaiting the inner event is refused in a coroutine that has waited before, too."""

        async def handler(event: Any) -> Any:
            await deferLater(self.clock, 0)
            return await self.fire_inner()

        self.assert_refused(handler)

    def test_awaited_in_a_coroutine_within(self) -> None:
        """Awaiting the inner event several coroutines deep is refused."""

        async def handler(event: Any, depth: int = 5) -> Any:
            return await (handler(event, depth - 1) if depth else self.fire_inner())

        self.assert_refused(handler)

    def test_awaited_through_ensure_deferred(self) -> None:
        """Awaiting the inner event in a coroutine that was made a Deferred is refused."""

        async def inner() -> Any:
            return await self.fire_inner()

        async def handler(event: Any) -> Any:
            return await Deferred.fromCoroutine(inner())

        self.assert_refused(handler)

    def test_yielded(self) -> None:
        """Yielding the inner event's Deferred in an inlineCallbacks function is refused."""

        @inlineCallbacks
        def handler(event: Any) -> Generator[Deferred[Any], Any, Any]:
            value = yield self.fire_inner()
            return value

        self.assert_refused(handler)

    def test_yielded_within(self) -> None:
        """Yielding it in an inlineCallbacks function that another one waits for is refused."""

        @inlineCallbacks
        def within(event: Any) -> Generator[Deferred[Any], Any, Any]:
            value = yield self.fire_inner()
            return value

        @inlineCallbacks
        def handler(event: Any) -> Generator[Deferred[Any], Any, Any]:
            value = yield within(event)
            return value

        self.assert_refused(handler)

    def test_callback_on_it(self) -> None:
        """Returning the inner event's Deferred with callbacks added is refused."""
        self.assert_refused(lambda event: self.fire_inner().addCallback(lambda result: result))

    def test_returned_by_a_callback(self) -> None:
        """Returning it from a callback of a Deferred that has fired is refused."""
        self.assert_refused(lambda event: succeed(None).addCallback(lambda _: self.fire_inner()))

    def test_returned_by_a_later_callback(self) -> None:
        """Returning it from a callback that is called later is refused."""
        self.assert_refused(
            lambda event: deferLater(self.clock, 0).addCallback(lambda _: self.fire_inner())
        )

    def test_gathered(self) -> None:
        """Waiting for it among others is refused."""

        def handler(event: Any) -> Deferred[Any]:
            gathered: Deferred[Any] = gatherResults([succeed(1), self.fire_inner()], True)
            gathered.addErrback(first_failure)
            return gathered

        self.assert_refused(handler)

    def test_waited_for_by_another_handler_of_the_event(self) -> None:
        """Firing in one phase and waiting in a later one is refused."""
        fires: list[Deferred[Any]] = []
        self.add(
            self.dispatcher,
            lambda event: fires.append(self.fire_inner()),
            "before",
            user="outer",
        )

        self.assert_refused(lambda event: fires[0])

    def test_caught(self) -> None:
        """A handler may catch the refusal and go on."""

        async def handler(event: Any) -> str:
            try:
                await self.fire_inner()
            except errors.WouldDeadlock:
                return "mended"
            return "never"

        self.add(self.dispatcher, handler, user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).values, ["mended"])

    def test_error_names_the_cure(self) -> None:
        """The error says what is the matter and what to do."""

        async def handler(event: Any) -> str:
            try:
                await self.fire_inner()
            except errors.WouldDeadlock as error:
                return str(error)
            return "never"

        self.add(self.dispatcher, handler, user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)
        (text,) = self.successResultOf(firing).values

        self.assertIn("order_by", text)
        self.assertIn("do not wait", text)

    def test_queued_behind_another(self) -> None:
        """Waiting for an event that stands behind others behind one's own is refused."""
        others = [self.dispatcher.fire_event("other", user="x") for _ in range(2)]
        self.assertTrue(all(other.called for other in others))
        waiting = Waiting()
        self.add(self.dispatcher, waiting, "before", user="outer")
        self.add(self.dispatcher, lambda event: self.fire_inner(), user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        queued = self.dispatcher.fire_event("queued", user="inner")
        waiting.pending[0].callback(None)
        self.clock.advance(0)
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(errors.WouldDeadlock)

        failure.trap(errors.WouldDeadlock)
        self.successResultOf(queued)
        self.assertEqual(self.inner.events, ["queued"])

    def test_waiting_for_a_queued_event_of_somebody_else(self) -> None:
        """Waiting for an event that somebody else fired behind one's own is refused, too."""
        fires: list[Deferred[Any]] = []
        waiting = Waiting()
        self.add(self.dispatcher, waiting, "before", user="outer")
        self.add(self.dispatcher, lambda event: fires[0], user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        fires.append(self.fire_inner())
        waiting.pending[0].callback(None)
        self.clock.advance(0)
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(errors.WouldDeadlock)

        failure.trap(errors.WouldDeadlock)

    def test_by_keyword(self) -> None:
        """With an order by keyword, waiting is refused for an equal value alone."""
        dispatcher = self.make("user", order_by=("user",))
        results: dict[str, Any] = {}

        async def handler(event: str) -> None:
            if event != "outer":
                return
            for user in ("eve", "bob"):
                try:
                    results[user] = await dispatcher.fire_event("inner", user=user)
                except errors.WouldDeadlock as error:
                    results[user] = error

        self.add(dispatcher, handler)
        firing = dispatcher.fire_event("outer", user="bob")
        self.clock.advance(0)

        self.successResultOf(firing)
        self.assertIsInstance(results["eve"], DispatchResult)
        self.assertIsInstance(results["bob"], errors.WouldDeadlock)

    def test_through_another_lane(self) -> None:
        """Waiting for an event of another value that waits for one's own value is refused."""
        dispatcher = self.make("user", order_by=("user",))

        async def handler(event: list[str]) -> Any:
            if event:
                return await dispatcher.fire_event(event[1:], user=event[0])
            return "end"

        self.add(dispatcher, handler)
        firing = dispatcher.fire_event(["eve", "bob"], user="bob")
        self.clock.advance(0)
        result = self.successResultOf(firing)
        (inner,) = result.values
        (failure,) = inner.failures
        self.flushLoggedErrors(errors.WouldDeadlock)

        failure.trap(errors.WouldDeadlock)

    def test_two_wait_for_each_other(self) -> None:
        """Two events that wait for events of each other's value do not hang for ever."""
        dispatcher = self.make("user", order_by=("user",))
        waiting = Waiting()
        other = {"bob": "eve", "eve": "bob"}

        async def handler(event: str) -> Any:
            if event in other:
                return await dispatcher.fire_event("inner", user=other[event])
            return "inner"

        self.add(dispatcher, waiting, "before")
        self.add(dispatcher, handler)
        fires = [dispatcher.fire_event(user, user=user) for user in other]
        while waiting.pending:
            waiting.pending.pop(0).callback(None)
            self.clock.advance(0)

        results = [self.successResultOf(firing) for firing in fires]
        failures = [failure for result in results for failure in result.failures]
        self.assertEqual(len(failures), 1)
        failures[0].trap(errors.WouldDeadlock)
        self.flushLoggedErrors(errors.WouldDeadlock)

    def test_refused_event_is_forgotten(self) -> None:
        """An event that was refused keeps nobody waiting: stop() and the next events go on."""
        self.add(self.dispatcher, lambda event: self.fire_inner(), user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        queued = self.dispatcher.fire_event("queued", user="inner")
        stopping = self.dispatcher.stop()
        self.clock.advance(0)
        self.flushLoggedErrors(errors.WouldDeadlock)

        self.successResultOf(firing)
        self.successResultOf(queued)
        self.successResultOf(stopping)

    def test_with_options(self) -> None:
        """A handler with options that waits for the inner event is refused as well."""
        for options in (
            HandlerOptions(concurrency=1),
            HandlerOptions(timeout=100),
            HandlerOptions(times=1),
            HandlerOptions(retry=RetryPolicy(max_attempts=1)),
        ):
            dispatcher = self.make("user", order_by=())
            waits = partial(waits_for_inner, dispatcher)
            self.add(dispatcher, waits, options=options, user="outer")
            firing = dispatcher.fire_event("outer", user="outer")
            self.clock.advance(0)

            self.assertTrue(firing.called, options)
            (failure,) = self.successResultOf(firing).failures
            failure.trap(errors.WouldDeadlock)
        self.flushLoggedErrors(errors.WouldDeadlock)

    def test_no_false_alarm(self) -> None:
        """Waiting for somebody who waits for an event in another lane is not refused."""
        dispatcher = self.make("user", order_by=("user",))
        slow = Waiting()

        async def handler(event: str) -> Any:
            return await dispatcher.fire_event("inner", user="eve")

        self.add(dispatcher, slow, user="eve")
        self.add(dispatcher, handler, user="bob")
        first = dispatcher.fire_event("eve first", user="eve")
        second = dispatcher.fire_event("bob", user="bob")
        self.clock.advance(0)
        self.assertNoResult(second)
        slow.pending[0].callback(None)
        self.clock.advance(0)
        slow.pending[1].callback("value")

        self.successResultOf(first)
        (inner,) = self.successResultOf(second).values
        self.assertEqual(inner.values, ["value"])

    def test_strangers_among_the_callbacks(self) -> None:
        """Whatever objects have to do with a callback on a queued event, they harm nothing."""

        class Stranger:
            blocks = ["not for us"]

            @property
            def deferred(self) -> Deferred[Any]:
                raise ValueError("not for you")

            def take(self, result: Any, *arguments: Any) -> None:
                """Do nothing."""

        stranger = Stranger()
        slow, outer = Waiting(), Waiting()
        self.add(self.dispatcher, slow, user="slow")
        self.dispatcher.fire_event("slow", user="slow")
        queued = self.fire_inner().addBoth(stranger.take, stranger, "a", None)
        self.add(self.dispatcher, outer, user="outer")
        self.dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)
        slow.pending[0].callback(None)
        self.clock.advance(0)

        self.assertTrue(queued.called)
        self.assertEqual((self.inner.events, outer.events), (["inner"], ["outer"]))

    def test_failing_handlers_of_queued_events(self) -> None:
        """A queued event whose handler fails is no deadlock."""
        self.add(self.dispatcher, failing(ValueError()), user="bad")
        slow = Waiting()
        self.add(self.dispatcher, slow, user="slow")
        self.dispatcher.fire_event("slow", user="slow")
        bad = self.dispatcher.fire_event("bad", user="bad")
        slow.pending[0].callback(None)
        (failure,) = self.successResultOf(bad).failures
        self.flushLoggedErrors(ValueError)

        failure.trap(ValueError)
