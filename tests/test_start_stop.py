"""Starting and stopping, and what becomes of events meanwhile."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, formatEvent

from tests.dispatching import DispatcherTestCase, Recorder, Waiting
from twisted_dispatcher import DispatchResult, EventDispatcher, HandlerOptions, RetryPolicy


class StartTests(DispatcherTestCase):
    """Starting."""

    def test_running_at_once(self) -> None:
        """After start(), which gives None, the dispatcher runs (E50)."""
        dispatcher = EventDispatcher(("user",))
        given = dispatcher.start()  # type: ignore[func-returns-value]

        self.assertIs(given, None)
        self.assertIs(dispatcher.running, True)

    def test_twice(self) -> None:
        """Starting what runs is harmless."""
        dispatcher = self.make("user")
        dispatcher.start()
        handler = Recorder()
        self.add(dispatcher, handler)
        self.fire(dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_fire_before(self) -> None:
        """An event fired before the start meets nobody, and the result says so (E49)."""
        dispatcher = EventDispatcher(("user",))
        handler = Recorder()
        self.add(dispatcher, handler)
        result = self.fire(dispatcher, user="bob")

        self.assertIsInstance(result, DispatchResult)
        self.assertIs(result.dispatched, False)
        self.assertEqual((result.outcomes, result.values, result.failures), ((), [], []))
        self.assertEqual(handler.events, [])

    def test_fire_before_is_not_replayed(self) -> None:
        """An event fired before the start is not dispatched after it (E49)."""
        dispatcher = EventDispatcher(("user",))
        handler = Recorder()
        self.add(dispatcher, handler)
        self.fire(dispatcher, "early")
        dispatcher.start()
        self.fire(dispatcher, "late")

        self.assertEqual(handler.events, ["late"])

    def test_fire_before_is_logged(self) -> None:
        """An event fired before the start is logged as a warning, without its content (E49)."""
        dispatcher = EventDispatcher(("user",))
        logged = self.log_from_now()
        self.fire(dispatcher, {"password": "swordfish"}, user="secret bob")

        (event,) = logged
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertIn("start()", str(formatEvent(event)))
        self.assertNotIn("swordfish", str(formatEvent(event)))
        self.assertNotIn("secret", str(formatEvent(event)))

    def test_misuse_before(self) -> None:
        """A detail that is not allowed is refused before the start as after it."""
        dispatcher = EventDispatcher(("user",))

        self.assertRaises(ValueError, dispatcher.fire_event, "event", usr="bob")

    def test_dispatched(self) -> None:
        """The result of an event fired after the start says that it was dispatched."""
        self.assertIs(self.fire(self.make("user")).dispatched, True)

    def test_when_ready_before(self) -> None:
        """Who waits until a dispatcher is ready is told when it is started."""
        dispatcher = EventDispatcher(("user",))
        first, second = dispatcher.when_ready(), dispatcher.when_ready()
        self.assertNoResult(first)
        dispatcher.start()

        self.assertIs(self.successResultOf(first), None)
        self.assertIs(self.successResultOf(second), None)

    def test_when_ready_after(self) -> None:
        """Who asks a dispatcher that runs is told at once."""
        self.assertIs(self.successResultOf(self.make("user").when_ready()), None)

    def test_when_ready_after_a_stop(self) -> None:
        """Who asks a dispatcher that was stopped waits for the next start."""
        dispatcher = self.make("user")
        dispatcher.stop()
        ready = dispatcher.when_ready()
        self.assertNoResult(ready)
        dispatcher.start()

        self.successResultOf(ready)

    def test_when_ready_cancelled(self) -> None:
        """Who waits for a start may give up, and the others are told."""
        dispatcher = EventDispatcher(("user",))
        first, second = dispatcher.when_ready(), dispatcher.when_ready()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        dispatcher.start()

        self.successResultOf(second)

    def test_when_ready_fires_events(self) -> None:
        """Who is told that the dispatcher is ready can fire at once."""
        dispatcher = EventDispatcher(("user",))
        handler = Recorder()
        self.add(dispatcher, handler)
        dispatcher.when_ready().addCallback(lambda _: dispatcher.fire_event("event"))
        dispatcher.start()

        self.assertEqual(handler.events, ["event"])


class StopTests(DispatcherTestCase):
    """Stopping."""

    def test_not_running_at_once(self) -> None:
        """After stop() the dispatcher does not run, though it may have things to finish (E51)."""
        dispatcher = self.make("user")
        self.add(dispatcher, Waiting())
        dispatcher.fire_event("event")
        dispatcher.stop()

        self.assertIs(dispatcher.running, False)

    def test_idle(self) -> None:
        """Stopping an idle dispatcher gives a Deferred that has fired with None (E54)."""
        dispatcher = self.make("user")
        self.add(dispatcher, Recorder())
        self.fire(dispatcher)

        self.assertIs(self.successResultOf(dispatcher.stop()), None)

    def test_never_started(self) -> None:
        """Stopping a dispatcher that was never started is harmless (E54)."""
        self.assertIs(self.successResultOf(EventDispatcher(("user",)).stop()), None)

    def test_waits_for_what_is_in_flight(self) -> None:
        """The Deferred of stop() fires when every event in flight is finished (E51)."""
        dispatcher = self.make("user")
        waiting, after = Waiting(), Recorder()
        self.add(dispatcher, waiting)
        self.add(dispatcher, after, "after")
        fires = [dispatcher.fire_event(number) for number in range(3)]
        stopping = dispatcher.stop()
        for number in (1, 0):
            waiting.pending[number].callback(None)
            self.assertNoResult(stopping)
        waiting.pending[2].callback(None)

        self.assertIs(self.successResultOf(stopping), None)
        self.assertEqual(after.events, [1, 0, 2])
        self.assertTrue(all(self.successResultOf(fire).dispatched for fire in fires))

    def test_finishes_what_is_queued(self) -> None:
        """Events queued behind a slow one are handled after stop() (E52, B-E13)."""
        dispatcher = self.make("user", order_by=())
        waiting = Waiting()
        self.add(dispatcher, waiting)
        fires = [dispatcher.fire_event(number) for number in range(3)]
        stopping = dispatcher.stop()
        for number in range(3):
            self.assertNoResult(stopping)
            waiting.pending[number].callback(None)

        self.successResultOf(stopping)
        self.assertEqual(waiting.events, [0, 1, 2])
        self.assertTrue(all(self.successResultOf(fire).dispatched for fire in fires))

    def test_waits_for_all_phases(self) -> None:
        """The Deferred of stop() does not fire before the last phase is finished (E51)."""
        dispatcher = self.make("user")
        waiting = Waiting()
        for phase in dispatcher.phases:
            self.add(dispatcher, waiting, phase)
        dispatcher.fire_event("event")
        stopping = dispatcher.stop()
        for number in range(3):
            self.assertNoResult(stopping)
            waiting.pending[number].callback(None)

        self.successResultOf(stopping)

    def test_waits_for_retries_and_slots(self) -> None:
        """What waits for an attempt or a slot was accepted, and is finished after stop()."""
        dispatcher = self.make("user")
        answers: list[Any] = [ValueError("no"), None, None]
        seen: list[Any] = []

        async def handler(event: Any) -> None:
            seen.append(event)
            await deferLater(self.clock, 1)
            error = answers.pop(0)
            if error:
                raise error

        options = HandlerOptions(concurrency=1, retry=RetryPolicy(initial=5, jitter=0.0))
        self.add(dispatcher, handler, options=options)
        dispatcher.fire_event("first")
        dispatcher.fire_event("second")
        stopping = dispatcher.stop()
        for _ in range(20):
            self.clock.advance(1)

        self.successResultOf(stopping)
        self.assertEqual(sorted(seen), ["first", "first", "second"])

    def test_nothing_more_is_accepted(self) -> None:
        """An event fired after stop() is not dispatched, though others are in flight (E49)."""
        dispatcher = self.make("user", order_by=())
        waiting = Waiting()
        self.add(dispatcher, waiting)
        dispatcher.fire_event("first")
        stopping = dispatcher.stop()
        result = self.fire(dispatcher, "late")
        waiting.pending[0].callback(None)

        self.assertIs(result.dispatched, False)
        self.assertEqual(waiting.events, ["first"])
        self.successResultOf(stopping)

    def test_twice(self) -> None:
        """A second stop() is harmless, and waits for the same."""
        dispatcher = self.make("user")
        waiting = Waiting()
        self.add(dispatcher, waiting)
        dispatcher.fire_event("event")
        first, second = dispatcher.stop(), dispatcher.stop()
        self.assertNoResult(first)
        self.assertNoResult(second)
        waiting.pending[0].callback(None)

        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(dispatcher.stop())

    def test_failing_handler(self) -> None:
        """The Deferred of stop() does not fail when a handler does."""
        dispatcher = self.make("user")
        waiting = Waiting()
        self.add(dispatcher, waiting)
        dispatcher.fire_event("event")
        stopping = dispatcher.stop()
        waiting.pending[0].errback(ValueError())
        self.flushLoggedErrors(ValueError)

        self.assertIs(self.successResultOf(stopping), None)

    def test_cancelled_event(self) -> None:
        """The Deferred of stop() fires when the last event in flight is cancelled."""
        dispatcher = self.make("user")
        self.add(dispatcher, Waiting())
        firing = dispatcher.fire_event("event")
        stopping = dispatcher.stop()
        firing.cancel()

        self.failureResultOf(firing, CancelledError)
        self.successResultOf(stopping)

    def test_start_again(self) -> None:
        """After a stop and a start, handlers are still there and events are handled (E53)."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler)
        self.successResultOf(dispatcher.stop())
        self.fire(dispatcher, "lost")
        dispatcher.start()
        self.fire(dispatcher, "seen")

        self.assertEqual(handler.events, ["seen"])

    def test_start_while_stopping(self) -> None:
        """A start while events are in flight accepts new ones; the stop waits for the old."""
        dispatcher = self.make("user")
        waiting = Waiting()
        self.add(dispatcher, waiting)
        dispatcher.fire_event("old")
        stopping = dispatcher.stop()
        dispatcher.start()
        dispatcher.fire_event("new")
        self.assertEqual(waiting.events, ["old", "new"])
        self.assertNoResult(stopping)
        waiting.pending[0].callback(None)

        self.successResultOf(stopping)
        self.assertIs(dispatcher.running, True)

    def test_cancel_the_stop(self) -> None:
        """Who waits for a stop may give up; the events in flight go on."""
        dispatcher = self.make("user")
        waiting, after = Waiting(), Recorder()
        self.add(dispatcher, waiting)
        self.add(dispatcher, after, "after")
        dispatcher.fire_event("event")
        stopping = dispatcher.stop()
        stopping.cancel()
        self.failureResultOf(stopping, CancelledError)
        waiting.pending[0].callback(None)

        self.assertEqual(after.events, ["event"])
        self.assertIs(dispatcher.running, False)

    def test_fire_method_taken_before(self) -> None:
        """A fire_event that was taken from the dispatcher while it ran fires nothing after it."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler)
        fire = dispatcher.fire_event
        self.successResultOf(fire("seen", user="bob"))
        self.successResultOf(dispatcher.stop())
        result = self.successResultOf(fire("lost", user="bob"))

        self.assertIs(result.dispatched, False)
        self.assertEqual(handler.events, ["seen"])

    def test_fire_method_taken_while_stopped(self) -> None:
        """A fire_event that was taken before the start works after it."""
        dispatcher = EventDispatcher(("user",))
        handler = Recorder()
        self.add(dispatcher, handler, user="bob")
        fire = dispatcher.fire_event
        dispatcher.start()
        self.successResultOf(fire("seen", user="bob"))

        self.assertEqual(handler.events, ["seen"])

    def test_add_and_remove_while_stopping(self) -> None:
        """Handlers can be added and removed at once while the dispatcher finishes (E59)."""
        dispatcher = self.make("user")
        waiting = Waiting()
        handler_id = self.add(dispatcher, waiting)
        dispatcher.fire_event("event")
        dispatcher.stop()
        self.add(dispatcher, Recorder())
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.assertEqual(len(dispatcher.describe()), 1)


class StopFromAHandlerTests(DispatcherTestCase):
    """A handler stops its own dispatcher and waits for it (E47, B-E9)."""

    def stopping_handler(self, dispatcher: EventDispatcher) -> Recorder:
        """Add a handler that waits for the stop; give what it recorded after that."""
        done = Recorder()

        async def stop(event: Any) -> None:
            await dispatcher.stop()
            done(event)

        self.add(dispatcher, stop, user="bob")
        return done

    def test_gives_the_deferred(self) -> None:
        """A handler may return the Deferred of stop(), and later phases run."""
        dispatcher = self.make("user")
        after = Recorder()
        self.add(dispatcher, lambda event: dispatcher.stop())
        self.add(dispatcher, after, "after")
        firing = dispatcher.fire_event("event")
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).values, [None, None])
        self.assertEqual(after.events, ["event"])
        self.assertIs(dispatcher.running, False)

    def test_awaits(self) -> None:
        """A handler may await the Deferred of stop(), and goes on."""
        dispatcher = self.make("user")
        done = self.stopping_handler(dispatcher)
        firing = dispatcher.fire_event("event", user="bob")
        self.clock.advance(0)

        self.successResultOf(firing)
        self.assertEqual(done.events, ["event"])

    def test_does_not_wait(self) -> None:
        """A handler may stop without waiting, and its own event is finished."""
        dispatcher = self.make("user")
        stops: list[Deferred[None]] = []
        after = Waiting()
        self.add(dispatcher, lambda event: stops.append(dispatcher.stop()))
        self.add(dispatcher, after, "after")
        dispatcher.fire_event("event")
        self.clock.advance(0)
        self.assertNoResult(stops[0])
        after.pending[0].callback(None)

        self.successResultOf(stops[0])

    def test_waits_for_others(self) -> None:
        """A handler that waits for the stop waits for all events but its own."""
        dispatcher = self.make("user")
        done, waiting = self.stopping_handler(dispatcher), Waiting()
        self.add(dispatcher, waiting, user="eve")
        other = dispatcher.fire_event("other", user="eve")
        firing = dispatcher.fire_event("own", user="bob")
        self.clock.advance(0)
        self.assertNoResult(firing)
        waiting.pending[0].callback(None)
        self.clock.advance(0)

        self.successResultOf(other)
        self.successResultOf(firing)
        self.assertEqual(done.events, ["own"])

    def test_two_at_once(self) -> None:
        """Two handlers that both wait for the stop do not wait for each other."""
        dispatcher = self.make("user")
        done = self.stopping_handler(dispatcher)
        waiting = Waiting()
        self.add(dispatcher, waiting, "before", user="bob")
        fires = [dispatcher.fire_event(number, user="bob") for number in range(2)]
        for pending in waiting.pending:
            pending.callback(None)
        self.clock.advance(0)

        for firing in fires:
            self.successResultOf(firing)
        self.assertEqual(sorted(done.events), [0, 1])

    def test_two_handlers_of_one_event(self) -> None:
        """Two handlers of one event may both wait for the stop."""
        dispatcher = self.make("user")
        done = self.stopping_handler(dispatcher)
        also_done = self.stopping_handler(dispatcher)
        firing = dispatcher.fire_event("event", user="bob")
        self.clock.advance(0)

        self.successResultOf(firing)
        self.assertEqual((done.events, also_done.events), (["event"], ["event"]))

    def test_nested(self) -> None:
        """A handler of an event that another handler waits for may wait for the stop."""
        dispatcher = self.make("user")
        done = self.stopping_handler(dispatcher)
        self.add(dispatcher, lambda event: dispatcher.fire_event("inner", user="bob"), user="eve")
        firing = dispatcher.fire_event("outer", user="eve")
        self.clock.advance(0)

        self.successResultOf(firing)
        self.assertEqual(done.events, ["inner"])

    def test_with_queued_events(self) -> None:
        """A handler may wait for the stop though events are queued behind its own."""
        dispatcher = self.make("user", order_by=())
        done = self.stopping_handler(dispatcher)
        other, waiting = Recorder(), Waiting()
        self.add(dispatcher, waiting, "before", user="bob")
        self.add(dispatcher, other, user="eve")
        first = dispatcher.fire_event("first", user="bob")
        second = dispatcher.fire_event("second", user="eve")
        waiting.pending[0].callback(None)
        self.clock.advance(0)

        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((done.events, other.events), (["first"], ["second"]))

    def test_after_a_wait(self) -> None:
        """A handler may wait for the stop after it has waited for something else."""
        dispatcher = self.make("user")

        async def handler(event: Any) -> str:
            await deferLater(self.clock, 1)
            await dispatcher.stop()
            return "stopped"

        self.add(dispatcher, handler)
        firing = dispatcher.fire_event("event")
        self.clock.advance(1)
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).values, ["stopped"])

    def test_fires_after_its_stop(self) -> None:
        """An event that a handler fires after it has stopped is not dispatched."""
        dispatcher = self.make("user")
        results: list[DispatchResult] = []

        async def handler(event: Any) -> None:
            await dispatcher.stop()
            results.append(await dispatcher.fire_event("inner"))

        self.add(dispatcher, handler)
        dispatcher.fire_event("outer")
        self.clock.advance(0)

        self.assertEqual([result.dispatched for result in results], [False])

    def test_restarts(self) -> None:
        """A handler may stop, wait for it, and start again."""
        dispatcher = self.make("user")
        seen = Recorder()

        async def handler(event: Any) -> None:
            await dispatcher.stop()
            dispatcher.start()
            await dispatcher.fire_event("inner", user="eve")

        self.add(dispatcher, handler, user="bob")
        self.add(dispatcher, seen, user="eve")
        firing = dispatcher.fire_event("outer", user="bob")
        self.clock.advance(0)

        self.successResultOf(firing)
        self.assertEqual(seen.events, ["inner"])
