"""The scenarios: what is measured of Django, on each kind of store."""

from __future__ import annotations

from functools import partial

from attrs import frozen

from tests.benchmarks.django.names import ATOMIC, AUTOCOMMIT, HUNDRED
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress


@frozen
class Scale:
    """Says how much is measured: C{saves} in a slice."""

    rounds: int
    saves: int
    events: int
    rows: int


WAYS = {
    AUTOCOMMIT: "save() in autocommit",
    ATOMIC: "save() within atomic(), one in each transaction",
    HUNDRED: "save() within atomic(), 100 in each transaction",
}
RUNS = {"daemon": "", "here": ", while this process calls the handlers"}


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    return [
        Kind(f"{way}, {run}", f"{title}{where}", "saves/s", partial(saving, run, way))
        for run, where in RUNS.items()
        for way, title in WAYS.items()
    ]


async def saving(run: str, way: str, place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures save() in a program of its own, in which all take turns."""
    rates: Rates = await answer_of(
        "django.saving", place.new_url(), run, way, scale.rounds, scale.saves
    )
    progress(1.0)
    return rates
