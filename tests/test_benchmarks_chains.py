"""The benchmarks of chains do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

from twisted.internet import defer
from twisted.trial.unittest import TestCase

from tests.benchmark_places import OnSQLite
from tests.benchmarks.chains.__main__ import BENCHMARK
from tests.benchmarks.chains.filling import fill, scattered
from tests.benchmarks.chains.goals import goals
from tests.benchmarks.chains.ours import STEPS, Ours
from tests.benchmarks.chains.scenarios import (
    Scale,
    claimed,
    filled,
    kinds,
    looked_up,
    superset,
)
from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.on_stores.scenarios import run
from tests.postgresql import PostgreSQL

TINY = Scale(rounds=1, one=2, many=6, looks=5, stored=30)
# Those that need no other programs.
WITHIN = ("steps", "runs", "finding", "due")


class PlaceTests(OnSQLite):
    """What is measured on SQLite, with tiny numbers."""

    async def ours(self, chains: int = 0, due: int = 0) -> Ours:
        """Gives a store with so many chains, which is closed after the test."""
        ours = await filled(self.place, chains, due)
        self.closed_after(ours)
        return ours

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

    async def test_steps_are_taken(self) -> None:
        """A slice takes each step of each chain once, whichever way chains are driven."""
        ours = await self.ours()

        await ours.step(4, 3)
        await ours.run(4, 3)

        self.assertEqual(ours.called, 8 * STEPS)
        self.assertEqual(await ours.chains.counts(), {"three": 8})

    async def test_finds(self) -> None:
        """Each chain is found by what it is about, and none is made."""
        ours = await self.ours(30)

        await looked_up(ours, superset, 30, 30)

        self.assertEqual(await ours.chains.counts(), {"new": 30})

    async def test_copies(self) -> None:
        """Where there are many chains most are copies, which are found as any others are."""
        ours = await self.ours(1100)

        await looked_up(ours, superset, 1100, 300)

        self.assertEqual(await ours.chains.counts(), {"new": 1100})
        self.assertEqual((await ours.chains.get_chain("chain-000001099")).state, "new")
        self.assertTrue((await ours.chains.get_or_create_chain({"order": "another"})).id)

    async def test_wrong_finds_are_noticed(self) -> None:
        """Finding another chain, or making one, is an error."""
        ours = await self.ours(3)

        looking = defer.ensureDeferred(looked_up(ours, superset, 100, 30))

        await self.assertFailure(looking, WrongCalls)

    async def test_too_few_due_chains_are_noticed(self) -> None:
        """Locking fewer chains than wanted is an error; a locked one can be locked again."""
        ours = await self.ours(30, due=7)

        await claimed(ours, 7)
        await claimed(ours, 7)
        locking = defer.ensureDeferred(claimed(ours, 8))

        await self.assertFailure(locking, WrongCalls)

    async def test_page(self) -> None:
        """The command prints its tables, and writes the page, which names the command."""
        said = await self.said(BENCHMARK, TINY, "--scenario", "due")

        self.assertIn("locking what is due", said.printed)
        self.assertIn("SQLite [1/1]", said.progress)
        self.assertIn("chains --quick --scenario due --store sqlite --output ", said.page)

    def test_scattered(self) -> None:
        """Numbers are scattered over all chains, and none comes twice in a round."""
        numbers = scattered(100)

        self.assertEqual(sorted(next(numbers) for _ in range(100)), list(range(100)))


class PostgreSQLTests(PostgreSQL, TestCase):
    """The same on PostgreSQL, as far as it is different."""

    timeout = 300

    async def test_copies(self) -> None:
        """Where there are many chains most are copies, which are found as any others are."""
        url = self.make_schema()
        ours = await Ours.open(url)
        self.addCleanup(lambda: defer.ensureDeferred(ours.close()))

        await fill(ours, url, 1010, 0.0, 3)

        await looked_up(ours, superset, 1010, 30)
        self.assertEqual(await ours.chains.counts(), {"new": 1010})
        self.assertTrue((await ours.chains.get_or_create_chain({"order": "another"})).id)
