"""Sweeps: sources run on all their objects, stopped, killed and resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.durable import EPOCH, DurableTests, Link, Process, on_stores
from tests.properties import PATIENT
from twisted_dispatcher import DurableDispatcher, Event, HandlerOptions, open_store
from twisted_dispatcher.errors import (
    InvalidOptions,
    InvalidSource,
    NotEncodable,
    NotRunning,
    SourceBroke,
    StoreUnavailable,
    StoreWithoutSweeps,
    UnknownSender,
)
from twisted_dispatcher.sources import EventSources, SweepReport, event
from twisted_dispatcher.sources import places as places_module
from twisted_dispatcher.sweeprecords import SweepRow
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump


class Oops(Exception):
    """What sources raise here."""


class Thing:
    """What sources are about."""


def seen(number: int) -> Iterator[Any]:
    """Give one event of each number."""
    yield event("seen", number)


def odd(number: int) -> list[Any]:
    """Give an event of an odd number."""
    return [event("odd", number)] if number % 2 else []


class SweepTestsBase(DurableTests):
    """What the tests have in common."""

    def handle(self, given: Event) -> None:
        """Note an event."""
        self.handled.append(given.key or "")

    async def sources(self, *sources: Any, objects: Any = range(5), **more: Any) -> EventSources:
        """Give sources of numbers, with a handler that notes their events."""
        self.handled: list[str] = []
        found = EventSources(await self.started())
        found.register_group_handler(handler=self.handle, group="")
        for source in sources or (seen,):
            found.register_source(sender="numbers", source=source, objects=objects, **more)
        return found

    async def swept(self, doing: Deferred[SweepReport]) -> SweepReport:
        """Give the report of a sweep."""
        return await self.result(doing)

    async def place(self, sources: EventSources, name: str = "numbers") -> SweepRow | None:
        """Give where a sweep stands, as the store has it."""
        return cast("SweepRow | None", await self.result(self.places(sources).sweep(name)))

    def places(self, sources: EventSources) -> Any:
        """Give where the places are kept."""
        return cast(Any, sources.dispatcher.backstage.store).sweeps

    def numbers(self, *numbers: int, group: str = "seen") -> list[str]:
        """Give the keys of events about numbers."""
        return [f"{group}_{number}" for number in numbers]


class SweepingTests(SweepTestsBase):
    """`EventSources.sweep`."""

    async def test_all_objects(self) -> None:
        """Every object goes through every source, and what is new is handled (S46)."""
        sources = await self.sources(seen, odd)

        report = await self.swept(sources.sweep())

        self.assertEqual(
            sorted(self.handled), sorted([*self.numbers(*range(5)), "odd_1", "odd_3"])
        )
        self.assertEqual(
            report,
            SweepReport(recorded=7, handled=7, objects=5, sender="numbers", seen=5, total=5),
        )

    async def test_again(self) -> None:
        """A sweep that is made again handles nothing more (S47)."""
        sources = await self.sources()
        await self.swept(sources.sweep())

        report = await self.swept(sources.sweep())

        self.assertEqual((report.recorded, report.known, report.objects), (0, 5, 5))
        self.assertEqual(len(self.handled), 5)

    async def test_senders(self) -> None:
        """All senders are swept, or one, by itself or by its name."""
        sources = await self.sources()
        sources.register_source(sender=Thing, source=odd, objects=lambda: range(10, 14))

        report = await self.swept(sources.sweep(Thing))
        self.assertEqual((report.objects, self.handled), (4, ["odd_11", "odd_13"]))
        report = await self.swept(sources.sweep(f"{__name__}.Thing"))
        self.assertEqual((report.objects, report.known), (4, 2))
        report = await self.swept(sources.sweep())
        self.assertEqual((report.objects, report.recorded, report.known), (9, 5, 2))

    async def test_some_objects(self) -> None:
        """Only the objects that are given are swept, however they are given."""
        sources = await self.sources()

        async def later() -> AsyncIterator[int]:
            yield 5

        async def coming() -> Iterable[int]:
            return [6]

        ways: list[Any] = [
            [1],
            iter([2]),
            lambda: [3],
            lambda: succeed([4]),
            later(),
            coming,
        ]
        for way in ways:
            await self.swept(sources.sweep("numbers", way))

        self.assertEqual(self.handled, self.numbers(*range(1, 7)))
        self.assertIsNone(await self.place(sources))

    async def test_the_only_sender(self) -> None:
        """Where there is but one sender, it need not be said whose objects are given."""
        sources = await self.sources()

        report = await self.swept(sources.sweep(objects=[7, 8], name="some"))

        self.assertEqual((report.sender, self.handled), ("numbers", self.numbers(7, 8)))
        sources.register_source(sender=Thing, source=odd)
        error = self.assertRaises(InvalidSource, sources.sweep, objects=[7])
        self.assertIn("numbers", str(error))

    async def test_forms_of_sources(self) -> None:
        """A source may be a generator, plain or not, or give a list, or a Deferred of one."""

        async def waiting(number: int) -> AsyncIterator[Any]:
            yield event("waiting", number)

        async def coming(number: int) -> list[Any]:
            return [event("coming", number)]

        def promised(number: int) -> Any:
            return succeed([event("promised", number)])

        sources = await self.sources(waiting, coming, promised, objects=[1])

        await self.swept(sources.sweep())

        self.assertEqual(sorted(self.handled), ["coming_1", "promised_1", "waiting_1"])

    async def test_a_source_that_waits(self) -> None:
        """What was given before is recorded before a source is waited for."""
        waiting: Deferred[list[Any]] = Deferred()
        sources = await self.sources(seen, lambda number: waiting, objects=[1])
        doing = sources.sweep()
        await self.quiet()
        self.assertEqual(self.handled, ["seen_1"])
        waiting.callback([])

        self.assertEqual((await self.swept(doing)).objects, 1)

    async def test_one_by_one(self) -> None:
        """No more objects are taken than the window needs."""
        taken: list[int] = []
        waiting: list[Deferred[None]] = []

        def objects() -> Iterator[int]:
            for number in range(100):
                taken.append(number)
                yield number

        async def wait(given: Event) -> None:
            waiting.append(Deferred())
            await waiting[-1]

        sources = EventSources(await self.started())
        sources.register_group_handler(handler=wait, group="")
        sources.register_source(sender="numbers", source=seen, objects=objects)
        doing = sources.sweep(window=8)
        await self.quiet()

        self.assertEqual((len(waiting), len(taken)), (8, 8))
        doing.cancel()
        with self.assertRaises(CancelledError):
            await self.result(doing)
        for each in waiting:
            each.callback(None)
        await self.until_settled(sources.dispatcher)

    async def test_without_waiting(self) -> None:
        """A sweep that does not wait ends when everything is recorded."""
        waiting: Deferred[None] = Deferred()

        async def wait(given: Event) -> None:
            await waiting

        sources = EventSources(await self.started())
        sources.register_group_handler(handler=wait, group="")
        sources.register_source(sender="numbers", source=seen, objects=range(20))

        report = await self.swept(sources.sweep(wait=False, window=4))

        self.assertEqual((report.recorded, report.handled), (20, 0))
        waiting.callback(None)
        await self.until_settled(sources.dispatcher)

    async def test_an_event_that_takes_long(self) -> None:
        """An event holds up a sweep for a minute, and goes on by itself then."""
        waiting: Deferred[None] = Deferred()

        async def wait(given: Event) -> None:
            if given.key == "seen_0":
                await waiting

        sources = EventSources(await self.started())
        sources.register_group_handler(handler=wait, group="")
        sources.register_source(sender="numbers", source=seen, objects=range(3))
        doing = sources.sweep()
        await self.pass_time(59)
        self.assertFalse(doing.called)

        report = await self.swept(doing)

        self.assertEqual((report.handled, report.unfinished), (2, 1))
        waiting.callback(None)
        await self.until_settled(sources.dispatcher)

    async def test_progress(self) -> None:
        """Progress is told when the objects of a sender are through, and at the end."""
        sources = await self.sources()
        sources.register_source(sender="few", source=odd, objects=iter_of([1]))
        told: list[Any] = []

        await self.swept(
            sources.sweep(progress=lambda r: told.append((r.sender, r.seen, r.total, r.objects)))
        )

        ends = [("numbers", 5, 5, 5), ("few", 1, None, 6), ("few", 1, None, 6)]
        self.assertEqual([each for each in told if each in ends], ends)

    async def test_progress_that_raises(self) -> None:
        """What the progress raises ends the sweep."""
        sources = await self.sources()

        def stop(report: SweepReport) -> None:
            raise Oops("enough")

        with self.assertRaises(Oops):
            await self.result(sources.sweep(progress=stop))

    async def test_misuse(self) -> None:
        """What cannot be swept is refused at once."""
        sources = await self.sources()
        sources.register_source(sender="homeless", source=seen)

        self.assertRaises(UnknownSender, sources.sweep, "nobody")
        self.assertRaises(KeyError, sources.sweep, Thing)
        error = self.assertRaises(InvalidSource, sources.sweep)
        self.assertIn("homeless", str(error))
        self.assertRaises(InvalidSource, sources.sweep, None, [1])
        self.assertRaises(InvalidSource, sources.sweep, "numbers", [1], resume=True)
        self.assertRaises(InvalidOptions, sources.sweep, "numbers", window=0)

    async def test_not_running(self) -> None:
        """A sweep needs a dispatcher that runs, also where there is nothing to sweep."""
        with self.assertRaises(NotRunning):
            await self.result(EventSources(self.make()).sweep())


def iter_of(items: list[Any]) -> Any:
    """Give a function that gives an iterator of items, whose number nobody knows."""
    return lambda: iter(items)


class TroubleTests(SweepTestsBase):
    """What breaks in a sweep, and the rest that goes on."""

    async def test_a_source_that_raises(self) -> None:
        """A source that raises stops neither the others nor the sweep, and is named."""

        def at_once(number: int) -> Any:
            raise Oops("here")

        def in_the_middle(number: int) -> Iterator[Any]:
            yield event("middle", number)
            raise Oops("here")

        async def later(number: int) -> Any:
            raise Oops("here")

        def a_single_one(number: int) -> Any:
            return event("single", number)

        sources = await self.sources(
            at_once, in_the_middle, later, a_single_one, seen, objects=range(2)
        )

        report = await self.swept(sources.sweep())

        self.assertEqual(sorted(self.handled), ["middle_0", "middle_1", *self.numbers(0, 1)])
        self.assertEqual((report.broken, report.objects), (8, 2))
        names = [each.source.rpartition(".")[2] for each in report.problems[:4]]
        self.assertEqual(names, ["at_once", "in_the_middle", "later", "a_single_one"])
        self.assertEqual(len(self.flushLoggedErrors(SourceBroke)), 6)
        self.assertEqual(len(self.flushLoggedErrors(InvalidSource)), 2)

    async def test_nothing(self) -> None:
        """A source that has nothing to say may give None, in whatever way it gives something."""

        def nothing(number: int) -> None:
            return None

        async def nothing_later(number: int) -> None:
            return None

        sources = await self.sources(nothing, nothing_later, seen, objects=[1])

        report = await self.swept(sources.sweep())

        self.assertEqual((self.handled, report.broken), (["seen_1"], 0))

    async def test_objects_that_raise(self) -> None:
        """Where the objects of a sender cannot be found, those of the next one can."""

        def broken() -> Iterator[int]:
            yield 1
            raise Oops("here")

        sources = await self.sources(objects=broken)
        sources.register_source(sender="more", source=odd, objects=[7])

        report = await self.swept(sources.sweep())

        self.assertEqual((self.handled, report.broken), (["seen_1", "odd_7"], 1))
        self.flushLoggedErrors(SourceBroke)
        row = await self.place(sources)
        assert row is not None
        self.assertEqual((row.objects, row.ended), (1, None))

    async def test_a_store_that_goes_away(self) -> None:
        """Where the store goes away the sweep fails, and can be resumed."""
        sources = await self.sources(objects=range(50))
        link = cast(Link, sources.dispatcher.backstage.store)
        waiting: Deferred[list[Any]] = Deferred()
        sources.register_source(
            sender="numbers",
            source=lambda number: waiting if number == 30 and not waiting.called else [],
        )
        doing = sources.sweep(window=5)
        await self.quiet()
        link.away = StoreUnavailable("away")
        waiting.callback([])

        with self.assertRaises(StoreUnavailable):
            await self.result(doing)

        self.flushLoggedErrors(StoreUnavailable)
        link.away = None
        await self.swept(sources.sweep(resume=True))
        self.assertEqual(sorted(self.handled), sorted(self.numbers(*range(50))))


class ResumingTests(SweepTestsBase):
    """Sweeps that are stopped and resumed."""

    async def stopped(self, sources: EventSources, at: int, **options: Any) -> None:
        """Stop a sweep of numbers when it waits for the source of one of them."""
        waiting: Deferred[list[Any]] = Deferred()
        self.asked: list[int] = []

        def ask(number: int) -> Any:
            self.asked.append(number)
            return waiting if number == at and not waiting.called else []

        sources.register_source(sender="numbers", source=ask)
        doing = sources.sweep("numbers", **options)
        await self.quiet()
        doing.cancel()
        with self.assertRaises(CancelledError):
            await self.result(doing)
        waiting.addErrback(lambda _: None)
        self.asked.clear()

    async def test_stopped_and_resumed(self) -> None:
        """A sweep that was stopped goes on where it was."""
        sources = await self.sources(objects=range(10))
        await self.stopped(sources, 6)
        row = await self.place(sources)
        assert row is not None
        self.assertEqual((row.objects, row.ended), (6, None))

        report = await self.swept(sources.sweep(resume=True))

        self.assertEqual(self.asked, [6, 7, 8, 9])
        self.assertEqual((report.objects, report.seen), (4, 10))
        self.assertEqual(sorted(self.handled), sorted(self.numbers(*range(10))))
        row = await self.place(sources)
        assert row is not None
        self.assertEqual(row.objects, 10)
        self.assertIsNotNone(row.ended)

    async def test_not_resumed(self) -> None:
        """Without being asked to resume, a sweep begins anew."""
        sources = await self.sources(objects=range(4))
        await self.stopped(sources, 2)

        report = await self.swept(sources.sweep())

        self.assertEqual((self.asked, report.objects), ([0, 1, 2, 3], 4))

    async def test_resumed_at_the_end(self) -> None:
        """A sweep that has come to its end begins anew, also when it is resumed."""
        sources = await self.sources(objects=range(4))
        await self.swept(sources.sweep())

        report = await self.swept(sources.sweep(resume=True))

        self.assertEqual(report.objects, 4)

    async def test_stopped_at_once(self) -> None:
        """A sweep that begins anew is not resumed where an older one stood."""
        sources = await self.sources(objects=range(4))
        await self.stopped(sources, 2)
        await self.stopped(sources, 0)

        report = await self.swept(sources.sweep(resume=True))

        self.assertEqual(report.objects, 4)

    async def test_by_position(self) -> None:
        """With a position, objects are found behind it, and none is passed over one by one."""
        given_positions: list[Any] = []

        def behind(position: Any) -> Iterable[int]:
            given_positions.append(position)
            return range(10) if position is None else range(position["at"] + 1, 10)

        sources = await self.sources(objects=behind, position=lambda number: {"at": number})
        await self.stopped(sources, 6)

        report = await self.swept(sources.sweep(resume=True))

        self.assertEqual(given_positions, [None, {"at": 5}])
        self.assertEqual((self.asked, report.seen), ([6, 7, 8, 9], 10))

    async def test_resumed_and_stopped_at_once(self) -> None:
        """A sweep that is stopped again before its first object keeps its place."""
        sources = await self.sources(
            objects=lambda after: range(after + 1 if after else 0, 10),
            position=lambda number: number,
        )
        await self.stopped(sources, 6)
        row = await self.place(sources)
        await self.stopped(sources, 6, resume=True)
        again = await self.place(sources)

        assert row is not None and again is not None
        self.assertEqual((again.objects, again.position), (row.objects, row.position))

    async def test_a_position_that_cannot_be_kept(self) -> None:
        """A position that no store can keep ends the sweep at the first object."""
        sources = await self.sources(objects=lambda after: [1, 2], position=lambda n: object())

        with self.assertRaises(NotEncodable):
            await self.result(sources.sweep())

    async def test_a_name(self) -> None:
        """Sweeps under different names are resumed by themselves."""
        sources = await self.sources(objects=range(10))
        await self.stopped(sources, 4, name="nightly")
        self.assertIsNone(await self.place(sources))

        report = await self.swept(sources.sweep("numbers", range(5), name="n", resume=True))
        self.assertEqual(report.objects, 5)
        report = await self.swept(sources.sweep("numbers", name="nightly", resume=True))
        self.assertEqual(report.objects, 6)

    async def test_kept_as_it_goes(self) -> None:
        """It is kept where a sweep stands every thousand objects, and every second."""
        self.patch(places_module, "OBJECTS", 10)
        sources = await self.sources(objects=range(35))
        link = cast(Link, sources.dispatcher.backstage.store)

        await self.swept(sources.sweep())

        self.assertEqual(link.asked.count("sweeps.keep"), 1 + 3 + 1)

    async def test_a_store_without_sweeps(self) -> None:
        """On a store that keeps no places, a sweep works, and cannot be resumed."""

        class Plain:
            def __init__(self, store: Any) -> None:
                self._store = store

            def __getattr__(self, name: str) -> Any:
                if name == "sweeps":
                    raise AttributeError(name)
                return getattr(self._store, name)

        dispatcher = self.make(link=cast(Any, Plain(self.connect())))
        await self.start(dispatcher)
        sources = EventSources(dispatcher)
        sources.register_source(sender="numbers", source=seen, objects=range(3))

        self.assertEqual((await self.swept(sources.sweep())).objects, 3)
        self.assertRaises(StoreWithoutSweeps, sources.sweep, resume=True)
        self.assertRaises(StoreWithoutSweeps, sources.sweep, "numbers", name="x")


class KilledTests(SweepTestsBase):
    """Sweeps in processes that are killed."""

    async def start_process(self, handled: list[str]) -> tuple[Process, EventSources]:
        """Start a process with a source of numbers, and a handler that notes them."""
        made: list[EventSources] = []

        def setup(dispatcher: DurableDispatcher) -> None:
            made.append(EventSources(dispatcher))
            made[0].register_group_handler(
                handler=lambda given: handled.append(given.key),
                group="",
                options=HandlerOptions(name="note"),
            )
            made[0].register_source(sender="numbers", source=seen, objects=range(40))

        return await self.process(setup), made[0]

    async def test_killed_and_resumed(self) -> None:
        """Wherever a process is killed, the sweep that is resumed misses nothing."""
        self.patch(places_module, "OBJECTS", 7)
        for point in ("accept", "settle", "sweeps.keep"):
            self.url = self.backend.new_url(cast(Any, self))
            handled: list[str] = []
            process, sources = await self.start_process(handled)
            sources.sweep(window=3).addErrback(lambda _: None)
            process.link.hold(point)
            await self.quiet()
            self.kill(process)
            process, sources = await self.start_process(handled)

            await self.swept(sources.sweep(resume=True))
            await self.until_settled(sources.dispatcher)

            self.assertEqual(set(handled), set(self.numbers(*range(40))), point)


class PropertyTests(SynchronousTestCase):
    """What holds wherever a sweep is stopped."""

    @settings(PATIENT, max_examples=40)
    @given(
        st.integers(0, 60),
        st.integers(1, 12),
        st.lists(st.integers(0, 60), max_size=4),
        st.booleans(),
    )
    def test_nothing_is_missed(
        self, count: int, window: int, stops: list[int], by_position: bool
    ) -> None:
        """Stopped anywhere and resumed, a sweep sees all, and each event is handled once."""
        clock = Clock()
        clock.advance(EPOCH)
        dispatcher, _ = clocked_durable_dispatcher(
            store=open_store("sqlite://", reactor=clock), clock=clock
        )
        sources = EventSources(dispatcher)
        handled: list[str] = []
        sources.register_group_handler(
            handler=lambda given: handled.append(given.key),
            group="",
            options=HandlerOptions(name="note"),
        )
        stop_at: list[int] = []

        def stopping(number: int) -> Any:
            return Deferred() if number in stop_at else [event("n", number)]

        def objects(*after: Any) -> Iterable[int]:
            return range(after[0] + 1 if after and after[0] is not None else 0, count)

        position = (lambda number: number) if by_position else None
        sources.register_source(sender="n", source=stopping, objects=objects, position=position)
        for stop in stops:
            stop_at[:] = [stop]
            doing = sources.sweep(resume=True, window=window)
            for _ in range(200):
                clock.advance(0)
            doing.addErrback(lambda failure: failure.trap(CancelledError))
            doing.cancel()
            pump(clock, doing)
        stop_at.clear()

        pump(clock, sources.sweep(resume=True, window=window))

        self.assertEqual(sorted(handled), sorted(f"n_{number}" for number in range(count)))
        pump(clock, dispatcher.stop())


class RegisteringTests(SynchronousTestCase):
    """Registering sources."""

    def test_refused(self) -> None:
        """What cannot be a source, a sender or its objects is refused at once."""
        dispatcher, _ = clocked_durable_dispatcher()
        self.addCleanup(dispatcher.stop)
        sources = EventSources(dispatcher)
        bad: list[dict[str, Any]] = [
            {"sender": "n", "source": 5},
            {"sender": 5, "source": seen},
            {"sender": "", "source": seen},
            {"sender": "n", "source": seen, "objects": iter([1])},
            {"sender": "n", "source": seen, "objects": (n for n in range(3))},
            {"sender": "n", "source": seen, "position": int},
            {"sender": "n", "source": seen, "objects": [1], "position": int},
        ]
        for options in bad:
            self.assertRaises(InvalidSource, sources.register_source, **options)

        self.assertEqual(list(sources.senders), [])

    def test_other_objects(self) -> None:
        """All sources of a sender have the same objects, which are given once."""
        dispatcher, _ = clocked_durable_dispatcher()
        self.addCleanup(dispatcher.stop)
        sources = EventSources(dispatcher)
        sources.register_source(sender="n", source=seen, objects=[1])
        sources.register_source(sender="n", source=odd)

        self.assertRaises(
            InvalidSource, sources.register_source, sender="n", source=odd, objects=[2]
        )
        self.assertRaises(InvalidSource, sources.register_source, sender=Thing, source=1)

        [sender] = sources.senders
        self.assertEqual(sender.sources, [seen, odd])

    def test_two_of_one_name(self) -> None:
        """Two senders of one name are refused: a sweep could not tell their places apart."""
        dispatcher, _ = clocked_durable_dispatcher()
        self.addCleanup(dispatcher.stop)
        sources = EventSources(dispatcher)
        sources.register_source(sender=Thing, source=seen)

        self.assertRaises(
            InvalidSource, sources.register_source, sender=f"{__name__}.Thing", source=seen
        )


globals().update(on_stores(SweepingTests))
globals().update(on_stores(TroubleTests))
globals().update(on_stores(ResumingTests))
globals().update(on_stores(KilledTests, that_outlive=True))
