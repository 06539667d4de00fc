"""Tests of whose context variables a handler sees."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.dispatching import DispatcherTestCase, Waiting

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
