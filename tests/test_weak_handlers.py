"""Handlers that are held weakly: how long they are called, and what is left of them."""

from __future__ import annotations

import gc
import operator
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent

from tests.dispatching import DispatcherTestCase, Recorder, Waiting
from twisted_dispatcher import EventDispatcher, HandlerOptions, OneOf, RetryPolicy, Where, errors

seen_by_class: list[Any] = []


class Thing:
    """A hashable value that can be watched for its end."""


class Listener:
    """Something with methods of each kind."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def handle(self, event: Any) -> None:
        """Take an event as a method."""
        self.log.append(event)

    @classmethod
    def handle_for_class(cls, event: Any) -> None:
        """Take an event as a class method."""
        seen_by_class.append((cls.__name__, event))

    @staticmethod
    def handle_for_nobody(event: Any) -> None:
        """Take an event as a static method."""
        seen_by_class.append((None, event))


class Slotted:
    """Something that no weak reference can be made to."""

    __slots__ = ()

    def handle(self, event: Any) -> None:
        """Do nothing."""

    def __call__(self, event: Any) -> None:
        """Do nothing."""


def made_handler(log: list[Any]) -> Callable[[Any], None]:
    """Give a function that nobody else refers to."""

    def handler(event: Any) -> None:
        log.append(event)

    return handler


class WeakTestCase(DispatcherTestCase):
    """A started dispatcher and a log."""

    def setUp(self) -> None:
        """Make them; the collector need not look at all that other tests have imported."""
        super().setUp()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.log: list[Any] = []
        self.dispatcher = self.make("user", "role")
        seen_by_class.clear()

    def add_weakly(self, function: Any, phase: str = "during", **arguments: Any) -> int:
        """Register a handler as add_event_handler does when nothing is said."""
        return self.successResultOf(
            self.dispatcher.add_event_handler(function, phase, **arguments)
        )

    def registered(self) -> int:
        """Tell how many handlers are registered."""
        return len(self.dispatcher.describe())


class LifeTests(WeakTestCase):
    """How long a weakly held handler is called."""

    def test_function(self) -> None:
        """A function is held weakly by default: called while it lives, then not (E15, E16)."""
        handler = made_handler(self.log)
        self.add_weakly(handler)
        self.fire(self.dispatcher, 1)
        del handler
        gc.collect()
        result = self.fire(self.dispatcher, 2)

        self.assertEqual(self.log, [1])
        self.assertEqual(result.outcomes, ())

    def test_bound_method(self) -> None:
        """A bound method is called as long as its instance lives (E17)."""
        listener = Listener(self.log)
        self.add_weakly(listener.handle)
        gc.collect()
        self.fire(self.dispatcher, 1)
        del listener
        gc.collect()
        self.fire(self.dispatcher, 2)

        self.assertEqual(self.log, [1])
        self.assertEqual(self.registered(), 0)

    def test_bound_method_does_not_keep_the_instance(self) -> None:
        """The registration of a bound method does not keep its instance alive (E17)."""
        listener = Listener(self.log)
        reference = weakref.ref(listener)
        self.add_weakly(listener.handle)
        self.fire(self.dispatcher)
        del listener
        gc.collect()

        self.assertIs(reference(), None)

    def test_overridden_method(self) -> None:
        """A bound method of a base class stays the one that was given."""

        class Louder(Listener):
            def handle(self, event: Any) -> None:
                self.log.append("overridden")

        louder = Louder(self.log)
        self.add_weakly(super(Louder, louder).handle)
        self.add_weakly(louder.handle)
        self.fire(self.dispatcher, "base")

        self.assertEqual(self.log, ["base", "overridden"])

    def test_callable_instance(self) -> None:
        """A callable instance is called as long as it lives (E18)."""
        handler = Recorder()
        events = handler.events
        self.add_weakly(handler)
        self.fire(self.dispatcher, 1)
        del handler
        gc.collect()
        self.fire(self.dispatcher, 2)

        self.assertEqual(events, [1])
        self.assertEqual(self.registered(), 0)

    def test_class_method(self) -> None:
        """A class method is called as long as its class lives (E19)."""
        self.add_weakly(Listener.handle_for_class)
        self.add_weakly(Listener(self.log).handle_for_class)
        gc.collect()
        self.fire(self.dispatcher, 1)

        self.assertEqual(seen_by_class, [("Listener", 1), ("Listener", 1)])

    def test_static_method(self) -> None:
        """A static method is called as long as its class lives (E19)."""
        self.add_weakly(Listener.handle_for_nobody)
        gc.collect()
        self.fire(self.dispatcher, 1)

        self.assertEqual(seen_by_class, [(None, 1)])

    def test_class_is_gone(self) -> None:
        """A class method of a class that was collected is not called any more (E19)."""

        def register() -> None:
            class Local(Listener):
                """A class of this call alone."""

            self.add_weakly(Local.handle_for_class)
            self.fire(self.dispatcher, 1)

        register()
        gc.collect()
        self.fire(self.dispatcher, 2)

        self.assertEqual([event for _, event in seen_by_class], [1])
        self.assertEqual(self.registered(), 0)

    def test_builtin_function(self) -> None:
        """A builtin function can be held weakly."""
        self.add_weakly(len)
        result = self.fire(self.dispatcher, "four")

        self.assertEqual(result.values, [4])

    def test_class_as_handler(self) -> None:
        """A class can be a handler: it makes an instance of each event."""
        self.add_weakly(str)
        result = self.fire(self.dispatcher, 4)

        self.assertEqual(result.values, ["4"])

    def test_strong(self) -> None:
        """With use_weakref=False the dispatcher keeps a handler alive (E21)."""
        adding = self.dispatcher.add_event_handler(
            made_handler(self.log), "during", use_weakref=False
        )
        self.successResultOf(adding)
        adding = self.dispatcher.add_event_handler(
            Listener(self.log).handle, "during", use_weakref=False
        )
        self.successResultOf(adding)
        del adding
        gc.collect()
        self.fire(self.dispatcher, 1)

        self.assertEqual(self.log, [1, 1])

    def test_builtin_method(self) -> None:
        """A method of a list, which cannot be held weakly, is refused with the cure (E22)."""
        error = self.assertRaises(
            TypeError, self.dispatcher.add_event_handler, self.log.append, "during"
        )

        self.assertIsInstance(error, errors.NotWeakReferenceable)
        self.assertIn("use_weakref=False", str(error))
        self.assertEqual(self.registered(), 0)

    def test_builtin_method_held_strongly(self) -> None:
        """A method of a list works when it is held strongly (E22)."""
        self.add(self.dispatcher, self.log.append)
        self.fire(self.dispatcher, 1)

        self.assertEqual(self.log, [1])

    def test_slots(self) -> None:
        """What no weak reference can be made to is refused, as is its method (E22)."""
        slotted = Slotted()
        for function in (slotted, slotted.handle):
            self.assertRaises(
                errors.NotWeakReferenceable, self.dispatcher.add_event_handler, function, "during"
            )

        self.assertEqual(self.registered(), 0)

    def test_dies_in_an_earlier_phase(self) -> None:
        """A handler that dies in an earlier phase of the same event is skipped (E24)."""
        listeners = [Listener(self.log)]
        after = Recorder("after")
        self.add(self.dispatcher, lambda event: listeners.clear(), "before")
        self.add_weakly(listeners[0].handle)
        self.add(self.dispatcher, after, "after")
        result = self.fire(self.dispatcher, 1)
        gc.collect()

        self.assertEqual(self.log, [])
        self.assertEqual([outcome.phase for outcome in result.outcomes], ["before", "after"])

    def test_dies_while_it_runs(self) -> None:
        """A handler whose instance has no other holder left runs to its end."""
        clock = self.clock

        class SlowListener(Listener):
            async def handle_slowly(self, event: Any) -> str:
                await deferLater(clock, 1)
                self.log.append(event)
                return "done"

        listener = SlowListener(self.log)
        self.add_weakly(listener.handle_slowly)
        firing = self.dispatcher.fire_event(1)
        del listener
        gc.collect()
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, ["done"])
        self.assertEqual(self.log, [1])

    def test_dies_between_attempts(self) -> None:
        """A handler that dies while it waits for its next attempt is not called again."""
        calls: list[Any] = []

        class Failing:
            def handle(self, event: Any) -> Deferred[None]:
                calls.append(event)
                return fail(ValueError("no"))

        failing = Failing()
        options = HandlerOptions(retry=RetryPolicy(jitter=0.0))
        self.add_weakly(failing.handle, options=options)
        firing = self.dispatcher.fire_event(1)
        del failing
        gc.collect()
        for _ in range(5):
            self.clock.advance(10)
        gc.collect()
        self.successResultOf(firing)
        self.flushLoggedErrors(ValueError)

        self.assertEqual(len(calls), 1)
        self.assertEqual(self.registered(), 0)


class RemovalTests(WeakTestCase):
    """What is left of a handler that was collected."""

    def test_registration_is_removed(self) -> None:
        """When a function is collected, its registration is gone (E23, B-E1)."""
        handler = made_handler(self.log)
        handler_id = self.add_weakly(handler, user="bob")
        self.fire(self.dispatcher, user="bob")
        del handler
        gc.collect()

        self.assertEqual(list(self.dispatcher.describe()), [])
        self.failureResultOf(
            self.dispatcher.remove_event_handler(handler_id), errors.UnknownHandler
        )

    def test_spec_values_are_released(self) -> None:
        """When a function is collected, what its spec was made of is let go (E23, B-E1)."""
        handlers: list[Any] = []
        values: list[weakref.ref[Thing]] = []
        for _ in range(20):
            things = [Thing() for _ in range(4)]
            values += map(weakref.ref, things)
            wanted = OneOf(things[1], things[2])
            handlers.append(made_handler(self.log))
            self.add_weakly(handlers[-1], user=things[0], role=wanted)
            self.add_weakly(handlers[-1], user=Where(partial(operator.is_, things[3])))
            self.fire(self.dispatcher, user=things[0], role=things[1])
        del things, wanted
        handlers.clear()
        gc.collect()

        self.assertEqual([value for value in values if value() is not None], [])

    def test_many_cycles(self) -> None:
        """A thousand handlers that come and go leave no object behind (B-E1)."""

        def come_and_go() -> None:
            for count in range(100):
                listener = Listener(self.log)
                self.add_weakly(listener.handle, user=count, role="x")
                self.fire(self.dispatcher, user=count, role="x")

        come_and_go()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(9):
            come_and_go()
        self.log.clear()
        gc.collect()

        self.assertLess(len(gc.get_objects()) - before, 300)
        self.assertEqual(self.registered(), 0)

    def test_others_stay(self) -> None:
        """When one handler is collected, others with the same spec stay, in their order."""
        handlers = [made_handler(self.log) for _ in range(5)]
        for handler in handlers:
            self.add_weakly(handler, user="bob")
        self.fire(self.dispatcher, user="bob")
        del handlers[1], handlers[2], handler
        gc.collect()
        self.log.clear()
        self.fire(self.dispatcher, 2, user="bob")

        self.assertEqual(self.log, [2, 2, 2])
        self.assertEqual(self.registered(), 3)

    def test_removed_before_it_was_collected(self) -> None:
        """A handler that was removed may be collected later, without a word."""
        handler = made_handler(self.log)
        handler_id = self.add_weakly(handler)
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        logged = self.log_from_now()
        del handler
        gc.collect()

        self.assertEqual(logged, [])

    def test_dispatcher_goes_first(self) -> None:
        """A dispatcher that is not used any more is collected, though its handlers live on."""
        dispatcher = self.make("user")
        handler = made_handler(self.log)
        self.successResultOf(dispatcher.add_event_handler(handler, "during"))
        self.successResultOf(dispatcher.fire_event("event"))
        reference = weakref.ref(dispatcher)
        del dispatcher
        gc.collect()
        del handler
        gc.collect()

        self.assertIs(reference(), None)

    def test_collected_between_events(self) -> None:
        """A handler in a cycle that the collector finds during a dispatch harms nothing."""
        for count in range(50):
            listener: Any = Listener(self.log)
            listener.itself = listener
            self.add_weakly(listener.handle, user=count % 5)
        del listener
        self.add(self.dispatcher, lambda event: gc.collect(), "before")
        results = [self.fire(self.dispatcher, user=user) for user in range(5)]

        self.assertEqual([len(result.outcomes) for result in results], [1] * 5)
        self.assertEqual(self.registered(), 1)

    def test_collected_while_registering(self) -> None:
        """Handlers that are collected while others are registered and removed are removed too."""
        gc.disable()
        self.addCleanup(gc.enable)
        for count in range(100):
            listener: Any = Listener(self.log)
            listener.itself = listener
            self.add_weakly(listener.handle, user=count)
            if count % 10 == 0:
                gc.collect()
            kept = self.add(self.dispatcher, Recorder(), user=count)
            self.successResultOf(self.dispatcher.remove_event_handler(kept))
        del listener
        gc.collect()

        self.assertEqual(self.registered(), 0)

    def test_collected_in_another_thread(self) -> None:
        """A handler that the collector finds in another thread is removed from there (E62)."""
        gc.disable()
        self.addCleanup(gc.enable)
        listener: Any = Listener(self.log)
        listener.itself = listener
        self.add_weakly(listener.handle)
        self.fire(self.dispatcher, 1)
        del listener
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()
        result = self.fire(self.dispatcher, 2)

        self.assertEqual(result.outcomes, ())
        self.assertEqual(self.registered(), 0)

    def test_event_is_not_kept(self) -> None:
        """An event and the values that its handlers gave are let go with its result."""
        event, value = Thing(), Thing()
        references = [weakref.ref(event), weakref.ref(value)]
        handler = Recorder(value)
        self.add_weakly(handler)
        result = self.fire(self.dispatcher, event)
        handler.events.clear()
        handler.answer = None
        del event, value, result
        self.fire(self.dispatcher, "another")
        gc.collect()

        self.assertEqual([one for one in references if one() is not None], [])


class WarningTests(WeakTestCase):
    """A handler does not vanish unseen."""

    def weak_warnings(self) -> list[dict[str, Any]]:
        """Give the warnings about weakly held handlers so far."""
        return [
            warning
            for warning in self.flushWarnings()
            if issubclass(warning["category"], errors.WeakHandlerWarning)
        ]

    def test_lambda(self) -> None:
        """Registering a lambda weakly warns at the line that registers it (E20, B-E5)."""
        line = line_of(lambda: 0) + 1
        self.dispatcher.add_event_handler(lambda event: None, "during")

        (warning,) = self.weak_warnings()
        self.assertEqual(warning["lineno"], line)
        self.assertEqual(warning["filename"].rpartition(".")[0], __file__.rpartition(".")[0])
        self.assertIn("use_weakref=False", warning["message"])

    def test_partial(self) -> None:
        """Registering a functools.partial weakly warns at the line that registers it (E20)."""
        line = line_of(lambda: 0) + 1
        self.dispatcher.add_event_handler(partial(print, "event"), "during")

        (warning,) = self.weak_warnings()
        self.assertEqual(warning["lineno"], line)
        self.assertEqual(warning["filename"].rpartition(".")[0], __file__.rpartition(".")[0])

    def test_replacing(self) -> None:
        """Replacing a handler by a lambda, held weakly, warns at the caller's line (E20)."""
        line = line_of(lambda: 0) + 1
        self.dispatcher.replace_event_handlers([], [((lambda event: None, "during"), {})])

        (warning,) = self.weak_warnings()
        self.assertEqual(warning["lineno"], line)

    def test_no_need(self) -> None:
        """No warning is given for a lambda held strongly, or for a function or method."""
        listener, handler = Listener(self.log), made_handler(self.log)
        self.add_weakly(handler)
        self.add_weakly(listener.handle)
        self.add(self.dispatcher, lambda event: None)
        self.dispatcher.on()(lambda event: None)

        self.assertEqual(self.weak_warnings(), [])

    def test_kept_lambda(self) -> None:
        """A lambda that somebody keeps works when it is held weakly, though it warns (E20)."""
        handler = lambda event: self.log.append(event)  # noqa: E731
        self.add_weakly(handler)
        self.fire(self.dispatcher, 1)

        self.assertEqual(self.log, [1])
        self.assertEqual(len(self.weak_warnings()), 1)

    def logged_about(self, action: Callable[[], object]) -> list[LogEvent]:
        """Do something, collect garbage, and give what was logged."""
        logged = self.log_from_now()
        action()
        gc.collect()
        return logged

    def test_collected_before_it_was_called(self) -> None:
        """A handler that is collected before it was ever called is logged with its place (E20)."""
        line = line_of(lambda: 0) + 2
        (logged,) = self.logged_about(
            lambda: self.dispatcher.add_event_handler(made_handler(self.log), "after")
        )

        text = str(formatEvent(logged))
        self.assertIn("made_handler", text)
        self.assertRegex(text, rf"test_weak_handlers\.py:{line}\b")
        self.assertIn("after", text)

    def test_collected_after_it_was_called(self) -> None:
        """A handler that was called is collected without a word."""

        def add_and_fire() -> None:
            handler = made_handler(self.log)
            self.add_weakly(handler)
            self.fire(self.dispatcher)

        self.assertEqual(self.logged_about(add_and_fire), [])

    def test_collected_while_waiting_for_its_phase(self) -> None:
        """A handler that dies before its phase of the first event is logged as never called."""

        def fire() -> None:
            waiting = Waiting()
            self.add(self.dispatcher, waiting, "before")
            handler = made_handler(self.log)
            self.add_weakly(handler, "after")
            firing: Deferred[Any] = self.dispatcher.fire_event("event")
            del handler
            gc.collect()
            waiting.pending[0].callback(None)
            self.successResultOf(firing)

        (logged,) = self.logged_about(fire)
        self.assertIn("made_handler", str(formatEvent(logged)))

    def test_method(self) -> None:
        """A method whose instance dies before it was ever called is logged with its name."""
        (logged,) = self.logged_about(
            lambda: self.dispatcher.add_event_handler(Listener([]).handle, "during")
        )

        self.assertIn("Listener.handle", str(formatEvent(logged)))

    def test_dispatcher_that_never_ran(self) -> None:
        """A handler of a dispatcher that is itself gone is collected without a word."""

        def forget() -> None:
            dispatcher = EventDispatcher(("user",))
            handler = made_handler(self.log)
            self.successResultOf(dispatcher.add_event_handler(handler, "during"))
            del dispatcher
            gc.collect()

        self.assertEqual(self.logged_about(forget), [])


def line_of(function: Callable[[], object]) -> int:
    """Give the line at which a function was written."""
    return function.__code__.co_firstlineno
