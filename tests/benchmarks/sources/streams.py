"""Streams of keys of which none, every second one or each is known already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice

from attrs import frozen

from tests.benchmarks.durable.keys import Keys

NEW, HALF, KNOWN = "new", "half known", "all known"
MIXES = (NEW, HALF, KNOWN)


@frozen
class Piece:
    """
    So many keys of a stream.

    :ivar new: those that are not known yet.
    """

    keys: Sequence[str]
    new: Sequence[str]


def pieces(mix: str, fresh: Keys, known: Sequence[str]) -> Callable[[int], Piece]:
    """Gives what takes so many keys from an endless stream of a mix."""
    old = cycle(known)

    def endless() -> Iterator[tuple[str, bool]]:
        while True:
            if mix != KNOWN:
                yield fresh(), True
            if mix != NEW:
                yield next(old), False

    stream = endless()

    def take(count: int) -> Piece:
        some = list(islice(stream, count))
        return Piece([key for key, _ in some], [key for key, is_new in some if is_new])

    return take
