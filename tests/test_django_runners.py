"""Tests of the ways in which a project's own tests are run: by pytest-django, and in parallel."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.test_django import CHECKOUT, command

# Far more seconds than it takes.
LIMIT = 300
CHECKS = "tests.django_project.checks"


class RunnerTests(SynchronousTestCase):
    """Tests of a project in which events are handled at once, on a file of SQLite."""

    def run_module(self, module: str, *arguments: str) -> tuple[int, str]:
        """Run a module in a process, and give its code and what it printed."""
        if find_spec("django") is None:
            raise SkipTest("Django is not installed")
        done = subprocess.run(
            [*command(module), *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        return done.returncode, done.stdout

    def test_pytest(self) -> None:
        """With pytest-django, tests are rolled back, and a failure ends the test that made it."""
        if find_spec("pytest_django") is None:
            raise SkipTest("pytest-django is not installed")
        options = ("-q", "-p", "no:cacheprovider", "--ds=tests.django_project.settings")
        code, printed = self.run_module(
            "pytest", *options, "tests/django_project/checks/with_pytest.py"
        )

        self.assertEqual(code, 1, printed)
        self.assertIn("5 passed, 1 error", printed)
        self.assertIn("ERROR at teardown of test_not_expected", printed)
        self.assertIn("HandlersFailed: ", printed)

    def test_parallel(self) -> None:
        """In parallel, each process has a database of its own, in which its events live."""
        code, printed = self.run_module(
            "tests.django_project",
            *("test", "--noinput", "--parallel=2"),
            *(f"{CHECKS}.check_at_once", f"{CHECKS}.check_running"),
        )

        self.assertEqual(code, 0, printed)
        self.assertIn("Cloning test database", printed)
