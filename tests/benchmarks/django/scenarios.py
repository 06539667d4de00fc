"""The scenarios: what is measured of Django, on each kind of store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from attrs import frozen

from tests.benchmarks.django.names import (
    ATOMIC,
    AUTOCOMMIT,
    DAEMON,
    HANDLERS,
    HERE,
    HUNDRED,
    SLOW,
    SPARK,
)
from tests.benchmarks.django.slower import SLOWER, on_slower_disk
from tests.benchmarks.durable.keys import scattered
from tests.benchmarks.durable.settled import fill
from tests.benchmarks.on_stores.beside import rates_beside
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.sweeps import FEW, FIRST, MANY, title, two_sizes
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress
from twisted_dispatcher import open_store

PEER_SWEEP = f"{SPARK}, few: {FIRST}"


@frozen
class Scale:
    """
    Says how much is measured.

    C{saves} in a slice, and so many C{slices} of each contender; programs in C{rounds}, in which
    C{events} are handled, or C{waits} where each is waited for alone; sweeps of C{rows} rows;
    pages of the admin, so many C{looks} at each, beside C{stored} events.
    """

    slices: int
    saves: int
    rounds: int
    events: int
    waits: int
    rows: int
    stored: int
    looks: int


WAYS = {
    AUTOCOMMIT: "save() in autocommit",
    ATOMIC: "save() within atomic(), one in each transaction",
    HUNDRED: "save() within atomic(), 100 in each transaction",
}
RUNS = {DAEMON: "", HERE: ", while a thread of this process handles the events"}


def kinds(scale: Scale) -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    until = "From save() until its event is handled"
    slow = f"on a disk that is {SLOWER / 1000:g} ms slower"
    return [
        Kind("disk", "What the disk takes", "ms", disk, compared=False),
        *(
            Kind(f"{way}-{run}", f"{title}{where}", "saves/s", partial(saving, run, way))
            for run, where in RUNS.items()
            for way, title in WAYS.items()
        ),
        *(
            Kind(f"{way}-{SLOW}", f"{title}, {slow}", "saves/s", partial(saving_slowly, way))
            for way, title in WAYS.items()
        ),
        Kind("handled", "Orders saved, and their events handled", "events/s", handled),
        Kind("wait", until, "ms", waiting),
        Kind("sweeps", title(scale.rows), "", sweeps, compared=False),
        Kind("admin", admin_title(scale), "ms", admin, compared=False),
    ]


def admin_title(scale: Scale) -> str:
    """Gives a title that says how many events there are."""
    few, many = sizes(scale)
    return f"Pages of the admin beside few settled events ({few:,}) and very many ({many:,})"


def sizes(scale: Scale) -> tuple[int, int]:
    """Gives how many events are stored when there are few of them, and when very many."""
    return scale.stored // 100, scale.stored


async def saving(run: str, way: str, place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures save() in a program of its own, in which all take turns."""
    sizes = (scale.slices, scale.saves)
    rates: Rates = await answer_of("django.saving", place.new_url(), run, way, *sizes)
    progress(1.0)
    return rates


async def saving_slowly(way: str, place: Place, scale: Scale, progress: Progress) -> Rates:
    """Does the same where commits take longer."""
    sizes = (scale.slices, scale.saves)
    url = on_slower_disk(place.new_url())
    rates: Rates = await answer_of("django.saving", url, DAEMON, way, *sizes)
    progress(1.0)
    return rates


async def disk(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures what a commit waits for the disk."""
    sizes = (scale.slices, scale.saves)
    times: Rates = await answer_of("django.disk", place.new_url(), *sizes)
    progress(1.0)
    return times


async def handled(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures how fast events are handled of orders that are saved as fast as possible."""

    async def rates(who: str) -> Rates:
        answer = await answer_of("django.handling", place.new_url(), who, scale.events)
        name = HANDLERS[who]
        return {f"{name}, 1 at once": answer[AUTOCOMMIT], f"{name}, 100 at once": answer[HUNDRED]}

    programs = [partial(rates, who) for who in HANDLERS]
    return await rates_beside([], programs, scale.rounds, progress)


async def waiting(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures how long one event takes."""

    async def wait(who: str) -> Rates:
        arguments = (place.new_url(), who, scale.waits, "wait")
        return {HANDLERS[who]: await answer_of("django.handling", *arguments)}

    programs = [partial(wait, who) for who in HANDLERS]
    return await rates_beside([], programs, scale.rounds, progress)


async def sweeps(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures the command over few rows and over very many, and the peer over few."""
    urls: dict[int, str] = {}

    async def sweep(rows: int) -> Mapping[str, float]:
        urls[rows] = place.new_url()
        await answer_of("django.filling", urls[rows], rows)
        answer: Mapping[str, float] = await answer_of("django.sweeping", urls[rows], "ours", rows)
        return answer

    figures = await two_sizes(scale.rows, sweep, progress)
    few = min(urls)
    answer = await answer_of("django.sweeping", urls[few], "spark", few)
    return {**figures, PEER_SWEEP: answer["first"]}


async def admin(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures pages of the admin, beside few events and beside very many."""
    figures: dict[str, float] = {}
    for done, (label, count) in enumerate(zip((FEW, MANY), sizes(scale)), 1):
        url = place.new_url()
        store = open_store(url)
        await fill(store, count, scattered())
        await store.close()
        answer = await answer_of("django.looking", url, scale.looks)
        figures.update((f"{label}: {page}", taken) for page, taken in answer.items())
        progress(done / 2)
    return figures
