"""How fast events of sources are handled, and known ones are passed by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec

from attrs import frozen

from tests.benchmarks.contenders import INSTALL, MissingPeer
from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.durable.raw import Raw, raw_of
from tests.benchmarks.on_stores.beside import rates_beside
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.turns import Rates, Slice, rates_in_turn
from tests.benchmarks.sources.ours import Sources
from tests.benchmarks.sources.streams import MIXES, NEW, Piece, pieces
from tests.benchmarks.timing import Progress

BATCH = 100
# So many events of ours are under way at once.
WINDOWS = (100, 1000)


Process = Callable[[Piece], Awaitable[None]]


@frozen
class Scale:
    """Says how much is measured.

    C{many} events in a slice of which several are under way at once, C{few} in all others; sweeps
    of C{objects} objects.
    """

    rounds: int
    many: int
    few: int
    objects: int


async def one(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares events that are handled one after the other with raw rows."""
    raw, ours = raw_of(place.store, place.new_url()), await Sources.open(place.new_url())
    slices = [
        *await mixed("raw", partial(raw_loop, raw, batch=1), scale.few),
        *await mixed("ours", partial(ours.process, window=1), scale.few),
    ]
    return await measured(slices, raw, ours, scale, progress)


async def many(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares events of which several are under way at once with raw rows in batches."""
    raw, ours = raw_of(place.store, place.new_url()), await Sources.open(place.new_url())
    slices = await mixed(f"raw, {BATCH}", partial(raw_loop, raw, batch=BATCH), scale.many)
    for window in WINDOWS:
        process = partial(ours.process, window=window)
        slices += await mixed(f"ours, {window:,}", process, scale.many)
    return await measured(slices, raw, ours, scale, progress)


async def measured(
    slices: list[Slice], raw: Raw, ours: Sources, scale: Scale, progress: Progress
) -> Rates:
    """Measures the slices in turn, and closes what they use."""
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await ours.close()
    raw.close()
    return rates


async def mixed(who: str, process: Process, events: int) -> list[Slice]:
    """Gives a contender's slices, after it has made as many keys known as a slice has events."""
    known = pieces(NEW, ascending(), ())(events)
    await process(known)
    slices = []
    for mix in MIXES:
        take = pieces(mix, ascending(), known.keys)
        slices.append(Slice(f"{who}, {mix}", events, partial(taken, take, events, process)))
    return slices


async def taken(take: Callable[[int], Piece], events: int, process: Process) -> None:
    """Processes the next events of a stream."""
    await process(take(events))


async def raw_loop(raw: Raw, piece: Piece, batch: int) -> None:
    """Inserts rows, so many in a transaction, and sets those that were not there to done.

    It is told which these are: nothing could know that for less.
    """
    new = {*piece.new}
    for start in range(0, len(piece.keys), batch):
        some = piece.keys[start : start + batch]
        raw.insert(some)
        if not new.isdisjoint(some):
            raw.finish([key for key in some if key in new])


async def peers(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures ours, then django-spark's way in a program of its own, round after round.

    Raises MissingPeer if Django is not installed.
    """
    if find_spec("django") is None:
        raise MissingPeer(f"django is not installed: {INSTALL}")
    ours = await Sources.open(place.new_url())
    slices = [
        *await mixed("ours, 1", partial(ours.process, window=1), scale.few),
        *await mixed("ours, 100", partial(ours.process, window=100), scale.many),
    ]

    async def spark() -> Rates:
        rates: Rates = await answer_of("sources.with_django", place.new_url(), scale.few)
        return rates

    rates = await rates_beside(slices, [spark], scale.rounds, progress)
    await ours.close()
    return rates
