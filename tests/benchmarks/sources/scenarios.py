"""The scenarios: what is measured of sources, on each kind of store."""

from __future__ import annotations

from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.sources.speed import Scale, many, one, peers
from tests.benchmarks.timing import Progress

EVENTS = "events/s"
FIRST, AGAIN, PEAK = "objects/s", "objects/s, all events known", "most memory, MiB"
FEW, MANY = "few", "very many"


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    few = scale.objects // 10
    sweeps = f"Sweeps of few objects ({few:,}) and of very many ({scale.objects:,})"
    return [
        Kind("one", "Events of a source, each handled before the next one", EVENTS, one),
        Kind("many", "Events of a source, many under way at once", EVENTS, many),
        Kind("sweeps", sweeps, "", sweeps_of_two_sizes, compared=False),
        Kind("peers", "Events of a source beside django-spark's way", EVENTS, peers),
    ]


async def sweeps_of_two_sizes(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures a sweep of few objects and one of very many, each in a program of its own."""
    figures = {}
    for done, (label, count) in enumerate(((FEW, scale.objects // 10), (MANY, scale.objects)), 1):
        answer = await answer_of("sources.sweeping", place.new_url(), count)
        figures[f"{label}: {FIRST}"] = answer["first"]
        figures[f"{label}: {AGAIN}"] = answer["again"]
        figures[f"{label}: {PEAK}"] = answer["peak"] / 2**20
        progress(done / 2)
    return figures
