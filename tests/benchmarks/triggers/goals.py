"""What is wanted of trigger sessions: a table of goals, and of what it may never fall below."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.goals import at_least, at_most
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.triggers.speed import FEW_RUNS, MANY_RUNS, RAW, RAW_SESSIONS


def goals() -> list[Goal]:
    """Gives all that is wanted; the rates are those of the ancestor, which had no disk."""
    return [goal for store in STORES for goal in on_either(store)]


def on_either(store: str) -> list[Goal]:
    """Gives what is wanted on any store."""
    fires, sessions = "ours, 100 sessions", "ours, 100 at once"
    return [
        at_least("100 sessions / raw", "fires", store, (fires, RAW), (3, 1)),
        at_least("100 at once / raw", "sessions", store, (sessions, RAW_SESSIONS), (0.5, 0.2)),
        at_least("fires/s, 100 sessions", "fires", store, (fires, None), (4500, 2000)),
        at_least("sessions/s, 100 at once", "sessions", store, (sessions, None), (300, 200)),
        *(
            at_most(
                f"last / first hundred of {runs:,}", "growing", store, (figure, None), (1.2, 1.5)
            )
            for runs in (FEW_RUNS, MANY_RUNS)
            for figure in [f"{runs:,} runs"]
        ),
    ]
