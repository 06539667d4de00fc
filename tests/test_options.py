"""How options change the calls of a handler: times, timeout, retry, concurrency, runner."""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, failing, noting
from twisted_dispatcher import (
    DispatchResult,
    EventDispatcher,
    HandlerOptions,
    RetryPolicy,
    errors,
)
from twisted_dispatcher.interfaces import IRunner


class Problem(Exception):
    """What handlers fail with here."""


class OptionsTestCase(DispatcherTestCase):
    """A dispatcher, and a short way to register with options."""

    def setUp(self) -> None:
        """Make the dispatcher."""
        super().setUp()
        self.dispatcher = self.make("user")

    def opt(self, handler: Callable[[Any], Any], phase: str = "during", **options: Any) -> int:
        """Register a handler with options."""
        return self.add(self.dispatcher, handler, phase, HandlerOptions(**options))

    def seconds(self, count: int, step: float = 1.0) -> None:
        """Let seconds pass, one by one."""
        for _ in range(count):
            self.clock.advance(step)

    def registered(self) -> int:
        """Tell how many handlers are registered."""
        return len(self.dispatcher.describe())

    def assert_no_timers(self) -> None:
        """Nothing is left to happen on the clock."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NameTests(OptionsTestCase):
    """The option name."""

    def test_in_outcomes(self) -> None:
        """A handler is known by its name."""
        self.opt(Recorder(), name="accounting")

        self.assertEqual([one.name for one in self.fire(self.dispatcher).outcomes], ["accounting"])

    def test_shared(self) -> None:
        """Two handlers may have the same name."""
        self.opt(Recorder(), name="twin")
        self.opt(Recorder(), name="twin")

        self.assertEqual(len(self.fire(self.dispatcher).outcomes), 2)


class TimesTests(OptionsTestCase):
    """The option times: a handler removes itself after so many calls."""

    def test_exactly(self) -> None:
        """A handler is called exactly so many times, and then its registration is gone."""
        handler = Recorder("value")
        handler_id = self.opt(handler, times=3)
        results = [self.fire(self.dispatcher, number) for number in range(5)]

        self.assertEqual(handler.events, [0, 1, 2])
        self.assertEqual([len(result.outcomes) for result in results], [1, 1, 1, 0, 0])
        self.assertEqual(self.registered(), 0)
        self.failureResultOf(self.dispatcher.remove_event_handler(handler_id), KeyError)

    def test_only_matching_events_count(self) -> None:
        """An event that does not match does not count."""
        handler = Recorder()
        self.add(self.dispatcher, handler, options=HandlerOptions(times=1), user="bob")
        self.fire(self.dispatcher, 1, user="eve")
        self.fire(self.dispatcher, 2, user="bob")
        self.fire(self.dispatcher, 3, user="bob")

        self.assertEqual(handler.events, [2])

    def test_nested(self) -> None:
        """A handler for one call is not called for an event that it fires itself."""
        calls: list[Any] = []

        def handler(event: int) -> None:
            calls.append(event)
            self.dispatcher.fire_event(event + 1)

        self.opt(handler, times=1)
        self.fire(self.dispatcher, 0)

        self.assertEqual(calls, [0])

    def test_nested_several(self) -> None:
        """A handler for so many calls is called so often, though it calls itself over and over."""
        calls: list[Any] = []

        def handler(event: int) -> Any:
            calls.append(event)
            return self.dispatcher.fire_event(event + 1)

        self.opt(handler, times=60)
        self.fire(self.dispatcher, 0)

        self.assertEqual(calls, list(range(60)))
        self.assertEqual(self.registered(), 0)

    def test_events_in_flight(self) -> None:
        """Events that were all planned before the first call share the calls that are left."""
        waiting, handler = Waiting(), Recorder()
        self.opt(waiting, "before")
        self.opt(handler, "after", times=2)
        for number in range(5):
            self.dispatcher.fire_event(number)
        for number in (3, 1, 0, 2, 4):
            waiting.pending[number].callback(None)

        self.assertEqual(handler.events, [3, 1])

    def test_skipped_events_have_no_outcome(self) -> None:
        """An event that comes too late for its handler has no outcome of it."""
        waiting = Waiting()
        self.opt(waiting, "before")
        self.opt(Recorder(), "after", times=1)
        fires = [self.dispatcher.fire_event(number) for number in range(2)]
        for pending in waiting.pending:
            pending.callback(None)

        self.assertEqual([len(self.successResultOf(f).outcomes) for f in fires], [2, 1])

    def test_slow_calls(self) -> None:
        """A call counts when it starts, not when it ends."""
        handler = Waiting()
        self.opt(handler, times=2)
        fires = [self.dispatcher.fire_event(number) for number in range(4)]

        self.assertEqual(handler.events, [0, 1])
        for pending in handler.pending:
            pending.callback("value")
        self.assertEqual(
            [self.successResultOf(f).values for f in fires], [["value"], ["value"], [], []]
        )

    def test_failing_calls_count(self) -> None:
        """A call that fails counts as a call."""
        self.opt(failing(Problem()), times=1)
        self.fire(self.dispatcher)
        self.fire(self.dispatcher)

        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    def test_retries_do_not_count(self) -> None:
        """A call counts once, whatever attempts it takes."""
        answers: list[Any] = [Problem(), Problem(), "first", Problem(), "second"]
        handler = answering(answers)
        self.opt(handler, times=2, retry=RetryPolicy(initial=1, factor=1, jitter=0.0))
        fires = [self.dispatcher.fire_event(number) for number in range(3)]
        self.seconds(5)
        values = [self.successResultOf(firing).values for firing in fires]

        self.assertEqual(sorted(map(repr, values)), ["['first']", "['second']", "[]"])

    def test_removed_before(self) -> None:
        """A handler with calls left can be removed."""
        handler = Recorder()
        handler_id = self.opt(handler, times=2)
        self.fire(self.dispatcher, 1)
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        self.fire(self.dispatcher, 2)

        self.assertEqual(handler.events, [1])

    def test_weak(self) -> None:
        """A handler for one call that is held weakly works and goes."""
        handler = Recorder()
        options = HandlerOptions(times=1)
        adding = self.dispatcher.add_event_handler(handler, "during", options=options)
        self.successResultOf(adding)
        self.fire(self.dispatcher, 1)
        self.fire(self.dispatcher, 2)

        self.assertEqual(handler.events, [1])
        self.assertEqual(self.registered(), 0)

    def test_each_registration_counts_for_itself(self) -> None:
        """Options that two registrations share are counted for each of them."""
        handler = Recorder()
        options = HandlerOptions(times=1)
        for _ in range(2):
            self.add(self.dispatcher, handler, options=options)
        self.fire(self.dispatcher)
        self.fire(self.dispatcher)

        self.assertEqual(len(handler.events), 2)


def answering(answers: list[Any]) -> Callable[[Any], Any]:
    """Give a handler that answers with one after another; an exception it raises."""

    def handler(event: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


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
                try:
                    await deferLater(self.clock, 10)
                except CancelledError:
                    pass

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
        self.opt(
            failing(Problem()), retry=RetryPolicy(max_attempts=2, initial=100, jitter=0.3)
        )
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
        self.assertEqual(
            [self.successResultOf(f).values for f in fires], [["value"], [], []]
        )

    def test_with_times(self) -> None:
        """So many calls are made even where they have to wait for a slot."""
        handler = Waiting()
        self.opt(handler, concurrency=1, times=3)
        fires = [self.dispatcher.fire_event(number) for number in range(5)]
        for number in range(3):
            handler.pending[number].callback(number)

        self.assertEqual(handler.events, [0, 1, 2])
        self.assertEqual(
            [self.successResultOf(f).values for f in fires], [[0], [1], [2], [], []]
        )

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


@implementer(IRunner)
class Elsewhere:
    """A runner that runs when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Deferred[Any], Callable[[Any], Any], Any]] = []

    def run(self, handler: Callable[[Any], Any], event: Any) -> Deferred[Any]:
        """Take a call."""
        done: Deferred[Any] = Deferred()
        self.asked.append((done, handler, event))
        return done

    def run_all(self) -> None:
        """Make the calls."""
        while self.asked:
            done, handler, event = self.asked.pop(0)
            try:
                value = handler(event)
            except Exception:
                done.errback()
            else:
                done.callback(value)


class RunnerTests(OptionsTestCase):
    """The option runner."""

    def test_reactor(self) -> None:
        """The runner "reactor" is a plain call."""
        self.opt(lambda event: threading.get_ident(), runner="reactor")

        self.assertEqual(self.fire(self.dispatcher).values, [threading.get_ident()])

    def test_own(self) -> None:
        """An IRunner that is given runs the handler, and its answer is waited for."""
        elsewhere = Elsewhere()
        handler = Recorder("value")
        self.opt(handler, runner=elsewhere)
        firing = self.dispatcher.fire_event("event")
        self.assertEqual(handler.events, [])
        self.assertNoResult(firing)
        elsewhere.run_all()

        self.assertEqual(handler.events, ["event"])
        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_own_by_name(self) -> None:
        """A runner given to the constructor is used by its name, also instead of a known one."""
        elsewhere = Elsewhere()
        dispatcher = self.make(runners={"thread": elsewhere, "far": elsewhere})
        for name in ("thread", "far"):
            self.add(dispatcher, lambda event: "value", options=HandlerOptions(runner=name))
        firing = dispatcher.fire_event("event")
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(firing).values, ["value", "value"])

    def test_failure(self) -> None:
        """What a handler raises in its runner is its failure."""
        elsewhere = Elsewhere()
        self.opt(failing(Problem()), runner=elsewhere)
        firing = self.dispatcher.fire_event("event")
        elsewhere.run_all()
        (failure,) = self.successResultOf(firing).failures

        failure.trap(Problem)
        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    def test_runner_that_raises(self) -> None:
        """What a runner itself raises is the handler's failure."""

        @implementer(IRunner)
        class Broken:
            def run(self, handler: Callable[[Any], Any], event: Any) -> Deferred[Any]:
                raise Problem

        after = Recorder()
        self.opt(Recorder(), runner=Broken())
        self.opt(after, "after")
        (failure,) = self.fire(self.dispatcher).failures
        self.flushLoggedErrors(Problem)

        failure.trap(Problem)
        self.assertEqual(after.events, ["event"])

    def test_with_other_options(self) -> None:
        """The other options work whatever the runner."""
        elsewhere = Elsewhere()
        log: list[str] = []
        self.opt(
            noting(log, "called"),
            runner=elsewhere,
            times=2,
            concurrency=1,
            timeout=5,
            retry=RetryPolicy(max_attempts=2, initial=1, jitter=0.0),
        )
        first, second = self.dispatcher.fire_event(1), self.dispatcher.fire_event(2)
        self.assertEqual(len(elsewhere.asked), 1)
        self.clock.advance(5)
        self.assertEqual(len(elsewhere.asked), 2)
        elsewhere.asked.pop(0)
        elsewhere.run_all()
        self.clock.advance(1)
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(first).values, ["called"])
        self.assertEqual(self.successResultOf(second).values, ["called"])
        self.assertEqual((log, self.registered()), (["called", "called"], 0))

    def test_weak(self) -> None:
        """A handler that is held weakly can run elsewhere."""
        elsewhere = Elsewhere()
        handler = Recorder("value")
        options = HandlerOptions(runner=elsewhere)
        adding = self.dispatcher.add_event_handler(handler, "during", options=options)
        self.successResultOf(adding)
        firing = self.dispatcher.fire_event("event")
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(firing).values, ["value"])


class ThreadTests(TestCase):
    """The runner "thread", with the real reactor."""

    timeout = 20

    def dispatcher(self, handler: Callable[[Any], Any]) -> EventDispatcher:
        """Give a started dispatcher with one handler that runs in a thread."""
        dispatcher = EventDispatcher(("user",))
        options = HandlerOptions(runner="thread")
        dispatcher.add_event_handler(handler, "during", False, options=options)
        dispatcher.start()
        return dispatcher

    async def test_runs_in_a_thread(self) -> None:
        """A handler with the runner "thread" runs in another thread, and its value comes back."""
        result = await self.dispatcher(lambda event: (event, threading.get_ident())).fire_event(1)

        ((event, thread),) = result.values
        self.assertEqual(event, 1)
        self.assertNotEqual(thread, threading.get_ident())

    async def test_ends_in_the_reactor(self) -> None:
        """What comes after a handler in a thread runs in the reactor's thread."""
        dispatcher = self.dispatcher(lambda event: None)
        dispatcher.add_event_handler(lambda event: threading.get_ident(), "after", False)
        result = await dispatcher.fire_event("event")

        self.assertEqual(result.values[1], threading.get_ident())

    async def test_failure(self) -> None:
        """What a handler raises in a thread is its failure."""
        result = await self.dispatcher(failing(Problem())).fire_event("event")

        result.failures[0].trap(Problem)
        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    async def test_concurrent(self) -> None:
        """Two handlers in threads run at the same time."""
        barrier = threading.Barrier(2, timeout=10)
        dispatcher = self.dispatcher(lambda event: barrier.wait())
        options = HandlerOptions(runner="thread")
        dispatcher.add_event_handler(lambda event: barrier.wait(), "during", False, options=options)
        result = await dispatcher.fire_event("event")

        self.assertEqual(sorted(result.values), [0, 1])

    async def test_context(self) -> None:
        """A handler in a thread sees the context variables of who fired."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        variable.set("seen")
        result = await self.dispatcher(lambda event: variable.get("missing")).fire_event("event")

        self.assertEqual(result.values, ["seen"])

    async def test_deferred(self) -> None:
        """A handler in a thread that gives a Deferred fails: nobody could wait for it there."""
        result = await self.dispatcher(lambda event: Deferred()).fire_event("event")

        result.failures[0].trap(TypeError)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_coroutine(self) -> None:
        """A coroutine function is refused for a thread at once, with the cure."""

        async def coroutine(event: Any) -> None:
            """Do nothing."""

        error = self.assertRaises(errors.InvalidOptions, self.dispatcher, coroutine)

        self.assertIn("plain function", str(error))
