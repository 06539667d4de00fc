"""The scenarios, and what came of them; each is measured on each kind of store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen

from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.durable.daemons import daemons
from tests.benchmarks.durable.goals import scenario_of
from tests.benchmarks.durable.others import missing, others
from tests.benchmarks.durable.outside import fsyncs, memory
from tests.benchmarks.durable.places import Place
from tests.benchmarks.durable.saturated import saturated
from tests.benchmarks.durable.speed import (
    Scale,
    callers,
    one_caller,
    recording,
    with_settled_events,
)
from tests.benchmarks.durable.turns import Rates
from tests.benchmarks.timing import Progress, nobody

EVENTS = "events/s"


@frozen
class Kind:
    """A scenario, on whatever store; C{compared}: whether its figures are all of one kind."""

    name: str
    title: str
    unit: str
    measure: Callable[[Place, Scale, Progress], Awaitable[Rates]]
    compared: bool = True


@frozen
class Scenario:
    """A scenario on one kind of store."""

    name: str
    title: str
    unit: str
    compared: bool


@frozen
class Figures:
    """What a scenario came to: a figure for each contender, in the scenario's unit."""

    scenario: Scenario
    per_event: Rates
    missing: Sequence[str]


def kinds(scale: Scale) -> list[Kind]:
    """Gives all scenarios, in the order of the report."""
    settled = f"100 callers, {scale.settled:,} settled events in the store or none"
    waiting = f"Memory of a daemon, {scale.waiting:,} deliveries waiting in the store or none"
    return [
        Kind("one", "One event after another", EVENTS, one_caller),
        Kind("callers", "Many callers, each waiting for its event", EVENTS, callers),
        Kind("recording", "Accepting events that nobody handles", EVENTS, recording),
        Kind("settled", settled, EVENTS, with_settled_events),
        Kind("saturated", "100 callers, every turn busy for 2 ms", "", saturated, compared=False),
        Kind("daemons", "Daemons on one database, 100 callers each", EVENTS, daemons),
        Kind("fsyncs", "Calls of fsync for a group of events", "calls", fsyncs, compared=False),
        Kind("memory", waiting, "MiB", memory),
        Kind("peers", "Other libraries; by one caller, and by 100 at once", EVENTS, others),
    ]


async def run(kind: Kind, place: Place, scale: Scale, progress: Progress = nobody) -> Figures:
    """Measures a scenario on one kind of store, or says why that is not possible."""
    scenario = Scenario(
        scenario_of(kind.name, place.store),
        f"{kind.title}: {place.title}",
        kind.unit,
        kind.compared,
    )
    absent = missing(place.store) if kind.measure is others else []
    try:
        return Figures(scenario, await kind.measure(place, scale, progress), absent)
    except MissingPeer as error:
        return Figures(scenario, {}, [*absent, str(error)])
