"""What the commands about chains write for people; see `tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.chains import StatePlan
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.status import ChainStory
from twisted_dispatcher.status.reasons import in_utc
from twisted_dispatcher.status.standing import pair_text

_CHAIN = ("id", "type", "state", "version", "resources", "due", "")
_HISTORY = ("version", "from", "to", "by", "at", "requested by")


def chain_table(screen: ConsoleScreen, chains: Sequence[StoredChain]) -> None:
    """Show chains."""
    rows = [
        (
            each.id,
            each.chain_type,
            each.state,
            str(each.version),
            pair_text(each.pairs),
            "" if each.due is None else in_utc(each.due),
            _mark(each),
        )
        for each in chains
    ]
    if rows:
        screen.table(_CHAIN, rows)
    else:
        screen.tell("no chains")


def _mark(chain: StoredChain) -> str:
    for name in ("disabled", "parked", "ended"):
        if getattr(chain, name):
            return name
    return ""


def chain_count_table(screen: ConsoleScreen, counts: Mapping[tuple[str, str], int]) -> None:
    """Show numbers by type and state."""
    if counts:
        rows = [(kind, state, f"{number:,}") for (kind, state), number in counts.items()]
        screen.table(("type", "state", "chains"), rows)
    else:
        screen.tell("no chains")


def chain_text(screen: ConsoleScreen, story: ChainStory) -> None:
    """Show all of a chain: how it stands, what it was refused for, and its history."""
    chain = story.chain
    screen.report(
        f"chain {chain.id} of type {chain.chain_type}, about {pair_text(chain.pairs)}, in state "
        f"{chain.state} since {in_utc(chain.entered)}, version {chain.version}"
    )
    _standing(screen, story)
    if story.history:
        rows = [
            (
                str(row.version),
                row.previous,
                row.state,
                row.transition,
                in_utc(row.at),
                row.requested_by or "",
            )
            for row in story.history
        ]
        screen.table(_HISTORY, rows)
    if chain.error:
        screen.report(f"the last error:\n{chain.error.rstrip()}\n")


def chain_why_text(screen: ConsoleScreen, story: ChainStory) -> None:
    """Show how a chain stands, and why it was not moved."""
    screen.report(f"chain {story.chain.id} in state {story.chain.state}")
    _standing(screen, story)


def _standing(screen: ConsoleScreen, story: ChainStory) -> None:
    screen.report(story.reason.text)
    if story.refusals:
        rows = [
            (name, "; ".join(map(str, errors)) or "(it gave no reason)")
            for name, errors in story.refusals.items()
        ]
        screen.table(("refused", "why"), rows)
    if story.signals:
        arrived = [
            (name, json.dumps(value, ensure_ascii=False)) for name, value in story.signals.items()
        ]
        screen.table(("signal", "value"), arrived)


def plan_text(screen: ConsoleScreen, plan: StatePlan) -> None:
    """Show what a configuration would do to chains."""
    rows = [(old, new, f"{number:,}") for old, new, number in plan.renamed]
    rows += [(state, "nothing: it is gone", f"{number:,}") for state, number in plan.vanished]
    if rows:
        screen.table(("state", "becomes", "chains"), rows)
    else:
        screen.tell(f"no chain of type {plan.chain_type} is in a state that is gone")
