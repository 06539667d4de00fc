"""Tests that a document about Django is run in a process that has Django set up."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.documents.apart import run_apart, settings_of
from tests.documents.running import Report

SETTINGS = """\
import os
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["CHALLENGES_DATABASE"]}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
"""


class ApartTests(SynchronousTestCase):
    """Documents with settings."""

    def setUp(self) -> None:
        """Make up a checkout with settings."""
        self.checkout = Path(self.mktemp()).absolute()
        self.checkout.mkdir()
        (self.checkout / "made_up_settings.py").write_text(SETTINGS, "utf-8")

    def document(self, text: str) -> Path:
        """Write a document."""
        document = self.checkout / "fake.rst"
        document.write_text(dedent(text), "utf-8")
        return document

    def run_text(self, text: str) -> Report:
        """Run a document in a new directory."""
        directory = Path(mkdtemp(dir=self.checkout))
        return run_apart(self.document(text), self.checkout, directory, "made_up_settings")

    def test_mark(self) -> None:
        """A document names its settings in a line of its own, in either way of writing."""
        for line in (".. django: some.settings", "<!-- django: some.settings -->"):
            self.assertEqual("some.settings", settings_of(self.document(f"a\n\n{line}\n\nb\n")))
        self.assertIsNone(settings_of(self.document("It names no django: some.settings\n")))

    def test_database(self) -> None:
        """Its blocks have a database, whose tables are made; so have the commands."""
        report = self.run_text("""\
            >>> from django.contrib.auth.models import User
            >>> User.objects.create_user("ada")
            <User: ada>

            .. code-block:: console

               $ python -m django dumpdata auth.user
               [{"model": "auth.user", "pk": 1, "fields": {... "username": "ada", ...}}]
            """)

        self.assertEqual(Report([], 2, 1), report)

    def test_complaints(self) -> None:
        """What is not as shown is complained of, with its line."""
        report = self.run_text("""\
            >>> from django.conf import settings
            >>> settings.DEBUG
            True
            """)

        self.assertEqual(2, report.examples)
        self.assertIn("fake.rst:1", report.complaints[0])
        self.assertIn("Got:\n    False", report.complaints[0])

    def test_death(self) -> None:
        """A process that ends too early is a complaint, not a document without one."""
        report = self.run_text(">>> import os; print('dying', flush=True); os._exit(3)\n")

        self.assertIn("fake.rst: its process ends with 3", report.complaints[0])
