"""Measures contenders in turn, round after round, so that what disturbs one disturbs all.

What counts is the median of a contender's slices: a slice is long enough to have many commits in
it, and a disk that is slow or quick for a moment is no property of a contender.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from statistics import median
from time import perf_counter

from attrs import frozen

from tests.benchmarks.timing import Progress, nobody

Rates = Mapping[str, float]


@frozen
class Slice:
    """One contender's part of a round: C{run} does so many events."""

    name: str
    events: int
    run: Callable[[], Awaitable[object]]


async def rates_in_turn(
    slices: Sequence[Slice], rounds: int, progress: Progress = nobody
) -> dict[str, float]:
    """Gives each contender's events per second, after one round that does not count.

    The garbage collector works as it does in a program that does nothing about it.
    """
    chance = Random(0)
    rates: dict[str, list[float]] = {each.name: [] for each in slices}
    for number in range(rounds + 1):
        for each in chance.sample(slices, len(slices)):
            gc.collect()
            rate = await rate_of(each)
            if number:
                rates[each.name].append(rate)
        progress((number + 1) / (rounds + 1))
    return {name: median(measured) for name, measured in rates.items()}


async def rate_of(piece: Slice) -> float:
    """Gives the events per second of one slice."""
    began = perf_counter()
    await piece.run()
    return piece.events / (perf_counter() - began)
