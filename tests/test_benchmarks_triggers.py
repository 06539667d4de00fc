"""The benchmarks of trigger sessions do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

from twisted.internet import defer

from tests.benchmark_places import OnSQLite
from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.triggers.__main__ import BENCHMARK
from tests.benchmarks.triggers.goals import goals
from tests.benchmarks.triggers.ours import EVERY, Sessions, finished
from tests.benchmarks.triggers.speed import Scale

TINY = Scale(rounds=1, one=4, many=200, sessions=4, growths=1, most_runs=200)


class SessionTests(OnSQLite):
    """What is measured on SQLite, with tiny numbers."""

    async def test_every_figure_is_measured(self) -> None:
        """The command prints its tables, and writes the page, which names the command."""
        said = await self.said(BENCHMARK, TINY)

        for goal in goals():
            if "SQLite" in goal.what and "2,000" not in goal.what:
                self.assertIn(goal.what, said.printed)
        self.assertIn("SQLite [3/3]", said.progress)
        self.assertIn("tests.benchmarks.triggers --quick --store sqlite --output ", said.page)

    async def test_growing(self) -> None:
        """A session that grows has as many instances as there were fires, all of them finished."""
        ours = await self.opened(Sessions)

        self.assertIsInstance(await ours.growing(6, hundred=2), float)

    async def test_lost_instances_are_noticed(self) -> None:
        """A session that has not finished what is timed is no measurement."""
        ours = await self.opened(Sessions)
        manager = await ours.new(EVERY)

        await self.assertFailure(defer.ensureDeferred(finished(manager, 1)), WrongCalls)
