"""Cancelling a fire: what is pending is cancelled, what comes later does not start."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import formatEvent

from tests.dispatching import DispatcherTestCase, Recorder, Waiting
from twisted_dispatcher import DispatchResult, EventDispatcher


class CancellationTests(DispatcherTestCase):
    """Cancelling the Deferred that fire_event gave."""

    def setUp(self) -> None:
        """Make a dispatcher with a slow handler and one in a later phase."""
        super().setUp()
        self.dispatcher = self.make("user")
        self.slow, self.after = Waiting(), Recorder()
        self.add(self.dispatcher, self.slow)
        self.add(self.dispatcher, self.after, "after")

    def fire_and_cancel(self, dispatcher: EventDispatcher | None = None) -> Deferred[Any]:
        """Fire an event and cancel it."""
        firing = (dispatcher or self.dispatcher).fire_event("event")
        firing.cancel()
        return firing

    def test_fails(self) -> None:
        """The cancelled Deferred fails with a CancelledError."""
        self.failureResultOf(self.fire_and_cancel(), CancelledError)

    def test_cancels_what_is_pending(self) -> None:
        """Every handler that is being waited for is cancelled."""
        more = Waiting()
        self.add(self.dispatcher, more)
        self.failureResultOf(self.fire_and_cancel(), CancelledError)

        self.assertEqual(self.slow.cancelled, self.slow.pending)
        self.assertEqual(more.cancelled, more.pending)

    def test_leaves_what_is_done(self) -> None:
        """A handler that has finished is not touched."""
        more = Waiting()
        self.add(self.dispatcher, more)
        firing = self.dispatcher.fire_event("event")
        more.pending[0].callback("value")
        firing.cancel()
        self.failureResultOf(firing, CancelledError)

        self.assertEqual(more.cancelled, [])

    def test_no_later_phase(self) -> None:
        """Later phases do not start."""
        self.failureResultOf(self.fire_and_cancel(), CancelledError)

        self.assertEqual(self.after.events, [])

    def test_coroutine(self) -> None:
        """A coroutine is cancelled where it waits, and can clean up."""
        log: list[str] = []

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            finally:
                log.append("cleaned")

        self.add(self.dispatcher, handler)
        self.failureResultOf(self.fire_and_cancel(), CancelledError)

        self.assertEqual(log, ["cleaned"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_handler_swallows_it(self) -> None:
        """A handler that answers its cancellation with a value does not undo it."""

        async def handler(event: Any) -> str:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                return "value"
            return "never"

        dispatcher = self.make()
        after = Recorder()
        self.add(dispatcher, handler)
        self.add(dispatcher, after, "after")

        self.failureResultOf(self.fire_and_cancel(dispatcher), CancelledError)
        self.assertEqual(after.events, [])

    def test_handler_goes_on(self) -> None:
        """A handler that goes on in spite of its cancellation does not keep the caller waiting."""
        end: Deferred[None] = Deferred()

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                await end

        dispatcher = self.make()
        after = Recorder()
        self.add(dispatcher, handler)
        self.add(dispatcher, after, "after")
        self.failureResultOf(self.fire_and_cancel(dispatcher), CancelledError)
        end.callback(None)

        self.assertEqual(after.events, [])

    def test_stop_waits_for_handlers_that_go_on(self) -> None:
        """A stop waits for a handler that goes on in spite of its cancellation."""
        end: Deferred[None] = Deferred()

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                await end

        dispatcher = self.make()
        self.add(dispatcher, handler)
        self.failureResultOf(self.fire_and_cancel(dispatcher), CancelledError)
        stopping = dispatcher.stop()
        self.assertNoResult(stopping)
        end.callback(None)

        self.successResultOf(stopping)

    def test_handler_fails_of_it(self) -> None:
        """A handler that answers its cancellation with another error has that logged."""

        async def handler(event: Any) -> None:
            try:
                await deferLater(self.clock, 10)
            except CancelledError:
                raise ValueError("no") from None

        dispatcher = self.make()
        self.add(dispatcher, handler)
        self.failureResultOf(self.fire_and_cancel(dispatcher), CancelledError)

        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_nothing_is_left_unhandled(self) -> None:
        """A cancelled fire leaves no error in the log, now or at garbage collection."""
        logged = self.log_from_now()
        self.failureResultOf(self.fire_and_cancel(), CancelledError)
        self.slow.pending.clear()
        self.slow.cancelled.clear()
        gc.collect()

        self.assertEqual([str(formatEvent(event)) for event in logged], [])

    def test_other_events(self) -> None:
        """Other events go on, though the same handlers are concerned."""
        other = self.dispatcher.fire_event("other")
        self.failureResultOf(self.fire_and_cancel(), CancelledError)
        self.slow.pending[0].callback("value")

        self.assertEqual(self.successResultOf(other).values, ["value", None])
        self.assertEqual(self.after.events, ["other"])

    def test_twice(self) -> None:
        """Cancelling twice is harmless."""
        firing = self.fire_and_cancel()
        firing.cancel()

        self.failureResultOf(firing, CancelledError)

    def test_when_done(self) -> None:
        """Cancelling a fire that is done changes nothing."""
        firing = self.dispatcher.fire_event("event")
        self.slow.pending[0].callback("value")
        firing.cancel()

        self.assertEqual(self.successResultOf(firing).values, ["value", None])

    def test_when_done_at_once(self) -> None:
        """Cancelling a fire that was done at once changes nothing."""
        dispatcher = self.make()
        self.add(dispatcher, Recorder("value"))
        firing = dispatcher.fire_event("event")
        firing.cancel()

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_by_a_handler(self) -> None:
        """A handler may cancel its own event; then nothing of the event goes on."""
        fires: list[Deferred[DispatchResult]] = []
        dispatcher = self.make()
        waiting, canceller, after = Waiting(), Waiting(), Recorder()
        self.add(dispatcher, waiting, "before")
        self.add(dispatcher, lambda event: fires[0].cancel(), "during")
        self.add(dispatcher, canceller, "during")
        self.add(dispatcher, after, "after")
        fires.append(dispatcher.fire_event("event"))
        waiting.pending[0].callback(None)

        self.failureResultOf(fires[0], CancelledError)
        self.assertEqual(after.events, [])
        self.assertEqual(canceller.cancelled, canceller.pending)
        self.successResultOf(dispatcher.stop())

    def test_by_a_slow_handler(self) -> None:
        """A handler may cancel its own event from where it waits, without hanging."""
        fires: list[Deferred[DispatchResult]] = []
        dispatcher = self.make()
        after = Recorder()

        async def handler(event: Any) -> None:
            await deferLater(self.clock, 1)
            fires[0].cancel()

        self.add(dispatcher, handler)
        self.add(dispatcher, after, "after")
        fires.append(dispatcher.fire_event("event"))
        self.clock.advance(1)

        self.failureResultOf(fires[0], CancelledError)
        self.assertEqual(after.events, [])

    def test_nested(self) -> None:
        """Cancelling an event cancels the event that its handler waits for."""
        dispatcher = self.make("user")
        inner, inner_after, outer_after = Waiting(), Recorder(), Recorder()
        self.add(dispatcher, inner, user="inner")
        self.add(dispatcher, inner_after, "after", user="inner")
        self.add(
            dispatcher, lambda event: dispatcher.fire_event("inner", user="inner"), user="outer"
        )
        self.add(dispatcher, outer_after, "after", user="outer")
        firing = dispatcher.fire_event("outer", user="outer")
        firing.cancel()

        self.failureResultOf(firing, CancelledError)
        self.assertEqual(inner.cancelled, inner.pending)
        self.assertEqual((inner_after.events, outer_after.events), ([], []))
        self.successResultOf(dispatcher.stop())

    def test_nested_in_a_coroutine(self) -> None:
        """Cancelling an event cancels the event that its coroutine awaits."""
        dispatcher = self.make("user")
        inner = Waiting()
        seen: list[str] = []

        async def outer(event: Any) -> None:
            try:
                await dispatcher.fire_event("inner", user="inner")
            except CancelledError:
                seen.append("cancelled")
                raise

        self.add(dispatcher, inner, user="inner")
        self.add(dispatcher, outer, user="outer")
        firing = dispatcher.fire_event("outer", user="outer")
        firing.cancel()

        self.failureResultOf(firing, CancelledError)
        self.assertEqual(seen, ["cancelled"])
        self.assertEqual(inner.cancelled, inner.pending)

    def test_only_the_inner(self) -> None:
        """A handler may cancel an event that it has fired, and its own event goes on."""
        dispatcher = self.make("user")
        self.add(dispatcher, Waiting(), user="inner")

        async def outer(event: Any) -> str:
            inner = dispatcher.fire_event("inner", user="inner")
            self.clock.callLater(1, inner.cancel)
            try:
                await inner
            except CancelledError:
                return "mended"
            return "never"

        self.add(dispatcher, outer, user="outer")
        firing = dispatcher.fire_event("outer", user="outer")
        self.clock.advance(1)

        self.assertEqual(self.successResultOf(firing).values, ["mended"])

    def test_awaited_by_somebody(self) -> None:
        """Cancelling a coroutine that awaits a fire cancels the fire."""

        async def somebody() -> None:
            await self.dispatcher.fire_event("event")

        waiting = Deferred.fromCoroutine(somebody())
        waiting.cancel()

        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.slow.cancelled, self.slow.pending)

    def test_cancelling_handler_by_itself(self) -> None:
        """A handler whose own Deferred is cancelled by somebody else has failed."""
        firing = self.dispatcher.fire_event("event")
        self.slow.pending[0].cancel()
        (failure,) = self.successResultOf(firing).failures
        self.flushLoggedErrors(CancelledError)

        failure.trap(CancelledError)
        self.assertEqual(self.after.events, ["event"])

    def test_canceller_that_raises(self) -> None:
        """A handler whose canceller raises keeps neither the caller nor the others waiting."""

        def broken(deferred: Deferred[Any]) -> None:
            raise ValueError("no")

        dispatcher = self.make()
        other = Waiting()
        self.add(dispatcher, lambda event: Deferred(broken))
        self.add(dispatcher, other)
        firing = dispatcher.fire_event("event")
        try:
            firing.cancel()
        finally:
            self.flushLoggedErrors(ValueError)

        self.failureResultOf(firing, CancelledError)
        self.assertEqual(other.cancelled, other.pending)

    def test_during_a_callback_chain(self) -> None:
        """A handler whose Deferred waits for another one has that one cancelled."""
        inner: list[Deferred[Any]] = []
        pending: Deferred[None] = Deferred(inner.append)
        dispatcher = self.make()
        self.add(dispatcher, lambda event: succeed(None).addCallback(lambda _: pending))
        self.failureResultOf(self.fire_and_cancel(dispatcher), CancelledError)

        self.assertEqual(inner, [pending])
