"""The command C{python -m tests.benchmarks.chains}: chains."""

from __future__ import annotations

import sys
from functools import partial

from attrs import evolve

from tests.benchmarks.chains.goals import goals
from tests.benchmarks.chains.scenarios import Scale, kinds
from tests.benchmarks.command import Benchmark
from tests.benchmarks.on_stores.command import main
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.report import About

HOW = (
    "All contenders of a scenario are measured in one run, in turn, slice after slice; what "
    "counts is the median of each one's slices. Machines and disks differ and drift: compare the "
    "ratios, not the rates. Each contender is checked to have done what it is timed for. DBOS is "
    "a program of its own, which runs between our slices."
)
WHO = (
    "A chain is made by its resources and takes three steps; a step is locked, its transition is "
    "found valid, its callback is called, and the new state, the line of history and the event "
    "are committed. Run to its end, it is locked once. DBOS calls a workflow of three steps. "
    "Finding is by all resources of a chain (exact), by some that few others have (selective), "
    "and by some of which one is shared by all chains (hot). SQLite syncs the disk at each "
    "commit (synchronous=FULL), PostgreSQL has synchronous_commit=on."
)
BENCHMARK: Benchmark[Kind[Scale], Scale] = Benchmark(
    name="chains",
    about=About("Benchmarks: chains", (HOW, WHO), ("Twisted", "psycopg", "dbos")),
    hurry="a minute or two",
    thorough=Scale(rounds=7, one=100, many=1000, looks=1000, stored=100_000),
    quick=Scale(rounds=3, one=50, many=500, looks=200, stored=10_000),
    kinds=kinds,
    goals=lambda scale: goals(),
    million=partial(evolve, stored=1_000_000),
    of_a_million="full stores have 1,000,000 chains",
    stores=STORES,
)

if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
