"""The benchmarks of sources do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from twisted.internet import defer
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.benchmark_places import OnSQLite
from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.durable.raw import RawSQLite
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.memory import peak_bytes, resident_bytes
from tests.benchmarks.sources.__main__ import BENCHMARK
from tests.benchmarks.sources.goals import goals
from tests.benchmarks.sources.ours import Sources
from tests.benchmarks.sources.speed import Scale, raw_loop
from tests.benchmarks.sources.streams import HALF, KNOWN, MIXES, NEW, Piece, pieces

TINY = Scale(rounds=1, many=200, few=6, objects=40)


class SourceTests(OnSQLite):
    """What is measured on SQLite, with tiny numbers."""

    async def assert_measured(self, scenario: str) -> None:
        """Asserts that a scenario gives all its goals a figure, and that the page has them."""
        said = await self.said(BENCHMARK, TINY, "--scenario", scenario)

        wanted = [goal for goal in goals() if goal.scenario == f"{scenario}, sqlite"]
        self.assertTrue(wanted)
        for goal in wanted:
            self.assertIn(goal.what, said.printed)
        self.assertNotIn("not measured", said.printed)
        self.assertIn(f"sources --quick --scenario {scenario} --store sqlite", said.page)

    async def test_one(self) -> None:
        """Events that are handled one after the other."""
        await self.assert_measured("one")

    async def test_many(self) -> None:
        """Events of which many are under way at once."""
        await self.assert_measured("many")

    async def test_sweeps(self) -> None:
        """Sweeps, in programs of their own."""
        await self.assert_measured("sweeps")

    async def test_peer(self) -> None:
        """Django-spark's way handles each event once, whatever is known."""
        if find_spec("django") is None:
            raise SkipTest("Django is not installed")

        rates = await answer_of("sources.with_django", self.place.new_url(), 6)

        self.assertEqual([*rates], [f"django-spark's way, {mix}" for mix in MIXES])
        self.assertGreater(min(rates.values()), 0)

    async def test_known_events(self) -> None:
        """A slice handles what is new, once, however much of it is known."""
        ours = await self.opened(Sources)
        known = pieces(NEW, ascending(), ())(10)
        await ours.process(known, 4)
        await ours.process(pieces(HALF, ascending(), known.keys)(10), 4)
        await ours.process(pieces(KNOWN, ascending(), known.keys)(10), 4)

        self.assertEqual(ours.handled, 15)

    async def test_lost_events_are_noticed(self) -> None:
        """A slice whose events are known, though they should be new, fails."""
        ours = await self.opened(Sources)
        await ours.process(Piece(["a"], ["a"]), 1)

        again = defer.ensureDeferred(ours.process(Piece(["a"], ["a"]), 1))

        await self.assertFailure(again, WrongCalls)

    async def test_raw(self) -> None:
        """The raw loop finishes each row once, however much of it is known."""
        raw = RawSQLite(f"sqlite:///{Path(self.mktemp()).resolve()}")
        self.addCleanup(raw.close)
        known = pieces(NEW, ascending(), ())(10)
        await raw_loop(raw, known, 4)
        await raw_loop(raw, pieces(HALF, ascending(), known.keys)(10), 4)
        await raw_loop(raw, pieces(KNOWN, ascending(), known.keys)(10), 4)

        self.assertEqual(raw.done(), 15)


class StreamTests(SynchronousTestCase):
    """Streams of keys."""

    def test_mixes(self) -> None:
        """None, every second one or each of the keys is known."""
        known = [f"known-{number}" for number in range(4)]

        for mix, new in ((NEW, 6), (HALF, 3), (KNOWN, 0)):
            piece = pieces(mix, ascending(), known)(6)

            self.assertEqual(len(piece.keys), 6)
            self.assertEqual(len(piece.new), new)
            self.assertEqual({*piece.keys} - {*known}, {*piece.new})

    def test_goes_on(self) -> None:
        """What is taken next has other keys, if they are new."""
        take = pieces(NEW, ascending(), ())

        self.assertEqual(len({*take(5).keys, *take(5).keys}), 10)


class MemoryTests(SynchronousTestCase):
    """The memory of a process."""

    def test_peak(self) -> None:
        """The most memory that this process has had counts what it has given back since."""
        if not Path("/proc/self/status").exists():
            raise SkipTest("there is no /proc, and without it only the most is known")
        much = b"x" * 2**26
        del much

        self.assertGreater(peak_bytes(), resident_bytes() + 2**25)
