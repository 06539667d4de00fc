"""Tests of the service that is made of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.dispatching import Waiting
from twisted_dispatcher import DurableDispatcher, EventDispatcher, HandlerOptions
from twisted_dispatcher.chains import NEW, Transition
from twisted_dispatcher.errors import (
    ChainsNeedStore,
    ChainTypeMissing,
    ChainTypeTaken,
    InvalidSession,
    InvalidSettings,
    ServiceStopped,
    SetupWaits,
)
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings
from twisted_dispatcher.testing import pump


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

        self.assertRaises(SetupWaits, self.make, setup=setup)

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


class Arrive(Transition):
    """A transition that is always valid."""

    final_state = "there"

    def is_valid(self) -> bool:
        """Say so."""
        return True


TRAVELS = {"chains": [{"chain_type": "travel", "transitions": {NEW: [Arrive], "there": []}}]}


class UsesTests(SynchronousTestCase):
    """What stands on the dispatcher of a service."""

    def setUp(self) -> None:
        """Have a clock, and no calls of the callback yet."""
        self.clock = Clock()
        self.made: list[Any] = []

    def make(self, **settings: Any) -> DispatcherService:
        """Start a service whose setup adds chains and has sessions."""

        def setup(service: DispatcherService) -> None:
            service.chains.add("travel", TRAVELS, callback=self.made.append)
            self.assertIs(service.triggers, service.triggers)

        service = DispatcherService(
            {"store": "sqlite://", **settings}, setup=setup, reactor=self.clock
        )
        service.startService()
        self.addCleanup(lambda: pump(self.clock, service.stopService()))
        pump(self.clock, service.when_ready())
        return service

    def travel(self, service: DispatcherService) -> Any:
        """Make a chain, let time pass, and give the chain's state."""
        chains = service.chains["travel"]
        chain = pump(self.clock, chains.get_or_create_chain([("traveller", "Ada")]))
        pump(self.clock, deferLater(self.clock, 5))
        return pump(self.clock, chains.get_chain(chain.id)).state

    def test_chains(self) -> None:
        """Chains that a setup has added are executed when they are due."""
        service = self.make()

        self.assertEqual("there", self.travel(service))
        self.assertEqual(["Ada"], [each.resources["traveller"] for each in self.made])

    def test_chains_by_type(self) -> None:
        """A type has one chain dispatcher, which is found by it."""
        chains = self.make().chains

        self.assertEqual((["travel"], 1), (list(chains), len(chains)))
        self.assertIsNone(chains.get("holiday"))
        missing = self.assertRaises(ChainTypeMissing, chains.__getitem__, "holiday")
        self.assertIn("service.chains.add()", str(missing))
        error = self.assertRaises(ChainTypeTaken, chains.add, "travel", TRAVELS)
        self.assertIn("service.chains['travel']", str(error))

    def test_chains_added_later(self) -> None:
        """Chains are executed also when they are added to a service that runs."""
        service = DispatcherService("sqlite://", reactor=self.clock)
        service.startService()
        self.addCleanup(lambda: pump(self.clock, service.stopService()))
        service.chains.add("travel", TRAVELS)

        self.assertEqual("there", self.travel(service))

    def test_chains_added_too_late(self) -> None:
        """Nothing is added to a service that was stopped."""
        service = DispatcherService("sqlite://", reactor=self.clock)
        service.startService()
        pump(self.clock, service.stopService())

        self.assertRaises(ServiceStopped, service.chains.add, "travel", TRAVELS)
        self.assertEqual([], list(service.chains))

    def test_chains_stop(self) -> None:
        """The chains stop with the service."""
        service = self.make()
        before = service.chains["travel"].running
        pump(self.clock, service.stopService())

        self.assertEqual((True, False), (before, service.chains["travel"].running))

    def test_without_worker(self) -> None:
        """A service that only accepts makes chains, and leaves them to others."""
        service = self.make(worker=False)

        self.assertEqual(NEW, self.travel(service))
        self.assertEqual([], self.made)

    def test_triggers(self) -> None:
        """Sessions are run on the service's dispatcher."""
        service = self.make()
        manager = service.triggers.manager("visitor")
        task = {"after": ["came"], "run": f"{__name__}:{came.__name__}"}
        pump(self.clock, manager.update_configuration({"greet": task}))
        pump(self.clock, manager.fire("came", {"name": "Grace"}))
        pump(self.clock, manager.join_all())
        storage = pump(self.clock, service.triggers.storage("visitor").load())

        self.assertIs(service.dispatcher, storage.dispatcher)
        self.assertEqual({"greeting": "hello Grace"}, storage.latest_kwargs["greet"])

    def test_in_memory(self) -> None:
        """Without a store there is neither, and the error says what is missing."""
        service = DispatcherService({}, reactor=self.clock)

        error = self.assertRaises(ChainsNeedStore, service.chains.add, "travel", TRAVELS)
        self.assertIn("DurableDispatcher", str(error))
        self.assertEqual([], list(service.chains))
        self.assertRaises(InvalidSession, getattr, service, "triggers")


def came(context: Any) -> dict[str, str]:
    """Greet who came."""
    return {"greeting": f"hello {context.trigger_kwargs['came']['name']}"}
