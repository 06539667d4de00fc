"""
Runs the tests of `twisted_dispatcher.django` by Django's own runner, on each kind of database.

See `tests.django_project`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.django_project.databases import DATABASE
from tests.postgresql import missing, server_url

CHECKOUT = Path(__file__).resolve().parent.parent
# Far more than it takes.
LIMIT = 900


def command(module: str) -> list[str]:
    """Give the beginning of a command that runs a module; it is measured where we are."""
    if "coverage" in sys.modules:
        from coverage import Coverage

        if Coverage.current() is not None:
            return [sys.executable, "-m", "coverage", "run", "--parallel-mode", "-m", module]
    return [sys.executable, "-m", module]


class DjangoTests(SynchronousTestCase):
    """The tests of the project, all together."""

    def run_on(self, url: str | None) -> None:
        """Run them with a database; fail with what they have printed."""
        if find_spec("django") is None:
            raise SkipTest("Django is not installed")
        done = subprocess.run(
            [
                *command("tests.django_project"),
                *("test", "--noinput", "--pattern=check_*.py", "tests.django_project.checks"),
            ],
            cwd=CHECKOUT,
            env={**os.environ, DATABASE: url or ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(0, done.returncode, f"\n{done.stdout}")
        self.assertIn("\nRan ", done.stdout)

    def test_on_sqlite(self) -> None:
        """They pass with a file of SQLite."""
        self.run_on(None)

    def test_on_postgresql(self) -> None:
        """They pass with a server of PostgreSQL."""
        url = server_url()
        if url is None:
            raise missing("there is no PostgreSQL to run Django's tests on")
        self.run_on(url)
