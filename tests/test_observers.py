"""Tests of the observers' seam, and of the observer that writes the log."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.dispatching import DispatcherTestCase, failing
from twisted_dispatcher import DispatchResult, EventDispatcher, HandlerOptions, RetryPolicy
from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.interfaces import IHandler, IObserver
from twisted_dispatcher.observers.log import LogObserver


@implementer(IObserver)
class Diary:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.handlers: list[IHandler] = []

    def fire_started(self, event: Any) -> None:
        self.lines.append(f"fire {event}")

    def fire_ended(self, event: Any, result: DispatchResult) -> None:
        self.lines.append(f"end {event}: {len(result.outcomes)}")

    def handler_started(self, handler: IHandler, event: Any) -> None:
        self.handlers.append(handler)
        self.lines.append(f"start {handler.name}")

    def handler_ended(self, handler: IHandler, event: Any, value: Any) -> None:
        self.lines.append(f"{handler.name} gave {value}")

    def handler_failed(self, handler: IHandler, event: Any, failure: Any) -> None:
        self.lines.append(f"{handler.name} failed: {failure.getErrorMessage()}")


class ObserverTests(DispatcherTestCase):
    """An observer sees what a dispatcher does."""

    def test_provides(self) -> None:
        """The observer that writes the log provides the interface, and so does a test's own."""
        self.assertTrue(verifyObject(IObserver, LogObserver()))
        self.assertTrue(verifyObject(IObserver, Diary()))

    def test_whole_story(self) -> None:
        """An observer is told of the fire, of each handler's start and end, and of the end."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        self.add(dispatcher, lambda event: 5, "before", HandlerOptions(name="five"))
        self.add(dispatcher, failing(ValueError("no")), "after", HandlerOptions(name="bad"))

        self.fire(dispatcher, "tea")

        self.flushLoggedErrors(ValueError)
        self.assertEqual(
            ["fire tea", "start five", "five gave 5", "start bad", "bad failed: no", "end tea: 2"],
            diary.lines,
        )

    def test_end_of_what_waits(self) -> None:
        """A handler that waits has ended when its Deferred has fired, with what it fired with."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        answer: Deferred[str] = Deferred()
        self.add(dispatcher, lambda event: answer, options=HandlerOptions(name="slow"))

        firing = dispatcher.fire_event("tea")
        before = list(diary.lines)
        answer.callback("cup")

        self.assertEqual(["fire tea", "start slow"], before)
        self.assertEqual(["slow gave cup", "end tea: 1"], diary.lines[2:])
        self.assertEqual(["cup"], self.successResultOf(firing).values)

    def test_failure_of_what_waits(self) -> None:
        """A handler whose Deferred fails has failed for the observer, once."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        answer: Deferred[str] = Deferred()
        self.add(dispatcher, lambda event: answer, options=HandlerOptions(name="slow"))

        dispatcher.fire_event("tea")
        answer.errback(ValueError("spilt"))

        self.flushLoggedErrors(ValueError)
        self.assertEqual(["slow failed: spilt", "end tea: 1"], diary.lines[2:])

    def test_retries_are_one_call(self) -> None:
        """A handler with retries starts once and fails once, after its last attempt."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        options = HandlerOptions(name="bad", retry=RetryPolicy(max_attempts=3, jitter=0))
        self.add(dispatcher, failing(ValueError("no")), options=options)

        dispatcher.fire_event("tea")
        self.clock.pump([1, 2])

        self.flushLoggedErrors(ValueError)
        self.assertEqual(["fire tea", "start bad", "bad failed: no", "end tea: 1"], diary.lines)

    def test_sees_a_handler(self) -> None:
        """What an observer is given as a handler provides IHandler."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        handler_id = self.add(dispatcher, lambda event: None, options=HandlerOptions(name="one"))

        self.fire(dispatcher)

        (handler,) = diary.handlers
        self.assertTrue(verifyObject(IHandler, handler))
        self.assertEqual((handler_id, "one", "during"), (handler.id, handler.name, handler.phase))
        self.assertIn("dispatching.py:", handler.registered_at)

    def test_added_and_removed(self) -> None:
        """An observer watches from when it is added until it is removed."""
        diary = Diary()
        dispatcher = self.make()

        self.fire(dispatcher, "first")
        dispatcher.add_observer(diary)
        self.fire(dispatcher, "second")
        dispatcher.remove_observer(diary)
        self.fire(dispatcher, "third")

        self.assertEqual(["fire second", "end second: 0"], diary.lines)

    def test_remove_a_stranger(self) -> None:
        """Removing an observer that does not watch is refused."""
        self.assertRaises(ValueError, self.make().remove_observer, Diary())

    def test_ordered_events(self) -> None:
        """An event that waits for its turn has started, for the observer, when it is its turn."""
        diary = Diary()
        dispatcher = self.make(observers=[diary], order_by=())
        answer: Deferred[None] = Deferred()
        self.add(dispatcher, lambda event: answer, options=HandlerOptions(name="slow"))

        dispatcher.fire_event("one")
        dispatcher.fire_event("two")
        before = list(diary.lines)
        answer.callback(None)

        self.assertEqual(["fire one", "start slow"], before)
        self.assertEqual(
            ["fire two", "start slow", "slow gave None", "end two: 1"], diary.lines[4:]
        )

    def test_nested_event(self) -> None:
        """An event fired by a handler is handled there and then, watched as well as not."""
        for observers in ([], [Diary()]):
            seen: list[str] = []
            dispatcher = self.make("kind", observers=observers)
            self.add(dispatcher, seen.append, kind="inner")

            def outer(
                event: str, dispatcher: EventDispatcher = dispatcher, seen: list[str] = seen
            ) -> None:
                dispatcher.fire_event("inner", kind="inner")
                seen.append(event)

            self.add(dispatcher, outer, kind="outer")
            self.fire(dispatcher, "outer", kind="outer")

            self.assertEqual(["inner", "outer"], seen)

    def test_broken_observer(self) -> None:
        """What an observer raises is logged, and neither handlers nor other observers suffer."""

        class Broken(Diary):
            def handler_started(self, handler: IHandler, event: Any) -> None:
                raise RuntimeError("observer broken")

        diary = Diary()
        dispatcher = self.make(observers=[Broken(), diary])
        self.add(dispatcher, lambda event: 5, options=HandlerOptions(name="five"))

        result = self.fire(dispatcher)

        self.assertEqual([5], result.values)
        self.assertIn("start five", diary.lines)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_no_observer(self) -> None:
        """What has not all methods of an observer is refused, and nothing has changed."""
        diary = Diary()
        dispatcher = self.make(observers=[diary])
        odd: Any = 5

        error = self.assertRaises(InvalidOptions, dispatcher.add_observer, odd)
        self.assertRaises(InvalidOptions, EventDispatcher, observers=[odd])
        self.fire(dispatcher, "event")

        self.assertIn("5 has no fire_started", str(error))
        self.assertEqual(["fire event", "end event: 0"], diary.lines)


class LogObserverTests(DispatcherTestCase):
    """The log observer follows an event without telling what is in it."""

    def test_follows(self) -> None:
        """It writes a debug line for the fire, the start and end of a handler, and the end."""
        dispatcher = self.make(observers=[LogObserver()])
        self.add(dispatcher, lambda event: "password", options=HandlerOptions(name="login"))
        log = self.log_from_now()

        self.fire(dispatcher, {"secret": "hunter2"})

        ours = [event for event in log if event["log_namespace"].startswith("twisted_dispatcher")]
        lines = [formatEvent(event) for event in ours]
        self.assertEqual(
            [
                "Fired builtins.dict",
                "Calling login for builtins.dict in during",
                "Done login for builtins.dict in during",
                "Done with builtins.dict: 1 handlers called, 0 failed",
            ],
            lines,
        )
        self.assertEqual({LogLevel.debug}, {event["log_level"] for event in ours})
        self.assertNotIn("hunter2", repr(ours))
        self.assertNotIn("password", repr(ours))

    def test_failure_is_logged_once(self) -> None:
        """A failure is logged once, observer or not, with the fields to find it by."""
        dispatcher = self.make(observers=[LogObserver()])
        handler_id = self.add(
            dispatcher, failing(ValueError("no")), options=HandlerOptions(name="bad")
        )
        log = self.log_from_now()

        self.fire(dispatcher)

        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        (failed,) = [event for event in log if event["log_level"] is LogLevel.error]
        self.assertEqual("bad", failed["handler"])
        self.assertEqual(handler_id, failed["handler_id"])
        self.assertEqual("during", failed["phase"])
        self.assertIn("dispatching.py:", failed["registered_at"])
