"""Tests that the documents are true: every block of each of them is executed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.component import globalregistry

from tests.documents.apart import run_apart, settings_of
from tests.documents.blocks import PROMPT, blocks_of
from tests.documents.console import COMMAND
from tests.documents.running import Report, run_document
from tests.documents.sessions import join_crochet

CHECKOUT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
    *sorted((CHECKOUT / "docs").rglob("*.rst")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
    *sorted((CHECKOUT / "examples").rglob("*.md")),
]


class DocumentTests(TestCase):
    """One test for each document, added below."""

    timeout = 900

    def setUp(self) -> None:
        """Change into an empty directory, and let crochet find trial's own reactor."""
        join_crochet()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        # What a document registers as a utility is for that document alone.
        self.addCleanup(globalregistry.base.__init__, "base")
        os.chdir(self.directory)

    def check(self, document: Path) -> Deferred[None]:
        """Run the document in a thread, where it may block, as its reader's own program would."""
        running = deferToThread(run_where_it_belongs, document, self.directory)
        return running.addCallback(self._compare, document)

    def _compare(self, report: Report, document: Path) -> None:
        # What the examples log is part of what they show; whether they work is told by the report.
        self.flushLoggedErrors()
        if report.complaints:
            self.fail("\n" + "\n".join(report.complaints))
        # Counted in the raw text, so that no block can be overlooked.
        text = document.read_text(encoding="utf-8")
        self.assertEqual(len(PROMPT.findall(text)), report.examples, "not every prompt was run")
        self.assertEqual(len(COMMAND.findall(text)), report.commands, "not every command was run")

    def test_readme_shows_both_python_and_commands(self) -> None:
        """The README is found, and has sessions and commands to execute."""
        readme = CHECKOUT / "README.md"

        languages = [each.language for each in blocks_of(readme.name, readme.read_text("utf-8"))]

        self.assertIn("python", languages)
        self.assertIn("console", languages)


def run_where_it_belongs(document: Path, directory: Path) -> Report:
    """Run a document in this process, or in one of its own if it says that it needs Django."""
    settings = settings_of(document)
    if settings is None:
        return run_document(document, CHECKOUT, directory)
    return run_apart(document, CHECKOUT, directory, settings)


def _test_of(document: Path) -> Callable[[DocumentTests], Deferred[None]]:
    def test(self: DocumentTests) -> Deferred[None]:
        return self.check(document)

    test.__doc__ = f"Every block of {document.relative_to(CHECKOUT)} does what it says."
    return test


def _name_of(document: Path) -> str:
    return "test_" + re.sub(r"\W", "_", document.relative_to(CHECKOUT).as_posix())


for _document in DOCUMENTS:
    setattr(DocumentTests, _name_of(_document), _test_of(_document))
