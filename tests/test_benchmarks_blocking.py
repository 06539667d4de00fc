"""The benchmark of blocking calls does what it claims; how fast anything is, no test asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tests
from tests.benchmarks.blocking.__main__ import goals, scenarios


class BlockingBenchmarkTests(SynchronousTestCase):
    """What is measured, and the command, which needs crochet's reactor and so its own process."""

    def test_goals_name_what_is_measured(self) -> None:
        """Every goal names a scenario and contenders that exist."""
        known = {each.name: {one.name for one in each.contenders} for each in scenarios()}

        for goal in goals():
            self.assertLessEqual({goal.over, goal.under}, known[goal.scenario])

    def test_command(self) -> None:
        """The command measures every contender, and writes the page."""
        page = Path(self.mktemp()).absolute()
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.blocking", "--quick", "--output", str(page)],
            cwd=Path(tests.__file__).parent.parent,
            capture_output=True,
            text=True,
            timeout=110,
        )

        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn("not measured", done.stdout)
        written = page.read_text("utf-8")
        for scenario in scenarios():
            self.assertIn(scenario.title, written)
            for contender in scenario.contenders:
                self.assertIn(contender.name, written)
