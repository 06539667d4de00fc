"""Streams of all kinds, held against a model of what becomes of them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.durable import EPOCH
from twisted_dispatcher import DurableDispatcher, Event, HandlerOptions, RetryPolicy, open_store
from twisted_dispatcher.durable.departures import Departure
from twisted_dispatcher.errors import NotRunning, NotStorable, SourceBroke
from twisted_dispatcher.records import Accepted, NewEvent
from twisted_dispatcher.sources import EventSources, SourceReport, event, streams
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump


class Oops(Exception):
    """What handlers and sources raise here."""


# Two groups whose keys may be the same, and what is no declaration.
DECLARATIONS = st.one_of(
    st.builds(event, st.just("a"), st.sampled_from(["1", "2", "b_1", "b_2"])),
    st.builds(event, st.just("a_b"), st.sampled_from(["1", "2"])),
    st.builds(event, st.just("fails"), st.integers(1, 3)),
    st.just({"group": "a"}),
    st.builds(event, st.just("a"), st.just("3"), st.just({"x": object()})),
)


async def asynchronous(items: Iterable[Any]) -> AsyncIterator[Any]:
    """Give items in another way."""
    for item in items:
        yield item


def predicted(stream: list[Any], groups: dict[str, str]) -> SourceReport:
    """Say what becomes of a stream that is handled to its end, given the groups of known keys."""
    report = SourceReport()
    for each in stream:
        key, group = each.get("key"), each["group"]
        if key is None or (key not in groups and "x" in each["context"]):
            report.refused += 1
        elif key not in groups:
            groups[key] = group
            report.recorded += 1
            if group == "fails":
                report.failed += 1
            else:
                report.handled += 1
        elif groups[key] != group:
            report.collisions += 1
        else:
            report.known += 1
    return report


class Scene:
    """A dispatcher in memory, whose handler notes keys, and fails for one group."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.store = open_store("sqlite://", reactor=self.clock)
        self.dispatcher, _ = clocked_durable_dispatcher(store=self.store, clock=self.clock)
        self.sources = EventSources(self.dispatcher)
        self.handled: list[str] = []
        self.sources.register_group_handler(
            handler=self.handle,
            group="",
            options=HandlerOptions(name="handle", retry=RetryPolicy(max_attempts=1)),
        )

    def handle(self, given_event: Event) -> None:
        """Note a key."""
        self.handled.append(given_event.key or "")
        if given_event.group == "fails":
            raise Oops("on purpose")

    def process(self, events: Any, **options: Any) -> SourceReport:
        """Give the report of a stream."""
        return pump(self.clock, self.sources.process_events(events, **options))


class ModelTests(SynchronousTestCase):
    """What is reported is what the model says, whatever the window and the kind of iterable."""

    @settings(max_examples=80, deadline=None)
    @given(
        st.lists(st.lists(DECLARATIONS, max_size=12), min_size=1, max_size=3),
        st.integers(1, 6),
        st.booleans(),
        st.booleans(),
    )
    def test_reports(
        self, all_streams: list[list[Any]], window: int, is_async: bool, is_wrapped: bool
    ) -> None:
        """One stream after the other, of new, known, colliding, failing and bad events."""
        scene = Scene()
        groups: dict[str, str] = {}
        for stream in all_streams:
            events: Any = asynchronous(stream) if is_async else stream
            if is_wrapped:
                events = scene.sources.only_new_events(events)

            report = scene.process(events, window=window)
            self.flushLoggedErrors()

            report.problems.clear()
            wanted = predicted_in_windows(stream, groups)
            self.assertEqual(report, wanted)
            self.assertEqual(report.events, len(stream))
        self.assertEqual(sorted(scene.handled), sorted(groups))

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 30), st.integers(1, 8), st.integers(0, 120))
    def test_cancelled_anywhere(self, count: int, window: int, steps: int) -> None:
        """Cancelled at whatever time, and processed again: each event is handled once."""
        scene = Scene()
        stream = [event("a", number) for number in range(count)]
        doing = scene.sources.process_events(iter(stream), window=window)
        for _ in range(steps):
            scene.clock.advance(0)
        doing.addErrback(lambda failure: failure.trap(CancelledError))
        doing.cancel()
        pump(scene.clock, doing)

        report = scene.process(stream, window=window)

        self.assertEqual(report.recorded + report.known, count)
        pump(scene.clock, scene.dispatcher.stop())
        self.assertEqual(sorted(scene.handled), sorted(each["key"] for each in stream))


def predicted_in_windows(stream: list[Any], groups: dict[str, str]) -> SourceReport:
    """Say what the model says; what cannot be written is refused, also where the key is known."""
    good = [each for each in stream if "x" not in each.get("context", ())]
    report = predicted(good, groups)
    report.refused += len(stream) - len(good)
    return report


class LeavingNothingTests(SynchronousTestCase):
    """What a stream of many events leaves in memory, while it is processed and afterwards."""

    def test_no_more_than_the_window(self) -> None:
        """While thousands of events go by, no more of them are known than are under way."""
        scene = Scene()
        most = 0
        journeys = scene.dispatcher.backstage._departures.journeys

        def watched() -> Iterator[Any]:
            nonlocal most
            for number in range(3000):
                if number % 100 == 0:
                    most = max(most, len(journeys.known))
                yield event("a", number)

        report = scene.process(watched(), window=50)

        self.assertEqual(report.handled, 3000)
        self.assertLessEqual(most, 50)
        self.assertEqual(len(journeys.known), 0)
        gc.collect()
        left = [each for each in gc.get_objects() if isinstance(each, Departure)]
        self.assertLess(len(left), 60)

    def test_known_ones(self) -> None:
        """Events that are known leave nothing behind, either."""
        scene = Scene()
        stream = [event("a", number) for number in range(500)]
        scene.process(stream, window=50)

        report = scene.process(stream, window=50)

        self.assertEqual(report.known, 500)
        self.assertEqual(len(scene.dispatcher.backstage._departures.journeys.known), 0)

    def test_a_turn_for_the_reactor(self) -> None:
        """A sweep whose sources have nothing to say still lets the reactor have its turn."""
        self.patch(streams, "TURN", 0.0)
        scene = Scene()
        scene.sources.register_source(sender="n", source=lambda n: [], objects=range(50))
        turns: list[float] = []

        def later(clock: Any, delay: float) -> Deferred[None]:
            turns.append(delay)
            return deferLater(clock, delay)

        self.patch(streams, "deferLater", later)

        pump(scene.clock, scene.sources.sweep())

        self.assertEqual(turns, [0] * 50)


class OddTests(SynchronousTestCase):
    """Odd sources, and odd answers of a store."""

    def test_a_generator_that_raises_at_its_end(self) -> None:
        """A generator that raises when it is closed is reported."""
        scene = Scene()

        async def stubborn() -> AsyncIterator[Any]:
            try:
                yield event("a", 1)
            finally:
                raise Oops("at the end")

        new = scene.sources.only_new_events(stubborn())
        pump(scene.clock, Deferred.fromCoroutine(new.__anext__()))

        error = self.failureResultOf(Deferred.fromCoroutine(new.aclose()), SourceBroke)
        self.assertIsInstance(error.value.__cause__, Oops)

    def test_a_bad_end_hides_nothing(self) -> None:
        """What the store fails with is told, also where the generator raises when it is closed."""
        scene = Scene()

        def stubborn() -> Iterator[Any]:
            try:
                yield event("a", 1)
                yield event("a", 2)
            finally:
                raise Oops("at the end")

        pump(scene.clock, scene.dispatcher.stop())
        doing = scene.sources.process_events(stubborn())

        self.assertRaises(NotRunning, pump, scene.clock, doing)
        self.assertEqual(len(self.flushLoggedErrors(SourceBroke)), 1)

    def test_sources_whose_deferreds_fail(self) -> None:
        """A Deferred that fails is reported; one that is cancelled ends the sweep."""
        scene = Scene()
        scene.sources.register_source(
            sender="n", source=lambda n: fail(Oops("here")), objects=[1, 2]
        )
        report = pump(scene.clock, scene.sources.sweep())
        self.assertEqual((report.broken, report.objects), (2, 2))
        self.flushLoggedErrors(SourceBroke)

        cancelled: Deferred[Any] = Deferred()
        cancelled.cancel()
        scene.sources.register_source(sender="c", source=lambda n: cancelled, objects=[1])
        doing = scene.sources.sweep("c")
        self.assertRaises(CancelledError, pump, scene.clock, doing)

    def test_what_a_database_cannot_hold(self) -> None:
        """An event that the database cannot hold is refused, and those beside it are recorded."""
        scene = Scene()
        store: Any = scene.store
        accept_one = store.accept_one

        def picky(new: NewEvent, worker: Any, now: float, answer: Any) -> None:
            if new.key == "a_2":
                answer(Failure(NotStorable("a zero character")))
            else:
                accept_one(new, worker, now, cast("Accepted", answer))

        self.patch(store, "accept_one", picky)

        dispatcher = DurableDispatcher(store, clock=scene.clock)
        dispatcher.start()
        pump(scene.clock, dispatcher.when_ready())
        doing = EventSources(dispatcher).process_events(
            [event("a", number) for number in (1, 2, 3)], window=3
        )
        report = pump(scene.clock, doing)

        self.assertEqual((report.recorded, report.refused), (2, 1))
        self.assertEqual(report.problems[0].key, "a_2")
        self.flushLoggedErrors(NotStorable)

    def test_keys_of_what_is_bad(self) -> None:
        """Where something bad has a key, the report has it; a key that is none is left out."""
        scene = Scene()

        report = scene.process([{"key": "k"}, {"key": 5, "group": "g"}, "text"])

        self.assertEqual([each.key for each in report.problems], ["k", None, None])
        self.flushLoggedErrors()

    def test_what_is_shown_of_them(self) -> None:
        """Their text says whose sources they are."""
        self.assertIn("DurableDispatcher for group: running", repr(Scene().sources))
