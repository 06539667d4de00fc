"""Runs a document in a process of its own, where what it needs is set up for good.

Django's settings are those of the whole process, and the process of the tests has none. A document
that is about Django names settings in a line of its own, ``.. django: examples.site.settings``.
All of it is then run in a process with these settings, whose database is made for it alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from attrs import asdict

from tests.documents.running import Report, run_document

# Far more than it takes.
SECONDS = 600
REPORT = "report.json"

_THESE_TESTS = Path(__file__).resolve().parent.parent.parent
_MARK = re.compile(r"^(?:<!-- |\.\. )django: (?P<settings>[\w.]+)(?: -->)?$", re.MULTILINE)


def settings_of(document: Path) -> str | None:
    """Give the Django settings that a document names; None where it is run without."""
    mark = _MARK.search(document.read_text(encoding="utf-8"))
    return mark and mark["settings"]


def run_apart(document: Path, checkout: Path, directory: Path, settings: str) -> Report:
    """Run every block of the document, with Django set up; `run_document` says the rest."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.documents", str(document), str(checkout), str(directory)],
        cwd=directory,
        env={
            **os.environ,
            # The settings of the example ask for these.
            "CHALLENGES_DATABASE": str(directory / "site.sqlite3"),
            "CHALLENGES_RUN": "at-once",
            "DJANGO_SETTINGS_MODULE": settings,
            "PYTHONPATH": os.pathsep.join(map(str, (directory, checkout, _THESE_TESTS))),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS,
    )
    if done.returncode:
        name = document.relative_to(checkout).as_posix()
        return Report([f"{name}: its process ends with {done.returncode}\n{done.stdout}"], 0, 0)
    return Report(**json.loads((directory / REPORT).read_text(encoding="utf-8")))


def run_here(document: Path, checkout: Path, directory: Path) -> None:
    """Set Django up in this process, run the document, and write the report down."""
    import django
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    django.setup()
    # Mails go to a list, as in tests.
    setup_test_environment()
    call_command("migrate", verbosity=0)
    report = run_document(document, checkout, directory)
    (directory / REPORT).write_text(json.dumps(asdict(report)), encoding="utf-8")
