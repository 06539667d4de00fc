"""Feeding a dispatcher: order, waiting, turns of the reactor, and what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.dispatching import Recorder, Waiting, failing
from twisted_dispatcher import Event, EventDispatcher
from twisted_dispatcher.errors import DamagedLog, InvalidOptions
from twisted_dispatcher.eventlogs import BadLine
from twisted_dispatcher.feeding import TURN, Item, Tally, feed
from twisted_dispatcher.interfaces import IObserver
from twisted_dispatcher.testing import clocked_dispatcher, pump


def events(number: int) -> list[Event]:
    """Make so many events."""
    return [Event("Closed", context={"n": n}) for n in range(number)]


class FeedCase(SynchronousTestCase):
    """Has a dispatcher and feeds it."""

    def setUp(self) -> None:
        """Make a dispatcher with the keyword ``n``."""
        self.clock: Clock
        self.dispatcher: EventDispatcher
        self.dispatcher, self.clock = clocked_dispatcher("n")
        self.tally = Tally()
        self.dispatcher.add_observer(self.tally)

    def feed(self, items: Iterable[Item], **options: Any) -> Deferred[None]:
        """Begin to feed items."""
        return feed(items, self.dispatcher, clock=self.clock, tally=self.tally, **options)

    def feed_all(self, items: Iterable[Item], **options: Any) -> None:
        """Feed items to the last."""
        pump(self.clock, self.feed(items, **options))

    def handler(self, handler: Any, **match_spec: Any) -> Any:
        """Register a handler and give it back."""
        return self.dispatcher.on(**match_spec)(handler)


class FeedTests(FeedCase):
    """From items to fires."""

    def test_fires_all(self) -> None:
        """Every event is fired, in order, as the object that it is."""
        recorder = self.handler(Recorder())
        fed = events(3)
        self.feed_all(fed)

        self.assertEqual(recorder.events, fed)
        self.assertEqual(self.tally.events, 3)

    def test_details(self) -> None:
        """The attributes whose names the dispatcher allows are details."""
        recorder = self.handler(Recorder(), n=2)
        self.feed_all(events(4))

        self.assertEqual([event["n"] for event in recorder.events], [2])

    def test_keyword_allowed_on_the_way(self) -> None:
        """A keyword that a handler allows counts from the next event on."""
        late = Recorder()

        def allow(event: Event) -> None:
            self.dispatcher.allow_keyword("type")
            self.dispatcher.on(type="Closed")(late)

        self.handler(allow, n=0)
        fed = events(3)
        self.feed_all(fed)

        self.assertEqual(late.events, fed[1:])

    def test_waits_for_each(self) -> None:
        """An event is fired when all handlers of the one before are done."""
        waiting = self.handler(Waiting())
        fed = events(2)
        feeding = self.feed(fed)
        before = list(waiting.events)
        waiting.pending[0].callback(None)

        self.assertEqual(before, fed[:1])
        self.assertEqual(waiting.events, fed)
        self.assertNoResult(feeding)
        waiting.pending[1].callback(None)
        self.successResultOf(feeding)

    def test_several_at_once(self) -> None:
        """With a concurrency of two, two events wait at once, and the third for one of these."""
        waiting = self.handler(Waiting())
        feeding = self.feed(events(4), concurrency=2)
        at_first = len(waiting.events)
        waiting.pending[1].callback(None)
        then = len(waiting.events)
        for pending in (0, 2, 3):
            waiting.pending[pending].callback(None)

        self.assertEqual((at_first, then), (2, 3))
        self.successResultOf(feeding)

    def test_ends_when_all_are_done(self) -> None:
        """With a concurrency, the feed ends when the last event that waits is done."""
        waiting = self.handler(Waiting())
        feeding = self.feed(events(2), concurrency=9)
        waiting.pending[1].callback(None)

        self.assertNoResult(feeding)
        waiting.pending[0].callback(None)
        self.successResultOf(feeding)

    def test_no_concurrency(self) -> None:
        """A concurrency below one is refused, since nothing could ever be fired."""
        self.assertRaises(InvalidOptions, self.feed, events(1), concurrency=0)

    def test_failing_handler(self) -> None:
        """A handler that fails keeps no later event from being fired."""
        self.handler(failing(ValueError("on purpose")))
        recorder = self.handler(Recorder())
        self.feed_all(events(3))

        self.assertEqual(len(recorder.events), 3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.assertEqual(self.tally.failures, 3)

    def test_bad_lines(self) -> None:
        """Bad lines are counted and handed on, and the feed goes on."""
        bad = BadLine(2, "no event")
        told: list[BadLine] = []
        recorder = self.handler(Recorder())
        one, two = events(2)
        self.feed_all([one, bad, two], on_bad_line=told.append)

        self.assertEqual(told, [bad])
        self.assertEqual(recorder.events, [one, two])
        self.assertEqual((self.tally.events, self.tally.bad_lines), (2, 1))

    def test_bad_line_that_ends_it(self) -> None:
        """What is raised for a bad line ends the feed, when what was fired before is done."""
        waiting = self.handler(Waiting())
        one, two = events(2)
        feeding = self.feed(
            [one, BadLine(2, "no event"), two],
            concurrency=2,
            on_bad_line=failing(DamagedLog("a log", "no event")),
        )
        self.assertNoResult(feeding)
        waiting.pending[0].callback(None)

        self.failureResultOf(feeding, DamagedLog)
        self.assertEqual(waiting.events, [one])

    def test_items_that_fail(self) -> None:
        """What the items raise ends the feed, after what came before."""
        recorder = self.handler(Recorder())

        def items() -> Iterator[Event]:
            yield from events(2)
            raise DamagedLog("a log", "it ends here")

        self.failureResultOf(self.feed(items()), DamagedLog)
        self.assertEqual(len(recorder.events), 2)

    def test_items_that_have_to_be_waited_for(self) -> None:
        """A Deferred among the items is waited for before the next item is asked for."""
        recorder = self.handler(Recorder())
        one, two = events(2)
        arrival: Deferred[None] = Deferred()
        feeding = self.feed([one, arrival, two])
        before = list(recorder.events)
        arrival.callback(None)

        self.assertEqual(before, [one])
        self.assertEqual(recorder.events, [one, two])
        self.successResultOf(feeding)

    def test_fire_that_fails(self) -> None:
        """A fire that fails ends the feed, when those beside it are done."""
        pending: Deferred[Any] = Deferred()
        fires = [pending, fail(ValueError("on purpose")), None]
        dispatcher: Any = Recorder()
        dispatcher.allowed_keywords = ()
        dispatcher.fire_event = lambda event: fires.pop(0)
        feeding = feed(events(3), dispatcher, clock=self.clock, tally=self.tally, concurrency=2)
        self.assertNoResult(feeding)
        pending.callback(None)

        self.failureResultOf(feeding, ValueError)
        self.assertEqual(fires, [None])

    def test_waiting_fire_that_fails(self) -> None:
        """A fire that fails later ends the feed as well."""
        pending: list[Deferred[Any]] = [Deferred(), Deferred()]
        fires = iter(pending)
        dispatcher: Any = Recorder()
        dispatcher.allowed_keywords = ()
        dispatcher.fire_event = lambda event: next(fires)
        feeding = feed(events(2), dispatcher, clock=self.clock, tally=self.tally, concurrency=3)
        pending[0].errback(ValueError("on purpose"))
        self.assertNoResult(feeding)
        pending[1].callback(None)

        self.failureResultOf(feeding, ValueError)


class CancelTests(FeedCase):
    """Ending a feed before its end."""

    def test_cancel(self) -> None:
        """Cancelling cancels the handlers that are pending and fires no later event."""
        for concurrency in (1, 2):
            waiting = self.handler(Waiting())
            feeding = self.feed(events(5), concurrency=concurrency)
            feeding.cancel()

            self.failureResultOf(feeding, CancelledError)
            self.assertEqual(waiting.cancelled, waiting.pending)
            self.assertEqual(len(waiting.pending), concurrency)

    def test_cancel_between_turns(self) -> None:
        """Cancelling while the reactor has its turn ends the feed there."""
        recorder = self.handler(Recorder())
        feeding = self.feed(events(5), seconds=count().__next__)
        feeding.cancel()

        self.failureResultOf(feeding, CancelledError)
        self.assertEqual(len(recorder.events), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LongFeedTests(FeedCase):
    """A log of many events."""

    MANY = 20_000

    def test_answered_at_once(self) -> None:
        """Thousands of events that are answered at once do not recurse."""
        recorder = self.handler(Recorder())
        self.feed_all(events(self.MANY), seconds=lambda: 0.0)

        self.assertEqual(len(recorder.events), self.MANY)

    def test_coroutines(self) -> None:
        """Thousands of coroutines that do not wait do not recurse."""
        seen: list[Any] = []

        async def handler(event: Event) -> None:
            seen.append(event["n"])

        self.handler(handler)
        self.feed_all(events(self.MANY), seconds=lambda: 0.0)

        self.assertEqual(seen, list(range(self.MANY)))

    def test_waiting(self) -> None:
        """Handlers that wait for the reactor are all waited for, one event after the other."""
        most, now = 0, 0

        async def handler(event: Event) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            later: Deferred[None] = Deferred()
            self.clock.callLater(0.001, later.callback, None)
            await later
            now -= 1

        self.handler(handler)
        feeding = self.feed(events(500))
        self.clock.pump([0.001] * 600)

        self.successResultOf(feeding)
        self.assertEqual((most, now), (1, 0))

    def test_window(self) -> None:
        """No more events wait at once than the concurrency allows, however many there are."""
        most, now = 0, 0

        async def handler(event: Event) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            later: Deferred[None] = Deferred()
            self.clock.callLater(0.001, later.callback, None)
            await later
            now -= 1

        self.handler(handler)
        feeding = self.feed(events(500), concurrency=7)
        self.clock.pump([0.001] * 200)

        self.successResultOf(feeding)
        self.assertEqual((most, now), (7, 0))

    def test_turns(self) -> None:
        """While events are answered at once, timers still get their turn."""
        turns: list[int] = []
        ticks: list[int] = []
        recorder = self.handler(Recorder())
        feeding = self.feed(
            events(100),
            seconds=(TURN / 10 * n for n in count()).__next__,
            on_turn=lambda: turns.append(len(recorder.events)),
        )

        def tick() -> None:
            ticks.append(len(recorder.events))
            if not feeding.called:
                self.clock.callLater(0, tick)

        tick()
        self.clock.advance(0)

        self.successResultOf(feeding)
        self.assertTrue(len(turns) >= 8, turns)
        self.assertTrue(set(turns) <= set(ticks), ticks)


class TallyTests(SynchronousTestCase):
    """What is counted."""

    def setUp(self) -> None:
        """Make a tally whose time is the clock's, and a dispatcher that it observes."""
        self.dispatcher, self.clock = clocked_dispatcher("n")
        self.tally = Tally(self.clock.seconds)
        self.dispatcher.add_observer(self.tally)

    def after(self, seconds: float) -> Callable[[Any], Deferred[None]]:
        """Give a handler that takes so long."""

        def handler(event: Any) -> Deferred[None]:
            done: Deferred[None] = Deferred()
            self.clock.callLater(seconds, done.callback, None)
            return done

        return handler

    def feed(self, number: int) -> None:
        """Feed so many events."""
        pump(
            self.clock,
            feed(events(number), self.dispatcher, clock=self.clock, tally=self.tally),
        )

    def test_is_an_observer(self) -> None:
        """A tally is an observer of a dispatcher."""
        verifyObject(IObserver, self.tally)

    def test_calls(self) -> None:
        """Each handler's calls are counted, and all calls."""
        self.dispatcher.on("before")(Recorder())
        self.dispatcher.on("after", n=1)(Recorder())
        self.feed(3)

        self.assertEqual(
            [(handler.phase, handler.calls) for handler in self.tally.handlers.values()],
            [("before", 3), ("after", 1)],
        )
        self.assertEqual(self.tally.calls, 4)

    def test_seconds(self) -> None:
        """A handler's seconds go from its call to its end; the longest call is kept."""
        long = iter((1.0, 5.0, 2.0))
        self.dispatcher.on()(lambda event: self.after(next(long))(event))
        self.feed(3)

        (handler,) = self.tally.handlers.values()
        self.assertEqual((handler.seconds, handler.longest), (8.0, 5.0))
        self.assertEqual(self.tally.seconds, 8.0)

    def test_slowest(self) -> None:
        """The slowest handlers are those that took longest altogether."""
        for seconds in (2.0, 5.0, 3.0):
            self.dispatcher.on()(self.after(seconds))
        self.feed(2)

        self.assertEqual([handler.seconds for handler in self.tally.slowest(2)], [10.0, 6.0])

    def test_failures(self) -> None:
        """Failures are counted for their handler, with the seconds that they took."""

        def handler(event: Any) -> Deferred[None]:
            return self.after(1.0)(event).addCallback(failing(ValueError("on purpose")))

        self.dispatcher.on()(handler)
        self.dispatcher.on()(failing(ValueError("on purpose")))
        self.feed(2)
        self.flushLoggedErrors(ValueError)

        self.assertEqual(self.tally.failures, 4)
        self.assertEqual([handler.seconds for handler in self.tally.slowest(1)], [2.0])

    def test_time_goes_on(self) -> None:
        """While feeding, the seconds are those up to now; before, there are none."""
        before = self.tally.seconds
        self.tally.begin()
        self.clock.advance(3)

        self.assertEqual((before, self.tally.seconds), (0.0, 3.0))
