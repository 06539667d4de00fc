"""What the commands about chains write for programs; see `forms`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted_dispatcher.chainrecords import HistoryRow, StoredChain
from twisted_dispatcher.chains import StatePlan
from twisted_dispatcher.cli.forms import Form, reason_form, time_form
from twisted_dispatcher.status import ChainStory


def chain_form(chain: StoredChain) -> Form:
    """Give a chain."""
    return {
        "id": chain.id,
        "chain_type": chain.chain_type,
        "state": chain.state,
        "version": chain.version,
        "resources": [list(pair) for pair in chain.pairs],
        "definition": chain.definition,
        "next_update": time_form(chain.next_update),
        "due": time_form(chain.due),
        "disabled": chain.disabled,
        "ended": chain.ended,
        "parked": chain.parked,
        "failures": chain.failures,
        "error": chain.error,
        "tried": time_form(chain.tried),
        "created": time_form(chain.created),
        "entered": time_form(chain.entered),
    }


def chain_story_form(story: ChainStory) -> Form:
    """Give a chain with its reason, its refusals, its signals and its history."""
    return {
        **chain_form(story.chain),
        "reason": reason_form(story.reason),
        "refusals": story.refusals,
        "signals": story.signals,
        "history": [_history_form(row) for row in story.history],
    }


def _history_form(row: HistoryRow) -> Form:
    return {
        "version": row.version,
        "previous": row.previous,
        "state": row.state,
        "transition": row.transition,
        "requested_by": row.requested_by,
        "at": time_form(row.at),
    }


def chain_counts_form(counts: Mapping[tuple[str, str], int]) -> list[Form]:
    """Give numbers by type and state."""
    return [
        {"chain_type": chain_type, "state": state, "chains": number}
        for (chain_type, state), number in counts.items()
    ]


def plan_form(plan: StatePlan) -> dict[str, Any]:
    """Give what a configuration would do to chains."""
    return {
        "chain_type": plan.chain_type,
        "renamed": [
            {"old": old, "new": new, "chains": number} for old, new, number in plan.renamed
        ],
        "vanished": [{"state": state, "chains": number} for state, number in plan.vanished],
    }
