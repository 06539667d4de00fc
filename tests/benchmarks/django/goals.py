"""What is wanted of Django: a table of goals, and of what they may never fall below."""

from __future__ import annotations

from tests.benchmarks.django.names import (
    DAEMON,
    HANDLERS,
    HERE,
    KNOWN,
    NEW,
    PAGES,
    PLAIN,
    SLOW,
    SOURCE,
    SPARK,
)
from tests.benchmarks.django.scenarios import PEER_SWEEP, RUNS, WAYS
from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores import sweeps
from tests.benchmarks.on_stores.goals import at_least, at_most
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.sweeps import FEW, FIRST, MANY


def goals() -> list[Goal]:
    """Gives all that is wanted, on any store."""
    return [
        goal
        for store in STORES
        for goal in (
            *saving(store),
            *handled(store),
            *sweeps.goals("sweeps", store),
            peer(store),
            *admin(store),
        )
    ]


def saving(store: str) -> list[Goal]:
    """Wants a source to cost little beside what saving costs anyway: time divided by time."""
    return [
        at_most(
            f"save(), a source / none, {what}, {way}, {run}",
            f"{way}-{run}",
            store,
            (f"{PLAIN}, {what}", f"{SOURCE}, {what}"),
            (1.6, 2.0),
        )
        for run in (*RUNS, SLOW)
        for way in WAYS
        for what in (NEW, KNOWN)
    ]


def handled(store: str) -> list[Goal]:
    """Wants many events to be handled no slower than by the peer, which writes nothing of it."""
    return [
        at_least(
            f"handled by {name} / django-spark's way, {at_once}",
            "handled",
            store,
            (f"{name}, {at_once}", f"{SPARK}, {at_once}"),
            (1, 0.5),
        )
        for name in (HANDLERS[DAEMON], HANDLERS[HERE])
        for at_once in ("1 at once", "100 at once")
    ]


def admin(store: str) -> list[Goal]:
    """Wants pages to take hardly longer beside very many events: time divided by time."""
    return [
        at_most(
            f"{page}, very many stored / few",
            "admin",
            store,
            (f"{MANY}: {page}", f"{FEW}: {page}"),
            (2, 5),
        )
        for page in PAGES
    ]


def peer(store: str) -> Goal:
    """Wants the peer's sweep to be left behind."""
    pair = (f"{FEW}: {FIRST}", PEER_SWEEP)
    return at_least("rows/s of a sweep, ours / django-spark's way", "sweeps", store, pair, (5, 2))
