"""Waiting for the next event that matches."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, noting
from twisted_dispatcher import EventDispatcher, OneOf, Where, errors


class WaitForTests(DispatcherTestCase):
    """wait_for()."""

    def setUp(self) -> None:
        """Make a dispatcher."""
        super().setUp()
        self.dispatcher = self.make("user", "role")

    def test_next_event(self) -> None:
        """The Deferred fires with the next event."""
        waiting = self.dispatcher.wait_for()
        self.assertNoResult(waiting)
        event = object()
        self.fire(self.dispatcher, event)

        self.assertIs(self.successResultOf(waiting), event)

    def test_matching(self) -> None:
        """Events that do not match the spec are passed by."""
        waiting = self.dispatcher.wait_for(user="bob", role=OneOf("admin", "owner"))
        self.fire(self.dispatcher, 1)
        self.fire(self.dispatcher, 2, user="bob")
        self.fire(self.dispatcher, 3, user="bob", role="user")
        self.assertNoResult(waiting)
        self.fire(self.dispatcher, 4, user="bob", role="owner")

        self.assertEqual(self.successResultOf(waiting), 4)

    def test_match_values(self) -> None:
        """All kinds of match values work."""
        by_pattern = self.dispatcher.wait_for(user=re.compile("^b"))
        by_predicate = self.dispatcher.wait_for(user=Where(lambda user: len(user) > 3))
        anybody = self.dispatcher.wait_for(user=None)
        self.fire(self.dispatcher, "bob", user="bob")
        self.fire(self.dispatcher, "alice", user="alice")

        self.assertEqual(self.successResultOf(by_pattern), "bob")
        self.assertEqual(self.successResultOf(by_predicate), "alice")
        self.assertEqual(self.successResultOf(anybody), "bob")

    def test_only_the_next(self) -> None:
        """A second event is not noticed, and nothing of the wait is left."""
        waiting = self.dispatcher.wait_for(user="bob")
        self.fire(self.dispatcher, 1, user="bob")
        self.fire(self.dispatcher, 2, user="bob")

        self.assertEqual(self.successResultOf(waiting), 1)
        self.assertEqual(list(self.dispatcher.describe()), [])

    def test_several(self) -> None:
        """All who wait for an event get it."""
        waits = [self.dispatcher.wait_for(user="bob") for _ in range(3)]
        self.fire(self.dispatcher, "event", user="bob")

        self.assertEqual([self.successResultOf(one) for one in waits], ["event"] * 3)

    def test_one_after_another(self) -> None:
        """Who waits again when an event has come gets the next one."""
        seen: list[Any] = []

        async def follow() -> None:
            while len(seen) < 3:
                seen.append(await self.dispatcher.wait_for())

        following = Deferred.fromCoroutine(follow())
        for number in range(3):
            self.fire(self.dispatcher, number)

        self.successResultOf(following)
        self.assertEqual(seen, [0, 1, 2])

    def test_event_in_flight(self) -> None:
        """An event that is in flight already is not the next one."""
        slow = Waiting()
        self.add(self.dispatcher, slow, "before", user="slow")
        self.dispatcher.fire_event("in flight", user="slow")
        waiting = self.dispatcher.wait_for()
        slow.pending[0].callback(None)
        self.assertNoResult(waiting)
        self.fire(self.dispatcher, "next")

        self.assertEqual(self.successResultOf(waiting), "next")

    def test_by_a_handler(self) -> None:
        """A handler may wait for an event that comes later."""

        async def handler(event: Any) -> Any:
            return await self.dispatcher.wait_for(user="answer")

        self.add(self.dispatcher, handler, user="question")
        firing = self.dispatcher.fire_event("question", user="question")
        self.assertNoResult(firing)
        self.fire(self.dispatcher, "answer", user="answer")

        self.assertEqual(self.successResultOf(firing).values, ["answer"])

    def test_none_as_event(self) -> None:
        """An event of None is an event."""
        waiting = self.dispatcher.wait_for()
        self.fire(self.dispatcher, None)

        self.assertIs(self.successResultOf(waiting), None)

    def test_event_that_no_deferred_can_hold(self) -> None:
        """An event that is itself a Deferred harms neither the fire nor the handlers."""
        handler = Recorder()
        self.add(self.dispatcher, handler, "after")
        self.dispatcher.wait_for().addErrback(lambda failure: None)
        event: Deferred[None] = Deferred()
        result = self.fire(self.dispatcher, event)

        self.assertEqual(result.failures, [])
        self.assertEqual(handler.events, [event])

    def test_does_not_disturb(self) -> None:
        """An event that somebody waited for has the same outcomes as any other."""
        self.add(self.dispatcher, lambda event: "value")
        self.dispatcher.wait_for()
        result = self.fire(self.dispatcher)

        self.assertEqual(result.values, ["value"])
        self.assertEqual(len(result.outcomes), 1)

    def test_callback_that_fails(self) -> None:
        """What goes wrong for who waited does not reach the event."""
        waiting = self.dispatcher.wait_for()
        waiting.addCallback(lambda event: 1 / 0)
        result = self.fire(self.dispatcher)

        self.assertEqual(result.failures, [])
        self.failureResultOf(waiting, ZeroDivisionError)

    def test_callback_that_waits(self) -> None:
        """What somebody does with an event that they waited for does not hold the event up."""
        waiting = self.dispatcher.wait_for()
        waiting.addCallback(lambda event: Deferred())

        self.fire(self.dispatcher)

    def test_callback_that_fires(self) -> None:
        """Who waited may fire the next event from there."""
        log: list[str] = []
        self.add(self.dispatcher, noting(log, "handler"))
        self.dispatcher.wait_for().addCallback(lambda _: self.dispatcher.fire_event("second"))
        self.fire(self.dispatcher)

        self.assertEqual(log, ["handler", "handler"])

    def test_check(self) -> None:
        """With a check, matching events that it says no to are passed by."""
        asked: list[Any] = []

        def check(event: int) -> bool:
            asked.append(event)
            return event > 2

        waiting = self.dispatcher.wait_for(check=check, user="bob")
        for number in range(5):
            self.fire(self.dispatcher, number, user="bob" if number != 1 else "eve")

        self.assertEqual(self.successResultOf(waiting), 3)
        self.assertEqual(asked, [0, 2, 3])

    def test_check_raises(self) -> None:
        """When the check raises, the wait fails with that, and the event goes on."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        waiting = self.dispatcher.wait_for(check=lambda event: 1 / 0)
        result = self.fire(self.dispatcher)

        self.failureResultOf(waiting, ZeroDivisionError)
        self.assertEqual(handler.events, ["event"])
        self.assertEqual(result.failures, [])
        self.assertEqual(len(self.dispatcher.describe()), 1)

    def test_check_that_waits(self) -> None:
        """A check whose answer has to be waited for says neither yes nor no: the wait fails."""

        async def check(event: object) -> bool:
            return False

        for asynchronous in (check, lambda event: defer.succeed(False)):
            waiting = self.dispatcher.wait_for(check=asynchronous)
            self.fire(self.dispatcher)

            self.failureResultOf(waiting, errors.AwaitedCheck)
        self.assertEqual(self.dispatcher.describe(), [])

    def test_timeout(self) -> None:
        """Without an event in time the Deferred fails with a TimeoutError."""
        waiting = self.dispatcher.wait_for(timeout=5, user="bob")
        self.fire(self.dispatcher, "other", user="eve")
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        failure = self.failureResultOf(waiting, errors.WaitTimeout)

        self.assertIsInstance(failure.value, TimeoutError)
        self.assertIsInstance(failure.value, defer.TimeoutError)
        self.assertIn("user", str(failure.value))
        self.assertEqual(list(self.dispatcher.describe()), [])

    def test_in_time(self) -> None:
        """An event in time leaves no timer behind."""
        waiting = self.dispatcher.wait_for(timeout=5)
        self.fire(self.dispatcher)
        self.successResultOf(waiting)
        self.clock.advance(0)

        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_the_timeout(self) -> None:
        """An event that comes after the time limit harms nothing."""
        waiting = self.dispatcher.wait_for(timeout=5)
        self.clock.advance(5)
        self.failureResultOf(waiting, TimeoutError)
        result = self.fire(self.dispatcher)

        self.assertEqual(result.outcomes, ())

    def test_cancel(self) -> None:
        """A wait may be cancelled; then nothing of it is left."""
        waiting = self.dispatcher.wait_for(timeout=5, user="bob")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.fire(self.dispatcher, user="bob")
        self.clock.advance(0)

        self.assertEqual(list(self.dispatcher.describe()), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_by_an_earlier_handler(self) -> None:
        """A wait that a handler of the very event cancels does not get it."""
        waiting: list[Deferred[Any]] = []
        self.add(self.dispatcher, lambda event: waiting[0].cancel(), "before")
        waiting.append(self.dispatcher.wait_for())
        result = self.fire(self.dispatcher)

        self.assertEqual(result.failures, [])
        self.assertEqual(waiting[0].called, True)
        self.flushLoggedErrors(CancelledError)
        waiting[0].addErrback(lambda failure: failure.trap(CancelledError))

    def test_while_stopped(self) -> None:
        """A wait that began while the dispatcher was stopped gets the first event after it."""
        dispatcher = EventDispatcher(("user",), clock=self.clock)
        waiting = dispatcher.wait_for()
        self.fire(dispatcher, "lost")
        self.assertNoResult(waiting)
        dispatcher.start()
        self.fire(dispatcher, "seen")

        self.assertEqual(self.successResultOf(waiting), "seen")

    def test_stop_does_not_wait(self) -> None:
        """A stop does not wait for an event that somebody waits for."""
        self.dispatcher.wait_for()

        self.successResultOf(self.dispatcher.stop())

    def test_in_any_phases(self) -> None:
        """Waiting works whatever the phases are called."""
        dispatcher = self.make(phases=("one", "two"))
        waiting = dispatcher.wait_for()
        self.fire(dispatcher)

        self.assertEqual(self.successResultOf(waiting), "event")

    def test_misuse(self) -> None:
        """What is no spec, no check or no time limit is refused at once, and nothing waits."""
        for error, arguments in [
            (errors.UnknownKeyword, {"usr": "bob"}),
            (errors.UnhashableValue, {"user": ["bob"]}),
            (errors.NotCallable, {"check": "yes"}),
            (errors.InvalidOptions, {"timeout": -1}),
            (errors.InvalidOptions, {"timeout": "soon"}),
        ]:
            self.assertRaises(error, lambda given=arguments: self.dispatcher.wait_for(**given))

        self.assertEqual(list(self.dispatcher.describe()), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_positional(self) -> None:
        """Nothing can be given by position."""
        self.assertRaises(TypeError, self.dispatcher.wait_for, "bob")
        self.assertRaises(TypeError, self.dispatcher.wait_for, 5)
