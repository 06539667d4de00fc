"""Tests of when a worker looks for what others have stored."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.durable.worker import GATHER
from twisted_dispatcher.records import NewEvent, Worker
from twisted_dispatcher.testing import pump

PRODUCER = Worker("producer", frozenset())


class LookingTests(SynchronousTestCase):
    """A dispatcher that has nothing to do, and is woken."""

    def setUp(self) -> None:
        """Start it, and count its looks from then on."""
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store: Any = open_store("sqlite://", reactor=self.clock)
        self.addCleanup(self.store.close)
        self.called: list[Any] = []
        self.looks = 0
        claim = self.store.claim

        def counted(*arguments: Any) -> Any:
            self.looks += 1
            return claim(*arguments)

        self.patch(self.store, "claim", counted)
        self.dispatcher = DurableDispatcher(self.store, ("kind",), clock=self.clock)
        self.dispatcher.on(options=HandlerOptions(name="handler"))(self.called.append)
        self.dispatcher.start()
        pump(self.clock, self.dispatcher.when_ready())
        self.addCleanup(lambda: pump(self.clock, self.dispatcher.stop()))
        self.advance(2 * GATHER)
        self.looks = 0

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and then the turns that the store needs."""
        self.clock.advance(seconds)
        for _ in range(10):
            self.clock.advance(0)

    def store_event(self, key: str) -> None:
        """Store an event as others do, who know no handlers."""
        body, details = default_codec.encode(key), default_codec.encode({"kind": "a"}, "details")
        event = NewEvent(key, body, details, None, self.clock.seconds(), None)
        self.store.accept([event], PRODUCER, self.clock.seconds())

    def test_alone(self) -> None:
        """A single event is run at once."""
        self.store_event("a")
        self.advance()

        self.assertEqual(["a"], self.called)

    def test_together(self) -> None:
        """What is stored a moment after a look is found by one look, in a moment."""
        self.store_event("a")
        self.advance()
        looks = self.looks
        for key in "bcd":
            self.store_event(key)
            self.advance()
        self.assertEqual((looks, ["a"]), (self.looks, self.called))

        self.advance(2 * GATHER)
        self.assertEqual(["a", "b", "c", "d"], self.called)
        self.assertEqual(looks + 1, self.looks)

    def test_while_it_looks(self) -> None:
        """What it hears while it looks is followed by one more look."""
        self.dispatcher.backstage.wake()
        for _ in range(3):
            self.dispatcher.backstage.wake()
        self.advance()
        self.assertEqual(1, self.looks)

        self.advance(2 * GATHER)
        self.assertEqual(2, self.looks)

    def test_later(self) -> None:
        """When some time has passed since the last look, it looks at once again."""
        for looks in (1, 2, 3):
            self.dispatcher.backstage.wake()
            self.advance()
            self.assertEqual(looks, self.looks)
            self.advance(2 * GATHER)
