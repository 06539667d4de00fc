"""Turns figures into tables, and tables into plain text or into a page of the documentation."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from attrs import frozen

from tests.benchmarks.goals import Goal, Verdict
from tests.benchmarks.scenarios import Figures

PACKAGES = (
    "Twisted",
    "blinker",
    "PyDispatcher",
    "pyee",
    "psygnal",
    "zope.event",
    "zope.component",
    "Django",
)
HOW = (
    "All contenders of a scenario are measured in one run, in turn, each for a slice of a few "
    "milliseconds, round after round; what counts is the fastest slice of each. The garbage "
    "collector runs between the rounds only, except in registration, where it is left alone. "
    "Machines differ and drift: compare the ratios, not the nanoseconds. Before it is timed, "
    "each contender is checked to call every handler that it should."
)
WHO = (
    "The bare loop is a function that calls the handlers in a loop. Handlers are held strongly "
    "where a library can do so, and do nothing. Ours allows three keywords, is fired with all "
    "three, and gives a full result; that of the others is whatever they give."
)


@frozen
class About:
    """What a page says before its tables: its title, paragraphs, and which packages it names."""

    title: str
    paragraphs: Sequence[str]
    packages: Sequence[str]


IN_MEMORY = About("Benchmarks: in memory", (HOW, WHO), PACKAGES)


class Named(Protocol):
    """A scenario, as goals know it."""

    @property
    def name(self) -> str:
        """Tells by which name a goal finds it."""


class Measured(Protocol):
    """What any scenario came to."""

    @property
    def scenario(self) -> Named:
        """Tells which scenario."""

    @property
    def per_event(self) -> Mapping[str, float]:
        """Gives the figure of each contender."""

    @property
    def missing(self) -> Sequence[str]:
        """Says who could not be measured."""


@frozen
class Table:
    """A title, the names of the columns, and rows of cells; all but the first are figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def goals_table(goals: Iterable[Goal], figures: Iterable[Measured]) -> Table:
    """Gives what is wanted beside what was measured."""
    measured = {figure.scenario.name: figure.per_event for figure in figures}
    rows = []
    for goal in goals:
        figure = goal.figure(measured)
        sign = "\u2265" if goal.more_is_better else "\u2264"
        measure = "-" if figure is None else shown(figure)
        bounds = (f"{sign} {goal.goal:g}", f"{sign} {goal.limit:g}")
        rows.append((goal.what, measure, *bounds, goal.verdict(figure).value))
    return Table("Goals", ("what", "measured", "goal", "never worse than", "verdict"), rows)


def scenario_table(figures: Figures) -> Table:
    """Gives each contender's figure and how it compares with the first one."""
    scenario = figures.scenario
    first, *_ = figures.per_event
    rows = [
        (name, f"{figure:,.0f}", shown(figure / figures.per_event[first]))
        for name, figure in figures.per_event.items()
    ]
    return Table(scenario.title, ("", scenario.unit, f"/ {first}"), rows)


def shown(figure: float) -> str:
    """Gives a figure with as many digits as are worth reading."""
    places = 0 if figure >= 100 else 1 if figure >= 10 else 2
    return f"{figure:,.{places}f}"


def misses(goals: Iterable[Goal], figures: Iterable[Measured]) -> list[str]:
    """Gives a line for each goal that is not reached, the worst verdicts first."""
    measured = {figure.scenario.name: figure.per_event for figure in figures}
    found = []
    for goal in goals:
        figure = goal.figure(measured)
        verdict = goal.verdict(figure)
        if figure is not None and verdict is not Verdict.REACHED:
            line = f"{verdict.value}: {goal.what} is {shown(figure)}, the goal {goal.goal:g}"
            found.append((verdict is not Verdict.WORSE, line))
    return [line for _worse, line in sorted(found, key=lambda pair: pair[0])]


def summary(goals: Sequence[Goal], figures: Sequence[Measured]) -> list[str]:
    """Says in a few lines what misses its goal, and who could not be measured."""
    missed = misses(goals, figures)
    missing = sorted({line for figure in figures for line in figure.missing})
    return [*(missed or ["Every goal that was measured is reached."]), *missing]


def versions(packages: Iterable[str] = PACKAGES) -> str:
    """Names the Python and the packages that were measured, and no machine."""
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def as_text(
    tables: Iterable[Table], lines: Iterable[str], packages: Iterable[str] = PACKAGES
) -> str:
    """Writes tables for a terminal."""
    parts = [f"{table.title}\n{aligned([table.columns, *table.rows])}" for table in tables]
    return "\n\n".join([*parts, "\n".join(lines), versions(packages)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Writes rows in columns of equal width, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(["", *cells]).rstrip())
    return "\n".join(lines)


def as_page(
    tables: Iterable[Table], lines: Iterable[str], command: str, about: About = IN_MEMORY
) -> str:
    """Writes the page of the documentation, with the command that makes it."""
    parts = [
        underlined(about.title, "="),
        "This command makes this page, and nobody edits it:\n",
        f".. code-block:: text\n\n   {command}\n",
        *(f"{paragraph}\n" for paragraph in about.paragraphs),
        f"Measured with {versions(about.packages)}.\n",
        *(f"- {line}" for line in lines),
        "",
        *map(list_table, tables),
    ]
    return "\n".join(parts)


def list_table(table: Table) -> str:
    """Writes one table with its heading."""
    head = f"{underlined(table.title, '-')}\n.. list-table::\n   :header-rows: 1\n"
    return "\n".join([head, *map(list_row, [table.columns, *table.rows]), ""])


def list_row(cells: Sequence[str]) -> str:
    """Writes one row of a table."""
    first, *others = cells
    return "\n".join([f"   * - {first}".rstrip(), *(f"     - {cell}" for cell in others)])


def underlined(title: str, character: str) -> str:
    """Writes a heading."""
    return f"{title}\n{character * len(title)}\n"
