"""What is wanted of sources: a table of goals, and of what they may never fall below."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores import sweeps
from tests.benchmarks.on_stores.goals import at_least
from tests.benchmarks.on_stores.places import POSTGRESQL, SQLITE, STORES
from tests.benchmarks.sources.speed import BATCH, WINDOWS
from tests.benchmarks.sources.streams import HALF, KNOWN, NEW

# The same as durable dispatch is wanted to reach by callers that each wait for their event.
RAW = {
    (SQLITE, 100): (0.60, 0.15),
    (SQLITE, 1000): (0.85, 0.2),
    (POSTGRESQL, 100): (0.5, 0.12),
    (POSTGRESQL, 1000): (0.5, 0.12),
}


def goals() -> list[Goal]:
    """Gives all that is wanted, on any store."""
    return [
        goal
        for store in STORES
        for goal in (
            *beside_raw(store),
            *known_ones(store),
            *beside_spark(store),
            *sweeps.goals("sweeps", store),
        )
    ]


def beside_raw(store: str) -> list[Goal]:
    """Wants new events to come near to raw rows."""
    pair = (f"ours, {NEW}", f"raw, {NEW}")
    wanted = [at_least("one after the other / raw", "one", store, pair, (0.8, 0.4))]
    for window in WINDOWS:
        pair = (f"ours, {window:,}, {NEW}", f"raw, {BATCH}, {NEW}")
        what = f"{window:,} at once / raw batches of {BATCH}"
        wanted.append(at_least(what, "many", store, pair, RAW[store, window]))
    return wanted


def known_ones(store: str) -> list[Goal]:
    """Wants known events to be no slower than new ones."""
    new, half, known = (f"ours, 100, {mix}" for mix in (NEW, HALF, KNOWN))
    return [
        at_least("half known / new, 100 at once", "many", store, (half, new), (1, 0.8)),
        at_least("all known / new, 100 at once", "many", store, (known, new), (1.5, 1)),
    ]


def beside_spark(store: str) -> list[Goal]:
    """Wants django-spark's way to be left behind, even where it has less to do."""
    return [
        at_least(
            f"ours, 100 at once / django-spark's way, {mix}",
            "peers",
            store,
            (f"ours, 100, {mix}", f"django-spark's way, {mix}"),
            (10, 3),
        )
        for mix in (NEW, KNOWN)
    ]
