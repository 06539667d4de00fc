"""Fills stores with chains that wait, all of which share one resource."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import gatherResults

from tests.benchmarks.chains.ours import CHAIN_TYPE, Ours
from twisted_dispatcher.chainrecords import NewChain
from twisted_dispatcher.chains import NEW

AT_ONCE = 1000
YEAR = 365 * 86400.0
SHOP = ("shop", "all of them")


async def fill(ours: Ours, chains: int, now: float, due: int) -> None:
    """Stores so many chains; the first ones are due, the others in a year."""
    for start in range(0, chains, AT_ONCE):
        some = range(start, min(start + AT_ONCE, chains))
        news = (new_chain(ours, number, now if number < due else now + YEAR) for number in some)
        await gatherResults([ours.chains.store.find(each, True, now) for each in news])


def new_chain(ours: Ours, number: int, due: float) -> NewChain:
    """Gives one chain."""
    pairs = tuple(sorted([*selective(number), SHOP]))
    definition = ours.chains.configuration.definition
    return NewChain(f"chain-{number:09}", CHAIN_TYPE, NEW, pairs, definition, None, due)


def selective(number: int) -> list[tuple[str, str]]:
    """Gives the resources that few other chains have."""
    return [("order", f"order-{number}"), ("customer", f"customer-{number // 3}")]


def scattered(chains: int) -> Iterator[int]:
    """Gives numbers of chains, all over the store, without end."""
    number = 0
    while True:
        number = (number + 7919) % chains
        yield number
