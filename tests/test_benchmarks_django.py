"""The benchmarks of Django do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted.internet import defer
from twisted.trial.unittest import SkipTest

from tests.benchmark_places import OnSQLite
from tests.benchmarks.django.__main__ import BENCHMARK
from tests.benchmarks.django.goals import goals
from tests.benchmarks.django.names import (
    KNOWN,
    LAZY,
    NEW,
    PAGES,
    PLAIN,
    QUIET,
    SLOW,
    SOURCE,
    SPARK,
    SYNCED,
)
from tests.benchmarks.django.scenarios import PEER_SWEEP, Scale, kinds
from tests.benchmarks.django.slower import SLOWER
from tests.benchmarks.on_stores.children import ChildFailed, answer_of
from tests.benchmarks.on_stores.scenarios import run

TINY = Scale(slices=1, saves=4, rounds=1, events=4, waits=2, rows=40, stored=200, looks=1)


class DjangoTests(OnSQLite):
    """What is measured on SQLite, with tiny numbers, in programs of their own."""

    timeout = 600

    def setUp(self) -> None:
        """Needs Django."""
        if find_spec("django") is None:
            raise SkipTest("Django is not installed")
        super().setUp()

    async def figures(self, name: str) -> dict[str, float]:
        """Measures a scenario; each contender that a goal names has a figure above zero."""
        (kind,) = (kind for kind in kinds(TINY) if kind.name == name)

        figures = await run(kind, self.place, TINY)

        for goal in goals():
            if goal.scenario == figures.scenario.name:
                self.assertLessEqual({goal.over, goal.under}, {*figures.per_event})
        self.assertGreater(min(figures.per_event.values()), 0)
        return dict(figures.per_event)

    async def test_saving(self) -> None:
        """The command prints its goals, and writes the page, which names the command."""
        said = await self.said(BENCHMARK, TINY, "--scenario", "autocommit-daemon")

        for who in (PLAIN, QUIET, SOURCE, SPARK):
            for what in (NEW, KNOWN):
                self.assertIn(f"  {who}, {what}  ", said.printed)
        self.assertNotIn("not measured", said.printed)
        self.assertIn("django --quick --scenario autocommit-daemon --store sqlite", said.page)

    async def test_saving_and_handling(self) -> None:
        """A process that saves may handle the events as well."""
        await self.figures("hundred-here")

    async def test_disk(self) -> None:
        """It is told what the disk takes."""
        self.assertEqual({SYNCED, LAZY}, {*await self.figures("disk")})

    async def test_slower_disk(self) -> None:
        """A slower disk is played: no save() takes less than its commit."""
        for way in ("autocommit", "atomic"):
            figures = await self.figures(f"{way}-{SLOW}")
            self.assertLess(max(figures.values()), 1e6 / SLOWER)

    async def test_handled(self) -> None:
        """Events are handled by the daemon, by the same process, and by the peer."""
        await self.figures("handled")

    async def test_waiting(self) -> None:
        """The wait for one event is measured for each of them."""
        self.assertEqual(len(await self.figures("wait")), 3)

    async def test_sweeps(self) -> None:
        """All rows are swept, and few of them by the peer."""
        self.assertIn(PEER_SWEEP, await self.figures("sweeps"))

    async def test_admin(self) -> None:
        """Pages are looked at beside few events and beside more."""
        figures = await self.figures("admin")

        self.assertEqual(2 * len(PAGES), len(figures))

    async def test_unfinished_work_is_noticed(self) -> None:
        """A sweep that has recorded another number of events than there are rows fails."""
        url: Any = self.place.new_url()
        await answer_of("django.filling", url, 3)

        sweeping = defer.ensureDeferred(answer_of("django.sweeping", url, "ours", 4))

        error = await self.assertFailure(sweeping, ChildFailed)
        self.assertIn("3 events were recorded instead of 4", str(error))
