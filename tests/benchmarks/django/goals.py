"""What is wanted of Django: a table of goals, and of what they may never fall below."""

from __future__ import annotations

from tests.benchmarks.django.names import KNOWN, NEW, PLAIN, SOURCE
from tests.benchmarks.django.scenarios import RUNS, WAYS
from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.goals import at_most
from tests.benchmarks.on_stores.places import STORES


def goals() -> list[Goal]:
    """Gives all that is wanted, on any store."""
    return [goal for store in STORES for goal in saving(store)]


def saving(store: str) -> list[Goal]:
    """Wants a source to cost little beside what saving costs anyway: time divided by time."""
    return [
        at_most(
            f"with a source / without, {what}, {way}, {run}",
            f"{way}, {run}",
            store,
            (f"{PLAIN}, {what}", f"{SOURCE}, {what}"),
            (1.6, 2.0),
        )
        for run in RUNS
        for way in WAYS
        for what in (NEW, KNOWN)
    ]
