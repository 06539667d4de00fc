"""
What a store of chains is given and gives.

Times are seconds since the epoch (UTC). A chain's *version* counts its transitions. Its *fence*
counts its locks: it keeps an executor whose lock was taken over from writing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import attrs

from twisted_dispatcher.records import Accepted, Claim, NewEvent

# A type and an id each, sorted, none twice.
Pairs = tuple[tuple[str, str], ...]


# Kept, since making one costs more than most of what it writes.
_compact = json.JSONEncoder(separators=(",", ":")).encode


def hash_of(*parts: object) -> bytes:
    """Give 16 bytes that stand for a text, or for a series of texts, in an index."""
    text = _compact(parts)
    return blake2b(text.encode("ascii"), digest_size=16).digest()


def pair_hashes(chain_type: str, pairs: Iterable[tuple[str, str]]) -> list[bytes]:
    """Give what each resource of a chain is found by."""
    return [hash_of(chain_type, *pair) for pair in pairs]


@attrs.frozen
class NewChain:
    """
    A chain that is to be stored, unless there is one with exactly these resources.

    :ivar definition: the version of the configuration by which it is made.
    :ivar next_update: before then it is not executed; None is any time.
    :ivar due: when the schedule is to look at it first.
    """

    id: str
    chain_type: str
    state: str
    pairs: Pairs
    definition: str
    next_update: float | None
    due: float | None

    @property
    def set_hash(self) -> bytes:
        """What it is found by when exactly its resources are given."""
        return hash_of(self.chain_type, self.pairs)

    @property
    def pairs_text(self) -> str:
        """Its resources, as JSON text."""
        return _compact(self.pairs)


@attrs.frozen
class StoredChain:
    """
    A chain, as it stands.

    :ivar due: when the schedule will look at it; None when it will not.
    :ivar ended: whether there is no way on from its state.
    :ivar locked_until: until when whoever executes it has it for itself.
    :ivar failures: how often executing it has failed, one time after another.
    :ivar parked: whether it has failed too often, so that somebody must look at it.
    :ivar error: the traceback of the last failure.
    :ivar refusals: why no transition was made at the last attempt, as JSON text, or None.
    :ivar tried: when that was.
    :ivar entered: since when it is in its state.
    """

    id: str
    chain_type: str
    state: str
    version: int
    pairs: Pairs
    definition: str
    next_update: float | None
    due: float | None
    disabled: bool
    ended: bool
    locked_until: float
    fence: int
    failures: int
    parked: bool
    error: str | None
    refusals: str | None
    tried: float | None
    created: float
    entered: float

    def is_early(self, now: float) -> bool:
        """
        Tell whether it is not to be executed yet.

        The `next_update` of one that has made no transition is when it was made, perhaps by a
        machine whose clock is ahead.
        """
        return self.version > 0 and self.next_update is not None and self.next_update > now

    def is_free(self, now: float) -> bool:
        """Tell whether it may be locked now."""
        return not (self.locked_until > now or self.disabled or self.is_early(now))


@attrs.frozen
class FoundChain:
    """
    What looking for a chain came to.

    :ivar chain: the one that was found or made; None where several could be meant.
    :ivar new: whether it was made.
    :ivar several: some of those that could be meant.
    """

    chain: StoredChain | None
    new: bool = False
    several: tuple[StoredChain, ...] = ()


@attrs.frozen
class LockedChain:
    """
    A chain that somebody wanted for himself.

    :ivar chain: as it stands now.
    :ivar held: whether he has it: its fence is his then.
    :ivar signals: what has arrived for it, by name, as the codec has written it.
    """

    chain: StoredChain
    held: bool
    signals: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Move:
    """
    A transition that is to be stored.

    :ivar version: that of the chain before it.
    :ivar state: that after it.
    :ivar locked_until: how long whoever has made it goes on having the chain; 0 gives it back.
    :ivar signals: the names of those that it has used up.
    :ivar event: tells of the new state.
    """

    chain_id: str
    fence: int
    version: int
    previous: str
    state: str
    transition: str
    requested_by: str | None
    next_update: float | None
    due: float | None
    ended: bool
    locked_until: float
    signals: tuple[str, ...]
    event: NewEvent


def moved_chain(before: StoredChain, move: Move, now: float) -> StoredChain:
    """Give a chain as it stands after a transition."""
    # Written out, since `attrs.evolve` takes several times as long, and there is one for each.
    return StoredChain(
        id=before.id,
        chain_type=before.chain_type,
        state=move.state,
        version=move.version + 1,
        pairs=before.pairs,
        definition=before.definition,
        next_update=move.next_update,
        due=move.due,
        disabled=before.disabled,
        ended=move.ended,
        locked_until=move.locked_until,
        fence=before.fence,
        failures=0,
        parked=False,
        error=None,
        refusals=before.refusals,
        tried=before.tried,
        created=before.created,
        entered=now,
    )


@attrs.frozen
class Moved:
    """
    What became of a transition.

    :ivar held: False when the chain had been taken over; nothing was written then.
    :ivar accepted: what became of the event.
    :ivar claims: what the worker is to run beside, of events that a work has accepted.
    """

    held: bool
    accepted: Accepted | None = None
    claims: tuple[Claim, ...] = ()


@attrs.frozen
class Release:
    """
    That a chain is given back without a transition, or after the last one.

    :ivar due: when the schedule is to look at it next.
    :ivar refusals: why no transition was made, as JSON text; None where one was.
    :ivar error: the traceback, when executing it has failed.
    """

    chain_id: str
    fence: int
    due: float | None
    refusals: str | None = None
    error: str | None = None
    failures: int = 0
    parked: bool = False


@attrs.frozen
class HistoryRow:
    """One transition that was made; `version` is that of the chain after it."""

    chain_id: str
    version: int
    previous: str
    state: str
    transition: str
    requested_by: str | None
    at: float
