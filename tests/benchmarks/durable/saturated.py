"""A reactor that is busy: every turn of it takes two milliseconds of the interpreter."""

from __future__ import annotations

from time import perf_counter

from twisted.internet.interfaces import IDelayedCall

from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.durable.speed import Scale
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress

TURN = 0.002
CALLERS = 100
EVENTS_PER_SECOND = "events/s"
LONGEST_WAIT = "longest wait, ms"


class BusyReactor:
    """Takes so many seconds of each of the reactor's turns."""

    def __init__(self, seconds: float) -> None:
        from twisted.internet import reactor

        self._seconds = seconds
        self._reactor: object = reactor
        self._call: IDelayedCall | None = None

    def begin(self) -> None:
        """Takes this turn's time, and that of all others from now on."""
        until = perf_counter() + self._seconds
        while perf_counter() < until:
            pass
        self._call = self._reactor.callLater(0, self.begin)  # type: ignore[attr-defined]

    def end(self) -> None:
        """Leaves the reactor alone."""
        assert self._call is not None
        self._call.cancel()


async def saturated(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures a hundred callers while each turn of the reactor takes two milliseconds."""
    ours = await Ours.open(place.new_url())
    keys = ascending()
    events = scale.many // 4
    await ours.fire(events, CALLERS, keys)
    busy = BusyReactor(TURN)
    busy.begin()
    began = perf_counter()
    longest = await ours.fire(events, CALLERS, keys)
    seconds = perf_counter() - began
    busy.end()
    await ours.close()
    progress(1.0)
    return {EVENTS_PER_SECOND: events / seconds, LONGEST_WAIT: longest * 1000}
