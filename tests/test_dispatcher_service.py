"""Tests of the service that is made of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.dispatching import Waiting
from twisted_dispatcher import DurableDispatcher, EventDispatcher, HandlerOptions
from twisted_dispatcher.errors import ForeignAwaitable, InvalidSettings, ServiceStopped
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings


class InMemoryTests(SynchronousTestCase):
    """A service without a store."""

    def setUp(self) -> None:
        """Have a clock."""
        self.clock = Clock()

    def make(self, settings: Any = None, **options: Any) -> DispatcherService:
        """Make a service on the clock."""
        return DispatcherService(settings or {}, reactor=self.clock, **options)

    def test_provides(self) -> None:
        """It is a service."""
        self.assertTrue(verifyObject(IService, self.make()))

    def test_what_it_is_made_of(self) -> None:
        """Its dispatcher is as the settings say, and there is no store."""
        service = self.make({"keywords": ["kind"], "phases": ["one", "two"]})

        self.assertIsInstance(service.dispatcher, EventDispatcher)
        self.assertIsNone(service.store)
        self.assertEqual(("kind",), service.dispatcher.allowed_keywords)
        self.assertEqual(("one", "two"), service.dispatcher.phases)

    def test_refuses_bad_settings(self) -> None:
        """Bad settings make no service."""
        self.assertRaises(InvalidSettings, self.make, {"nothing": 1})

    def test_setup(self) -> None:
        """Handlers are registered before anything is dispatched."""
        seen: list[Any] = []

        def setup(service: DispatcherService) -> None:
            seen.append(service.dispatcher.running)
            service.dispatcher.on()(seen.append)

        service = self.make(setup=setup)
        service.startService()
        self.successResultOf(service.dispatcher.fire_event("event"))

        self.assertEqual([False, "event"], seen)

    def test_setup_must_not_wait(self) -> None:
        """A setup that would have to be waited for is refused."""

        async def setup(service: DispatcherService) -> None:
            """Never run."""

        self.assertRaises(ForeignAwaitable, self.make, setup=setup)

    def test_ready(self) -> None:
        """It is ready when it was started."""
        service = self.make()
        ready = service.when_ready()
        self.assertNoResult(ready)
        service.startService()

        self.successResultOf(ready)

    def test_waits_for_handlers(self) -> None:
        """It has stopped when the handlers that were running have ended."""
        waiting = Waiting()
        service = self.make(setup=lambda service: service.dispatcher.on()(waiting))
        service.startService()
        firing = service.dispatcher.fire_event("event")
        stopping = service.stopService()
        self.assertNoResult(stopping)
        waiting.pending[0].callback(None)

        self.successResultOf(stopping)
        self.successResultOf(firing)

    def test_does_not_wait_for_ever(self) -> None:
        """Handlers that do not end are given the time to drain, which is said in the log."""
        waiting = Waiting()
        service = self.make({"drain": 5}, setup=lambda each: each.dispatcher.on()(waiting))
        service.startService()
        service.dispatcher.fire_event("event")
        stopping = service.stopService()
        self.clock.advance(4.9)
        self.assertNoResult(stopping)
        self.clock.advance(0.1)

        self.successResultOf(stopping)

    def test_stopping_twice(self) -> None:
        """Whoever stops it again waits for the same end."""
        waiting = Waiting()
        service = self.make(setup=lambda service: service.dispatcher.on()(waiting))
        service.startService()
        service.dispatcher.fire_event("event")
        stops = [service.stopService(), service.stopService()]
        for stop in stops:
            self.assertNoResult(stop)
        waiting.pending[0].callback(None)

        for stop in stops:
            self.successResultOf(stop)

    def test_starting_again(self) -> None:
        """What has been stopped is not started again."""
        service = self.make()
        service.startService()
        self.successResultOf(service.stopService())

        self.assertRaises(ServiceStopped, service.startService)

    def test_children(self) -> None:
        """Services that are added start after its dispatcher, and stop before it."""
        told: list[tuple[str, bool]] = []

        class Child(Service):
            def startService(self) -> None:
                told.append(("start", service.dispatcher.running))

            def stopService(self) -> None:
                told.append(("stop", service.dispatcher.running))

        service = self.make()
        Child().setServiceParent(service)
        service.startService()
        self.successResultOf(service.stopService())

        self.assertEqual([("start", True), ("stop", True)], told)

    def test_child_that_cannot_stop(self) -> None:
        """A child that fails to stop keeps nothing else from stopping, and is heard of."""

        class Child(Service):
            def stopService(self) -> Deferred[None]:
                return Deferred.fromCoroutine(self.fail())

            async def fail(self) -> None:
                raise ZeroDivisionError

        service = self.make()
        Child().setServiceParent(service)
        service.startService()
        self.successResultOf(service.stopService())

        self.assertFalse(service.dispatcher.running)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class InStoreTests(TestCase):
    """A service with a store."""

    timeout = 120

    def settings(self) -> Settings:
        """Give settings for a store of the test's own."""
        path = Path(self.mktemp()).absolute()
        return Settings(store=f"sqlite:///{path}", keywords=("kind",))

    async def test_goes_on(self) -> None:
        """What one service has accepted, the next one on the same store handles."""
        settings = self.settings()
        first = DispatcherService({"store": settings.store, "keywords": ["kind"], "worker": False})
        self.assertIsInstance(first.dispatcher, DurableDispatcher)
        first.startService()
        await first.when_ready()
        await first.dispatcher.accept_event(  # type: ignore[union-attr]
            {"number": 1}, key="one", kind="order"
        )
        await first.stopService()
        handled: Deferred[Any] = Deferred()

        def setup(service: DispatcherService) -> None:
            options = HandlerOptions(name="handle")
            service.dispatcher.on(kind="order", options=options)(handled.callback)

        second = DispatcherService(settings, setup=setup)
        second.startService()
        self.addCleanup(second.stopService)

        self.assertEqual({"number": 1}, await handled)

    async def test_closes_the_store_of_a_bad_setup(self) -> None:
        """When the setup fails, the store is closed again."""
        stores: list[Any] = []

        def setup(service: DispatcherService) -> None:
            stores.append(service.store)
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, DispatcherService, self.settings(), setup=setup)
        await stores[0].close()
