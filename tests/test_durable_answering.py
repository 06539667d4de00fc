"""Tests of how the dispatcher asks stores that call back, and stores that give Deferreds only."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.durable.answering import answering
from twisted_dispatcher.errors import StoreFull
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DONE
from twisted_dispatcher.testing import pump, result_of


class Passing:
    """
    Passes everything on to a store, and counts what it was asked for.

    :ivar asked: the names of methods.
    :ivar full: whether nothing more is accepted.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.asked: list[str] = []
        self.full = False

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.store, name)

    def accept(self, *given: Any) -> Deferred[Any]:
        """Accept events, if there is room."""
        self.asked.append("accept")
        if self.full:
            raise StoreFull("the store")
        return cast("Deferred[Any]", self.store.accept(*given))


@implementer(IStore)
class DeclaredPassing(Passing):
    """The same, which says what it is."""


class AnsweringTests(SynchronousTestCase):
    """A dispatcher, and the store that it was given."""

    def setUp(self) -> None:
        """Make a store in memory."""
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = open_store("sqlite://", reactor=self.clock)
        self.addCleanup(self.store.close)
        self.handled: list[object] = []

    def started(self, store: Any) -> DurableDispatcher:
        """Give a dispatcher with a handler, which runs."""
        dispatcher = DurableDispatcher(store, ("kind",), clock=self.clock)
        dispatcher.on(options=HandlerOptions(name="keep"))(self.handled.append)
        dispatcher.start()
        pump(self.clock, dispatcher.when_ready())
        return dispatcher

    def test_store_that_calls_back(self) -> None:
        """A store that says that it calls back is asked itself."""
        self.assertIs(self.store, answering(self.store))

    def test_wrapped(self) -> None:
        """Whoever passes everything on to such a store is asked by way of Deferreds, and works."""
        for kind in (Passing, DeclaredPassing):
            store = kind(self.store)
            dispatcher = self.started(store)
            pump(self.clock, dispatcher.fire_event("an event"))
            (delivery,) = pump(self.clock, dispatcher.deliveries(limit=1))
            pump(self.clock, dispatcher.stop())

            self.assertEqual(DONE, delivery.status)
            self.assertEqual(1, store.asked.count("accept"))
            self.assertEqual(1, store.asked.count("settle"))
            self.assertNotIn("accept_one", store.asked)
        self.assertEqual(["an event"] * 2, self.handled)

    def test_cancelled(self) -> None:
        """Cancelling ends the wait for a fire or an acceptance, and the event goes on."""
        for store in (self.store, Passing(self.store)):
            dispatcher = self.started(store)
            for ask in (dispatcher.fire_event, dispatcher.accept_event):
                asked = ask("an event")
                asked.cancel()
                self.failureResultOf(asked, CancelledError)
            self.clock.advance(1)
            pump(self.clock, dispatcher.stop())

        self.assertEqual(["an event"] * 4, self.handled)
        self.assertEqual(0, result_of(self.counted())["open"])

    def counted(self) -> Deferred[Any]:
        """Count what is in the store."""
        counting = self.store.counts()
        self.clock.advance(0)
        return counting

    def test_answered_first(self) -> None:
        """Whoever fires a key again, and is answered before the first one, has its result too."""
        dispatcher = self.started(self.store)
        journeys = dispatcher._journeys
        first, second = Deferred[Any](), Deferred[Any]()
        journeys.join(7, second)
        journey = type(journeys.known[7])("an event", ())
        journey.waiting.append(first)
        journeys.begin_waiting(7, journey)
        journeys.finished(7)

        self.assertIs(result_of(first), result_of(second))
