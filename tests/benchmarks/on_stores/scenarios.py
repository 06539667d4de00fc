"""A scenario that is measured on each kind of store, and what came of it on one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress, nobody

S = TypeVar("S")


def nobody_missing(store: str) -> Sequence[str]:
    """Gives nobody: the scenario needs no other library."""
    return ()


@frozen
class Kind(Generic[S]):
    """A scenario, on whatever store.

    C{compared}: whether its figures are all of one kind.  C{missing} says, of a kind of store,
    who could not be measured.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Place, S, Progress], Awaitable[Rates]]
    compared: bool = True
    missing: Callable[[str], Sequence[str]] = nobody_missing


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


def scenario_of(name: str, store: str) -> str:
    """Gives the name of a scenario on one kind of store."""
    return f"{name}, {store}"


async def run(kind: Kind[S], place: Place, scale: S, progress: Progress = nobody) -> Figures:
    """Measures a scenario on one kind of store, or says why that is not possible."""
    scenario = Scenario(
        scenario_of(kind.name, place.store),
        f"{kind.title}: {place.title}",
        kind.unit,
        kind.compared,
    )
    absent = kind.missing(place.store)
    try:
        return Figures(scenario, await kind.measure(place, scale, progress), absent)
    except MissingPeer as error:
        return Figures(scenario, {}, [*absent, str(error)])
