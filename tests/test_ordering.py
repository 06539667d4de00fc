"""Events in order (order_by)."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from tests.dispatching import DispatcherTestCase, Recorder, Waiting
from twisted_dispatcher import (
    DispatchResult,
    EventDispatcher,
    Where,
    errors,
)


class OrderTests(DispatcherTestCase):
    """In which order events are handled."""

    def waiting(self, *keywords: str, **options: Any) -> tuple[EventDispatcher, Waiting]:
        """Give a dispatcher with one handler that waits."""
        dispatcher, handler = self.make(*keywords, **options), Waiting()
        self.add(dispatcher, handler)
        return dispatcher, handler

    def test_none(self) -> None:
        """Without an order, events are in flight together."""
        dispatcher, handler = self.waiting("user")
        for number in range(3):
            dispatcher.fire_event(number, user="bob")

        self.assertEqual(handler.events, [0, 1, 2])

    def test_all(self) -> None:
        """With order_by=() events are handled strictly one after another (E45)."""
        dispatcher, handler = self.waiting("user", order_by=())
        log: list[Any] = []
        self.add(dispatcher, log.append, "before")
        fires = [dispatcher.fire_event(number, user=number) for number in range(3)]
        for number in range(3):
            self.assertEqual(handler.events, list(range(number + 1)))
            self.assertEqual(log, handler.events)
            self.assertNoResult(fires[number])
            handler.pending[number].callback(number)
            self.assertEqual(self.successResultOf(fires[number]).values, [None, number])

    def test_by_keyword(self) -> None:
        """Events with equal values of the keywords wait for each other, others do not."""
        dispatcher, handler = self.waiting("user", "role", order_by=("user",))
        dispatcher.fire_event("bob 1", user="bob", role=1)
        dispatcher.fire_event("bob 2", user="bob", role=2)
        dispatcher.fire_event("eve 1", user="eve", role=1)
        self.assertEqual(handler.events, ["bob 1", "eve 1"])
        handler.pending[1].callback(None)
        self.assertEqual(handler.events, ["bob 1", "eve 1"])
        handler.pending[0].callback(None)

        self.assertEqual(handler.events, ["bob 1", "eve 1", "bob 2"])

    def test_by_two_keywords(self) -> None:
        """With two keywords both values must be equal for events to wait."""
        dispatcher, handler = self.waiting("user", "role", "size", order_by=("role", "user"))
        dispatcher.fire_event(1, user="bob", role="x", size=1)
        dispatcher.fire_event(2, user="bob", role="y", size=1)
        dispatcher.fire_event(3, user="eve", role="x", size=1)
        dispatcher.fire_event(4, user="bob", role="x", size=2)

        self.assertEqual(handler.events, [1, 2, 3])

    def test_left_out(self) -> None:
        """A keyword that is left out counts as a value of its own, apart from None."""
        dispatcher, handler = self.waiting("user", order_by=("user",))
        dispatcher.fire_event("nobody 1")
        dispatcher.fire_event("nobody 2")
        dispatcher.fire_event("None 1", user=None)
        dispatcher.fire_event("None 2", user=None)

        self.assertEqual(handler.events, ["nobody 1", "None 1"])

    def test_many_in_a_lane(self) -> None:
        """Events of one lane are handled in the order of firing, however they end."""
        dispatcher, handler = self.waiting("user", order_by=("user",))
        for number in range(6):
            dispatcher.fire_event(number, user="bob")
        for number in range(6):
            pending = handler.pending[number]
            pending.errback(ValueError()) if number % 2 else pending.callback(None)
        self.flushLoggedErrors(ValueError)

        self.assertEqual(handler.events, list(range(6)))

    def test_all_phases(self) -> None:
        """An event waits until the last phase of the one before it is done."""
        dispatcher, handler = self.waiting("user", order_by=())
        last = Waiting()
        self.add(dispatcher, last, "after")
        dispatcher.fire_event(1)
        dispatcher.fire_event(2)
        handler.pending[0].callback(None)
        self.assertEqual(handler.events, [1])
        last.pending[0].callback(None)

        self.assertEqual(handler.events, [1, 2])

    def test_at_once(self) -> None:
        """Events whose handlers answer at once do not wait for anything."""
        dispatcher = self.make("user", order_by=())
        handler = Recorder("value")
        self.add(dispatcher, handler)

        self.assertEqual([self.fire(dispatcher, n).values for n in range(3)], [["value"]] * 3)

    def test_nobody(self) -> None:
        """An event that nobody handles takes its place in the order as well."""
        dispatcher, handler = self.waiting("user", order_by=())
        handler_id = self.add(dispatcher, Recorder(), user="bob")
        dispatcher.fire_event(1)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        second = dispatcher.fire_event(2, user="bob")
        self.assertNoResult(second)
        handler.pending[0].callback(None)
        handler.pending[1].callback(None)

        self.successResultOf(second)

    def test_cancel_in_the_queue(self) -> None:
        """An event that is cancelled in the queue is never handled, and the next moves up."""
        dispatcher, handler = self.waiting("user", order_by=())
        fires = [dispatcher.fire_event(number) for number in range(4)]
        fires[1].cancel()
        self.failureResultOf(fires[1])
        self.assertEqual(handler.events, [0])
        handler.pending[0].callback(None)
        self.assertEqual(handler.events, [0, 2])
        fires[3].cancel()
        handler.pending[1].callback(None)

        self.failureResultOf(fires[3])
        self.assertEqual(handler.events, [0, 2])

    def test_cancel_the_first(self) -> None:
        """When the event that runs is cancelled, the next one starts."""
        dispatcher, handler = self.waiting("user", order_by=())
        first = dispatcher.fire_event(1)
        dispatcher.fire_event(2)
        first.cancel()
        self.failureResultOf(first)
        self.flushLoggedErrors()

        self.assertEqual(handler.events, [1, 2])

    def test_fire_from_the_result(self) -> None:
        """Who is told that an event is done may fire the next, and wait for it."""
        dispatcher, handler = self.waiting("user", order_by=())
        first = dispatcher.fire_event(1)
        first.addCallback(lambda _: dispatcher.fire_event(2))
        handler.pending[0].callback(None)
        self.assertNoResult(first)
        handler.pending[1].callback("value")

        self.assertEqual(self.successResultOf(first).values, ["value"])

    def test_chained_fires(self) -> None:
        """A coroutine that is no handler may wait for one event after the other."""
        dispatcher = self.make("user", order_by=())
        handler = Recorder()
        self.add(dispatcher, handler)

        async def fire_all() -> None:
            for number in range(2000):
                await dispatcher.fire_event(number)

        self.successResultOf(Deferred.fromCoroutine(fire_all()))

        self.assertEqual(handler.events, list(range(2000)))

    def test_handlers_at_the_time_of_firing(self) -> None:
        """A queued event is for the handlers that were there when it was fired (decision 5)."""
        dispatcher, handler = self.waiting("user", order_by=())
        late = Recorder()
        dispatcher.fire_event(1)
        dispatcher.fire_event(2)
        self.add(dispatcher, late)
        dispatcher.fire_event(3)
        for number in range(3):
            handler.pending[number].callback(None)

        self.assertEqual(late.events, [3])

    def test_handler_removed_meanwhile(self) -> None:
        """A handler that was removed is not started for an event that was queued before."""
        dispatcher = self.make("user", order_by=())
        handler, removed = Waiting(), Recorder()
        self.add(dispatcher, handler)
        handler_id = self.add(dispatcher, removed, "after")
        dispatcher.fire_event(1)
        second = dispatcher.fire_event(2)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        handler.pending[0].callback(None)
        handler.pending[1].callback(None)

        self.assertEqual(removed.events, [])
        self.assertEqual(len(self.successResultOf(second).outcomes), 1)

    def test_unhashable(self) -> None:
        """A detail that cannot be hashed fails its own fire alone."""
        dispatcher, handler = self.waiting("user", order_by=("user",))
        self.failureResultOf(dispatcher.fire_event(1, user=[]), errors.UnhashableValue)
        dispatcher.fire_event(2, user="bob")

        self.assertEqual(handler.events, [2])

    def test_failed_predicate(self) -> None:
        """A predicate that raises fails its handler, and the next event is handled."""
        dispatcher = self.make("size", order_by=())
        handler = Recorder()
        self.add(dispatcher, handler, size=Where(lambda size: size > 1))
        self.fire(dispatcher, 1, size="x")
        self.fire(dispatcher, 2, size=2)
        self.flushLoggedErrors(TypeError)

        self.assertEqual(handler.events, [2])

    def test_values_are_let_go(self) -> None:
        """Of the ever new values that events are ordered by, only a bounded number is kept."""
        dispatcher = self.make("user", order_by=("user",))
        self.add(dispatcher, lambda event: succeed(None))
        alive: weakref.WeakSet[Waiting] = weakref.WeakSet()
        for _ in range(30_000):
            value = Waiting()
            alive.add(value)
            dispatcher.fire_event(None, user=value)
        gc.collect()

        self.assertLess(len(alive), 10_000)


class UnwaitedTests(DispatcherTestCase):
    """A handler fires an event that queues behind its own, and does not wait (E46)."""

    def test_runs_after(self) -> None:
        """The inner event is handled after the outer one is finished (E46)."""
        dispatcher = self.make("user", order_by=())
        log: list[str] = []

        def outer(event: str) -> None:
            log.append(event)
            if event == "outer":
                dispatcher.fire_event("inner")

        self.add(dispatcher, outer, "before")
        self.add(dispatcher, lambda event: log.append(f"{event} ends"), "after")
        self.fire(dispatcher, "outer")
        self.clock.advance(0)

        self.assertEqual(log, ["outer", "outer ends", "inner", "inner ends"])

    def test_runs_after_a_slow_one(self) -> None:
        """The inner event is handled after the outer one has waited for its handlers (E46)."""
        dispatcher = self.make("user", order_by=())
        waiting, inner = Waiting(), Recorder()
        self.add(dispatcher, inner, user="inner")
        self.add(dispatcher, waiting, user="outer")
        self.add(
            dispatcher,
            lambda event: dispatcher.fire_event("inner", user="inner") and None,
            user="outer",
        )
        dispatcher.fire_event("outer", user="outer")
        self.clock.advance(1)
        self.assertEqual(inner.events, [])
        waiting.pending[0].callback(None)

        self.assertEqual(inner.events, ["inner"])

    def test_result_is_looked_at_later(self) -> None:
        """A callback on the inner event that nobody waits for is called when it is done."""
        dispatcher = self.make("user", order_by=())
        results: list[DispatchResult] = []

        def outer(event: str) -> None:
            dispatcher.fire_event("inner", user="inner").addCallback(results.append)

        self.add(dispatcher, lambda event: event, user="inner")
        self.add(dispatcher, outer, user="outer")
        self.fire(dispatcher, "outer", user="outer")
        self.clock.advance(0)

        self.assertEqual([result.values for result in results], [["inner"]])

    def test_in_a_coroutine(self) -> None:
        """A coroutine that goes on to wait for something else may have fired an inner event."""
        dispatcher = self.make("user", order_by=())
        inner = Recorder()

        async def outer(event: str) -> str:
            dispatcher.fire_event("inner", user="inner")
            await deferLater(self.clock, 5)
            return "done"

        self.add(dispatcher, inner, user="inner")
        self.add(dispatcher, outer, user="outer")
        firing = dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)
        self.clock.advance(5)

        self.assertEqual(self.successResultOf(firing).values, ["done"])
        self.assertEqual(inner.events, ["inner"])

    def test_background_coroutine(self) -> None:
        """A coroutine that a handler starts and leaves alone may wait for the inner event."""
        dispatcher = self.make("user", order_by=())
        log: list[Any] = []

        async def background() -> None:
            result = await dispatcher.fire_event("inner", user="inner")
            log.append(result.values)

        def outer(event: str) -> None:
            Deferred.fromCoroutine(background())

        self.add(dispatcher, lambda event: event, user="inner")
        self.add(dispatcher, outer, user="outer")
        self.fire(dispatcher, "outer", user="outer")
        self.clock.advance(0)

        self.assertEqual(log, [["inner"]])
