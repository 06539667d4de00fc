"""What a failing handler does to the rest, and who is told."""

from __future__ import annotations

import gc
import sys
from typing import Any

from twisted.internet.defer import fail
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent, formatEventAsClassicLogText
from twisted.python.failure import Failure

from tests.dispatching import DispatcherTestCase, Problem, Recorder, Waiting, failing, noting
from twisted_dispatcher import (
    DispatchResult,
    HandlerOptions,
)

SECRETS = ("swordfish", "secret bob")


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
        # A traceback shows the lines of the code; what they handle must not be among them.
        dispatcher.fire_event({"password": SECRETS[0]}, user=SECRETS[1])
        (event,) = [event for event in logged if event["log_level"] is LogLevel.error]
        self.flushLoggedErrors(Problem)
        return event

    def test_logged_with_its_circumstances(self) -> None:
        """The log tells handler, phase and place of registration, in the text and as fields."""
        event = self.logged_failure()

        text = str(formatEvent(event))
        place = f"test_failures.py:{self.line}"
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

        for secret in SECRETS:
            self.assertNotIn(secret, text)

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
        """A failed Deferred that a handler gave is not reported again when it is collected."""
        dispatcher = self.make()
        given = [fail(Problem())]
        self.add(dispatcher, lambda event: given.pop())
        self.fire(dispatcher)
        self.gather()

        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)
