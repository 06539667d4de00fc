"""Sources of events: recorded once by key, handled to the end, and what is reported."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.durable import ONCE, DurableTests, Link, Process, attempts, on_stores
from twisted_dispatcher import DurableDispatcher, Event, EventDispatcher, HandlerOptions
from twisted_dispatcher.errors import (
    InvalidDeclaration,
    InvalidOptions,
    InvalidSource,
    KeyCollision,
    NameTaken,
    NotCallable,
    NotEncodable,
    NotRunning,
    SourceBroke,
    SourcesNeedStore,
    StoreUnavailable,
    UnknownPhase,
    WouldDeadlock,
)
from twisted_dispatcher.sources import EventSources, NewEvents, SourceReport, event
from twisted_dispatcher.testing import clocked_durable_dispatcher


class Oops(Exception):
    """What handlers and sources raise here."""


def numbered(count: int, log: list[str] | None = None, group: str = "a") -> Iterator[Any]:
    """Give events with numbers, and log each that is made."""
    for number in range(count):
        if log is not None:
            log.append(f"make {number}")
        yield event(group, number, {"n": number})


async def later(items: Iterable[Any], *, log: list[str] | None = None) -> AsyncIterator[Any]:
    """Give items, and log the end."""
    try:
        for item in items:
            yield item
    finally:
        if log is not None:
            log.append("closed")


class SourcesTestsBase(DurableTests):
    """What the tests have in common: a dispatcher, its sources, and what was handled."""

    def handle(self, given: Event) -> None:
        """Note an event."""
        self.handled.append(given.key or "")

    async def sources(self, group: str | None = "", **options: Any) -> EventSources:
        """Give the sources of a dispatcher that was started, which handle a group."""
        self.handled: list[str] = []
        sources = EventSources(await self.started(**options))
        if group is not None:
            sources.register_group_handler(handler=self.handle, group=group)
        return sources

    async def reported(self, doing: Deferred[SourceReport]) -> SourceReport:
        """Give the report of a stream."""
        return await self.result(doing)


class ProcessingTests(SourcesTestsBase):
    """`EventSources.process_events`."""

    async def test_each_event_is_recorded_and_handled(self) -> None:
        """New events are recorded, and are handled when the Deferred fires."""
        sources = await self.sources()

        report = await self.reported(sources.process_events(numbered(3)))

        self.assertEqual(self.handled, ["a_0", "a_1", "a_2"])
        self.assertEqual(report, SourceReport(recorded=3, handled=3))

    async def test_processed_again(self) -> None:
        """What was processed before is known, and not handled again (S06, S24)."""
        sources = await self.sources()
        await self.reported(sources.process_events(numbered(3)))

        report = await self.reported(sources.process_events(numbered(4)))

        self.assertEqual(self.handled, ["a_0", "a_1", "a_2", "a_3"])
        self.assertEqual(report, SourceReport(recorded=1, known=3, handled=1))

    async def test_one_key_twice(self) -> None:
        """A key that comes twice in a stream is handled once, whatever the window (S23)."""
        sources = await self.sources()
        for window, group in ((1, "a"), (5, "b")):
            self.handled.clear()
            twice = [*numbered(1, group=group), *numbered(2, group=group)]

            report = await self.reported(sources.process_events(twice, window=window))

            self.assertEqual(self.handled, [f"{group}_0", f"{group}_1"])
            self.assertEqual((report.recorded, report.known), (2, 1))

    async def test_wrapped(self) -> None:
        """What is wrapped in only_new_events is processed like the stream itself (S22)."""
        sources = await self.sources()
        await self.reported(sources.process_events(numbered(2)))

        report = await self.reported(
            sources.process_events(sources.only_new_events(numbered(4)), window=3)
        )

        self.assertEqual(self.handled, ["a_0", "a_1", "a_2", "a_3"])
        self.assertEqual(report, SourceReport(recorded=2, known=2, handled=2))

    async def test_wrapped_by_others(self) -> None:
        """What was wrapped by the sources of another dispatcher is a stream like any other."""
        sources = await self.sources()
        link = cast(Link, sources.dispatcher.backstage.store)
        others = EventSources(self.make(link=link, worker=False))
        await self.start(others.dispatcher)
        await self.reported(sources.process_events(numbered(2)))

        report = await self.reported(sources.process_events(others.only_new_events(numbered(3))))

        self.assertEqual((report.recorded, report.known), (0, 1))
        await self.until_settled(sources.dispatcher)
        self.assertEqual(self.handled, ["a_0", "a_1", "a_2"])

    async def test_lazily(self) -> None:
        """By default each event is handled before the next one is made (S21)."""
        sources = await self.sources(group=None)
        log: list[str] = []
        sources.register_group_handler(
            handler=lambda given: log.append(f"handle {given['n']}"),
            group="a",
            options=HandlerOptions(name="log"),
        )

        await self.reported(sources.process_events(sources.only_new_events(numbered(3, log))))

        self.assertEqual(log, ["make 0", "handle 0", "make 1", "handle 1", "make 2", "handle 2"])

    async def test_not_more_than_the_window(self) -> None:
        """No more events are under way than the window holds, and no more are made."""
        sources = await self.sources(group=None)
        waiting: list[Deferred[None]] = []

        async def wait(given: Event) -> None:
            waiting.append(Deferred())
            await waiting[-1]

        sources.register_group_handler(handler=wait, group="")
        log: list[str] = []
        doing = sources.process_events(numbered(10, log), window=4)
        await self.quiet()
        self.assertEqual((len(waiting), len(log)), (4, 4))

        waiting[0].callback(None)
        await self.quiet()
        self.assertEqual(len(log), 4)
        waiting[1].callback(None)
        await self.quiet()
        self.assertEqual((len(waiting), len(log)), (6, 6))
        for _ in range(10):
            for each in waiting:
                if not each.called:
                    each.callback(None)
            await self.quiet()

        self.assertEqual((await self.reported(doing)).handled, 10)

    async def test_many_by_one_commit(self) -> None:
        """What is in the window is asked of the store in one turn."""
        sources = await self.sources(group=None)
        link: Any = sources.dispatcher.backstage.store
        doing = sources.process_events(numbered(50), window=50)

        self.assertEqual(link.asked.count("accept"), 50)
        await self.reported(doing)

    async def test_both_forms(self) -> None:
        """Handlers find data beside group and key, and in the context (S03, S04)."""
        sources = await self.sources(group=None)
        found: list[Any] = []

        def look(given: Event) -> None:
            found.append((given["x"], given["context"]["x"], given["group"], given["key"]))

        sources.register_group_handler(handler=look, group="")
        stream = [event("a", 1, {"x": 1}), {"group": "b", "key": "k", "x": 2}]

        await self.reported(sources.process_events(stream))

        self.assertEqual(found, [(1, 1, "a", "a_1"), (2, 2, "b", "k")])

    async def test_asynchronous(self) -> None:
        """An asynchronous iterable is processed as a plain one is."""
        sources = await self.sources()
        log: list[str] = []

        report = await self.reported(sources.process_events(later(numbered(5), log=log), window=2))

        self.assertEqual(report, SourceReport(recorded=5, handled=5))
        self.assertEqual(log, ["closed"])

    async def test_a_slow_source(self) -> None:
        """What a source has given is recorded before the source is waited for."""
        sources = await self.sources()
        more: Deferred[None] = Deferred()

        async def slow() -> AsyncIterator[Any]:
            yield event("a", 1)
            await more
            yield event("a", 2)

        doing = sources.process_events(slow(), window=10)
        await self.quiet()
        self.assertEqual(self.handled, ["a_1"])
        more.callback(None)

        self.assertEqual((await self.reported(doing)).handled, 2)

    async def test_without_a_handler(self) -> None:
        """An event that nobody handles is recorded (S28)."""
        sources = await self.sources(group="^b")

        first = await self.reported(sources.process_events(numbered(1)))
        again = await self.reported(sources.process_events(numbered(1)))

        self.assertEqual((first.recorded, again.known, self.handled), (1, 1, []))

    async def test_known_and_not_settled(self) -> None:
        """Events that are recorded, and still under way, are waited for."""
        sources = await self.sources(group=None)
        waiting: Deferred[None] = Deferred()

        async def wait(given: Event) -> None:
            await waiting

        sources.register_group_handler(handler=wait, group="")
        new = await self.result(sources.only_new_events(numbered(2)).collect())
        doing = sources.process_events(new, window=2)
        await self.pass_time(5)
        self.assertFalse(doing.called)
        waiting.callback(None)

        report = await self.reported(doing)

        self.assertEqual(report, SourceReport(known=2, handled=2))

    async def test_where_others_work(self) -> None:
        """What is recorded where nothing is run is waited for until a worker has handled it."""
        link = self.connect()
        sources = EventSources(self.make(link=link, worker=False))
        await self.start(sources.dispatcher)
        handled: list[str] = []
        worker = EventSources(self.make(link=link))
        worker.register_group_handler(
            handler=lambda given: handled.append(given.key),
            group="",
            options=HandlerOptions(name="note"),
        )
        doing = sources.process_events(numbered(2), window=2)
        await self.pass_time(5)
        self.assertFalse(doing.called)
        await self.start(worker.dispatcher)

        report = await self.reported(doing)

        self.assertEqual((report.handled, sorted(handled)), (2, ["a_0", "a_1"]))

    async def test_a_limit(self) -> None:
        """An event holds up the stream no longer than the timeout; it goes on by itself."""
        sources = await self.sources(group=None)
        waiting: Deferred[None] = Deferred()

        async def wait(given: Event) -> None:
            if given["n"] == 0:
                await waiting

        sources.register_group_handler(handler=wait, group="")
        doing = sources.process_events(numbered(3), timeout=10)
        await self.pass_time(9)
        self.assertFalse(doing.called)

        report = await self.reported(doing)

        self.assertEqual(report, SourceReport(recorded=3, handled=2, unfinished=1))
        waiting.callback(None)
        await self.until_settled(sources.dispatcher)

    async def test_details(self) -> None:
        """Handlers beside the sources' match by the group, and by what is in the context."""
        sources = await self.sources(group=None)
        sources.dispatcher.allow_keyword("user")
        seen: list[str] = []

        async def see(given: Event) -> None:
            seen.append(given["user"])

        self.add(sources.dispatcher, see, "after", {"group": "a", "user": "ann"})
        stream = [event("a", 1, {"user": "ann"}), event("a", 2, {"user": "bob"})]

        await self.reported(sources.process_events(stream))

        self.assertEqual(seen, ["ann"])

    async def test_not_running(self) -> None:
        """Nothing is taken from a source where the dispatcher does not run."""
        sources = EventSources(self.make())
        log: list[str] = []

        with self.assertRaises(NotRunning):
            await self.result(sources.process_events(numbered(3, log)))

        self.assertEqual(log, ["make 0"])

    async def test_misuse(self) -> None:
        """A window or a timeout that is none, and what cannot be iterated over, are refused."""
        sources = await self.sources()

        for window in (0, -1, 1.5, True, "5"):
            with self.assertRaises(InvalidOptions):
                sources.process_events([], window=window)  # type: ignore[arg-type]
        with self.assertRaises(InvalidOptions):
            sources.process_events([], timeout=-1)
        for events in (None, event("a", 1), "a_1"):
            with self.assertRaises(InvalidSource):
                sources.process_events(events)  # type: ignore[arg-type]

    async def test_awaitable(self) -> None:
        """What has to be waited for is no stream, and is refused before it is gone through."""
        sources = await self.sources()
        unfired: Deferred[Any] = Deferred()

        async def given() -> Any:
            return numbered(1)

        for events in (unfired, succeed([event("a", 1)]), given()):
            for process in (sources.process_events, sources.only_new_events):
                with self.assertRaisesRegex(InvalidSource, "await it"):
                    process(events)  # type: ignore[arg-type]


class TroubleTests(SourcesTestsBase):
    """What goes wrong with one event, or one source, and the rest that goes on."""

    async def assertRefused(self, bad: Any, kind: type[Exception], words: str) -> None:
        """Fail unless one event is refused and reported, and those around it are handled."""
        sources = await self.sources()
        for window in (1, 10):
            self.handled.clear()
            stream = [event("a", f"{window} 1"), bad, event("a", f"{window} 2")]

            report = await self.reported(sources.process_events(stream, window=window))

            self.assertEqual(self.handled, [f"a_{window} 1", f"a_{window} 2"])
            self.assertEqual((report.recorded, report.refused), (2, 1))
            [problem] = report.problems
            self.assertIsInstance(problem.error, kind)
            self.assertIn(words, str(problem.error))
            self.assertEqual(problem.source, "list")
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
            self.assertRaises(kind, report.raise_for_problems)

    async def test_no_declaration(self) -> None:
        """What declares no event is refused."""
        await self.assertRefused({"group": "a"}, InvalidDeclaration, "'key'")

    async def test_no_mapping(self) -> None:
        """What is not even a mapping is refused."""
        await self.assertRefused(None, InvalidDeclaration, "NoneType")

    async def test_not_encodable(self) -> None:
        """A context that cannot be written down is refused, with the culprit's path (S09)."""
        bad = event("a", 3, {"lines": [1, {"price": object()}]})

        await self.assertRefused(bad, NotEncodable, 'context["lines"][1]["price"]')

    async def test_a_key_that_is_too_long(self) -> None:
        """A key that no store takes is refused (S08)."""
        await self.assertRefused(event("a", "x" * 1000), ValueError, "1 to 500 characters")

    async def test_collision(self) -> None:
        """The same key under another group is a collision, and no duplicate (S10)."""
        sources = await self.sources()
        stream = [event("a", "1_2"), event("a_1", "2"), event("a", "3")]

        for recorded in (2, 0):
            report = await self.reported(sources.process_events(stream))
            self.assertEqual(
                (report.recorded, report.known, report.collisions), (recorded, 2 - recorded, 1)
            )
            [problem] = report.problems
            assert isinstance(problem.error, KeyCollision)
            self.assertEqual(
                (problem.error.key, problem.error.group, problem.error.known_group),
                ("a_1_2", "a_1", "a"),
            )
            self.assertEqual(len(self.flushLoggedErrors(KeyCollision)), 1)
            self.assertFalse(report.is_clean)

        self.assertEqual(self.handled, ["a_1_2", "a_3"])

    async def test_collision_in_one_window(self) -> None:
        """A collision is seen where both events are recorded together, too."""
        sources = await self.sources()

        report = await self.reported(
            sources.process_events([event("a", "1_2"), event("a_1", "2")], window=5)
        )

        self.assertEqual((report.recorded, report.collisions), (1, 1))
        self.flushLoggedErrors(KeyCollision)

    async def test_collision_after_the_payload_is_gone(self) -> None:
        """The group of an event whose payload was deleted is still known (S10)."""
        sources = await self.sources(keep_payloads=10)
        await self.reported(sources.process_events([event("a", "1_2")]))
        await self.pass_time(4000, 60)
        [stored] = await self.result(sources.dispatcher.backstage.store.events())
        self.assertIsNone(stored.body)

        report = await self.reported(sources.process_events([event("a_1", "2")]))

        self.assertEqual(report.collisions, 1)
        self.flushLoggedErrors(KeyCollision)

    async def test_the_same_key_from_elsewhere(self) -> None:
        """An event without a group that has the key makes it known."""
        sources = await self.sources()
        await self.result(sources.dispatcher.accept_event("x", key="a_0"))

        report = await self.reported(sources.process_events(numbered(1)))

        self.assertEqual((report.known, report.is_clean), (1, True))

    async def test_a_source_that_raises(self) -> None:
        """What a source gave before it raised is handled, and the report names it."""
        sources = await self.sources()
        for window in (1, 10):
            self.handled.clear()

            def broken(window: int = window) -> Iterator[Any]:
                yield event("a", window)
                raise Oops("here")

            report = await self.reported(sources.process_events(broken(), window=window))

            self.assertEqual(self.handled, [f"a_{window}"])
            self.assertEqual((report.recorded, report.handled, report.broken), (1, 1, 1))
            [problem] = report.problems
            self.assertIn("broken", problem.source)
            self.assertIsInstance(problem.error.__cause__, Oops)
            self.assertEqual(len(self.flushLoggedErrors(SourceBroke)), 1)

    async def test_an_asynchronous_source_that_raises(self) -> None:
        """It is the same with a source that is asynchronous."""
        sources = await self.sources()

        async def broken() -> AsyncIterator[Any]:
            yield event("a", 1)
            raise Oops("here")

        report = await self.reported(sources.process_events(broken(), window=10))

        self.assertEqual((self.handled, report.broken), (["a_1"], 1))
        self.flushLoggedErrors(SourceBroke)

    async def test_a_handler_that_fails(self) -> None:
        """A handler that fails stops neither others nor the stream, and is not lost (S29)."""
        sources = await self.sources(group=None)

        def fail(given: Event) -> None:
            raise Oops("here")

        sources.register_group_handler(
            handler=fail, group="", options=HandlerOptions(name="fail", retry=ONCE)
        )
        sources.register_group_handler(handler=self.handle, group="")

        report = await self.reported(sources.process_events(numbered(3)))

        self.assertEqual(report, SourceReport(recorded=3, failed=3))
        self.assertEqual(self.handled, ["a_0", "a_1", "a_2"])
        dead = await self.result(sources.dispatcher.deliveries("dead"))
        self.assertEqual([each.key for each in dead], ["a_2", "a_1", "a_0"])
        self.flushLoggedErrors(Oops)

    async def test_a_handler_that_is_tried_again(self) -> None:
        """A handler is tried again as its options say, and the event counts as handled then."""
        sources = await self.sources(group=None)
        calls: list[str] = []

        def fail_once(given: Event) -> None:
            calls.append(given.key or "")
            if calls.count(given.key or "") == 1:
                raise Oops("here")

        sources.register_group_handler(
            handler=fail_once, group="", options=HandlerOptions(name="f", retry=attempts(3))
        )

        report = await self.reported(sources.process_events(numbered(2)))

        self.assertEqual(report, SourceReport(recorded=2, handled=2))
        self.assertEqual(calls, ["a_0", "a_0", "a_1", "a_1"])

    async def test_a_store_that_is_away(self) -> None:
        """Where the store takes nothing the stream ends, and nothing is known then (S07)."""
        sources = await self.sources()
        link: Any = sources.dispatcher.backstage.store
        log: list[str] = []
        link.away = StoreUnavailable("away")

        with self.assertRaises(StoreUnavailable):
            await self.result(sources.process_events(numbered(9, log), window=3))

        link.away = None
        self.assertEqual(len(log), 3)
        self.flushLoggedErrors(StoreUnavailable)
        report = await self.reported(sources.process_events(numbered(9)))
        self.assertEqual(report.handled, 9)

    async def test_many_problems(self) -> None:
        """Of very many problems the first hundred are kept and logged, and all are counted."""
        sources = await self.sources()
        logged = self.log_from_now()

        report = await self.reported(sources.process_events([None] * 150, window=10))

        self.assertEqual((report.refused, len(report.problems)), (150, 100))
        self.assertEqual(len(self.flushLoggedErrors(InvalidDeclaration)), 100)
        told = [each for each in logged if "counted" in (each.get("log_format") or "")]
        self.assertEqual(len(told), 1)

    async def test_no_payload_in_the_log(self) -> None:
        """What is logged of a bad event names its key and its source, and nothing of its data."""
        sources = await self.sources()
        logged = self.log_from_now()

        await self.reported(
            sources.process_events([event("a", 1, {"password": ["secret", object()]})])
        )

        [told] = [each for each in logged if each.get("log_failure")]
        self.assertEqual((told["key"], told["source"]), ("a_1", "list"))
        self.assertNotIn("secret", str(told["log_failure"].value))
        self.flushLoggedErrors(NotEncodable)


class StoppingTests(SourcesTestsBase):
    """Streams that end before their end."""

    async def waiting_sources(self) -> tuple[EventSources, list[Deferred[None]]]:
        """Give sources whose handler waits."""
        sources = await self.sources(group=None)
        waiting: list[Deferred[None]] = []

        async def wait(given: Event) -> None:
            waiting.append(Deferred())
            await waiting[-1]

        sources.register_group_handler(handler=wait, group="")
        return sources, waiting

    async def test_cancelled(self) -> None:
        """Cancelling ends the stream and closes the generator; what is recorded goes on."""
        sources, waiting = await self.waiting_sources()
        for window, group in ((1, "a"), (3, "b")):
            waiting.clear()
            log: list[str] = []

            def stream(log: list[str] = log, group: str = group) -> Iterator[Any]:
                try:
                    yield from numbered(10, group=group)
                finally:
                    log.append("closed")

            doing = sources.process_events(stream(), window=window)
            await self.quiet()
            self.assertEqual((len(waiting), log), (window, []))
            doing.cancel()

            with self.assertRaises(CancelledError):
                await self.result(doing)

            self.assertEqual(log, ["closed"])
            for each in waiting:
                each.callback(None)
            await self.until_settled(sources.dispatcher)
        events = await self.result(sources.dispatcher.backstage.store.events())
        self.assertEqual(len(events), 4)

    async def test_cancelled_while_the_store_is_asked(self) -> None:
        """What was on its way to the store when the stream was cancelled is handled."""
        sources = await self.sources()
        doing = sources.process_events(numbered(10), window=3)
        doing.cancel()

        with self.assertRaises(CancelledError):
            await self.result(doing)

        await self.until_settled(sources.dispatcher)
        self.assertIn(len(self.handled), (0, 3))

    async def test_cancelled_while_a_source_is_waited_for(self) -> None:
        """A source that is waited for is cancelled."""
        sources = await self.sources()
        log: list[str] = []
        never: Deferred[None] = Deferred()

        async def slow() -> AsyncIterator[Any]:
            try:
                yield event("a", 1)
                await never
            finally:
                log.append("closed")

        doing = sources.process_events(slow(), window=10)
        await self.quiet()
        doing.cancel()

        with self.assertRaises(CancelledError):
            await self.result(doing)

        self.assertEqual((log, self.handled), (["closed"], ["a_1"]))

    async def test_the_dispatcher_stops(self) -> None:
        """Where the dispatcher is stopped the stream ends; its events go on with the next one."""
        sources, waiting = await self.waiting_sources()
        doing = sources.process_events(numbered(5))
        await self.quiet()
        stopping = sources.dispatcher.stop()
        await self.pass_time(60)

        with self.assertRaises(NotRunning):
            await self.result(doing)

        await self.result(stopping)
        self.assertEqual(len(waiting), 1)

    async def test_within_a_handler(self) -> None:
        """A handler may process the very stream that its own event is in."""
        sources = await self.sources(group=None)
        reports: list[SourceReport] = []

        async def again(given: Event) -> None:
            reports.append(await sources.process_events(numbered(3), window=2))

        sources.register_group_handler(handler=again, group="")

        report = await self.reported(sources.process_events(numbered(3)))

        self.assertEqual((report.recorded, report.known, report.handled), (1, 2, 1))
        self.assertEqual(sum(each.recorded for each in reports), 2)

    async def followed(
        self, window: int, limit: int | None = None, **options: Any
    ) -> SourceReport:
        """Give the report of a stream that a handler waits for, which it must handle itself."""
        sources = await self.sources(group=None, **options)
        reports: list[SourceReport] = []

        async def follow(given: Event) -> None:
            if given.group == "a":
                stream = numbered(3, group="b")
                reports.append(await sources.process_events(stream, window=window))

        sources.register_group_handler(
            handler=follow,
            group="",
            options=HandlerOptions(name="follow", concurrency=limit, retry=ONCE),
        )
        report = await self.reported(sources.process_events(numbered(1)))
        self.assertEqual(report, SourceReport(recorded=1, handled=1))
        await self.until_settled(sources.dispatcher)
        return reports[0]

    async def test_behind_its_own_event(self) -> None:
        """Where events are in order, a handler waits for none that is behind its own."""
        for window in (1, 3):
            self.url = self.backend.new_url(cast(Any, self))

            report = await self.followed(window, order_by=())

            self.assertEqual(report, SourceReport(recorded=3, unfinished=3))

    async def test_behind_its_own_run(self) -> None:
        """A handler that can run but once at a time, and waits for its next run, is told so."""
        for window in (1, 3):
            self.url = self.backend.new_url(cast(Any, self))

            report = await self.followed(window, limit=1)

            self.assertEqual(report, SourceReport(recorded=3, failed=3))
            self.assertEqual(len(self.flushLoggedErrors(WouldDeadlock)), 3)


class OnlyNewEventsTests(SourcesTestsBase):
    """`EventSources.only_new_events`."""

    async def test_only_what_is_new(self) -> None:
        """It gives what was not recorded before, as the source has given it (S20)."""
        sources = await self.sources()
        stream = list(numbered(4))
        await self.reported(sources.process_events(stream[:2]))

        new = await self.result(sources.only_new_events(stream).collect())

        self.assertEqual(new, stream[2:])
        self.assertIs(new[0], stream[2])
        await self.until_settled(sources.dispatcher)
        self.assertEqual(len(self.handled), 4)

    async def test_recorded_just_before(self) -> None:
        """Each event is recorded just before it is given, and the next not made (S20)."""
        sources = await self.sources()
        log: list[str] = []
        new = sources.only_new_events(numbered(3, log))

        first = await self.result(new.__anext__())

        stored = await self.result(sources.dispatcher.backstage.store.events())
        self.assertEqual([each.key for each in stored], [first["key"]])
        self.assertEqual(log, ["make 0"])

    async def test_a_consumer_that_stops(self) -> None:
        """Where the consumer stops, what was given is handled, and the generator can be closed."""
        sources = await self.sources()
        log: list[str] = []
        new = sources.only_new_events(later(numbered(3), log=log))

        async def consume() -> None:
            async for _ in new:
                break
            await new.aclose()

        await self.result(consume())
        await self.until_settled(sources.dispatcher)

        self.assertEqual((self.handled, log), (["a_0"], ["closed"]))

    async def test_collected_first(self) -> None:
        """A list of what is new may be made first, and processed then (S32)."""
        sources = await self.sources()
        new = await self.result(sources.only_new_events(numbered(3)).collect())

        await self.reported(sources.process_events(new))

        self.assertEqual(self.handled, ["a_0", "a_1", "a_2"])

    async def test_bad_events(self) -> None:
        """What is refused is passed over and reported."""
        sources = await self.sources()
        new = sources.only_new_events([None, event("a", "1_2"), event("a_1", 2), event("a", 3)])

        found = await self.result(new.collect())

        self.assertEqual([each["key"] for each in found], ["a_1_2", "a_3"])
        self.assertEqual((new.report.refused, new.report.collisions), (1, 1))
        self.flushLoggedErrors(InvalidDeclaration)
        self.flushLoggedErrors(KeyCollision)

    async def test_a_source_that_raises(self) -> None:
        """What a source raises ends the iteration, and comes with the source's name."""
        sources = await self.sources()

        def broken() -> Iterator[Any]:
            yield event("a", 1)
            raise Oops("here")

        with self.assertRaises(SourceBroke) as caught:
            await self.result(sources.only_new_events(broken()).collect())

        self.assertIn("broken", caught.exception.source)
        self.flushLoggedErrors(SourceBroke)

    async def test_not_for_a_plain_loop(self) -> None:
        """A plain loop over it is refused, and the message says what to do."""
        sources = await self.sources()

        error = self.assertRaises(TypeError, list, sources.only_new_events([]))

        self.assertIn("async for", str(error))

    async def test_the_rest(self) -> None:
        """What is left of it can be processed."""
        sources = await self.sources()
        new = sources.only_new_events(numbered(4))
        await self.result(new.__anext__())

        report = await self.reported(sources.process_events(new))

        self.assertEqual((report.recorded, new.report.recorded), (3, 1))
        self.assertIsInstance(new, NewEvents)


class CrashTests(SourcesTestsBase):
    """Processes that are killed in the middle of a stream."""

    async def start_process(self, handled: list[str], waits: bool) -> tuple[Process, EventSources]:
        """Start a process with sources, whose handler notes events, or waits for ever."""
        made: list[EventSources] = []

        def note(given: Event) -> Any:
            if waits:
                return Deferred()
            handled.append(given.key or "")
            return None

        def setup(dispatcher: DurableDispatcher) -> None:
            made.append(EventSources(dispatcher))
            made[0].register_group_handler(
                handler=note, group="", options=HandlerOptions(name="note")
            )

        process = await self.process(setup)
        return process, made[0]

    async def test_killed_while_handling(self) -> None:
        """What was recorded by a process that was killed is handled when it is processed again."""
        handled: list[str] = []
        process, sources = await self.start_process(handled, waits=True)
        doing = sources.process_events(numbered(5), window=3)
        doing.addErrback(lambda _: None)
        await self.quiet()
        self.kill(process)

        _, sources = await self.start_process(handled, waits=False)
        report = await self.reported(sources.process_events(numbered(5), window=3))

        self.assertEqual(sorted(handled), [f"a_{number}" for number in range(5)])
        self.assertEqual((report.recorded, report.known, report.handled), (2, 3, 5))

    async def test_two_processes_at_once(self) -> None:
        """Of two processes that process the same keys, each key is handled by one (S31)."""
        handled: list[str] = []
        _, one = await self.start_process(handled, waits=False)
        _, other = await self.start_process(handled, waits=False)
        doing = [each.process_events(numbered(40), window=7) for each in (one, other)]

        reports = [await self.reported(each) for each in doing]

        self.assertEqual(sorted(handled), sorted(f"a_{number}" for number in range(40)))
        self.assertEqual(sum(each.recorded for each in reports), 40)
        self.assertEqual([each.handled for each in reports if not each.is_clean], [])


class RegisteringTests(SynchronousTestCase):
    """Registering the handlers of groups."""

    def setUp(self) -> None:
        """Make a dispatcher."""
        self.dispatcher, self.clock = clocked_durable_dispatcher()
        self.addCleanup(self.dispatcher.stop)
        self.sources = EventSources(self.dispatcher)

    def test_where(self) -> None:
        """A handler is registered for the phase during, at the line that registers it."""

        def handle(given: Event) -> None:
            """Stand for a handler."""

        self.sources.register_group_handler(handler=handle, group="^a")
        [found] = self.dispatcher.describe()

        self.assertEqual(found.phase, "during")
        self.assertIn(__file__, found.registered_at)
        self.assertTrue(found.name.endswith("handle for '^a'"))

    def test_the_only_phase(self) -> None:
        """Where there is one phase only, that is the one."""
        dispatcher, _ = clocked_durable_dispatcher(phases=("now",))
        self.addCleanup(dispatcher.stop)

        EventSources(dispatcher).register_group_handler(handler=print, group="")

        self.assertEqual(dispatcher.describe()[0].phase, "now")

    def test_no_phase(self) -> None:
        """Where there are several without the phase during, registering is refused."""
        dispatcher, _ = clocked_durable_dispatcher(phases=("one", "two"))
        self.addCleanup(dispatcher.stop)
        sources = EventSources(dispatcher)

        self.assertRaises(UnknownPhase, sources.register_group_handler, handler=print, group="")

    def test_bad_patterns(self) -> None:
        """A pattern that does not compile is refused at once, and nothing is registered."""
        bad: list[Any] = ["(", "*a", b"a", re.compile(b"a"), 5, None]
        for group in bad:
            error = self.assertRaises(
                InvalidSource,
                self.sources.register_group_handler,
                handler=print,
                group=group,
            )
            self.assertIsInstance(error, ValueError)
        self.assertEqual(self.dispatcher.describe(), [])

    def test_bad_handlers(self) -> None:
        """What cannot be a handler is refused at once."""
        register: Any = self.sources.register_group_handler
        self.assertRaises(NotCallable, register, handler=5, group="")
        self.assertRaises(InvalidOptions, register, handler=print, group="", options="x")
        self.assertRaises(InvalidOptions, register, handler=lambda given: None, group="")
        self.assertRaises(TypeError, register, print, "")

    def test_twice_under_one_pattern(self) -> None:
        """One handler twice under one pattern is refused, as its deliveries would be the same."""
        options = HandlerOptions(name="h")
        self.sources.register_group_handler(handler=print, group="a", options=options)
        self.sources.register_group_handler(handler=print, group="b", options=options)

        self.assertRaises(
            NameTaken,
            self.sources.register_group_handler,
            handler=print,
            group="b",
            options=options,
        )
        names = [each.name for each in self.dispatcher.describe()]
        self.assertEqual(names, ["h", "h for 'b'"])

    def test_only_durable(self) -> None:
        """A dispatcher in memory, which forgets keys, is refused."""
        error = self.assertRaises(SourcesNeedStore, EventSources, EventDispatcher(()))

        self.assertIn("DurableDispatcher", str(error))

    def test_the_keyword(self) -> None:
        """The keyword group is allowed on the dispatcher; several may have the same dispatcher."""
        EventSources(self.dispatcher)

        self.assertEqual(self.dispatcher.allowed_keywords, ("group",))


class PatternTests(SourcesTestsBase):
    """Which groups a pattern selects."""

    async def test_searched_for(self) -> None:
        """A pattern is searched for; an empty one finds all; a compiled one works (S26)."""
        sources = await self.sources(group=None)
        called: list[str] = []

        def note(name: str) -> Any:
            async def noting(given: Event) -> None:
                called.append(name)

            return noting

        patterns: dict[str, Any] = {
            "b": "b",
            "^b": "^b",
            "all": "",
            "compiled": re.compile("^AB", re.IGNORECASE),
        }
        for name, pattern in patterns.items():
            sources.register_group_handler(
                handler=note(name), group=pattern, options=HandlerOptions(name=name)
            )

        await self.reported(sources.process_events([event("abc", 1)]))

        self.assertEqual(called, ["b", "all", "compiled"])

    async def test_two_patterns(self) -> None:
        """A handler that is registered under two patterns that fit is called twice (S27)."""
        sources = await self.sources("^a")
        sources.register_group_handler(handler=self.handle, group="b$")

        await self.reported(sources.process_events([event("ab", 1), event("ac", 1)]))

        self.assertEqual(self.handled, ["ab_1", "ab_1", "ac_1"])


globals().update(on_stores(ProcessingTests))
globals().update(on_stores(TroubleTests))
globals().update(on_stores(StoppingTests))
globals().update(on_stores(OnlyNewEventsTests))
globals().update(on_stores(CrashTests, that_outlive=True))
globals().update(on_stores(PatternTests))
