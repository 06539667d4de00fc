"""
A help desk's log, of which each ticket is a chain.

    python -m examples.helpdesk_chains helpdesk.xes.gz --store sqlite:///helpdesk.db

What was done to a ticket is the state that its chain goes to. Which states there are, and what
may follow on what, is found in the log itself: the chains' graph is what process miners call its
directly-follows graph. At the end it is told how many tickets are in which state, by the store,
and by counting the last activity of each ticket in the log; the two must be equal.

A run that was killed goes on where it was when it is started again: the version of a chain is the
number of transitions that it has made.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Cooperator, deferLater, react

from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import (
    NEW,
    Chain,
    ChainDispatcher,
    ChainLocked,
    ChainResult,
    Transition,
)
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.eventlogs import BadLine, open_log
from twisted_dispatcher.interfaces import IStore

CASE: Final = "case:concept:name"
CHAIN_TYPE: Final = "ticket"
# So many seconds after a run was killed, the next one can go on with what it had locked.
LEASE: Final = 10.0

# What was done to each ticket, in order.
Tickets = Mapping[str, list[str]]


class Activity(Transition):
    """Something that was done to a ticket; it is valid when the log says so."""

    def is_valid(self) -> bool:
        return bool(self.context["activity"] == self.final_state)


@attrs.frozen
class Report:
    """
    What has come of a log.

    :ivar moves: the transitions that were made by this run.
    :ivar stored: the number of chains by state, as the store has it.
    :ivar expected: the same, counted in the log.
    :ivar graph: the states and transitions, with the numbers of chains.
    """

    tickets: int
    moves: int
    stored: dict[str, int]
    expected: dict[str, int]
    graph: str


def read_tickets(path: str | Path) -> Tickets:
    """Give what was done to each ticket of a log."""
    tickets: dict[str, list[str]] = {}
    with open_log(path) as log:
        for event in log:
            if isinstance(event, BadLine):
                sys.exit(f"the log has no event where one should be: {event}")
            tickets.setdefault(event[CASE], []).append(event["concept:name"])
    return tickets


def chain_configs(tickets: Tickets) -> dict[str, Any]:
    """Give the configuration by which all of these tickets can go their ways."""
    follows: dict[str, dict[str, None]] = {NEW: {}}
    for activities in tickets.values():
        for before, after in zip([NEW, *activities], activities):
            follows.setdefault(before, {})[after] = None
            follows.setdefault(after, {})
    entries = {
        state: [_entry(after) for after in following] for state, following in follows.items()
    }
    return {"chains": [{"chain_type": CHAIN_TYPE, "transitions": entries}]}


def _entry(activity: str) -> dict[str, Any]:
    return {"use": Activity, "name": activity, "final_state": activity}


async def drive(store: IStore, tickets: Tickets, at_once: int = 100, clock: Any = None) -> Report:
    """
    Let every ticket go the way that the log tells.

    :param at_once: so many tickets go their ways at the same time.
    """
    dispatcher = DurableDispatcher(store, ("chain_type", "state"), clock=clock)
    dispatcher.start()
    await dispatcher.when_ready()
    chains = ChainDispatcher(
        chain_type=CHAIN_TYPE,
        chain_configs=chain_configs(tickets),
        requests_by="helpdesk log",
        dispatcher=dispatcher,
        lease=LEASE,
    )
    moves: Counter[str] = Counter()
    later = clock or _reactor()
    ways = (Deferred.fromCoroutine(_go(chains, *each, moves, later)) for each in tickets.items())
    await _all_of(ways, at_once, clock)
    stored = await chains.counts()
    await dispatcher.stop()
    expected = Counter(activities[-1] for activities in tickets.values())
    return Report(len(tickets), moves.total(), dict(stored), dict(expected), chains.graph(stored))


async def _go(
    chains: ChainDispatcher, ticket: str, activities: list[str], moves: Counter[str], clock: Any
) -> None:
    """Let one ticket go on from where it is."""
    chain = await chains.get_or_create_chain([("ticket", ticket)])
    for activity in activities[chain.version :]:
        result = await _executed(chains, chain, activity, clock)
        if result.state != activity:
            raise RuntimeError(f"ticket {ticket} is {result.state} and not {activity}")
        moves[activity] += 1


async def _executed(
    chains: ChainDispatcher, chain: Chain, activity: str, clock: Any
) -> ChainResult:
    """Make a move, as soon as a run that was killed has it locked no more."""
    while True:
        try:
            return await chains.execute_chain(chain, initial_context={"activity": activity})
        except ChainLocked:
            await deferLater(clock, 1.0)


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


def _all_of(ways: Iterable[Deferred[None]], at_once: int, clock: Any) -> Deferred[Any]:
    """Give a Deferred that fires when all ways are gone, so many of them at a time."""
    cooperator = (
        Cooperator()
        if clock is None
        else Cooperator(scheduler=lambda call: clock.callLater(0, call))
    )
    shared = iter(ways)
    return gatherResults(
        [cooperator.coiterate(shared) for _ in range(at_once)], consumeErrors=True
    )


def text_of(report: Report) -> str:
    """Tell people of a report."""
    lines = [f"{report.moves:,} moves of {report.tickets:,} chains", ""]
    for state, _ in Counter(report.expected).most_common():
        lines.append(f"{report.stored.get(state, 0):>8,}  {state}")
    equal = report.stored == report.expected
    lines += ["", f"the store and the log count {'the same' if equal else 'DIFFERENTLY'}"]
    return "\n".join(lines) + "\n"


async def main(reactor: Any, log: str, store_url: str, at_once: int, graph: bool) -> None:
    """Drive the tickets of a log, and tell what came of it."""
    try:
        report = await _driven(log, store_url, at_once)
    except (DispatcherError, OSError) as error:
        raise SystemExit(f"helpdesk_chains: {error}") from error
    print(text_of(report), end="")
    if graph:
        print(f"\n{report.graph}", end="")
    if report.stored != report.expected:
        raise SystemExit(1)


async def _driven(log: str, store_url: str, at_once: int) -> Report:
    tickets = read_tickets(log)
    store = open_store(store_url)
    try:
        return await drive(store, tickets, at_once)
    finally:
        await store.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="helpdesk_chains", description=__doc__.split("\n")[1])
    parser.add_argument("log", help="the log: .xes, .csv or .jsonl, also with .gz")
    parser.add_argument(
        "--store", default="sqlite://", metavar="URL", help="where chains are kept"
    )
    parser.add_argument("--at-once", type=int, default=100, metavar="N", help="tickets at a time")
    parser.add_argument("--graph", action="store_true", help="draw the graph as Mermaid text")
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    react(
        lambda reactor: Deferred.fromCoroutine(
            main(reactor, given.log, given.store, given.at_once, given.graph)
        )
    )
