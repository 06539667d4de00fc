"""Ours beside other libraries, which run as programs of their own between our slices."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from attrs import frozen

from tests.benchmarks.contenders import INSTALL, MissingPeer
from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.durable.speed import Scale, fires
from tests.benchmarks.on_stores.beside import rates_beside
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import POSTGRESQL, SQLITE, Place
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress


@frozen
class Peer:
    """A library, the program that measures it, and on which stores it can be."""

    library: str
    program: str
    stores: tuple[str, ...]

    def target(self, place: Place) -> str:
        """Gives what the program is told of where to work: a URL, or a path for huey."""
        url = place.new_url()
        return url.removeprefix("sqlite:///") if self.library == "huey" else url

    async def rates(self, place: Place, events: int) -> Rates:
        """Runs the program on a new database, and gives what it prints."""
        rates: Rates = await answer_of(self.program, self.target(place), events)
        return rates


PEERS = (
    Peer("huey", "durable.peers.with_huey", (SQLITE,)),
    Peer("dbos", "durable.peers.with_dbos", (SQLITE, POSTGRESQL)),
    Peer("procrastinate", "durable.peers.with_procrastinate", (POSTGRESQL,)),
)


def missing(store: str) -> list[str]:
    """Says which libraries cannot be measured, and how to install them."""
    absent = [peer.library for peer in PEERS if store in peer.stores and not is_there(peer)]
    return [f"{library} is not installed: {INSTALL}" for library in absent]


def is_there(peer: Peer) -> bool:
    """Tells whether a library is installed."""
    return find_spec(peer.library) is not None


async def others(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures ours, then each peer, round after round.

    Raises MissingPeer if there is none.
    """
    present = [peer for peer in PEERS if place.store in peer.stores and is_there(peer)]
    if not present:
        raise MissingPeer(f"no peer of {place.title} is installed: {INSTALL}")
    ours = await Ours.open(place.new_url())
    slices = [fires("ours, 1", ours, scale.one, 1), fires("ours, 100", ours, scale.many, 100)]
    few = max(1, scale.one // 4)
    programs = [partial(peer.rates, place, few) for peer in present]
    rates = await rates_beside(slices, programs, scale.rounds, progress)
    await ours.close()
    return rates
