"""The options timeout and retry."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from tests.dispatching import (
    OptionsTestCase,
    Problem,
    Recorder,
    Waiting,
    answering,
    failing,
)
from twisted_dispatcher import (
    HandlerOptions,
    RetryPolicy,
    errors,
)


class TimeoutTests(OptionsTestCase):
    """The option timeout."""

    def test_cancels(self) -> None:
        """A handler that takes too long is cancelled and fails with a TimeoutError."""
        handler = Waiting()
        self.opt(handler, timeout=3.0, name="sluggard")
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(2.9)
        self.assertNoResult(firing)
        self.clock.advance(0.1)
        (failure,) = self.successResultOf(firing).failures

        failure.trap(errors.HandlerTimeout)
        self.assertIsInstance(failure.value, TimeoutError)
        self.assertIsInstance(failure.value, defer.TimeoutError)
        self.assertIn("sluggard", str(failure.value))
        self.assertEqual(handler.cancelled, handler.pending)
        self.assertEqual(len(self.flushLoggedErrors(errors.HandlerTimeout)), 1)

    def test_in_time(self) -> None:
        """A handler that is done in time is left alone, and its timer goes."""
        handler = Waiting()
        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        handler.pending[0].callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])
        self.assert_no_timers()

    def test_at_once(self) -> None:
        """A handler that answers at once needs no timer."""
        self.opt(lambda event: "value", timeout=3.0)

        self.assertEqual(self.fire(self.dispatcher).values, ["value"])
        self.assert_no_timers()

    def test_fails_in_time(self) -> None:
        """A handler that fails in time fails with its own error, and its timer goes."""
        handler = Waiting()
        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        handler.pending[0].errback(Problem())
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(Problem)

        failure.trap(Problem)
        self.assert_no_timers()

    def test_coroutine(self) -> None:
        """A coroutine that takes too long is cancelled where it waits."""
        log: list[str] = []

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                log.append("cancelled")
                raise

        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(errors.HandlerTimeout)

        failure.trap(errors.HandlerTimeout)
        self.assertEqual(log, ["cancelled"])
        self.assert_no_timers()

    def test_next_phase(self) -> None:
        """After a handler that took too long the next phase starts."""
        after = Recorder()
        self.opt(Waiting(), timeout=3.0)
        self.opt(after, "after")
        self.dispatcher.fire_event("event")
        self.clock.advance(3)
        self.flushLoggedErrors(errors.HandlerTimeout)

        self.assertEqual(after.events, ["event"])

    def test_others_go_on(self) -> None:
        """The time limit of one handler does not touch the others of its phase."""
        patient = Waiting()
        self.opt(Waiting(), timeout=3.0)
        self.opt(patient)
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)
        self.flushLoggedErrors(errors.HandlerTimeout)
        self.assertNoResult(firing)
        patient.pending[0].callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_swallows_the_cancellation(self) -> None:
        """A handler that answers its cancellation with a value has that value."""

        async def handler(event: Any) -> str:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                return "what I have so far"
            return "all"

        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)

        self.assertEqual(self.successResultOf(firing).values, ["what I have so far"])

    def test_fails_on_cancellation(self) -> None:
        """A handler that answers its cancellation with an error has that failure."""

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                raise Problem from None

        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(Problem)

        failure.trap(Problem, errors.HandlerTimeout)

    def test_goes_on_in_spite_of_it(self) -> None:
        """A handler that ignores its cancellation holds up nobody."""

        async def handler(event: Any) -> None:
            while True:
                with contextlib.suppress(CancelledError):
                    await deferLater(self.clock, 10)

        after = Recorder()
        self.opt(handler, timeout=3.0)
        self.opt(after, "after")
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(errors.HandlerTimeout)

        failure.trap(errors.HandlerTimeout)
        self.assertEqual(after.events, ["event"])

    def test_ends_after_all(self) -> None:
        """A handler that ends after it was given up changes no result, and fails not unseen."""
        finishing: Deferred[None] = Deferred()

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                await finishing
                raise Problem from None

        self.opt(handler, timeout=3.0)
        firing = self.dispatcher.fire_event("event")
        self.clock.advance(3)
        self.flushLoggedErrors(errors.HandlerTimeout)
        finishing.callback(None)
        (failure,) = self.successResultOf(firing).failures

        failure.trap(errors.HandlerTimeout)
        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    def test_each_event(self) -> None:
        """Each event has the whole time."""
        handler = Waiting()
        self.opt(handler, timeout=3.0)
        first = self.dispatcher.fire_event(1)
        self.clock.advance(2)
        second = self.dispatcher.fire_event(2)
        self.clock.advance(2)
        self.assertEqual(len(self.successResultOf(first).failures), 1)
        self.assertNoResult(second)
        self.clock.advance(1)
        self.flushLoggedErrors(errors.HandlerTimeout)

        self.assertEqual(len(self.successResultOf(second).failures), 1)

    def test_on_failure(self) -> None:
        """A handler that took too long counts as a failure for on_failure."""
        dispatcher = self.make(on_failure="stop")
        after = Recorder()
        self.add(dispatcher, Waiting(), options=HandlerOptions(timeout=1.0))
        self.add(dispatcher, after, "after")
        firing = dispatcher.fire_event("event")
        self.clock.advance(1)
        self.flushLoggedErrors(errors.HandlerTimeout)

        self.successResultOf(firing)
        self.assertEqual(after.events, [])


class RetryTests(OptionsTestCase):
    """The option retry."""

    def times_of_attempts(self, policy: RetryPolicy, seconds: int) -> list[float]:
        """Give the times at which a handler that always fails is called."""
        times: list[float] = []

        def handler(event: Any) -> None:
            times.append(self.clock.seconds())
            raise Problem

        self.opt(handler, retry=policy)
        self.firing = self.dispatcher.fire_event("event")
        self.seconds(seconds)
        self.flushLoggedErrors(Problem)
        return times

    def test_delays(self) -> None:
        """The delays grow by the factor up to the maximum."""
        policy = RetryPolicy(max_attempts=6, initial=1, factor=3, maximum=10, jitter=0.0)
        times = self.times_of_attempts(policy, 60)

        self.assertEqual(times, [0, 1, 4, 13, 23, 33])

    def test_fails_in_the_end(self) -> None:
        """After the last attempt its failure is the outcome, one for all attempts."""
        self.times_of_attempts(RetryPolicy(max_attempts=2, jitter=0.0), 1)
        result = self.successResultOf(self.firing)

        self.assertEqual(len(result.outcomes), 1)
        result.failures[0].trap(Problem)
        self.assert_no_timers()

    def test_one_attempt(self) -> None:
        """With one attempt nothing is retried."""
        self.assertEqual(self.times_of_attempts(RetryPolicy(max_attempts=1), 10), [0])

    def test_by_default(self) -> None:
        """By default there are five attempts, within a tenth of 1, 2, 4 and 8 seconds."""
        times = self.times_of_attempts(RetryPolicy(), 0)
        for delay in (1, 2, 4, 8):
            self.clock.advance(delay * 0.89)
            known = len(times)
            self.clock.advance(delay * 0.22)
            self.assertEqual(len(times), known + 1)
        self.seconds(100)
        self.flushLoggedErrors(Problem)

        self.assertEqual(len(times), 5)

    def test_succeeds(self) -> None:
        """The first attempt that succeeds gives the value, and no failure is told."""
        self.opt(answering([Problem(), Problem(), "value"]), retry=RetryPolicy(jitter=0.0))
        firing = self.dispatcher.fire_event("event")
        self.seconds(3)
        result = self.successResultOf(firing)

        self.assertEqual((result.values, result.failures), (["value"], []))

    def test_at_once(self) -> None:
        """A handler that succeeds at once is called once and needs no timer."""
        handler = Recorder("value")
        self.opt(handler, retry=RetryPolicy())

        self.assertEqual(self.fire(self.dispatcher).values, ["value"])
        self.assertEqual(handler.events, ["event"])
        self.assert_no_timers()

    def test_same_event(self) -> None:
        """Each attempt gets the same event object."""
        seen: list[Any] = []

        def handler(event: Any) -> None:
            seen.append(event)
            raise Problem

        event = object()
        self.opt(handler, retry=RetryPolicy(max_attempts=2, jitter=0.0))
        self.dispatcher.fire_event(event)
        self.seconds(2)
        self.flushLoggedErrors(Problem)

        self.assertEqual([one is event for one in seen], [True, True])

    def test_failed_deferreds_and_coroutines(self) -> None:
        """A handler that fails later is retried from when it failed."""
        times: list[float] = []

        async def handler(event: Any) -> None:
            times.append(self.clock.seconds())
            await deferLater(self.clock, 5)
            raise Problem

        self.opt(handler, retry=RetryPolicy(max_attempts=3, initial=1, factor=1, jitter=0.0))
        self.dispatcher.fire_event("event")
        self.seconds(20)
        self.flushLoggedErrors(Problem)

        self.assertEqual(times, [0, 6, 12])

    def test_phase_waits(self) -> None:
        """The next phase waits for the last attempt."""
        after = Recorder()
        self.opt(answering([Problem(), "value"]), retry=RetryPolicy(initial=5, jitter=0.0))
        self.opt(after, "after")
        self.dispatcher.fire_event("event")
        self.seconds(4)
        self.assertEqual(after.events, [])
        self.seconds(1)

        self.assertEqual(after.events, ["event"])

    def test_jitter(self) -> None:
        """Delays are moved at random, by no more than the jitter's share of them."""
        self.opt(failing(Problem()), retry=RetryPolicy(max_attempts=2, initial=100, jitter=0.3))
        for _ in range(100):
            self.dispatcher.fire_event("event")
        delays = [call.getTime() for call in self.clock.getDelayedCalls()]
        self.seconds(2, 100)
        self.flushLoggedErrors(Problem)

        self.assertEqual(len(delays), 100)
        self.assertTrue(all(70 <= delay <= 130 for delay in delays))
        self.assertGreater(max(delays) - min(delays), 20)

    def test_very_many_attempts(self) -> None:
        """Thousands of attempts neither overflow the delay nor the stack."""
        policy = RetryPolicy(max_attempts=3000, initial=1, factor=10, maximum=1, jitter=0.0)

        self.assertEqual(len(self.times_of_attempts(policy, 3000)), 3000)
        self.successResultOf(self.firing)

    def test_no_delay(self) -> None:
        """Retries without any delay still leave the reactor its turn, and do not recurse."""
        policy = RetryPolicy(max_attempts=2000, initial=0, jitter=0.0)

        self.assertEqual(len(self.times_of_attempts(policy, 2000)), 2000)

    def test_removed_meanwhile(self) -> None:
        """A handler that is removed while it waits for its next attempt is not called again."""
        calls: list[Any] = []

        def handler(event: Any) -> None:
            calls.append(event)
            raise Problem

        handler_id = self.opt(handler, retry=RetryPolicy(initial=5, jitter=0.0))
        firing = self.dispatcher.fire_event("event")
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        self.seconds(100)
        self.flushLoggedErrors(Problem)

        self.assertEqual(calls, ["event"])
        self.successResultOf(firing).failures[0].trap(Problem)

    def test_last_call_of_times(self) -> None:
        """The last of so many calls is retried, too, though the handler is removed already."""
        self.opt(answering([Problem(), "value"]), times=1, retry=RetryPolicy(jitter=0.0))
        firing = self.dispatcher.fire_event("event")
        self.assertEqual(self.registered(), 0)
        self.seconds(1)

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_cancelled_meanwhile(self) -> None:
        """Cancelling the fire ends the wait for the next attempt."""
        calls: list[Any] = []

        def handler(event: Any) -> None:
            calls.append(event)
            raise Problem

        self.opt(handler, retry=RetryPolicy(initial=5, jitter=0.0))
        firing = self.dispatcher.fire_event("event")
        firing.cancel()
        self.failureResultOf(firing, CancelledError)
        self.assert_no_timers()
        self.flushLoggedErrors(Problem, CancelledError)

        self.assertEqual(calls, ["event"])

    def test_cancelled_in_an_attempt(self) -> None:
        """A cancelled attempt is not retried."""
        handler = Waiting()
        self.opt(handler, retry=RetryPolicy(initial=5, jitter=0.0))
        firing = self.dispatcher.fire_event("event")
        firing.cancel()
        self.failureResultOf(firing, CancelledError)
        self.seconds(10)
        self.flushLoggedErrors(CancelledError)

        self.assertEqual(len(handler.events), 1)
        self.assert_no_timers()

    def test_policy_out_of_range(self) -> None:
        """A policy with a number that it cannot have is refused, and the number named."""
        for name, value in [
            ("max_attempts", 0),
            ("max_attempts", 2.5),
            ("max_attempts", None),
            ("initial", -1),
            ("initial", float("nan")),
            ("factor", 0.5),
            ("maximum", -1),
            ("jitter", -0.1),
            ("jitter", 1.1),
            ("jitter", "much"),
        ]:
            error = self.assertRaises(errors.InvalidOptions, RetryPolicy, **{name: value})

            self.assertIn(name, str(error))
