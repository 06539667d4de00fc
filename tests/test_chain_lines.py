"""Every behaviour of chains has a test of its number, or is changed on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).resolve().parent
DOCUMENT = TESTS.parent / "docs" / "howto" / "from-django-dispatcher.rst"
# The numbers of the behaviours that the ancestor has, by subject.
LINES = (
    (1, 6),
    (10, 30),
    (31, 43),
    (50, 61),
    (65, 67),
    (70, 76),
    (80, 88),
    (90, 100),
)


def numbers_in(text: str) -> Iterator[int]:
    """Give the numbers of lines that a text names, one by one or as ``C01 to C06``."""
    for first, last in re.findall(r"\bC(\d{2,3})(?: to C?(\d{2,3}))?", text):
        yield from range(int(first), int(last or first) + 1)


class LineTests(SynchronousTestCase):
    """The list of behaviours, held against tests and documents."""

    def test_every_line(self) -> None:
        """No behaviour is forgotten: a docstring of a test names it, or the page of changes."""
        named = set(numbers_in(DOCUMENT.read_text(encoding="utf-8")))
        for path in TESTS.rglob("*.py"):
            if path != Path(__file__).resolve():
                for brackets in re.findall(r"\((C\d{2,3}[^)]*)\)", path.read_text("utf-8")):
                    named.update(numbers_in(brackets))

        lines = {number for first, last in LINES for number in range(first, last + 1)}
        self.assertEqual(sorted(lines - named), [])
