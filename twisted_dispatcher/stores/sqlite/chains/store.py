"""`SQLiteChains`: the face that chains in SQLite show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from twisted_dispatcher.stores.gathering import Gathering
from twisted_dispatcher.stores.sqlite.chains import finding, locking, mending, moving, reading
from twisted_dispatcher.stores.sqlite.desk import each

_find = each(finding.find)
_lock = each(locking.lock)
_renew = each(locking.renew)
_release = each(locking.release)
_claim_due = each(locking.claim_due)
_transact = each(moving.transact)
_signal = each(mending.signal)
_set_disabled = each(mending.set_disabled)
_resume = each(mending.resume)
_adopt = each(mending.adopt)
_purge = each(mending.purge)

_next_due = each(reading.next_due)
_due = each(reading.due)
_chain = each(reading.chain)
_signals = each(reading.signals)
_chains = each(reading.chains)
_history = each(reading.history)
_counts = each(reading.counts)


@implementer(IChainStore)
class SQLiteChains:
    """Keeps chains in the file of a `SQLiteStore`, and goes by what it promises."""

    def __init__(self, writing: Gathering, reading: Gathering) -> None:
        """:param writing, reading: the store's own."""
        self._writing = writing
        self._reading = reading

    def find(self, new: NewChain, exact: bool, now: float) -> Deferred[FoundChain]:
        return self._writing.ask(_find, (new, exact, now))

    # Executing

    def lock(self, chain_id: str, until: float, now: float) -> Deferred[LockedChain]:
        return self._writing.ask(_lock, (chain_id, until, now))

    def renew(self, locks: Sequence[tuple[str, int]], until: float) -> Deferred[None]:
        return self._writing.ask(_renew, (locks, until))

    def move(self, move: Move, worker: Worker, now: float) -> Deferred[Moved]:
        return self._writing.ask(moving.move_all, (move, worker, now))

    def transact(
        self, move: Move, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Moved]]:
        return self._writing.ask(_transact, (move, work, worker, now))

    def release(self, release: Release, now: float) -> Deferred[bool]:
        return self._writing.ask(_release, (release, now))

    # The schedule

    def claim_due(
        self, chain_type: str, until: float, now: float, limit: int
    ) -> Deferred[list[LockedChain]]:
        return self._writing.ask(_claim_due, (chain_type, until, now, limit))

    def next_due(self, chain_type: str) -> Deferred[float | None]:
        return self._reading.ask(_next_due, (chain_type,))

    def due(self, chain_type: str, now: float, limit: int) -> Deferred[list[StoredChain]]:
        return self._reading.ask(_due, (chain_type, now, limit))

    # From outside

    def signal(self, chain_id: str, name: str, value: str, now: float) -> Deferred[None]:
        return self._writing.ask(_signal, (chain_id, name, value, now))

    def set_disabled(self, chain_id: str, disabled: bool, now: float) -> Deferred[None]:
        return self._writing.ask(_set_disabled, (chain_id, disabled, now))

    def resume(self, chain_id: str, now: float) -> Deferred[None]:
        return self._writing.ask(_resume, (chain_id, now))

    def adopt(
        self,
        chain_type: str,
        definition: str,
        renamed: Mapping[str, str],
        going: Sequence[str],
        now: float,
        limit: int = 1000,
    ) -> Deferred[int]:
        return self._writing.ask(_adopt, (chain_type, definition, renamed, going, now, limit))

    def purge(self, chain_type: str, before: float, limit: int) -> Deferred[int]:
        return self._writing.ask(_purge, (chain_type, before, limit))

    # What people ask

    def chain(self, chain_id: str) -> Deferred[StoredChain]:
        return self._reading.ask(_chain, (chain_id,))

    def signals(self, chain_id: str) -> Deferred[Mapping[str, str]]:
        return self._reading.ask(_signals, (chain_id,))

    def chains(
        self,
        chain_type: str | None = None,
        state: str | None = None,
        pair: tuple[str, str] | None = None,
        parked: bool = False,
        limit: int = 100,
    ) -> Deferred[list[StoredChain]]:
        return self._reading.ask(_chains, (chain_type, state, pair, parked, limit))

    def history(self, chain_id: str, limit: int = 1000) -> Deferred[list[HistoryRow]]:
        return self._reading.ask(_history, (chain_id, limit))

    def counts(self, chain_type: str | None = None) -> Deferred[Mapping[tuple[str, str], int]]:
        return self._reading.ask(_counts, (chain_type,))
