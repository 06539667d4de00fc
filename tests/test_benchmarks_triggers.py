"""The benchmarks of trigger sessions do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.internet import defer
from twisted.trial.unittest import TestCase

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.places import Directory
from tests.benchmarks.triggers import __main__ as command
from tests.benchmarks.triggers.goals import goals
from tests.benchmarks.triggers.ours import EVERY, Sessions, finished
from tests.benchmarks.triggers.speed import Scale

TINY = Scale(rounds=1, one=4, many=200, sessions=4, growths=1, most_runs=200)


class SessionTests(TestCase):
    """What is measured on SQLite, with tiny numbers."""

    def setUp(self) -> None:
        """Makes a directory for the files."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.place = Directory(str(directory))
        self.addCleanup(self.place.remove)

    async def opened(self) -> Sessions:
        """Opens a store, and starts a dispatcher on it."""
        ours = await Sessions.open(self.place.new_url())
        self.addCleanup(lambda: defer.ensureDeferred(ours.close()))
        return ours

    async def test_every_figure_is_measured(self) -> None:
        """The command prints its tables, and writes the page, which names the command."""
        self.patch(command, "QUICK", TINY)
        page = Path(self.mktemp())
        arguments = ["--quick", "--store", "sqlite", "--output", str(page)]
        with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as progress:
            await command.report(command.parser().parse_args(arguments))

        for goal in goals():
            if "SQLite" in goal.what and "2,000" not in goal.what:
                self.assertIn(goal.what, printed.getvalue())
        self.assertIn("SQLite [3/3]", progress.getvalue())
        self.assertIn(
            "tests.benchmarks.triggers --quick --store sqlite --output ", page.read_text("utf-8")
        )

    async def test_growing(self) -> None:
        """A session that grows has as many instances as there were fires, all of them finished."""
        ours = await self.opened()

        self.assertGreater(await ours.growing(6, hundred=2), 0)

    async def test_lost_instances_are_noticed(self) -> None:
        """A session that has not finished what is timed is no measurement."""
        ours = await self.opened()
        manager = await ours.new(EVERY)

        await self.assertFailure(defer.ensureDeferred(finished(manager, 1)), WrongCalls)
