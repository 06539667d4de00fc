"""Tests of trials that run side by side."""

from __future__ import annotations

import os
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.side_by_side import groups_of, run

PASSING = """
from twisted.trial.unittest import SynchronousTestCase
class Tests(SynchronousTestCase):
    def test_passing(self):
        pass
"""
FAILING = (
    PASSING
    + """
    def test_failing(self):
        self.fail("it was to fail")
"""
)
# What it starts has the pipe, and outlives it.
LEAVING = (
    PASSING
    + """
    def test_leaving(self):
        import subprocess, sys
        waiting = "import signal; signal.alarm(600); signal.pause()"
        left = subprocess.Popen([sys.executable, "-c", waiting])
        print("left", left.pid, flush=True)
"""
)


class SideBySideTests(SynchronousTestCase):
    """Trials of modules that are made up."""

    def setUp(self) -> None:
        """Have a directory for modules, and one for trials."""
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()

    def run_all(self, **modules: str) -> tuple[int, str]:
        """Run modules side by side, each as a group; give the status, and what was printed."""
        out, groups = StringIO(), []
        for name, text in modules.items():
            path = self.place / f"side_{name}.py"
            path.write_text(text, encoding="utf-8")
            groups.append((name, str(path)))
        return run(groups, self.place / "trial", out), out.getvalue()

    def test_passing(self) -> None:
        """If all pass the status is zero, and each line says whose it is."""
        status, said = self.run_all(one=PASSING, two=PASSING)

        self.assertEqual(0, status, said)
        for name in ("one", "two"):
            self.assertRegex(said, rf"(?m)^{name}: PASSED \(successes=1\)$")

    def test_failing(self) -> None:
        """What has failed is told once more at the end, and the status is not zero."""
        status, said = self.run_all(bad=FAILING, good=PASSING)
        _, _, end = said.partition("==> what has failed among bad\n")

        self.assertEqual(1, status)
        self.assertIn("\nside_bad.Tests.test_failing\n", end)
        self.assertIn("it was to fail", end)
        self.assertNotIn("good", end)

    def test_no_module(self) -> None:
        """A trial that finds no tests of that name has failed."""
        groups = [("none", "side_nowhere")]

        self.assertEqual(1, run(groups, self.place / "trial", StringIO()))

    def test_leaving(self) -> None:
        """It ends although a test has left a process that could still print."""
        self.patch(sys.modules["tests.side_by_side"], "LAST_WORDS", 0.01)
        status, said = self.run_all(leaving=LEAVING)
        pids = [int(line.split()[-1]) for line in said.splitlines() if ": left " in line]
        for pid in pids:
            os.kill(pid, 9)

        self.assertEqual(0, status, said)

    def test_groups(self) -> None:
        """Groups are what stands between dashes."""
        words = ["a", "x", "y", "--", "b", "z"]

        self.assertEqual([["a", "x", "y"], ["b", "z"]], [*groups_of(words)])
