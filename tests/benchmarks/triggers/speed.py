"""How fast trigger sessions are: fires, whole sessions, and sessions that grow."""

from __future__ import annotations

from functools import partial
from statistics import median

from attrs import frozen

from tests.benchmarks.durable.raw import insert_and_finish, raw_of
from tests.benchmarks.durable.speed import raw_slice
from tests.benchmarks.on_stores.places import Place
from tests.benchmarks.on_stores.scenarios import Kind
from tests.benchmarks.on_stores.turns import Rates, Slice, rates_in_turn
from tests.benchmarks.timing import Progress
from tests.benchmarks.triggers.ours import WAITING, Sessions

AT_ONCE = 100
RAW = "raw, 2 commits"
RAW_SESSIONS = "raw, 6 commits"
FEW_RUNS, MANY_RUNS = 200, 2000


@frozen
class Scale:
    """Says how much is measured.

    C{one} fires in a slice where each is waited for alone, C{many} in the others; C{sessions} in
    a slice, and C{growths} sessions that grow, of which the median counts.
    """

    rounds: int
    one: int
    many: int
    sessions: int
    growths: int
    most_runs: int = MANY_RUNS


def kinds() -> list[Kind[Scale]]:
    """Gives all scenarios, in the order of the report."""
    whole = "Sessions from configuration to the last of three cascades"
    growing = "Cost of the last hundred fires / of the first hundred, each of which runs a task"
    return [
        Kind("fires", "Fires that touch one waiting instance", "fires/s", fires),
        Kind("sessions", whole, "sessions/s", sessions),
        Kind("growing", growing, "ratio", growing_sessions, compared=False),
    ]


async def fires(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares fires in one session, and in a hundred at once, with raw rows."""
    ours, raw = await Sessions.open(place.new_url()), raw_of(place.store, place.new_url())
    hundred = [await ours.new(WAITING) for _ in range(AT_ONCE)]
    await ours.fire(hundred, AT_ONCE)
    slices = [
        raw_slice(RAW, scale.one, partial(insert_and_finish, raw, scale.one, 1)),
        Slice("ours, 1 session", scale.one, partial(ours.fire, hundred[:1], scale.one)),
        Slice(f"ours, {AT_ONCE} sessions", scale.many, partial(ours.fire, hundred, scale.many)),
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await ours.close()
    raw.close()
    return rates


async def sessions(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Compares sessions, one after the other and a hundred at once, with three raw rows each."""
    ours, raw = await Sessions.open(place.new_url()), raw_of(place.store, place.new_url())
    few = max(1, scale.sessions // 10)
    slices = [
        raw_slice(RAW_SESSIONS, few, partial(insert_and_finish, raw, 3 * few, 1)),
        Slice("ours, 1 at once", few, partial(ours.play, few, 1)),
        Slice(
            f"ours, {AT_ONCE} at once",
            scale.sessions,
            partial(ours.play, scale.sessions, AT_ONCE),
        ),
    ]
    rates = await rates_in_turn(slices, scale.rounds, progress)
    await ours.close()
    raw.close()
    return rates


async def growing_sessions(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Tells whether a session that has had many instances is slower than a new one."""
    ours = await Sessions.open(place.new_url())
    await ours.growing(FEW_RUNS)
    ratios: dict[str, float] = {}
    for runs in (FEW_RUNS, scale.most_runs):
        measured = []
        for number in range(scale.growths):
            measured.append(await ours.growing(runs))
            progress((number + 1) / scale.growths)
        ratios[f"{runs:,} runs"] = median(measured)
    await ours.close()
    return ratios
