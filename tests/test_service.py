"""Tests of a dispatcher as a Twisted service."""

from __future__ import annotations

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.dispatching import DispatcherTestCase
from twisted_dispatcher import EventDispatcher
from twisted_dispatcher.service import UtilityService


class UtilityServiceTests(DispatcherTestCase):
    """A dispatcher starts and stops with the application that it is part of."""

    def setUp(self) -> None:
        """Make an application with a dispatcher in it."""
        super().setUp()
        self.dispatcher = EventDispatcher(clock=self.clock)
        self.application = MultiService()
        UtilityService(self.dispatcher).setServiceParent(self.application)

    def test_provides(self) -> None:
        """It is a service."""
        self.assertTrue(verifyObject(IService, UtilityService(self.dispatcher)))

    def test_starts(self) -> None:
        """The dispatcher runs when the application has started."""
        before = self.dispatcher.running
        self.application.startService()

        self.assertEqual((False, True), (before, self.dispatcher.running))

    def test_stops_when_idle(self) -> None:
        """Nothing is waited for when nothing is in flight."""
        self.application.startService()

        self.successResultOf(self.application.stopService())

        self.assertFalse(self.dispatcher.running)

    def test_waits_for_what_is_in_flight(self) -> None:
        """The application has stopped when the handlers of its last events are done."""
        self.application.startService()
        answer: Deferred[None] = Deferred()
        self.add(self.dispatcher, lambda event: answer)
        firing = self.dispatcher.fire_event("last orders")

        stopping = self.application.stopService()
        self.assertNoResult(stopping)
        answer.callback(None)

        self.successResultOf(stopping)
        self.assertTrue(self.successResultOf(firing).dispatched)
