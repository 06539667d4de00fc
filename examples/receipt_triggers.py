"""
A log of building permits, played through one trigger session per case.

    python -m examples.receipt_triggers receipt.csv.gz --store sqlite:///receipt.db

Each event of the log fires a trigger of its name in the session of its case. `JOINS` says what
runs after what. At the end the runs of each task are held against `counted`, which finds the same
numbers in the log with plain loops; they must be equal.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.eventlogs import BadLine, open_log
from twisted_dispatcher.triggers import storage_backends, trigger_managers

CASE = "case:concept:name"
AT_ONCE = 100

RECEIVED = "Confirmation of receipt"
CHECKED = "T02 Check confirmation of receipt"
ADJUSTED = "T03 Adjust confirmation of receipt"
DETERMINED = "T04 Determine confirmation of receipt"
SENT = "T05 Print and send confirmation of receipt"
ADVICE = "T06 Determine necessity of stop advice"
INDICATION = "T10 Determine necessity to stop indication"
UNLICENSED = "T14 Determine document X request unlicensed"
PRINTED = "T15 Print document X request unlicensed"

RUN = "examples.receipt_triggers:note"
JOINS: Mapping[str, Mapping[str, Any]] = {
    # A join of two, in any order.
    "t_confirmed": {"after": [DETERMINED, SENT], "run": RUN},
    "t_decided": {"after": [ADVICE, INDICATION], "run": RUN},
    # A join of their cascades.
    "t_filed": {"after": ["t_confirmed", "t_decided"], "run": RUN},
    # For every check, once the case is filed.
    "t_audit": {"after": ["t_filed"], "andEvery": CHECKED, "run": RUN},
    # For every check at once.
    "t_check": {"after": [], "andEvery": CHECKED, "run": RUN},
    # Unless something came first.
    "t_plain": {"after": [INDICATION], "unless": [ADJUSTED], "run": RUN},
    "t_quick": {"after": [SENT, RECEIVED], "unless": [ADVICE, INDICATION], "run": RUN},
    # Where the rare meets the usual.
    "t_refused": {"after": [UNLICENSED, PRINTED, RECEIVED], "run": RUN},
}


def note(context: Any) -> dict[str, str]:
    """Do nothing: that it has run is what is counted."""
    return {"instance": context.instance_name}


# Playing


def cases_of(path: str) -> dict[str, list[str]]:
    """Read a log, and give the activities of each case, in the order of their times."""
    with open_log(path) as log:
        events = [event for event in log if not isinstance(event, BadLine)]
    events.sort(key=lambda event: event.time.timestamp() if event.time else 0.0)
    cases: dict[str, list[str]] = {}
    for event in events:
        cases.setdefault(event[CASE], []).append(event.type)
    return cases


async def play(
    cases: Mapping[str, Sequence[str]],
    dispatcher: DurableDispatcher,
    progress: Callable[[int], object] = lambda played: None,
) -> Counter[tuple[str, str]]:
    """Play all cases, a hundred at once, and count instances by their task and status."""
    found: Counter[tuple[str, str]] = Counter()
    waiting = iter(cases.items())
    played = 0

    async def player() -> None:
        nonlocal played
        for case, activities in waiting:
            found.update(await play_case(case, activities, dispatcher))
            played += 1
            progress(played)

    players = [Deferred.fromCoroutine(player()) for _ in range(AT_ONCE)]
    await gatherResults(players, consumeErrors=True)
    return found


async def play_case(
    case: str, activities: Iterable[str], dispatcher: DurableDispatcher
) -> Counter[tuple[str, str]]:
    """Fire what happened in one case, wait for what follows, and count its instances."""
    storage = storage_backends.get("default", f"receipt/{case}", dispatcher)
    manager = trigger_managers.get("default", storage)
    await manager.update_configuration(JOINS)
    for activity in activities:
        await manager.fire(activity)
    await manager.join_all()
    await storage.load()
    return Counter((each.task_name, each.status) for each in storage.instances.values())


# Counting without sessions


def counted(cases: Mapping[str, Sequence[str]]) -> Counter[str]:
    """Count how often each task has to run, from the log alone."""
    return Counter(task for activities in cases.values() for task in _tasks_of(list(activities)))


def _tasks_of(activities: list[str]) -> Iterator[str]:
    def before(activity: str) -> list[str]:
        return activities[: activities.index(activity)]

    confirmed = DETERMINED in activities and SENT in activities
    decided = ADVICE in activities and INDICATION in activities
    if confirmed:
        yield "t_confirmed"
    if decided:
        yield "t_decided"
    if confirmed and decided:
        yield "t_filed"
        yield from ["t_audit"] * activities.count(CHECKED)
    yield from ["t_check"] * activities.count(CHECKED)
    if INDICATION in activities and ADJUSTED not in before(INDICATION):
        yield "t_plain"
    if SENT in activities and RECEIVED in activities:
        earlier = max(before(SENT), before(RECEIVED), key=len)
        if not (ADVICE in earlier and INDICATION in earlier):
            yield "t_quick"
    if {UNLICENSED, PRINTED, RECEIVED}.issubset(activities):
        yield "t_refused"


# The command


def table(found: Mapping[tuple[str, str], int], expected: Mapping[str, int]) -> str:
    """Lay out the runs of each task beside what was expected."""
    rows = [f"{'runs':>8} {'expected':>8}  task"]
    for task in JOINS:
        runs = found.get((task, "finished"), 0)
        rows.append(f"{runs:>8,} {expected.get(task, 0):>8,}  {task}")
    return "\n".join(rows)


def differences(found: Mapping[tuple[str, str], int], expected: Mapping[str, int]) -> list[str]:
    """Name the tasks that have not run as often as expected."""
    return [task for task in JOINS if found.get((task, "finished"), 0) != expected.get(task, 0)]


async def main(reactor: Any, path: str, url: str) -> None:
    """Play a log on a store; exit with status 1 when the numbers differ."""
    cases = cases_of(path)
    store = open_store(url)
    dispatcher = DurableDispatcher(store)
    dispatcher.start()
    await dispatcher.when_ready()

    def progress(played: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{played:,} of {len(cases):,} cases", end="", file=sys.stderr, flush=True)

    began = reactor.seconds()
    found = await play(cases, dispatcher, progress)
    seconds = reactor.seconds() - began
    await dispatcher.stop()
    await store.close()
    expected = counted(cases)
    print(f"{sum(map(len, cases.values())):,} events of {len(cases):,} cases, {seconds:.1f} s")
    print(table(found, expected))
    if differences(found, expected):
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Play a log through trigger sessions.")
    parser.add_argument("log")
    parser.add_argument("--store", default="sqlite://")
    asked = parser.parse_args()
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, asked.log, asked.store)))
