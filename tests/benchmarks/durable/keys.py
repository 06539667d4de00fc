"""Keys, of which none comes twice: in ascending order, or scattered all over an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from os import urandom
from random import Random

Keys = Callable[[], str]


def ascending() -> Keys:
    """Gives a maker of keys each of which is greater than the one before."""
    counted, ours = count(), urandom(9).hex()
    return lambda: f"{next(counted):012x}-{ours}"


def scattered() -> Keys:
    """Gives a maker of keys in no order."""
    chance = Random(urandom(16))
    return lambda: f"{chance.getrandbits(144):036x}"


def half_known(keys: Keys) -> Keys:
    """Gives a maker each of whose keys comes twice, at some distance."""

    def repeated() -> Iterator[str]:
        while True:
            some = [keys() for _ in range(500)]
            yield from some
            yield from some

    return repeated().__next__
