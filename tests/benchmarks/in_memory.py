"""The command C{python -m tests.benchmarks.in_memory}: measures, and prints ratios and goals.

Its exit status says only whether all contenders did their work: a figure is never an error.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path, PurePath
from time import monotonic

from attrs import evolve

from tests.benchmarks.goals import goals
from tests.benchmarks.report import (
    Table,
    as_page,
    as_text,
    goals_table,
    scenario_table,
    summary,
)
from tests.benchmarks.scenarios import Figures, Scale, Scenario, run, scenarios
from tests.benchmarks.timing import Effort, Progress

THOROUGH = Effort(slice_seconds=0.003, scenario_seconds=12.0, least_rounds=5)
QUICK = Effort(slice_seconds=0.001, scenario_seconds=0.6, least_rounds=3)
LARGE = Scale(many=100_000, in_flight=1000)
SMALL = Scale(many=10_000, in_flight=1000)


def main(arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = parser().parse_args(arguments)
    scale = evolve(SMALL if options.quick else LARGE, million=options.million)
    wanted = [
        scenario for scenario in scenarios(scale) if options.scenario in (None, scenario.name)
    ]
    figures = measure_all(wanted, QUICK if options.quick else THOROUGH)
    known = {scenario.name for scenario in wanted}
    wishes = [goal for goal in goals(scale.many) if goal.scenario in known]
    tables = [*map(scenario_table, figures), goals_table(wishes, figures)]
    lines = summary(wishes, figures)
    print(as_text(tables, lines))
    if options.output is not None:
        write_page(options, tables, lines)


def parser() -> ArgumentParser:
    """Gives the options of the command."""
    names = [scenario.name for scenario in scenarios(SMALL)]
    options = ArgumentParser(prog="python -m tests.benchmarks.in_memory", description=__doc__)
    options.add_argument("--quick", action="store_true", help="rough figures, in seconds")
    options.add_argument("--scenario", choices=names, help="measure this one only")
    options.add_argument("--million", action="store_true", help="also 1,000,000 handlers")
    options.add_argument("--output", type=Path, help="write this reStructuredText file as well")
    return options


def measure_all(wanted: Sequence[Scenario], effort: Effort) -> list[Figures]:
    """Measures one scenario after the other, and says on stderr how far it is."""
    started = monotonic()
    figures = []
    for number, scenario in enumerate(wanted, 1):
        heading = f"[{number}/{len(wanted)}] {scenario.title}"
        figures.append(run(scenario, effort, progress_of(heading)))
        print(f"{heading}: {monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return figures


def progress_of(heading: str) -> Progress:
    """Gives what shows a scenario's progress on a terminal, and nothing where there is none."""

    def show(done: float) -> None:
        if sys.stderr.isatty():
            print(f"{heading}: {done:.0%}", end="   \r", file=sys.stderr, flush=True)

    return show


def write_page(options: Namespace, tables: Sequence[Table], lines: Sequence[str]) -> None:
    """Writes the page of the documentation, which begins with the goals."""
    *scenario_tables, goal_table = tables
    page = as_page([goal_table, *scenario_tables], lines, command_of(options))
    options.output.write_text(page, encoding="utf-8")


def command_of(options: Namespace) -> str:
    """Gives the command as it is typed in the project's directory."""
    output = PurePath(options.output)
    words = ["python -m tests.benchmarks.in_memory"]
    words += ["--quick"] * options.quick
    words += [f"--scenario {options.scenario}"] * (options.scenario is not None)
    words += ["--million"] * options.million
    words += [f"--output {PurePath(*output.parts[-2:]).as_posix()}"]
    return " ".join(words)


if __name__ == "__main__":
    main(sys.argv[1:])
