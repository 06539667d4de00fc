"""What is wanted of durable dispatch: a table of goals, and of what it may never fall below."""

from __future__ import annotations

from tests.benchmarks.durable.daemons import ONE, TWO
from tests.benchmarks.durable.saturated import EVENTS_PER_SECOND, LONGEST_WAIT
from tests.benchmarks.durable.speed import RAW_BATCHES, RAW_INSERTS, RAW_ONE
from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.goals import Bounds, at_least, at_most
from tests.benchmarks.on_stores.places import POSTGRESQL, SQLITE, STORES


def goals() -> list[Goal]:
    """Gives all that is wanted."""
    wanted = [
        callers(SQLITE, 100, (0.60, 0.15)),
        callers(SQLITE, 1000, (0.85, 0.2)),
        callers(POSTGRESQL, 100, (0.5, 0.12)),
        at_least("two daemons / one", "daemons", POSTGRESQL, (TWO, ONE), (1.6, 1.2)),
    ]
    for store in STORES:
        wanted += on_either(store)
    return [*wanted, *beside_peers(), *fsyncs()]


def callers(store: str, count: int, bounds: Bounds) -> Goal:
    """Wants many callers to come near to raw batches."""
    what = f"{count} callers / raw batches of 100"
    return at_least(what, "callers", store, (f"ours, {count} callers", RAW_BATCHES), bounds)


def on_either(store: str) -> list[Goal]:
    """Gives what is wanted on any store."""
    hundred, known = "ours, 100 callers", "ours, 100 callers, half known"
    recorded = (hundred, RAW_INSERTS)
    rate, wait = (EVENTS_PER_SECOND, None), (LONGEST_WAIT, None)
    return [
        at_least("1 caller / raw", "one", store, ("ours, 1 caller", RAW_ONE), (0.8, 0.4)),
        at_least("recording / raw insert", "recording", store, recorded, (0.75, 0.2)),
        at_least("recording, half known / new", "recording", store, (known, hundred), (1, 0.8)),
        full(store, "ascending", (0.9, 0.7)),
        full(store, "scattered", (0.65, 0.5)),
        at_least("busy reactor, events/s", "saturated", store, rate, (5000, 1000)),
        at_most("busy reactor, longest wait in ms", "saturated", store, wait, (250, 2000)),
    ]


def full(store: str, order: str, bounds: Bounds) -> Goal:
    """Wants a store with very many settled events to be nearly as fast as an empty one."""
    pair = (f"very many settled, keys {order}", f"none settled, keys {order}")
    return at_least(f"very many settled / none, keys {order}", "settled", store, pair, bounds)


def beside_peers() -> list[Goal]:
    """Wants other libraries to be left far behind."""
    hundred = "ours, 100"
    return [
        *(
            at_least("ours / DBOS, 100 callers", "peers", store, (hundred, "DBOS, 100"), (100, 20))
            for store in STORES
        ),
        at_least("ours / huey, backlog", "peers", SQLITE, (hundred, "huey, backlog"), (15, 3)),
        at_least(
            "ours / Procrastinate, backlog",
            "peers",
            POSTGRESQL,
            (hundred, "Procrastinate, backlog"),
            (50, 8),
        ),
    ]


def fsyncs() -> list[Goal]:
    """Wants the disk to be synchronized no more often for a large group than for a small one."""
    return [
        at_most(f"fsyncs for {group}", "fsyncs", SQLITE, (group, None), (2, 2))
        for group in ("a group of 1", "a group of 100", "a group of 1,000")
    ]
