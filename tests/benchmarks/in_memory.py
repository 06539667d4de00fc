"""The command C{python -m tests.benchmarks.in_memory}: dispatch in memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attrs import evolve, frozen

from tests.benchmarks.command import Benchmark
from tests.benchmarks.goals import goals
from tests.benchmarks.report import IN_MEMORY, scenario_table
from tests.benchmarks.scenarios import Scale, Scenario, run, scenarios
from tests.benchmarks.timing import Effort


@frozen
class Extent:
    """How large the scenarios are, and for how long each is measured."""

    scale: Scale
    effort: Effort


def with_a_million(extent: Extent) -> Extent:
    """Adds a scenario of a million handlers."""
    return evolve(extent, scale=evolve(extent.scale, million=True))


BENCHMARK: Benchmark[Scenario, Extent] = Benchmark(
    name="in_memory",
    about=IN_MEMORY,
    hurry="seconds",
    thorough=Extent(
        Scale(many=100_000, in_flight=1000),
        Effort(slice_seconds=0.003, scenario_seconds=12.0, least_rounds=5),
    ),
    quick=Extent(
        Scale(many=10_000, in_flight=1000),
        Effort(slice_seconds=0.001, scenario_seconds=0.6, least_rounds=3),
    ),
    kinds=lambda extent: scenarios(extent.scale),
    goals=lambda extent: goals(extent.scale.many),
    million=with_a_million,
    of_a_million="also 1,000,000 handlers",
)


def main(benchmark: Benchmark[Scenario, Extent], arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = benchmark.parser().parse_args(arguments)
    effort = benchmark.scale(options).effort
    in_turn = benchmark.in_turn(options)
    figures = [run(scenario, effort, progress) for scenario, progress in in_turn]
    benchmark.publish(options, figures, [*map(scenario_table, figures)])


if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
