"""How the figures of a scenario on one kind of store become a table."""

from __future__ import annotations

from tests.benchmarks.on_stores.scenarios import Figures
from tests.benchmarks.report import Table, shown


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
