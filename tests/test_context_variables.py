"""Tests of whose context variables a handler sees."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import DispatcherTestCase, Waiting
from twisted_dispatcher import HandlerOptions, RetryPolicy
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump

request: ContextVar[str] = ContextVar("request", default="nothing")


class ContextVariableTests(DispatcherTestCase):
    """A handler sees the context variables of who fired the event."""

    def setUp(self) -> None:
        """Make a dispatcher whose handlers note what they see."""
        super().setUp()
        self.dispatcher = self.make()
        self.seen: list[str] = []

    def note(self, event: Any) -> None:
        """Note what is seen."""
        self.seen.append(request.get())

    def fire_as(self, name: str) -> Deferred[Any]:
        """Fire an event for a request."""

        def fire() -> Deferred[Any]:
            request.set(name)
            return self.dispatcher.fire_event("event")

        return copy_context().run(fire)

    def test_at_once(self) -> None:
        """A handler that starts at once sees them."""
        self.add(self.dispatcher, self.note)
        self.fire_as("request 1")

        self.assertEqual(["request 1"], self.seen)

    def test_after_a_wait(self) -> None:
        """A handler of a later phase sees them, wherever the wait before it ended."""
        waiting = Waiting()
        self.add(self.dispatcher, waiting, "before")
        self.add(self.dispatcher, self.note, "after")
        self.fire_as("request 1")
        self.fire_as("request 2")
        for pending in reversed(waiting.pending):
            pending.callback(None)

        self.assertEqual(["request 2", "request 1"], self.seen)

    def test_own_changes(self) -> None:
        """What a coroutine sets is seen by nobody else."""

        async def change(event: Any) -> None:
            request.set("changed")
            await succeed(None)

        self.add(self.dispatcher, change)
        self.add(self.dispatcher, self.note)
        self.fire_as("request 1")

        self.assertEqual((["request 1"], "nothing"), (self.seen, request.get()))

    def test_queued(self) -> None:
        """An event that waits for its turn is handled with those of who fired it."""
        self.dispatcher = self.make(order_by=())
        waiting = Waiting()
        self.add(self.dispatcher, self.note, "before")
        self.add(self.dispatcher, waiting, "during")
        self.fire_as("request 1")
        self.fire_as("request 2")
        waiting.pending[0].callback(None)

        self.assertEqual(["request 1", "request 2"], self.seen)


class DurableContextVariableTests(SynchronousTestCase):
    """A durable handler sees those of who fired the event, where it runs in the same process."""

    def setUp(self) -> None:
        """Make a durable dispatcher whose handlers note what they see."""
        self.dispatcher, self.clock = clocked_durable_dispatcher()
        self.seen: list[tuple[str, str]] = []

    def register(self, name: str, phase: str = "during", **options: Any) -> None:
        """Register a handler that notes what it sees."""

        def note(event: Any, *transaction: Any) -> None:
            self.seen.append((f"{name} of {event}", request.get()))

        self.dispatcher.on(phase, options=HandlerOptions(name=name, **options))(note)

    def as_request(self, number: int, accept: bool = False) -> Deferred[Any]:
        """Fire or accept an event for a request."""

        def fire() -> Deferred[Any]:
            request.set(f"request {number}")
            if accept:
                return self.dispatcher.accept_event(number)
            return self.dispatcher.fire_event(number)

        return copy_context().run(fire)

    def test_each_its_own(self) -> None:
        """Handlers of events that are accepted together see each their own, in all phases."""
        self.register("one", "before")
        self.register("two", "after")
        for firing in [self.as_request(1), self.as_request(2)]:
            pump(self.clock, firing)

        self.assertEqual(
            [
                (f"{name} of {number}", f"request {number}")
                for name in ("one", "two")
                for number in (1, 2)
            ],
            sorted(self.seen),
        )

    def test_all_kinds(self) -> None:
        """So do handlers of each guarantee, in threads, and in memory."""
        self.register("once", guarantee="exactly-once")
        self.register("at most once", guarantee="at-most-once")
        self.register("in a thread", runner="thread")
        self.register("in memory", durable=False)
        pump(self.clock, self.as_request(1))

        self.assertEqual(4, len(self.seen))
        self.assertEqual({"request 1"}, {seen for _, seen in self.seen})

    def test_again(self) -> None:
        """A handler that is tried again sees them as well; what it sets, nobody else sees."""
        seen: list[str] = []

        async def fail_once(event: Any) -> None:
            seen.append(request.get())
            request.set("changed")
            if len(seen) == 1:
                raise LookupError

        options = HandlerOptions(name="fail", retry=RetryPolicy(max_attempts=2))
        self.dispatcher.on("before", options=options)(fail_once)
        self.register("note", "after")
        pump(self.clock, self.as_request(1))

        self.assertEqual(["request 1", "request 1"], seen)
        self.assertEqual([("note of 1", "request 1")], self.seen)

    def test_accepted(self) -> None:
        """Handlers of an event that was merely accepted belong to nobody who waits."""
        self.register("note")
        pump(self.clock, self.as_request(1, accept=True))
        pump(self.clock, self.dispatcher.fire_event(2))

        self.assertIn(("note of 1", "nothing"), self.seen)
