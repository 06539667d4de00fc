"""How handlers are called: phases, and what the caller is told."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from tests.dispatching import DispatcherTestCase, Problem, Recorder, Waiting, failing, noting
from twisted_dispatcher import (
    DispatchResult,
    EventDispatcher,
    HandlerOptions,
    HandlerOutcome,
)


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
        """All handlers of a phase are called, as registered, before any wait (E40, B-E14)."""
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

    def test_overridden(self) -> None:
        """A derived class may override fire_event, and what it passes on is dispatched."""

        class Noting(EventDispatcher):
            def fire_event(self, event: Any, **event_details: Any) -> Deferred[DispatchResult]:
                return super().fire_event(("noted", event), **event_details)

        dispatcher = Noting(("user",), clock=self.clock)
        handler = Recorder()
        self.add(dispatcher, handler, user="bob")
        dispatcher.start()
        dispatcher.allow_keyword("role")
        self.fire(dispatcher, "event", user="bob", role="admin")
        self.fire(dispatcher, "event", user="eve")

        self.assertEqual(handler.events, [("noted", "event")])

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
        """Raising for failures when there are none raises nothing."""
        dispatcher = self.make()
        self.add(dispatcher, Recorder())

        self.fire(dispatcher).raise_for_failures()

    def takes(self, event: Any) -> None:
        """Do nothing."""

    def test_name_by_default(self) -> None:
        """A handler is named by its module and qualified name, unless it has another name."""
        dispatcher = self.make()
        self.add(dispatcher, self.takes)
        self.add(dispatcher, failing)
        names = [one.name for one in self.fire(dispatcher).outcomes]

        self.assertEqual(
            names, ["tests.test_firing.ResultTests.takes", "tests.dispatching.failing"]
        )

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
