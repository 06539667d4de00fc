"""Ours beside other libraries, which run as programs of their own between our slices."""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from statistics import median

from attrs import frozen

from tests.benchmarks.contenders import INSTALL, MissingPeer
from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.durable.speed import Scale, fires
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import POSTGRESQL, SQLITE, Place
from tests.benchmarks.on_stores.turns import Rates, rate_of
from tests.benchmarks.timing import Progress

# So many rounds: a program of its own takes seconds to start.
ROUNDS = 3


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
    rates: dict[str, list[float]] = defaultdict(list)
    rounds = min(ROUNDS, scale.rounds)
    for number in range(rounds):
        for each in slices:
            rates[each.name].append(await rate_of(each))
        for peer in present:
            answer = await answer_of(peer.program, peer.target(place), max(1, scale.one // 4))
            for name, rate in answer.items():
                rates[name].append(rate)
        progress((number + 1) / rounds)
    await ours.close()
    return {name: median(measured) for name, measured in rates.items()}
