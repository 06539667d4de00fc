"""The command C{python -m tests.benchmarks.django}: sources of models, and their events."""

from __future__ import annotations

import sys

from tests.benchmarks.command import Benchmark
from tests.benchmarks.django.goals import goals
from tests.benchmarks.django.scenarios import Scale, kinds
from tests.benchmarks.on_stores.command import main
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.report import About

HOW = (
    "What saves is a program of its own, in which all contenders take turns, slice after slice; "
    "what counts is the median of each one's slices. Where events are handled, each contender "
    "has programs of its own, round after round, and so has each sweep, whose memory is the "
    "most that its process has had. Machines and disks differ and drift: compare the ratios, "
    "not the rates. Each contender is checked to have recorded, and handled, what it is timed "
    "for."
)
WHO = (
    "The model is the same for all. A source gives one event for an object, with the object in "
    "its context; the event of a new object is new, that of an object which is saved again is "
    "known. The goals hold the time of save() with a source against that without. In autocommit a "
    "row alone is one message to PostgreSQL, which commits as well; with its events it is a "
    "transaction of two, and within atomic() a row alone is one of three. What a transaction "
    "costs by itself shows a source without events. What the disk takes of a save() decides these "
    "ratios, and is told first: the faster the disk, the more counts what else is done. On a "
    "slower disk the same costs less beside it; PostgreSQL plays one by itself (commit_delay), "
    "and for SQLite it is played by a pause after each commit. "
    "Events are handled by the daemon, run_dispatcher, or by a thread of the process that saves; "
    "the handler runs in a thread and reads the object from the database. The settings are "
    "Django's own, but that SQLite syncs the disk at each commit (synchronous=FULL), writes ahead "
    "and begins transactions as IMMEDIATE; PostgreSQL has synchronous_commit=on. Sweeps are "
    "process_event_sources over all rows, which records what is new. The admin's pages are asked "
    "for in the process that makes them, after PostgreSQL has cleaned up (VACUUM ANALYZE). "
    "Django-spark's way, "
    "written afresh, records the key of an event in a savepoint of the same transaction and "
    "calls the handler at once, with the object that was saved; in autocommit it writes object "
    "and event in two transactions; it writes nothing of an event's being handled."
)

BENCHMARK: Benchmark[Kind[Scale], Scale] = Benchmark(
    name="django",
    about=About("Benchmarks: Django", (HOW, WHO), ("Django", "Twisted", "psycopg")),
    hurry="some minutes",
    thorough=Scale(
        slices=50,
        saves=100,
        rounds=5,
        events=2000,
        waits=100,
        rows=100_000,
        stored=1_000_000,
        looks=9,
    ),
    quick=Scale(
        slices=15, saves=50, rounds=3, events=100, waits=10, rows=5000, stored=20_000, looks=5
    ),
    kinds=kinds,
    goals=lambda scale: goals(),
    stores=STORES,
)

if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
