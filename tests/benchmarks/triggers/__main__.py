"""The command C{python -m tests.benchmarks.triggers}: measures, and prints figures and goals.

Its exit status says only whether all sessions did their work: a figure is never an error.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, cast

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.durable.__main__ import progress_of, say
from tests.benchmarks.durable.places import STORES, Place, place_of
from tests.benchmarks.durable.report import figures_table
from tests.benchmarks.durable.scenarios import Figures, run
from tests.benchmarks.report import About, as_page, as_text, goals_table, summary
from tests.benchmarks.triggers.goals import goals
from tests.benchmarks.triggers.speed import Scale, kinds

THOROUGH = Scale(rounds=5, one=500, many=5000, sessions=300, growths=3)
QUICK = Scale(rounds=3, one=200, many=2000, sessions=100, growths=1)
PACKAGES = ("Twisted", "psycopg")
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
ABOUT = About("Benchmarks: trigger sessions", (HOW, WHO), PACKAGES)


def main(arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = parser().parse_args(arguments)
    react(lambda reactor: ensureDeferred(report(options)))


def parser() -> ArgumentParser:
    """Gives the options of the command."""
    names = [kind.name for kind in kinds(QUICK)]
    options = ArgumentParser(prog="python -m tests.benchmarks.triggers", description=__doc__)
    options.add_argument("--quick", action="store_true", help="rough figures, in a minute or two")
    options.add_argument("--scenario", choices=names, help="measure this one only")
    options.add_argument("--store", choices=STORES, help="on this kind of store only")
    options.add_argument(
        "--postgresql", metavar="URL", help="a database, as who may create others"
    )
    options.add_argument("--output", type=Path, help="write this reStructuredText file as well")
    return options


async def report(options: Namespace) -> None:
    """Measures and reports."""
    figures: list[Figures] = []
    absent: list[str] = []
    for store in STORES:
        if options.store in (None, store):
            try:
                place = place_of(store, options.postgresql)
            except MissingPeer as error:
                absent.append(str(error))
                continue
            try:
                figures += await measure_on(place, options)
            finally:
                place.remove()
    known = {each.scenario.name for each in figures}
    wishes = [goal for goal in goals() if goal.scenario in known]
    tables = [goals_table(wishes, figures), *map(figures_table, figures)]
    lines = [*summary(wishes, figures), *absent]
    print(as_text([*tables[1:], tables[0]], lines, PACKAGES))
    if options.output is not None:
        page = as_page(tables, lines, command_of(options), ABOUT)
        options.output.write_text(page, encoding="utf-8")


async def measure_on(place: Place, options: Namespace) -> list[Figures]:
    """Measures one scenario after the other, and says on stderr how far it is."""
    scale = QUICK if options.quick else THOROUGH
    wanted = [kind for kind in kinds(scale) if options.scenario in (None, kind.name)]
    began = monotonic()
    figures = []
    for number, kind in enumerate(wanted, 1):
        heading = f"{place.title} [{number}/{len(wanted)}] {kind.title}"
        # The scenarios of this command have their scale already.
        figures.append(await run(kind, place, cast(Any, None), progress_of(heading)))
        say(f"{heading}: {monotonic() - began:.0f} s", end="\n")
    return figures


def command_of(options: Namespace) -> str:
    """Gives the command as it is typed in the project's directory."""
    words = ["python -m tests.benchmarks.triggers"]
    words += ["--quick"] * options.quick
    words += [f"--scenario {options.scenario}"] * (options.scenario is not None)
    words += [f"--store {options.store}"] * (options.store is not None)
    words += [f"--output {Path(*options.output.parts[-2:]).as_posix()}"]
    return " ".join(words)


if __name__ == "__main__":
    main(sys.argv[1:])
