"""The scenarios that compare events per second: ours, and what the database allows at best."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from attrs import frozen

from tests.benchmarks.durable.keys import Keys, ascending, half_known, scattered
from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.durable.raw import Raw, insert_and_finish, insert_only, raw_of
from tests.benchmarks.durable.settled import fill
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.turns import Rates, Slice, rates_in_turn
from tests.benchmarks.timing import Progress

BATCH = 100
RAW_ONE = "raw, one at a time"
RAW_BATCHES = "raw, batches of 100"
RAW_INSERTS = "raw, batches of 100, insert only"


@frozen
class Scale:
    """Says how much is measured.

    C{one} events in a slice where each is waited for alone, C{many} in all others; C{settled}
    and C{waiting} say how many events a full store has.
    """

    rounds: int
    one: int
    many: int
    settled: int
    waiting: int
    groups: int


async def one_caller(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares one caller with inserting and finishing one row at a time."""
    raw, ours = raw_of(place.store, place.new_url()), await Ours.open(place.new_url())
    slices = [
        raw_slice(RAW_ONE, scale.one, partial(insert_and_finish, raw, scale.one, 1)),
        fires("ours, 1 caller", ours, scale.one, 1),
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await end(raw, ours)
    return rates


async def callers(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares many callers with batches of a hundred."""
    raw, ours = raw_of(place.store, place.new_url()), await Ours.open(place.new_url())
    slices = [
        raw_slice(RAW_BATCHES, scale.many, partial(insert_and_finish, raw, scale.many, BATCH)),
        fires("ours, 10 callers", ours, scale.many // 4, 10),
        fires("ours, 100 callers", ours, scale.many, 100),
        fires("ours, 1000 callers", ours, scale.many, 1000),
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await end(raw, ours)
    return rates


async def recording(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares accepting events that nobody handles, with and without keys that are known."""
    raw, ours = raw_of(place.store, place.new_url()), await Ours.open(place.new_url())
    many = scale.many
    new, known = ascending(), half_known(ascending())
    slices = [
        raw_slice(RAW_INSERTS, many, partial(insert_only, raw, many, BATCH), new),
        raw_slice(
            f"{RAW_INSERTS}, half known", many, partial(insert_only, raw, many, BATCH), known
        ),
        Slice("ours, 100 callers", many, partial(ours.record, many, 100, new)),
        Slice("ours, 100 callers, half known", many, partial(ours.record, many, 100, known)),
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await end(raw, ours)
    return rates


async def with_settled_events(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares stores with very many settled events and without."""
    slices = []
    everybody = []
    for order, make in (("ascending", ascending), ("scattered", scattered)):
        for count, label in ((0, "none settled"), (scale.settled, "very many settled")):
            keys = make()
            ours = await Ours.open(place.new_url())
            await fill(ours.store, count, keys)
            everybody.append(ours)
            slices.append(fires(f"{label}, keys {order}", ours, scale.many, 100, keys))
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await end(*everybody)
    return rates


def raw_slice(
    name: str, events: int, work: Callable[[Keys], None], keys: Keys | None = None
) -> Slice:
    """Gives a slice that is done without the reactor."""
    given = keys or ascending()

    async def run() -> None:
        work(given)

    return Slice(name, events, run)


def fires(name: str, ours: Ours, events: int, callers: int, keys: Keys | None = None) -> Slice:
    """Gives a slice of events that are fired, by so many callers."""
    return Slice(name, events, partial(ours.fire, events, callers, keys or ascending()))


async def end(*everybody: Raw | Ours) -> None:
    """Closes what was opened."""
    for each in everybody:
        closing: Coroutine[Any, Any, None] | None = each.close()
        if closing is not None:
            await closing
