"""The chains that this process executes, and their locks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.chainrecords import LockedChain, Release, StoredChain
from twisted_dispatcher.chains.rules import obstacle
from twisted_dispatcher.chains.storing import Storing
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.errors import ChainLocked

_log = Logger()


class Locks:
    """
    Takes the locks of chains, and renews them as long as the chains are executed here.

    In a process a chain is executed once at a time, whatever its clock does; a lock that seems to
    have run out meanwhile is taken anew, by whoever has it already.
    """

    def __init__(
        self, store: IChainStore, clock: Callable[[], IReactorTime], lease: float
    ) -> None:
        """:param lease: so many seconds after the death of a process its locks end."""
        self._store = store
        self._clock = clock
        self._lease = lease
        # The fences; None where the store has not answered yet.
        self._held: dict[str, int | None] = {}
        self._renewal: IDelayedCall | None = None

    def __contains__(self, chain_id: object) -> bool:
        return chain_id in self._held

    def until(self, now: float) -> float:
        """Give the time at which a lock ends that is taken or renewed now."""
        return now + self._lease

    def fence_of(self, chain_id: str) -> int:
        """Give the fence of a chain that is held."""
        fence = self._held[chain_id]
        assert fence is not None
        return fence

    async def take(self, chain_id: str, now: float) -> LockedChain:
        """
        Lock a chain.

        :raises ChainLocked, ChainDisabled, ChainNotScheduled, UnknownChain: when it is not to be
            executed now; nothing is locked then.
        """
        if chain_id in self._held:
            raise ChainLocked(chain_id)
        self._held[chain_id] = None
        locked: LockedChain | None = None
        try:
            storing = Storing(self._store.lock(chain_id, self.until(now), now))
            locked = await storing
        finally:
            if locked is None or not locked.held:
                self.forget(chain_id)
        if not locked.held:
            raise obstacle(locked.chain, now) or ChainLocked(chain_id)
        self._hold(locked.chain)
        try:
            storing.check()
        except CancelledError:
            self.forget(chain_id)
            await self._store.release(_unused(locked.chain), now)
            raise
        return locked

    def accept(self, locked: LockedChain) -> bool:
        """Take note of a lock that the schedule has got; tell whether to execute the chain."""
        is_new = locked.chain.id not in self._held
        self._hold(locked.chain)
        return is_new

    def forget(self, chain_id: str) -> None:
        """Renew the lock of a chain no more."""
        self._held.pop(chain_id, None)
        if not self._held and self._renewal is not None:
            renewal, self._renewal = self._renewal, None
            if renewal.active():
                renewal.cancel()

    def _hold(self, chain: StoredChain) -> None:
        self._held[chain.id] = chain.fence
        if self._renewal is None:
            self._renewal = self._clock().callLater(self._lease / 3, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        locks = [(each, fence) for each, fence in self._held.items() if fence is not None]
        if not locks:
            return
        until = self.until(self._clock().seconds())
        renewing: Deferred[Any] = self._store.renew(locks, until)
        renewing.addErrback(self._not_renewed)
        self._renewal = self._clock().callLater(self._lease / 3, self._renew)

    def _not_renewed(self, failure: Failure) -> None:
        _log.failure("The locks of chains could not be renewed, which is tried again", failure)


def _unused(chain: StoredChain) -> Release:
    """Give a chain back as it was before it was locked."""
    due = None if chain.ended or chain.parked else 0.0
    return Release(
        *(chain.id, chain.fence, due, chain.refusals, chain.error),
        *(chain.failures, chain.parked),
    )
