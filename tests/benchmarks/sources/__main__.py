"""The command C{python -m tests.benchmarks.sources}: sources of events."""

from __future__ import annotations

import sys

from tests.benchmarks.command import Benchmark
from tests.benchmarks.on_stores.command import main
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.report import About
from tests.benchmarks.sources.goals import goals
from tests.benchmarks.sources.scenarios import kinds
from tests.benchmarks.sources.speed import Scale

HOW = (
    "The contenders of a scenario are measured in one run, in turn, slice after slice; what "
    "counts is the median of each one's slices. Machines and disks differ and drift: compare "
    "the ratios, not the rates. Each contender is checked to have handled what it is timed for, "
    "once. Django is in a program of its own, which runs between our slices; so is each sweep, "
    "whose memory is the most that its process has had. There, SQLite may keep 2 MiB of the "
    "file's pages; by default it keeps more, but not without bounds."
)
WHO = (
    "Ours is process_events over a stream: each event is recorded by its key, and the new ones "
    "are handled by one handler of their group and settled, before the stream is done. Raw is a "
    "loop over the same keys: rows are inserted by key, one or a hundred in a transaction, and "
    "what is new is set to done in another one; it is told what is new. Django-spark's way is a "
    "table of keys: each event is inserted in a transaction of its own by Django's ORM, and "
    "handled where its key was not there; nothing is written of its being handled. SQLite syncs "
    "the disk at each commit (synchronous=FULL), PostgreSQL has synchronous_commit=on."
)

BENCHMARK: Benchmark[Kind[Scale], Scale] = Benchmark(
    name="sources",
    about=About("Benchmarks: sources of events", (HOW, WHO), ("Twisted", "psycopg", "Django")),
    hurry="a minute or two",
    thorough=Scale(rounds=7, many=10_000, few=1000, objects=100_000),
    quick=Scale(rounds=3, many=2000, few=200, objects=10_000),
    kinds=kinds,
    goals=lambda scale: goals(),
    stores=STORES,
)

if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
