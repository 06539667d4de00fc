"""Sweeps of few objects and of ten times as many: whether these take longer, or more memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.goals import at_least, at_most
from tests.benchmarks.timing import Progress

FIRST, AGAIN, PEAK = "objects/s", "objects/s, all events known", "most memory, MiB"
FEW, MANY = "few", "very many"

# Gives what a sweep of so many came to, by the program that has done it: objects per second with
# new events as "first", with known ones as "again", and the most memory in bytes as "peak".
Sweep = Callable[[int], Awaitable[Mapping[str, float]]]


def title(objects: int) -> str:
    """Gives a title that says how many objects there are."""
    return f"Sweeps of few objects ({objects // 10:,}) and of very many ({objects:,})"


async def two_sizes(objects: int, sweep: Sweep, progress: Progress) -> dict[str, float]:
    """Has few objects swept, and very many."""
    figures = {}
    for done, (label, count) in enumerate(((FEW, objects // 10), (MANY, objects)), 1):
        answer = await sweep(count)
        figures[f"{label}: {FIRST}"] = answer["first"]
        figures[f"{label}: {AGAIN}"] = answer["again"]
        figures[f"{label}: {PEAK}"] = answer["peak"] / 2**20
        progress(done / 2)
    return figures


def goals(name: str, store: str) -> list[Goal]:
    """Wants very many objects to take no more memory, and no longer for each."""
    peak = (f"{MANY}: {PEAK}", f"{FEW}: {PEAK}")
    speed = (f"{MANY}: {FIRST}", f"{FEW}: {FIRST}")
    return [
        at_most("memory of a sweep, very many / few", name, store, peak, (1.1, 1.25)),
        at_least("objects/s of a sweep, very many / few", name, store, speed, (0.9, 0.7)),
    ]
