"""The benchmarks of durable dispatch do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import cast

from twisted.internet import defer
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests.benchmark_places import OnSQLite
from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.__main__ import BENCHMARK
from tests.benchmarks.durable.goals import goals
from tests.benchmarks.durable.keys import ascending, half_known, scattered
from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.durable.raw import Raw, RawSQLite, insert_and_finish
from tests.benchmarks.durable.scenarios import kinds
from tests.benchmarks.durable.settled import fill
from tests.benchmarks.durable.speed import Scale
from tests.benchmarks.on_stores.report import figures_table
from tests.benchmarks.on_stores.scenarios import Figures, Scenario, run
from tests.benchmarks.on_stores.turns import Slice, rates_in_turn

TINY = Scale(rounds=1, one=4, many=200, settled=20, waiting=20, groups=2)
# Those that need neither other programs nor other libraries.
WITHIN = ("one", "callers", "recording", "settled", "saturated")


class ForgetfulRaw:
    """A connection that does nothing."""

    def insert(self, keys: object) -> None:
        """Inserts nothing."""

    def finish(self, keys: object) -> None:
        """Finishes nothing."""

    def done(self) -> int:
        """Counts nothing."""
        return 0

    def close(self) -> None:
        """Closes nothing."""


class PlaceTests(OnSQLite):
    """What is measured on SQLite, with tiny numbers."""

    async def test_every_contender_is_measured(self) -> None:
        """A scenario gives each contender that a goal names a figure above zero."""
        named = {
            (goal.scenario, name) for goal in goals() for name in (goal.over, goal.under) if name
        }
        for kind in kinds(TINY):
            if kind.name in WITHIN:
                figures = await run(kind, self.place, TINY)

                name = figures.scenario.name
                wanted = {who for scenario, who in named if scenario == name}
                self.assertLessEqual(wanted, {*figures.per_event}, name)
                self.assertGreater(min(figures.per_event.values()), 0)

    async def test_fsyncs_of_a_group(self) -> None:
        """A group of any size has the disk synchronized at least once."""
        if shutil.which("strace") is None:
            raise SkipTest("strace is not installed")
        (kind,) = (kind for kind in kinds(TINY) if kind.name == "fsyncs")

        figures = await run(kind, self.place, TINY)

        self.assertGreaterEqual(min(figures.per_event.values()), 1)

    async def test_fired_events_are_handled(self) -> None:
        """A slice of ours calls the handler once for each event."""
        ours = await self.opened(Ours)

        await ours.fire(30, 7, ascending())

        self.assertEqual(ours.handled, 30)

    async def test_lost_events_are_noticed(self) -> None:
        """A slice of ours whose events are known already, so that nobody handles them, fails."""
        ours = await self.opened(Ours)
        await ours.fire(1, 1, lambda: "known")

        firing = defer.ensureDeferred(ours.fire(1, 1, lambda: "known"))

        await self.assertFailure(firing, WrongCalls)

    async def test_filled_store_has_nothing_open(self) -> None:
        """A store is filled with events that are settled."""
        ours = await self.opened(Ours)

        await fill(ours.store, 1500, scattered())

        self.assertEqual((await ours.store.counts())["open"], 0)
        self.assertEqual(len(await ours.store.events(limit=2000)), 1500)

    async def test_memory_of_a_daemon(self) -> None:
        """The memory of a daemon is measured with deliveries that wait, and with none."""
        (kind,) = (kind for kind in kinds(TINY) if kind.name == "memory")

        figures = await run(kind, self.place, TINY)

        self.assertEqual([*figures.per_event], ["none waiting", "20 waiting"])
        self.assertGreater(min(figures.per_event.values()), 1)

    async def test_page(self) -> None:
        """The command prints its tables, and writes the page, which names the command."""
        said = await self.said(BENCHMARK, TINY, "--scenario", "one")

        self.assertIn("1 caller / raw, SQLite", said.printed)
        self.assertIn("SQLite [1/1]", said.progress)
        self.assertIn("durable --quick --scenario one --store sqlite --output ", said.page)


class RawTests(SynchronousTestCase):
    """What ours is held against."""

    def test_rows_are_done(self) -> None:
        """Every raw event is a row that is done in the end."""
        raw = RawSQLite(f"sqlite:///{self.mktemp()}")
        self.addCleanup(raw.close)

        insert_and_finish(raw, 10, 5, ascending())

        self.assertEqual(raw.done(), 10)

    def test_lost_rows_are_noticed(self) -> None:
        """What does not do its work is not timed."""
        raw = cast(Raw, ForgetfulRaw())

        self.assertRaises(WrongCalls, insert_and_finish, raw, 10, 5, ascending())


class KeyTests(SynchronousTestCase):
    """The keys of events."""

    def test_ascending(self) -> None:
        """Ascending keys are greater each than the one before."""
        self.assert_order(ascending, is_sorted=True)

    def test_scattered(self) -> None:
        """Scattered keys are in no order."""
        self.assert_order(scattered, is_sorted=False)

    def assert_order(self, make: Callable[[], Callable[[], str]], is_sorted: bool) -> None:
        """Asserts that a hundred keys differ, and whether they are in order."""
        key = make()
        keys = [key() for _ in range(100)]

        self.assertEqual(len({*keys}), 100)
        self.assertIs(keys == sorted(keys), is_sorted)

    def test_half_known(self) -> None:
        """Of keys that are half known each comes twice."""
        key = half_known(ascending())

        keys = [key() for _ in range(2000)]

        self.assertEqual({keys.count(each) for each in keys[:3]}, {2})
        self.assertEqual(len({*keys}), 1000)


class TurnTests(TestCase):
    """Taking turns."""

    async def test_each_round_has_every_slice(self) -> None:
        """The slices of a round are run once each, after a round that does not count."""
        log: list[str] = []

        async def run_of(name: str) -> None:
            log.append(name)

        slices = [Slice(name, 1, lambda name=name: run_of(name)) for name in "abc"]  # type: ignore[misc]

        rates = await rates_in_turn(slices, rounds=3)

        rounds = [sorted(log[start : start + 3]) for start in range(0, len(log), 3)]
        self.assertEqual(rounds, [["a", "b", "c"]] * 4)
        self.assertEqual({*rates}, {"a", "b", "c"})


class ReportTests(SynchronousTestCase):
    """What is printed."""

    def figures(self, compared: bool) -> Figures:
        """Gives figures of a scenario."""
        return Figures(Scenario("some", "Some", "events/s", compared), {"a": 4.0, "b": 6.0}, [])

    def test_compared_with_the_first(self) -> None:
        """A row has the figure and its ratio to the first contender's."""
        table = figures_table(self.figures(compared=True))

        self.assertEqual(table.rows, [["a", "4.00", "1.00"], ["b", "6.00", "1.50"]])

    def test_not_compared(self) -> None:
        """Figures of several kinds are not compared."""
        table = figures_table(self.figures(compared=False))

        self.assertEqual(table.rows, [["a", "4.00"], ["b", "6.00"]])
