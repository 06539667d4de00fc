"""Every behaviour of trigger sessions has a test of its number, or is changed on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).resolve().parent
DOCUMENT = TESTS.parent / "docs" / "howto" / "from-triggers.rst"
# The numbers of the behaviours that the ancestor has, by subject.
LINES = (
    (1, 15),
    (20, 35),
    (40, 48),
    (50, 58),
    (60, 72),
    (80, 91),
    (100, 105),
    (110, 120),
    (130, 138),
    (140, 144),
    (150, 158),
    (160, 173),
    (180, 201),
    (210, 221),
    (230, 239),
    (250, 258),
)


def numbers_in(text: str) -> Iterator[int]:
    """Give the numbers of lines that a text names, one by one or as ``T001 to T005``."""
    for first, last in re.findall(r"\bT(\d{3})(?: to T(\d{3}))?", text):
        yield from range(int(first), int(last or first) + 1)


class LineTests(SynchronousTestCase):
    """The list of behaviours, held against tests and documents."""

    def test_every_line(self) -> None:
        """No behaviour is forgotten: a docstring of a test names it, or the page of changes."""
        named = set(numbers_in(DOCUMENT.read_text(encoding="utf-8")))
        for path in TESTS.glob("test_*.py"):
            if path != Path(__file__).resolve():
                for brackets in re.findall(r"\((T\d{3}[^)]*)\)", path.read_text("utf-8")):
                    named.update(numbers_in(brackets))

        lines = {number for first, last in LINES for number in range(first, last + 1)}
        self.assertEqual(sorted(lines - named), [])
        self.assertEqual(sorted(named - lines), [])
