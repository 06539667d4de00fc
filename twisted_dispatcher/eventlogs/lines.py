"""Lines of a text that comes in pieces, and `BadLine`, what a reader gives for a bad one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

LONGEST_LINE: Final = 8 * 1024 * 1024


@attrs.frozen
class BadLine:
    """A place in a log, counted in lines from 1, that should hold an event and does not."""

    line: int
    reason: str


def lines(chunks: Iterable[str]) -> Iterator[str]:
    """
    Split a text into lines, without their ends.

    A line longer than `LONGEST_LINE` characters comes cut off, as one character more than
    that, so that a text without line ends cannot fill the memory.
    """
    rest = ""
    for chunk in chunks:
        first, *others = chunk.split("\n")
        rest = (rest + first)[: LONGEST_LINE + 1]
        if others:
            yield rest
            yield from others[:-1]
            rest = others[-1]
    if rest:
        yield rest
