"""The options name and times."""

from __future__ import annotations

from typing import Any

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
)


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
