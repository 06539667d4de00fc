"""Measures ours beside others, which are programs of their own, round after round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from tests.benchmarks.on_stores.turns import Rates, Slice, rate_of
from tests.benchmarks.timing import Progress

# So many rounds at most: a program of its own takes seconds to start.
ROUNDS = 3

# Runs a program, and gives the figures that it prints.
Program = Callable[[], Awaitable[Rates]]


async def rates_beside(
    slices: Sequence[Slice], programs: Sequence[Program], rounds: int, progress: Progress
) -> dict[str, float]:
    """Gives the median of each figure: those of our slices, then those of the programs."""
    rates: dict[str, list[float]] = defaultdict(list)
    rounds = min(ROUNDS, rounds)
    for number in range(rounds):
        for each in slices:
            rates[each.name].append(await rate_of(each))
        for program in programs:
            for name, rate in (await program()).items():
                rates[name].append(rate)
        progress((number + 1) / rounds)
    return {name: median(measured) for name, measured in rates.items()}
