"""The scenarios: what is measured of chains, on each kind of store."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice

from attrs import frozen

from tests.benchmarks.chains.filling import SHOP, fill, name_of, scattered, selective
from tests.benchmarks.chains.ours import CHAIN_TYPE, STEPS, Ours
from tests.benchmarks.contenders import INSTALL, MissingPeer, WrongCalls
from tests.benchmarks.on_stores.beside import rates_beside
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.turns import Rates, Slice, rates_in_turn
from tests.benchmarks.timing import Progress

FEW = 1000
BATCH = 100


@frozen
class Scale:
    """
    Says how much is measured.

    C{one} chains in a slice of one caller, C{many} in those of several; C{looks} are taken in a
    slice; C{stored} says how many chains a full store has.
    """

    rounds: int
    one: int
    many: int
    looks: int
    stored: int


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    full = f"among {FEW:,} chains and among {scale.stored:,}"
    return [
        Kind("steps", "Steps of chains, each for itself", "steps/s", steps),
        Kind("runs", "Steps of chains that are run to their end", "steps/s", runs),
        Kind("finding", f"Finding a chain, {full}", "finds/s", finding),
        Kind("due", f"Locking due chains, {BATCH} at a time, {full}", "chains/s", due),
        Kind("peers", "Three steps, by one caller and by 100 at once", "chains/s", peers),
    ]


async def steps(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures steps that are locked and stored each for itself."""
    ours = await Ours.open(place.new_url())
    return await by_callers(ours, ours.step, scale, progress)


async def runs(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures steps that are taken while one lock is held."""
    ours = await Ours.open(place.new_url())
    return await by_callers(ours, ours.run, scale, progress)


async def by_callers(
    ours: Ours,
    drive: Callable[[int, int], Awaitable[None]],
    scale: Scale,
    progress: Progress,
) -> Rates:
    """Measures one chain, ten and a hundred at once."""
    slices = [
        Slice(f"{callers} at once", STEPS * chains, partial(drive, chains, callers))
        for callers, chains in ((1, scale.one), (10, scale.many // 2), (100, scale.many))
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await ours.close()
    return rates


async def filled(place: Place, chains: int, due: int = 0) -> Ours:
    """Gives a store with so many chains; a place fills one of each size."""
    label = f"{chains} chains"
    if label in place.kept:
        return await Ours.open(place.kept[label])
    url = place.new_url()
    ours = await Ours.open(url)
    await fill(ours, url, chains, time.time(), due)
    place.kept[label] = url
    return ours


async def sizes(place: Place, scale: Scale) -> list[tuple[Ours, int, str]]:
    """Gives stores with few and with very many chains, their numbers and words for these.

    As many chains as there are in the small one are due in each.
    """
    return [
        (await filled(place, chains, min(chains, FEW)), chains, label)
        for chains, label in ((FEW, "few"), (scale.stored, "very many"))
    ]


async def closed(stores: Sequence[tuple[Ours, int, str]]) -> None:
    """Closes the stores of all sizes."""
    for ours, _, _ in stores:
        await ours.close()


async def finding(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures finding one chain after another, in a small store and in a full one."""
    slices, looks = [], scale.looks
    stores = await sizes(place, scale)
    for ours, chains, label in stores:
        for how, look in (("exact", exact), ("selective", superset), ("hot", hot)):
            work = partial(looked_up, ours, look, chains, looks)
            slices.append(Slice(f"{how}, {label}", looks, work))
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await closed(stores)
    return rates


def exact(number: int) -> list[tuple[str, str]]:
    """Gives all resources of a chain."""
    return [*selective(number), SHOP]


def superset(number: int) -> list[tuple[str, str]]:
    """Gives some resources of a chain, which no other one or few others have."""
    return selective(number)


def hot(number: int) -> list[tuple[str, str]]:
    """Gives some resources of a chain, one of which all others have as well."""
    return [selective(number)[0], SHOP]


async def looked_up(
    ours: Ours, look: Callable[[int], list[tuple[str, str]]], chains: int, looks: int
) -> None:
    """Finds one chain after another.

    Raises WrongCalls when another one is found, or a new one is made.
    """
    for number in islice(scattered(chains), looks):
        chain = await ours.chains.get_or_create_chain(look(number))
        if chain.id != name_of(number):
            raise WrongCalls(f"chain {chain.id} was found for number {number}")


async def due(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures locking due chains for the schedule, in a small store and in a full one."""
    looks = scale.looks
    stores = await sizes(place, scale)
    slices = [
        Slice(f"among {label}", looks, partial(claimed, ours, looks)) for ours, _, label in stores
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await closed(stores)
    return rates


async def claimed(ours: Ours, chains: int) -> None:
    """Locks due chains, for no time: so they can be locked again.

    Raises WrongCalls when there are too few.
    """
    for left in range(chains, 0, -BATCH):
        now = time.time()
        wanted = min(left, BATCH)
        locked = await ours.chains.store.claim_due(CHAIN_TYPE, now - 1.0, now, wanted)
        if len(locked) != wanted:
            raise WrongCalls(f"{len(locked)} chains were locked of {wanted}")


async def peers(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures ours, then DBOS in a program of its own, round after round."""
    if find_spec("dbos") is None:
        raise MissingPeer(f"dbos is not installed: {INSTALL}")
    ours = await Ours.open(place.new_url())
    slices = [
        Slice("ours, 1", scale.one, partial(ours.run, scale.one, 1)),
        Slice("ours, 100", scale.many, partial(ours.run, scale.many, 100)),
    ]

    async def dbos() -> Rates:
        few = max(1, scale.one // 4)
        rates: Rates = await answer_of("durable.peers.with_dbos", place.new_url(), few, STEPS)
        return rates

    rates = await rates_beside(slices, [dbos], scale.rounds, progress)
    await ours.close()
    return rates
