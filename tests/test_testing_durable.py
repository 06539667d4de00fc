"""Tests of what users test their durable handlers with."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import HandlerOptions, current_delivery, open_store
from twisted_dispatcher.errors import StoreClosed, StoreUnavailable
from twisted_dispatcher.testing import NeverSettled, clocked_durable_dispatcher, later, pump

HANDLE = HandlerOptions(name="handle")
HOUR = 3600.0


class StoreAway:
    """A store that is away for whoever wants to start."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def heartbeat(self, *given: Any) -> Deferred[bool]:
        return fail(StoreUnavailable("away"))


class ClockedDurableTests(SynchronousTestCase):
    """Time passes, for the dispatcher and its store, when the test says so."""

    def test_is_ready(self) -> None:
        """The dispatcher is started and ready, allows the keywords and takes the options."""
        dispatcher, _ = clocked_durable_dispatcher("kind", phases=("only",))

        self.assertTrue(dispatcher.running)
        self.assertTrue(dispatcher.when_ready().called)
        self.assertEqual((("kind",), ("only",)), (dispatcher.allowed_keywords, dispatcher.phases))

    def test_closed_store(self) -> None:
        """A store that was closed is told of, and not tried for ever."""
        clock = Clock()
        store = open_store("sqlite://", reactor=clock)
        pump(clock, store.close())

        self.assertRaises(StoreClosed, clocked_durable_dispatcher, store=store, clock=clock)
        self.assertEqual(1, len(self.flushLoggedErrors(StoreClosed)))

    def test_store_that_is_away(self) -> None:
        """A store that stays away does not keep the test waiting for ever."""
        away = StoreAway(open_store("sqlite://", reactor=Clock()))

        self.assertRaises(NeverSettled, clocked_durable_dispatcher, store=away)
        self.assertTrue(self.flushLoggedErrors(StoreUnavailable))

    def test_store_with_another_clock(self) -> None:
        """A store that goes by another clock is found out, and the error says how to open it."""
        store = open_store("sqlite://", reactor=Clock())

        error = self.assertRaises(NeverSettled, clocked_durable_dispatcher, store=store)

        self.assertIn("give open_store(url, reactor=clock)", str(error))

    def test_pump_over_an_hour(self) -> None:
        """A handler that waits for an hour is waited for by letting the hour pass."""
        dispatcher, clock = clocked_durable_dispatcher()

        @dispatcher.on(options=HANDLE)
        async def handle(event: Any) -> str:
            await deferLater(clock, HOUR)
            return f"handled {event}"

        result = pump(clock, dispatcher.fire_event("tea"))

        self.assertEqual(["handled tea"], result.values)
        self.assertGreaterEqual(clock.seconds(), HOUR)

    def test_stores_are_their_own(self) -> None:
        """Two dispatchers in memory know nothing of each other's events."""
        first, clock = clocked_durable_dispatcher()
        second, _ = clocked_durable_dispatcher(clock=clock)
        pump(clock, first.accept_event("tea", key="k"))

        self.assertTrue(pump(clock, second.accept_event("tea", key="k")).new)

    def test_one_store_for_two(self) -> None:
        """Two dispatchers with one store work on the same events."""
        clock = Clock()
        store = open_store("sqlite://", reactor=clock)
        first, _ = clocked_durable_dispatcher(store=store, clock=clock, worker=False)
        second, _ = clocked_durable_dispatcher(store=store, clock=clock)
        handled: list[Any] = []
        second.on(options=HANDLE)(handled.append)

        pump(clock, first.fire_event("tea"), limit=60)

        self.assertEqual(["tea"], handled)

    def test_killed(self) -> None:
        """What a dispatcher was running when its clock stood still is run by the next one."""
        url = f"sqlite:///{self.mktemp()}.db"
        killed, clock = clocked_durable_dispatcher(store=url)
        started: list[Any] = []
        never: Deferred[None] = Deferred()

        @killed.on(options=HANDLE)
        def handle(event: Any) -> Deferred[None]:
            started.append(event)
            return never

        pump(clock, killed.accept_event("tea", key="k"))

        following, clock = clocked_durable_dispatcher(store=url, clock=later(clock))
        attempts = []
        following.on(options=HANDLE)(lambda event: attempts.append(current_delivery().attempt))
        again = pump(clock, following.accept_event("tea", key="k"))
        pump(clock, deferLater(clock, 1, lambda: None))

        self.assertFalse(again.new)
        self.assertEqual((["tea"], [2]), (started, attempts))

    def test_later(self) -> None:
        """A clock is by so many seconds later than another, which stands still."""
        clock = Clock()
        clock.advance(100)

        after = later(clock, 5)

        self.assertEqual((100, 105), (clock.seconds(), after.seconds()))

    def test_threads_run_here(self) -> None:
        """Handlers for threads run in the thread of the test."""
        dispatcher, clock = clocked_durable_dispatcher()
        options = HandlerOptions(name="shout", runner="thread")
        dispatcher.on(options=options)(lambda event: event.upper())

        self.assertEqual(["TEA"], pump(clock, dispatcher.fire_event("tea")).values)
