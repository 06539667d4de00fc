"""The option concurrency: at most so many at once, the others in order."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater

from tests.dispatching import (
    OptionsTestCase,
    Problem,
    Recorder,
    Waiting,
    failing,
)
from twisted_dispatcher import (
    DispatchResult,
    HandlerOptions,
    RetryPolicy,
    errors,
)


class ConcurrencyTests(OptionsTestCase):
    """The option concurrency: at most so many at once, the others in order."""

    def test_limit(self) -> None:
        """No more than so many run at once; the next starts when one ends."""
        handler = Waiting()
        self.opt(handler, concurrency=2)
        for number in range(4):
            self.dispatcher.fire_event(number)

        self.assertEqual(handler.events, [0, 1])
        handler.pending[1].callback(None)
        self.assertEqual(handler.events, [0, 1, 2])
        handler.pending[0].callback(None)
        self.assertEqual(handler.events, [0, 1, 2, 3])

    def test_values(self) -> None:
        """Each event gets the value of its own call."""
        handler = Waiting()
        self.opt(handler, concurrency=1)
        fires = [self.dispatcher.fire_event(number) for number in range(3)]
        for number in range(3):
            handler.pending[number].callback(number)

        self.assertEqual([self.successResultOf(f).values for f in fires], [[0], [1], [2]])

    def test_plain(self) -> None:
        """A handler that answers at once takes its slot for no longer than that."""
        handler = Recorder("value")
        self.opt(handler, concurrency=1)
        for number in range(3):
            self.fire(self.dispatcher, number)

        self.assertEqual(handler.events, [0, 1, 2])

    def test_failures_free_the_slot(self) -> None:
        """A call that fails leaves its slot to the next."""
        handler = Waiting()
        self.opt(handler, concurrency=1)
        for number in range(3):
            self.dispatcher.fire_event(number)
        handler.pending[0].errback(Problem())
        handler.pending[1].callback(None)
        self.flushLoggedErrors(Problem)

        self.assertEqual(handler.events, [0, 1, 2])

    def test_raising_frees_the_slot(self) -> None:
        """A handler that raises leaves its slot to the next."""
        self.opt(failing(Problem()), concurrency=1)
        for number in range(3):
            self.fire(self.dispatcher, number)

        self.assertEqual(len(self.flushLoggedErrors(Problem)), 3)

    def test_other_handlers(self) -> None:
        """The limit of one handler does not concern the others."""
        slow, quick = Waiting(), Recorder()
        self.opt(slow, concurrency=1)
        self.opt(quick)
        for number in range(3):
            self.dispatcher.fire_event(number)

        self.assertEqual((slow.events, quick.events), ([0], [0, 1, 2]))

    def test_phase_waits(self) -> None:
        """A phase waits for a handler that waits for its slot."""
        slow, after = Waiting(), Recorder()
        self.opt(slow, concurrency=1)
        self.opt(after, "after")
        self.dispatcher.fire_event(1)
        self.dispatcher.fire_event(2)
        slow.pending[0].callback(None)

        self.assertEqual(after.events, [1])
        slow.pending[1].callback(None)
        self.assertEqual(after.events, [1, 2])

    def test_cancelled_while_it_waits(self) -> None:
        """An event that is cancelled while it waits for a slot leaves the queue."""
        handler = Waiting()
        self.opt(handler, concurrency=1)
        fires = [self.dispatcher.fire_event(number) for number in range(3)]
        fires[1].cancel()
        self.failureResultOf(fires[1], CancelledError)
        handler.pending[0].callback(None)
        self.flushLoggedErrors(CancelledError)

        self.assertEqual(handler.events, [0, 2])

    def test_cancelled_while_it_runs(self) -> None:
        """An event that is cancelled while it runs leaves its slot to the next."""
        handler = Waiting()
        self.opt(handler, concurrency=1)
        fires = [self.dispatcher.fire_event(number) for number in range(2)]
        fires[0].cancel()
        self.failureResultOf(fires[0], CancelledError)
        self.flushLoggedErrors(CancelledError)

        self.assertEqual(handler.events, [0, 1])

    def test_removed_while_they_wait(self) -> None:
        """When a handler is removed, events that wait for a slot do not start it any more."""
        handler = Waiting()
        handler_id = self.opt(handler, concurrency=1)
        fires = [self.dispatcher.fire_event(number) for number in range(3)]
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        handler.pending[0].callback("value")

        self.assertEqual(handler.events, [0])
        self.assertEqual([self.successResultOf(f).values for f in fires], [["value"], [], []])

    def test_with_times(self) -> None:
        """So many calls are made even where they have to wait for a slot."""
        handler = Waiting()
        self.opt(handler, concurrency=1, times=3)
        fires = [self.dispatcher.fire_event(number) for number in range(5)]
        for number in range(3):
            handler.pending[number].callback(number)

        self.assertEqual(handler.events, [0, 1, 2])
        self.assertEqual([self.successResultOf(f).values for f in fires], [[0], [1], [2], [], []])

    def test_with_timeout(self) -> None:
        """The time that a call waits for its slot does not count."""
        handler = Waiting()
        self.opt(handler, concurrency=1, timeout=10)
        first, second = self.dispatcher.fire_event(1), self.dispatcher.fire_event(2)
        self.clock.advance(9)
        handler.pending[0].callback("first")
        self.clock.advance(9)
        handler.pending[1].callback("second")

        self.assertEqual(self.successResultOf(first).values, ["first"])
        self.assertEqual(self.successResultOf(second).values, ["second"])
        self.assert_no_timers()

    def test_timed_out_frees_the_slot(self) -> None:
        """A call whose time is up leaves its slot to the next."""
        handler = Waiting()
        self.opt(handler, concurrency=1, timeout=10)
        for number in range(3):
            self.dispatcher.fire_event(number)
        self.clock.advance(10)
        self.clock.advance(10)
        self.flushLoggedErrors(errors.HandlerTimeout)

        self.assertEqual(handler.events, [0, 1, 2])

    def test_backing_off_frees_the_slot(self) -> None:
        """While a failed call waits for its next attempt, another has its slot."""
        times: list[tuple[Any, float]] = []

        async def handler(event: Any) -> None:
            times.append((event, self.clock.seconds()))
            await deferLater(self.clock, 2)
            if len(times) == 1:
                raise Problem

        self.opt(handler, concurrency=1, retry=RetryPolicy(initial=1, jitter=0.0))
        self.dispatcher.fire_event("first")
        self.dispatcher.fire_event("second")
        self.seconds(10)

        self.assertEqual(times, [("first", 0), ("second", 2), ("first", 4)])

    def test_retry_and_timeout(self) -> None:
        """Each attempt has the whole time, and one whose time is up is retried."""
        handler = Waiting()
        self.opt(
            handler, timeout=3, retry=RetryPolicy(max_attempts=3, initial=1, factor=1, jitter=0.0)
        )
        firing = self.dispatcher.fire_event("event")
        self.seconds(4)
        self.assertEqual(len(handler.events), 2)
        self.seconds(2)
        handler.pending[1].callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])
        self.assert_no_timers()

    def test_all_together(self) -> None:
        """All options work on one handler at once."""
        starts: list[tuple[Any, float]] = []

        async def handler(event: int) -> str:
            starts.append((event, self.clock.seconds()))
            await deferLater(self.clock, 100 if len(starts) == 1 else 1)
            return f"value {event}"

        policy = RetryPolicy(max_attempts=2, initial=1, jitter=0.0)
        self.opt(handler, name="all", times=3, timeout=5, concurrency=1, retry=policy)
        fires = [self.dispatcher.fire_event(number) for number in range(4)]
        self.seconds(30)

        self.assertEqual(
            [self.successResultOf(firing).values for firing in fires],
            [["value 0"], ["value 1"], ["value 2"], []],
        )
        self.assertEqual(starts, [(0, 0), (1, 5), (2, 6), (0, 7)])
        self.assert_no_timers()

    def test_thousands(self) -> None:
        """Five thousand events queued for one slot complete in order, without recursion."""
        handler, after = Waiting(), Recorder()
        release: list[Deferred[None]] = []

        def first_waits(event: int) -> Any:
            if event == 0:
                release.append(Deferred())
                return release[0]
            handler.events.append(event)
            return succeed(event) if event % 2 else event

        self.opt(first_waits, concurrency=1)
        self.opt(after, "after")
        fires = [self.dispatcher.fire_event(number) for number in range(5000)]
        release[0].callback(None)
        self.clock.advance(0)

        self.assertEqual(handler.events, list(range(1, 5000)))
        self.assertEqual(sorted(after.events), list(range(5000)))
        self.assertTrue(all(firing.called for firing in fires))

    def test_nobody_overtakes(self) -> None:
        """An event that comes when a slot has just become free does not pass those that wait."""
        before, handler = Waiting(), Recorder()

        def limited(event: str) -> None:
            handler(event)
            if event == "first":
                self.dispatcher.fire_event("second", user="bob")

        def then(event: str) -> None:
            if event == "first":
                self.dispatcher.fire_event("third", user="bob")

        self.opt(before, "before", times=1)
        self.opt(limited, concurrency=1)
        self.opt(then)
        self.dispatcher.fire_event("first")
        before.pending[0].callback(None)

        self.assertEqual(handler.events, ["first", "second", "third"])

    def test_forgotten(self) -> None:
        """A dispatcher that is forgotten with events in flight starts nothing when it goes."""
        calls: list[Any] = []

        def forget() -> None:
            dispatcher = self.make()

            async def handler(event: Any) -> None:
                calls.append(event)
                await Deferred()

            self.add(dispatcher, handler, options=HandlerOptions(concurrency=1))
            for number in range(5):
                dispatcher.fire_event(number)
            self.clock.advance(0)

        logged = self.log_from_now()
        forget()
        for _ in range(3):
            gc.collect()

        self.assertEqual(calls, [0])
        self.assertEqual(logged, [])

    def test_waits_for_itself(self) -> None:
        """A handler that waits for an event queued for its own slot fails, and does not hang."""

        async def handler(event: int) -> DispatchResult | None:
            return await self.dispatcher.fire_event(event + 1) if event < 3 else None

        self.opt(handler, concurrency=1)
        firing = self.dispatcher.fire_event(0)
        self.clock.advance(0)
        result = self.successResultOf(firing)
        self.flushLoggedErrors()

        inner = [result, *(value for value in result.values if value)]
        failures = [failure for one in inner for failure in one.failures]
        self.assertTrue(any(failure.check(errors.WouldDeadlock) for failure in failures))

    def test_nested_with_a_slot_left(self) -> None:
        """A handler may wait for an event that reaches it again while a slot is free."""

        async def handler(event: int) -> Any:
            if event:
                result = await self.dispatcher.fire_event(event - 1)
                return result.values[0]
            return "bottom"

        self.opt(handler, concurrency=4)

        self.assertEqual(self.fire(self.dispatcher, 3).values, ["bottom"])
