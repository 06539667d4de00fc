"""How the figures of durable dispatch become tables, and what the page says about them."""

from __future__ import annotations

from tests.benchmarks.durable.scenarios import Figures
from tests.benchmarks.report import About, Table, shown

PACKAGES = ("Twisted", "psycopg", "huey", "dbos", "procrastinate")

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
ABOUT = About("Benchmarks: durable", (HOW, WHO), PACKAGES)


def figures_table(figures: Figures) -> Table:
    """Gives each contender's figure, and how it compares with the first one."""
    scenario = figures.scenario
    first = next(iter(figures.per_event))
    rows = []
    for name, figure in figures.per_event.items():
        cells = [name, shown(figure)]
        if scenario.compared:
            cells.append(shown(figure / figures.per_event[first]))
        rows.append(cells)
    columns = ["", scenario.unit or "figure"] + [f"/ {first}"] * scenario.compared
    return Table(scenario.title, columns, rows)
