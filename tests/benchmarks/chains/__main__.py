"""The command C{python -m tests.benchmarks.chains}: measures, and prints ratios and goals.

Its exit status says only whether all contenders did their work: a figure is never an error.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from attrs import evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from tests.benchmarks.chains.goals import goals
from tests.benchmarks.chains.scenarios import Scale, Stock, kinds, run
from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.durable.__main__ import progress_of, say
from tests.benchmarks.durable.places import STORES, Place, place_of
from tests.benchmarks.durable.report import figures_table
from tests.benchmarks.durable.scenarios import Figures
from tests.benchmarks.report import About, as_page, as_text, goals_table, summary

THOROUGH = Scale(rounds=7, one=100, many=1000, looks=1000, stored=100_000)
QUICK = Scale(rounds=3, one=50, many=500, looks=200, stored=10_000)
MILLION = 1_000_000
PACKAGES = ("Twisted", "psycopg", "dbos")
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
ABOUT = About("Benchmarks: chains", (HOW, WHO), PACKAGES)


def main(arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = parser().parse_args(arguments)
    react(lambda reactor: ensureDeferred(report(options)))


def parser() -> ArgumentParser:
    """Gives the options of the command."""
    names = [kind.name for kind in kinds(QUICK)]
    options = ArgumentParser(prog="python -m tests.benchmarks.chains", description=__doc__)
    options.add_argument("--quick", action="store_true", help="rough figures, in a minute or two")
    options.add_argument("--scenario", choices=names, help="measure this one only")
    options.add_argument("--store", choices=STORES, help="on this kind of store only")
    options.add_argument(
        "--million", action="store_true", help="full stores have 1,000,000 chains"
    )
    options.add_argument(
        "--postgresql", metavar="URL", help="a database, as who may create others"
    )
    options.add_argument("--output", type=Path, help="write this reStructuredText file as well")
    return options


async def report(options: Namespace) -> None:
    """Measures and reports."""
    scale = QUICK if options.quick else THOROUGH
    if options.million:
        scale = evolve(scale, stored=MILLION)
    figures, absent = await measure_all(options, scale)
    known = {each.scenario.name for each in figures}
    wishes = [goal for goal in goals() if goal.scenario in known]
    measured = [each for each in figures if each.per_event]
    tables = [*map(figures_table, measured), goals_table(wishes, figures)]
    lines = [*summary(wishes, figures), *absent]
    print(as_text(tables, lines, PACKAGES))
    if options.output is not None:
        page = as_page([tables[-1], *tables[:-1]], lines, command_of(options), ABOUT)
        options.output.write_text(page, encoding="utf-8")


async def measure_all(options: Namespace, scale: Scale) -> tuple[list[Figures], list[str]]:
    """Measures on one kind of store after the other; gives as well which of them is missing."""
    figures: list[Figures] = []
    absent = []
    for store in STORES:
        if options.store in (None, store):
            try:
                place = place_of(store, options.postgresql)
            except MissingPeer as error:
                absent.append(str(error))
                continue
            try:
                figures += await measure_on(place, options.scenario, scale)
            finally:
                place.remove()
    return figures, absent


async def measure_on(place: Place, only: str | None, scale: Scale) -> list[Figures]:
    """Measures one scenario after the other, and says on stderr how far it is."""
    wanted = [kind for kind in kinds(scale) if only in (None, kind.name)]
    began = monotonic()
    figures = []
    stock = Stock(place, scale)
    for number, kind in enumerate(wanted, 1):
        heading = f"{place.title} [{number}/{len(wanted)}] {kind.title}"
        figures.append(await run(kind, stock, progress_of(heading)))
        say(f"{heading}: {monotonic() - began:.0f} s", end="\n")
    await stock.close()
    return figures


def command_of(options: Namespace) -> str:
    """Gives the command as it is typed in the project's directory."""
    words = ["python -m tests.benchmarks.chains"]
    words += ["--quick"] * options.quick
    words += [f"--scenario {options.scenario}"] * (options.scenario is not None)
    words += [f"--store {options.store}"] * (options.store is not None)
    words += ["--million"] * options.million
    words += [f"--output {Path(*options.output.parts[-2:]).as_posix()}"]
    return " ".join(words)


if __name__ == "__main__":
    main(sys.argv[1:])
