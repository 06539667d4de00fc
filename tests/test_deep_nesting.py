"""Events fired very deep within one another, and very many behind one another."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed
from twisted.internet.task import deferLater

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, calls_of, failing
from twisted_dispatcher import DispatchResult, EventDispatcher, HandlerOptions

DEEP = 1000


class DeepTests(DispatcherTestCase):
    """Events fired by handlers of events fired by handlers."""

    def setUp(self) -> None:
        """Make a dispatcher."""
        super().setUp()
        self.dispatcher = self.make("user")
        self.seen: list[int] = []

    def fire_deep(self, handler: Callable[[int], Any], deep: int = DEEP) -> DispatchResult:
        """Fire an event whose handler fires another, and so on; give the outermost result."""

        def counting(event: int) -> Any:
            self.seen.append(event)
            return handler(event) if event else None

        self.add(self.dispatcher, counting)
        firing = self.dispatcher.fire_event(deep)
        self.clock.advance(0)
        return self.successResultOf(firing)

    def inner(self, event: int) -> Deferred[DispatchResult]:
        """Fire the next event."""
        return self.dispatcher.fire_event(event - 1)

    def assert_all(self) -> None:
        """All events have been handled, from the outermost inwards."""
        self.assertEqual(self.seen, list(range(DEEP, -1, -1)))

    def assert_nested(self, result: DispatchResult) -> None:
        """Each result holds the next one, to the innermost."""
        depth = 0
        value: Any = result
        while value is not None:
            self.assertEqual(value.failures, [])
            (value,) = value.values
            depth += 1
        self.assertEqual(depth, DEEP + 1)

    def test_plain(self) -> None:
        """A thousand plain handlers deep, every event is handled (B-E9)."""
        self.fire_deep(lambda event: self.inner(event) and None)

        self.assert_all()

    def test_returned(self) -> None:
        """A thousand handlers deep that return the inner Deferred, every result arrives."""
        result = self.fire_deep(self.inner)

        self.assert_all()
        self.assert_nested(result)

    def test_awaited(self) -> None:
        """A thousand coroutines deep that await the inner event, every result arrives."""

        async def handler(event: int) -> DispatchResult:
            return await self.inner(event)

        result = self.fire_deep(handler)

        self.assert_all()
        self.assert_nested(result)

    def test_awaited_after_a_wait(self) -> None:
        """A thousand coroutines deep that wait and then fire, every result arrives."""

        async def handler(event: int) -> DispatchResult:
            await deferLater(self.clock, 1)
            return await self.inner(event)

        def counting(event: int) -> Any:
            self.seen.append(event)
            return handler(event) if event else None

        self.add(self.dispatcher, counting)
        firing = self.dispatcher.fire_event(DEEP)
        for _ in range(DEEP):
            self.clock.advance(1)

        self.assert_all()
        self.assert_nested(self.successResultOf(firing))

    def test_yielded(self) -> None:
        """A thousand inlineCallbacks deep that yield the inner event, every result arrives."""

        @inlineCallbacks
        def handler(event: int) -> Generator[Deferred[Any], Any, DispatchResult]:
            result: DispatchResult = yield self.inner(event)
            return result

        result = self.fire_deep(handler)

        self.assert_all()
        self.assert_nested(result)

    def test_innermost_is_slow(self) -> None:
        """A thousand deep with a slow innermost handler, all end when it does."""
        slow = Waiting()

        async def handler(event: int) -> Any:
            self.seen.append(event)
            if event:
                return await self.inner(event)
            return await slow(event)

        self.add(self.dispatcher, handler)
        firing = self.dispatcher.fire_event(DEEP)
        self.clock.advance(0)
        self.assertNoResult(firing)
        slow.pending[0].callback(None)
        self.clock.advance(0)

        self.assert_all()
        self.assert_nested(self.successResultOf(firing))

    def test_innermost_fails(self) -> None:
        """A thousand deep, a failure of the innermost handler is that handler's alone."""

        def handler(event: int) -> Any:
            return self.inner(event) if event else failing(ValueError())(event)

        self.add(self.dispatcher, handler)
        firing = self.dispatcher.fire_event(DEEP)
        self.clock.advance(0)
        result = self.successResultOf(firing)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        for _ in range(DEEP):
            self.assertEqual(result.failures, [])
            (result,) = result.values

        result.failures[0].trap(ValueError)

    def test_cancelled(self) -> None:
        """A thousand deep, cancelling the outermost cancels the innermost, and all is over."""

        async def awaiting(event: int) -> Any:
            return await (self.inner(event) if event else slow(event))

        def returning(event: int) -> Any:
            return self.inner(event) if event else slow(event)

        for handler in (returning, awaiting):
            slow = Waiting()
            handler_id = self.add(self.dispatcher, handler)
            firing = self.dispatcher.fire_event(DEEP)
            self.clock.advance(0)
            firing.cancel()
            self.failureResultOf(firing, CancelledError)
            self.clock.advance(0)

            self.assertEqual(slow.cancelled, slow.pending)
            self.successResultOf(self.dispatcher.stop())
            self.dispatcher.start()
            self.successResultOf(self.dispatcher.remove_event_handler(handler_id))

    def test_in_every_phase(self) -> None:
        """Nesting in all phases at once keeps the phases of each event in order."""
        log: list[tuple[int, str]] = []

        def handler(phase: str) -> Callable[[int], Any]:
            async def handle(event: int) -> None:
                log.append((event, phase))
                if event:
                    await self.inner(event)

            return handle

        for phase in self.dispatcher.phases:
            self.add(self.dispatcher, handler(phase), phase)
        firing = self.dispatcher.fire_event(6)
        self.clock.advance(0)
        self.successResultOf(firing)

        def expected(event: int) -> Generator[tuple[int, str], None, None]:
            for phase in ("before", "during", "after"):
                yield event, phase
                if event:
                    yield from expected(event - 1)

        self.assertEqual(log, list(expected(6)))

    def test_deep_waits_in_order(self) -> None:
        """Deep below, a handler that waits for its inner event still goes on after it."""
        log: list[str] = []

        async def handler(event: int) -> None:
            if event:
                await self.inner(event)
            log.append(f"end {event}")

        self.add(self.dispatcher, handler)
        firing = self.dispatcher.fire_event(100)
        self.clock.advance(0)
        self.successResultOf(firing)

        self.assertEqual(log, [f"end {number}" for number in range(101)])

    def test_in_a_deep_stack(self) -> None:
        """Events may be fired from deep within a program's own calls."""

        def deeper(depth: int) -> DispatchResult:
            return deeper(depth - 1) if depth else self.fire_deep(self.inner, 200)

        result = deeper(sys.getrecursionlimit() // 2)

        self.assertEqual(len(self.seen), 201)
        self.assertEqual(result.failures, [])

    def test_recursion_without_end(self) -> None:
        """A handler that fires itself for ever in one phase can be stopped by its removal."""
        calls: list[int] = []

        def handler(event: int) -> None:
            calls.append(event)
            if event == 5000:
                self.dispatcher.remove_event_handler(handler_id)
            self.dispatcher.fire_event(event + 1)

        handler_id = self.add(self.dispatcher, handler)
        self.dispatcher.fire_event(0)
        self.clock.advance(0)

        self.assertEqual(calls, list(range(5001)))

    def test_between_two_dispatchers(self) -> None:
        """Two dispatchers may fire into each other, deep and waited for."""
        one, other = self.make("user"), self.make("user")
        self.add(one, lambda event: other.fire_event(event - 1) if event else None)
        self.add(other, lambda event: one.fire_event(event - 1) if event else None)
        firing = one.fire_event(40)
        self.clock.advance(0)

        self.successResultOf(firing)


class OptionsNestingTests(DispatcherTestCase):
    """Nesting through handlers that have options."""

    def test_deep_with_timeouts(self) -> None:
        """Hundreds of handlers deep with a time limit each, every event is handled."""
        dispatcher = self.make_deep(HandlerOptions(timeout=1000))
        firing = dispatcher.fire_event(300)
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).failures, [])
        self.assertEqual(self.seen, list(range(300, -1, -1)))

    def test_deep_with_slots(self) -> None:
        """Hundreds of handlers deep with a slot for each, every event is handled."""
        dispatcher = self.make_deep(HandlerOptions(concurrency=1000))
        firing = dispatcher.fire_event(300)
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).failures, [])
        self.assertEqual(self.seen, list(range(300, -1, -1)))

    def make_deep(self, options: HandlerOptions) -> EventDispatcher:
        """Give a dispatcher with a handler with options that fires the next event."""
        dispatcher = self.make()
        self.seen: list[int] = []

        async def handler(event: int) -> None:
            self.seen.append(event)
            if event:
                await dispatcher.fire_event(event - 1)

        self.add(dispatcher, handler, options=options)
        return dispatcher


class QueueTests(DispatcherTestCase):
    """Thousands of events behind a slow one."""

    def queue(self, count: int, handler: Callable[[Any], Any], **options: Any) -> list[Any]:
        """Queue events behind one that is slow, let that one end, and give what was handled."""
        dispatcher = self.make("user", order_by=(), **options)
        seen: list[Any] = []
        slow = Waiting()
        self.add(dispatcher, slow, user="slow")
        self.add(dispatcher, handler, "before", user="quick")
        self.add(dispatcher, lambda event: seen.append(event), user="quick")
        dispatcher.fire_event("slow", user="slow")
        fires = [dispatcher.fire_event(number, user="quick") for number in range(count)]
        self.assertEqual(seen, [])
        slow.pending[0].callback(None)
        self.clock.advance(0)
        self.assertTrue(all(firing.called for firing in fires))
        self.successResultOf(dispatcher.stop())
        return seen

    def test_plain(self) -> None:
        """Ten thousand events behind a slow one are handled in order, without recursion."""
        self.assertEqual(self.queue(10_000, Recorder()), list(range(10_000)))

    def test_fired_deferreds(self) -> None:
        """Ten thousand events whose handlers give fired Deferreds are handled in order."""
        self.assertEqual(self.queue(10_000, lambda _: succeed(None)), list(range(10_000)))

    def test_coroutines(self) -> None:
        """Two thousand events whose handlers are coroutines are handled in order."""

        async def handler(event: Any) -> None:
            await succeed(None)

        self.assertEqual(self.queue(2_000, handler), list(range(2_000)))

    def test_waiting(self) -> None:
        """Two thousand events, each of which waits for the clock, are handled in order."""
        dispatcher = self.make("user", order_by=())
        seen: list[int] = []

        async def handler(event: int) -> None:
            await deferLater(self.clock, 1)
            seen.append(event)

        self.add(dispatcher, handler)
        fires = [dispatcher.fire_event(number) for number in range(2_000)]
        for _ in range(2_000):
            self.clock.advance(1)

        self.assertEqual(seen, list(range(2_000)))
        self.assertTrue(all(firing.called for firing in fires))

    def assert_cost_is_even(self, run: Callable[[int], object]) -> None:
        """Eight times the events cost no more than eight times the calls of functions."""
        few, many = calls_of(partial(run, 100)), calls_of(partial(run, 800))

        self.assertLess(many, few * 8 * 1.5)

    def test_cost_of_a_queue(self) -> None:
        """What a queued event costs does not depend on how many queue with it."""

        def run(count: int) -> None:
            dispatcher, slow = self.make("user", order_by=()), Waiting()
            self.add(dispatcher, slow)
            fires = [dispatcher.fire_event(number) for number in range(count)]
            self.clock.advance(0)
            while slow.pending:
                slow.pending.pop().callback(None)
                self.clock.advance(0)
            self.assertTrue(all(firing.called for firing in fires))

        self.assert_cost_is_even(run)

    def test_cost_of_slots(self) -> None:
        """What waiting for a slot costs does not depend on how many wait with it."""

        def run(count: int) -> None:
            dispatcher, slow = self.make("user"), Waiting()
            self.add(dispatcher, slow, options=HandlerOptions(concurrency=2))
            fires = [dispatcher.fire_event(number) for number in range(count)]
            self.clock.advance(0)
            while slow.pending:
                slow.pending.pop().callback(None)
                self.clock.advance(0)
            self.assertTrue(all(firing.called for firing in fires))

        self.assert_cost_is_even(run)

    def test_cost_of_a_stop(self) -> None:
        """What a stop costs for an event in flight does not depend on how many there are."""

        def run(count: int) -> None:
            dispatcher, slow = self.make("user"), Waiting()
            self.add(dispatcher, slow)
            for number in range(count):
                dispatcher.fire_event(number)
            stopping = dispatcher.stop()
            for pending in slow.pending:
                pending.callback(None)
            self.successResultOf(stopping)

        self.assert_cost_is_even(run)

    def test_cancelled(self) -> None:
        """Thousands of queued events may be cancelled, and nothing of them happens."""
        dispatcher = self.make("user", order_by=())
        handler = Waiting()
        self.add(dispatcher, handler)
        fires = [dispatcher.fire_event(number) for number in range(2_000)]
        for firing in reversed(fires[1:]):
            firing.cancel()
            self.failureResultOf(firing)
        handler.pending[0].callback(None)

        self.assertEqual(handler.events, [0])
        self.successResultOf(dispatcher.stop())

    def test_shared_wait(self) -> None:
        """Thousands of independent events that wait for one thing all go on when it is there."""
        dispatcher = self.make("user")
        gate: Deferred[None] = Deferred()
        after = Recorder()

        async def handler(event: int) -> None:
            await gate

        self.add(dispatcher, handler)
        self.add(dispatcher, after, "after")
        fires = [dispatcher.fire_event(number) for number in range(3_000)]
        gate.callback(None)

        self.assertEqual(sorted(after.events), list(range(3_000)))
        self.assertTrue(all(firing.called for firing in fires))
