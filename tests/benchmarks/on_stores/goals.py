"""Goals of scenarios that are measured on each kind of store."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.places import POSTGRESQL, SQLITE
from tests.benchmarks.on_stores.scenarios import scenario_of

TITLES = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}

Pair = tuple[str, str | None]
Bounds = tuple[float, float]


def at_least(what: str, name: str, store: str, pair: Pair, bounds: Bounds) -> Goal:
    """Wants a figure to be great: of a pair, the first divided by the second, if there is one."""
    title, scenario = f"{what}, {TITLES[store]}", scenario_of(name, store)
    return Goal(title, scenario, *pair, *bounds, more_is_better=True)


def at_most(what: str, name: str, store: str, pair: Pair, bounds: Bounds) -> Goal:
    """Wants a figure to be small: of a pair as above."""
    return Goal(f"{what}, {TITLES[store]}", scenario_of(name, store), *pair, *bounds)
