"""Importing the names that applications register with, before Django is set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher

CHECKOUT = Path(twisted_dispatcher.__file__).parents[1]
PROGRAM = """
import sys
from twisted_dispatcher.django import api
from twisted_dispatcher.django.mails import api as mails_api
print(sorted(
    name for name in sys.modules
    if name.startswith("twisted_dispatcher.django") and name.endswith(".models")
))
print("twisted.internet.reactor" in sys.modules)
"""


class EarlyTests(SynchronousTestCase):
    """A program that has no settings yet."""

    def test_api(self) -> None:
        """The apis can be imported before Django is set up: they import no model (S49)."""
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        environment.pop("DJANGO_SETTINGS_MODULE", None)

        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        self.assertEqual((done.stdout, done.stderr), ("[]\nFalse\n", ""))
