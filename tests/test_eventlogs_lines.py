"""Splitting text that comes in pieces into lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.eventlogs.lines import LONGEST_LINE, lines


class LinesTests(SynchronousTestCase):
    """Where lines begin and end."""

    @PATIENT
    @given(st.lists(st.text("a\n\r\u2028")))
    def test_pieces_do_not_matter(self, chunks: list[str]) -> None:
        """However a text is cut, its lines are those that its newlines alone make."""
        text = "".join(chunks)
        expected = text.split("\n")
        if expected[-1] == "":
            expected.pop()

        self.assertEqual(list(lines(chunks)), expected)

    def test_endless_line(self) -> None:
        """Of a line without an end only a bounded piece is kept, and the next is whole again."""
        chunks = ["x" * (LONGEST_LINE // 2)] * 5 + ["y\nnext\n"]

        first, second = lines(chunks)

        self.assertEqual(len(first), LONGEST_LINE + 1)
        self.assertEqual(second, "next")
