"""The command C{python -m tests.benchmarks.durable}: durable dispatch."""

from __future__ import annotations

import sys
from functools import partial

from attrs import evolve

from tests.benchmarks.command import Benchmark
from tests.benchmarks.durable.goals import goals
from tests.benchmarks.durable.scenarios import kinds
from tests.benchmarks.durable.speed import Scale
from tests.benchmarks.on_stores.command import main
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.report import About

HOW = (
    "All contenders of a scenario are measured in one run, in turn, slice after slice; what "
    "counts is the median of each one's slices. Machines and disks differ and drift: compare the "
    "ratios, not the rates. The garbage collector is left alone. Each contender is checked to "
    "have done what it is timed for. The peers are programs of their own, which run between our "
    "slices."
)
WHO = (
    "Ours is fire_event from end to end: the event is recorded by its key and committed, one "
    "handler has run, that is settled and committed, and the caller's Deferred has fired. Each "
    "caller waits for its event before it fires the next one. Raw is what the database allows at "
    "best: a row with the same key and the same JSON is inserted and committed, then set to done "
    "and committed; on SQLite with a write-ahead log and synchronous=FULL, as ours has it, on "
    "PostgreSQL by one prepared statement for each batch."
)
BENCHMARK: Benchmark[Kind[Scale], Scale] = Benchmark(
    name="durable",
    about=About(
        "Benchmarks: durable",
        (HOW, WHO),
        ("Twisted", "psycopg", "huey", "dbos", "procrastinate"),
    ),
    hurry="a minute or two",
    thorough=Scale(rounds=9, one=1000, many=10_000, settled=100_000, waiting=100_000, groups=200),
    quick=Scale(rounds=3, one=200, many=2000, settled=10_000, waiting=10_000, groups=20),
    kinds=kinds,
    goals=lambda scale: goals(),
    million=partial(evolve, settled=1_000_000),
    of_a_million="full stores have 1,000,000 events",
    stores=STORES,
)

if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
