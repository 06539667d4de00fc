"""`Chain`, `ChainResult` and `HistoryEntry`: what the callers of a chain dispatcher see."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import attrs

from twisted_dispatcher.chainrecords import HistoryRow, Pairs, StoredChain


def utc(seconds: float | None) -> datetime | None:
    """Give a time as people read it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def resources_of(pairs: Pairs) -> dict[str, str | tuple[str, ...]]:
    """Give ids by types; several of a type are a tuple."""
    found: dict[str, list[str]] = {}
    for kind, value in pairs:
        found.setdefault(kind, []).append(value)
    return {
        kind: values[0] if len(values) == 1 else tuple(values) for kind, values in found.items()
    }


@attrs.define(eq=False)
class Chain:
    """
    A chain, as the process saw it last.

    What its dispatcher does with it is seen in it: after a transition it is in the new state.
    Others may have moved it since; executing it always begins with what is stored.

    :ivar version: how many transitions it has made.
    :ivar resources: ids by types; several ids of a type are a tuple.
    :ivar next_update: before then it is not executed (UTC); None is any time.
    """

    id: str
    chain_type: str
    state: str
    version: int
    resources: dict[str, str | tuple[str, ...]]
    next_update: datetime | None
    disabled: bool
    stored: StoredChain = attrs.field(repr=False)

    def see(self, stored: StoredChain) -> None:
        """Take over what is stored."""
        self.stored = stored
        self.state, self.version = stored.state, stored.version
        self.next_update, self.disabled = utc(stored.next_update), stored.disabled


def chain_of(stored: StoredChain) -> Chain:
    """Give a stored chain as callers see it."""
    return Chain(
        stored.id,
        stored.chain_type,
        stored.state,
        stored.version,
        resources_of(stored.pairs),
        utc(stored.next_update),
        stored.disabled,
        stored,
    )


@attrs.frozen
class ChainResult:
    """
    What executing a chain came to.

    :ivar transition: the one that was made, the last one of several, or that would be made; None
        where none was valid.
    :ivar errors: for each refused transition of the last attempt its own errors, by
        ``str(transition)``.
    :ivar state: the chain's state now.
    :ivar moved: whether a transition was made.
    :ivar transitions: all that were made, in order.
    """

    chain_id: str
    state: str
    transition: Any
    errors: dict[str, list[Any]]
    dry_run: bool
    moved: bool
    transitions: tuple[Any, ...] = ()

    @property
    def final_state(self) -> str | None:
        """Where the transition leads to; None where there is none."""
        return None if self.transition is None else self.transition.final_state

    @property
    def chain(self) -> dict[str, str]:
        """The chain's id and state."""
        return {"id": self.chain_id, "state": self.state}

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values, but for what transitions have in their contexts."""
        return {
            "errors": self.errors,
            "dry_run": self.dry_run,
            "transition": None if self.transition is None else self.transition.to_dict(),
            "chain": self.chain,
        }


@attrs.frozen
class HistoryEntry:
    """
    A transition that was made.

    :ivar version: how many transitions the chain had made with it.
    :ivar value: the state that it led to.
    :ivar previous: the state before.
    """

    version: int
    action: str
    value: str
    previous: str
    transition: str
    requested_by: str | None
    at: datetime


def entry_of(row: HistoryRow) -> HistoryEntry:
    """Give a line of history as callers see it."""
    at = utc(row.at)
    assert at is not None
    return HistoryEntry(
        row.version,
        "state_transition",
        row.state,
        row.previous,
        row.transition,
        row.requested_by,
        at,
    )
