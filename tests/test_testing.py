"""Tests of what users test their handlers with."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import failing
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.testing import (
    NeverSettled,
    OutcomeAssertions,
    clocked_dispatcher,
    pump,
    result_of,
)

DAY = 86400.0


class ClockTests(SynchronousTestCase):
    """Time passes when the test says so."""

    def test_dispatcher_runs(self) -> None:
        """The dispatcher is started, allows the keywords and takes the options."""
        dispatcher, _ = clocked_dispatcher("kind", phases=("only",))

        self.assertTrue(dispatcher.running)
        self.assertEqual((("kind",), ("only",)), (dispatcher.allowed_keywords, dispatcher.phases))

    def test_result_of_fired(self) -> None:
        """The result of a Deferred that has fired is given."""
        self.assertEqual(5, result_of(succeed(5)))

    def test_result_of_failed(self) -> None:
        """What a Deferred failed with is raised, and is not logged as unhandled."""
        self.assertRaises(ValueError, result_of, fail(ValueError("no")))

    def test_result_of_waiting(self) -> None:
        """A Deferred that has not fired has no result."""
        waiting: Deferred[None] = Deferred()

        self.assertRaises(NeverSettled, result_of, waiting)

    def test_no_deferred(self) -> None:
        """What is no Deferred is refused, and so is one in the place of the clock."""
        odd: Any = 5
        clock: Any = Clock()
        waiting: Any = Deferred()

        error = self.assertRaises(TypeError, result_of, odd)
        self.assertEqual("result_of(deferred) takes a Deferred, not 5", str(error))
        error = self.assertRaises(TypeError, pump, waiting, clock)
        self.assertIn("pump(clock, deferred) takes a Deferred, not <", str(error))

    def test_pump_over_days(self) -> None:
        """Days of waiting pass at once, and the clock tells so afterwards."""
        dispatcher, clock = clocked_dispatcher()

        @dispatcher.on()
        async def remind(event: Any) -> str:
            for _ in range(3):
                await deferLater(clock, DAY)
            return f"reminded of {event}"

        result = pump(clock, dispatcher.fire_event("tea"))

        self.assertEqual(["reminded of tea"], result.values)
        self.assertEqual(3 * DAY, clock.seconds())

    def test_pump_what_has_fired(self) -> None:
        """No time passes for a Deferred that has fired."""
        clock = Clock()
        clock.callLater(1, lambda: None)

        self.assertEqual(5, pump(clock, succeed(5)))
        self.assertEqual(0, clock.seconds())

    def test_pump_failure(self) -> None:
        """What the Deferred fails with after a time is raised."""
        clock = Clock()

        self.assertRaises(ZeroDivisionError, pump, clock, deferLater(clock, 1, lambda: 1 / 0))

    def test_pump_nothing_scheduled(self) -> None:
        """Waiting for what nobody will bring about is an error, not a hang."""
        waiting: Deferred[None] = Deferred()

        error = self.assertRaises(NeverSettled, pump, Clock(), waiting)

        self.assertIn("nothing is scheduled", str(error))

    def test_pump_for_ever(self) -> None:
        """A program that only ever schedules itself again ends at the limit."""
        clock = Clock()

        def again() -> None:
            clock.callLater(10, again)

        again()
        waiting: Deferred[None] = Deferred()

        error = self.assertRaises(NeverSettled, pump, clock, waiting, 100)

        self.assertIn("within 100 seconds", str(error))
        self.assertEqual(100, clock.seconds())

    def test_threads_run_here(self) -> None:
        """Handlers for threads run in the thread of the test, well or badly."""
        dispatcher, _ = clocked_dispatcher()
        threads = HandlerOptions(runner="thread")
        dispatcher.on(options=threads)(lambda event: event.upper())
        dispatcher.on(options=threads)(failing(ValueError("no")))

        result = result_of(dispatcher.fire_event("tea"))

        self.flushLoggedErrors(ValueError)
        self.assertEqual(["TEA"], result.values)
        self.assertEqual([ValueError], [failure.type for failure in result.failures])


class OutcomeTests(OutcomeAssertions, SynchronousTestCase):
    """The assertions hold where they should, and say what happened where they do not."""

    def setUp(self) -> None:
        """Fire an event at one handler that gives a value and one that fails."""
        dispatcher, _ = clocked_dispatcher()
        dispatcher.on(options=HandlerOptions(name="shop.mails.greet"))(lambda event: "hello")
        dispatcher.on(options=HandlerOptions(name="shop.bill"))(failing(ValueError("no money")))
        self.result = result_of(dispatcher.fire_event("tea"))
        self.flushLoggedErrors(ValueError)

    def refused(self, assertion: Any, *arguments: Any) -> str:
        """Give what an assertion says that must not hold."""
        return str(self.assertRaises(self.failureException, assertion, *arguments))

    def test_called(self) -> None:
        """A handler is found by its whole name and by the last part of it."""
        self.assertCalled(self.result, "shop.mails.greet")
        self.assertCalled(self.result, "greet")
        self.assertIn("called 0 times", self.refused(self.assertCalled, self.result, "eet"))

    def test_not_called(self) -> None:
        """A handler that was called was not not called; the message lists the outcomes."""
        self.assertNotCalled(self.result, "pack")
        message = self.refused(self.assertNotCalled, self.result, "greet")
        self.assertIn("during: shop.mails.greet gave 'hello'", message)
        self.assertIn("during: shop.bill failed: no money", message)

    def test_gave(self) -> None:
        """A handler gave its value and no other, and one that failed gave none."""
        self.assertGave(self.result, "greet", "hello")
        self.refused(self.assertGave, self.result, "greet", "goodbye")
        self.refused(self.assertGave, self.result, "bill", None)

    def test_failed(self) -> None:
        """A handler failed with its error and no other, and one that gave a value did not."""
        self.assertFailed(self.result, "bill")
        self.assertFailed(self.result, "bill", KeyError, ValueError)
        self.refused(self.assertFailed, self.result, "bill", KeyError)
        self.refused(self.assertFailed, self.result, "greet")

    def test_all_succeeded(self) -> None:
        """Not all succeeded where one failed, or where nothing was dispatched."""
        dispatcher, _ = clocked_dispatcher()
        self.assertAllSucceeded(result_of(dispatcher.fire_event("tea")))
        dispatcher.stop()

        self.refused(self.assertAllSucceeded, self.result)
        self.refused(self.assertAllSucceeded, result_of(dispatcher.fire_event("tea")))
