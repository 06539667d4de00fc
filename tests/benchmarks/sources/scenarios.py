"""The scenarios: what is measured of sources, on each kind of store."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.sweeps import title, two_sizes
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.sources.speed import Scale, many, one, peers
from tests.benchmarks.timing import Progress

EVENTS = "events/s"


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    return [
        Kind("one", "Events of a source, each handled before the next one", EVENTS, one),
        Kind("many", "Events of a source, many under way at once", EVENTS, many),
        Kind("sweeps", title(scale.objects), "", sweeps, compared=False),
        Kind("peers", "Events of a source beside django-spark's way", EVENTS, peers),
    ]


async def sweeps(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures a sweep of few objects and one of very many, each in a program of its own."""

    async def sweep(count: int) -> Mapping[str, float]:
        answer: Mapping[str, float] = await answer_of("sources.sweeping", place.new_url(), count)
        return answer

    return await two_sizes(scale.objects, sweep, progress)
