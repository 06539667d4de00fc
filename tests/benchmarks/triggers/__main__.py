"""The command C{python -m tests.benchmarks.triggers}: trigger sessions."""

from __future__ import annotations

import sys

from tests.benchmarks.command import Benchmark
from tests.benchmarks.on_stores.command import main
from tests.benchmarks.on_stores.places import STORES
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.report import About
from tests.benchmarks.triggers.goals import goals
from tests.benchmarks.triggers.speed import Scale, kinds

HOW = (
    "The contenders of a scenario are measured in one run, in turn, slice after slice; what "
    "counts is the median of each one's slices. Machines and disks differ and drift: compare the "
    "ratios, not the rates. Sessions are checked to have finished what they are timed for."
)
WHO = (
    "A fire is done when it is committed, with all that it has changed in its session. Each "
    "session waits for its fire before the next one. A whole session is stored with its "
    "configuration, has two triggers fired that one task waits for, and runs that task and two "
    "more, each after the cascade of the one before. Raw is a row that is inserted and committed, "
    "then updated and committed, one row after the other; three rows for a session."
)
BENCHMARK: Benchmark[Kind[Scale], Scale] = Benchmark(
    name="triggers",
    about=About("Benchmarks: trigger sessions", (HOW, WHO), ("Twisted", "psycopg")),
    hurry="a minute or two",
    thorough=Scale(rounds=5, one=500, many=5000, sessions=300, growths=3),
    quick=Scale(rounds=3, one=200, many=2000, sessions=100, growths=1),
    kinds=lambda scale: kinds(),
    goals=lambda scale: goals(),
    stores=STORES,
)

if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
