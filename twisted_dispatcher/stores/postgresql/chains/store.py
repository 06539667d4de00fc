"""`PostgreSQLChains`: the face that chains in PostgreSQL show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.chainrecords import (
    FoundChain,
    HistoryRow,
    LockedChain,
    Move,
    Moved,
    NewChain,
    Release,
    StoredChain,
)
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.postgresql.chains import finding, locking, mending, moving, reading
from twisted_dispatcher.stores.postgresql.chains.finding_one import FindMessage
from twisted_dispatcher.stores.postgresql.chains.locking_one import LockMessage
from twisted_dispatcher.stores.postgresql.chains.moving_one import MoveMessage
from twisted_dispatcher.stores.postgresql.crew import Crew
from twisted_dispatcher.stores.postgresql.office import THREADS, Desk
from twisted_dispatcher.stores.postgresql.single import reads, writing

# What is done by one statement each group, without a thread.
MESSAGES: Final = (FindMessage, LockMessage, MoveMessage)

# Of transactions that only look, none is marked; see `office.Desk`.
_FIND: Final = Desk(finding.find_all, at_once=2, marked=False, message=FindMessage)
_LOCK: Final = Desk(locking.lock_all, at_once=2, message=LockMessage)
_MOVE_ONE: Final = Desk(moving.move_all, at_once=2, message=MoveMessage)
_MOVE: Final = Desk(moving.move_all, at_once=2)
_RELEASE: Final = Desk(locking.release_all, at_once=2)
_RENEW: Final = writing(locking.renew)
_CLAIM_DUE: Final = writing(locking.claim_due, marked=False)
_TRANSACT: Final = writing(moving.transact, at_once=THREADS - 1, once=True, largest=1)
_SIGNAL: Final = writing(mending.signal)
_SET_DISABLED: Final = writing(mending.set_disabled)
_RESUME: Final = writing(mending.resume)
_ADOPT: Final = writing(mending.adopt, marked=False)
_PURGE: Final = writing(mending.purge, marked=False)

_NEXT_DUE: Final = reads(reading.next_due)
_DUE: Final = reads(reading.due)
_CHAIN: Final = reads(reading.chain)
_SIGNALS: Final = reads(reading.signals)
_CHAINS: Final = reads(reading.chains)
_HISTORY: Final = reads(reading.history)
_COUNTS: Final = reads(reading.counts)


@implementer(IChainStore)
class PostgreSQLChains:
    """Keeps chains in the database of a `PostgreSQLStore`, and goes by what it promises."""

    def __init__(self, crew: Crew) -> None:
        """:param crew: the store's own."""
        self._crew = crew

    def find(self, new: NewChain, exact: bool, now: float) -> Deferred[FoundChain]:
        return self._crew.ask(_FIND, (new, exact, now))

    # Executing

    def lock(self, chain_id: str, until: float, now: float) -> Deferred[LockedChain]:
        return self._crew.ask(_LOCK, (chain_id, until, now))

    def renew(self, locks: Sequence[tuple[str, int]], until: float) -> Deferred[None]:
        return self._crew.ask(_RENEW, (locks, until))

    def move(self, move: Move, worker: Worker, now: float) -> Deferred[Moved]:
        desk = _MOVE_ONE if MoveMessage.suits(move) else _MOVE
        return self._crew.ask(desk, (move, worker, now))

    def transact(
        self, move: Move, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Moved]]:
        return self._crew.ask(_TRANSACT, (move, work, worker, now))

    def release(self, release: Release, now: float) -> Deferred[bool]:
        return self._crew.ask(_RELEASE, (release, now))

    # The schedule

    def claim_due(
        self, chain_type: str, until: float, now: float, limit: int
    ) -> Deferred[list[LockedChain]]:
        return self._crew.ask(_CLAIM_DUE, (chain_type, until, now, limit))

    def next_due(self, chain_type: str) -> Deferred[float | None]:
        return self._crew.ask(_NEXT_DUE, (chain_type,))

    def due(self, chain_type: str, now: float, limit: int) -> Deferred[list[StoredChain]]:
        return self._crew.ask(_DUE, (chain_type, now, limit))

    # From outside

    def signal(self, chain_id: str, name: str, value: str, now: float) -> Deferred[None]:
        return self._crew.ask(_SIGNAL, (chain_id, name, value, now))

    def set_disabled(self, chain_id: str, disabled: bool, now: float) -> Deferred[None]:
        return self._crew.ask(_SET_DISABLED, (chain_id, disabled, now))

    def resume(self, chain_id: str, now: float) -> Deferred[None]:
        return self._crew.ask(_RESUME, (chain_id, now))

    def adopt(
        self,
        chain_type: str,
        definition: str,
        renamed: Mapping[str, str],
        going: Sequence[str],
        now: float,
        limit: int = 1000,
    ) -> Deferred[int]:
        return self._crew.ask(_ADOPT, (chain_type, definition, renamed, going, now, limit))

    def purge(self, chain_type: str, before: float, limit: int) -> Deferred[int]:
        return self._crew.ask(_PURGE, (chain_type, before, limit))

    # What people ask

    def chain(self, chain_id: str) -> Deferred[StoredChain]:
        return self._crew.ask(_CHAIN, (chain_id,))

    def signals(self, chain_id: str) -> Deferred[Mapping[str, str]]:
        return self._crew.ask(_SIGNALS, (chain_id,))

    def chains(
        self,
        chain_type: str | None = None,
        state: str | None = None,
        pair: tuple[str, str] | None = None,
        parked: bool = False,
        limit: int = 100,
    ) -> Deferred[list[StoredChain]]:
        return self._crew.ask(_CHAINS, (chain_type, state, pair, parked, limit))

    def history(self, chain_id: str, limit: int = 1000) -> Deferred[list[HistoryRow]]:
        return self._crew.ask(_HISTORY, (chain_id, limit))

    def counts(self, chain_type: str | None = None) -> Deferred[Mapping[tuple[str, str], int]]:
        return self._crew.ask(_COUNTS, (chain_type,))
