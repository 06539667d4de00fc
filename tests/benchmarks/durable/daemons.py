"""Several daemons that share one database, each with a hundred callers of its own."""

from __future__ import annotations

import time
from collections import defaultdict
from statistics import median

from twisted.internet.defer import Deferred, gatherResults

from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.durable.speed import Scale
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import POSTGRESQL, Place
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress

ONE, TWO = "one daemon", "two daemons"
# So many rounds: a program of its own takes a second or two to start.
ROUNDS = 5
# So many times as many events as elsewhere, so that the first few, which are slow, do not count.
LONGER = 5
# So many seconds after it was asked for, a program is ready to begin.
READY = 4.0


async def daemons(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures one daemon and two of them in turn, each on a new database.

    Raises MissingPeer where several daemons are not meant to share a store.
    """
    if place.store != POSTGRESQL:
        raise MissingPeer(f"two daemons, {place.title}: not measured (PostgreSQL only)")
    rates: dict[str, list[float]] = defaultdict(list)
    rounds = min(ROUNDS, scale.rounds)
    for number in range(rounds):
        for name, count in ((ONE, 1), (TWO, 2)):
            rates[name].append(await rate_of(place.new_url(), count, LONGER * scale.many))
        progress((number + 1) / rounds)
    return {name: median(measured) for name, measured in rates.items()}


async def rate_of(url: str, count: int, events: int) -> float:
    """Gives the events per second of so many daemons together."""
    begin = time.time() + READY
    firing = [
        Deferred.fromCoroutine(answer_of("durable.firing", url, events, begin))
        for _ in range(count)
    ]
    times = await gatherResults(firing, consumeErrors=True)
    seconds: float = max(end for _, end in times) - min(began for began, _ in times)
    return count * events / seconds
