"""
The schedule: executes the chains of a type that are due, many at once.

Due chains are claimed by their locks, so that of several machines one executes each. What nobody
tells it of it finds by looking once a second at the first chain that is due.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.chainrecords import LockedChain
from twisted_dispatcher.chains.calling import Order
from twisted_dispatcher.chains.chain import ChainResult, chain_of
from twisted_dispatcher.chains.executing import Executor
from twisted_dispatcher.chains.locks import Locks
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.durable.backstage import Backstage
from twisted_dispatcher.errors import StoreClosed, StoreError

# At least so often, in seconds, it looks for what it was not told of.
SLOWEST_POLL = 1.0
# So many chains that are at their end are forgotten at a time, and so often it is looked for them.
MOST_FORGOTTEN = 500
FORGETTING = 60.0

_log = Logger()


class Schedule:
    """
    Executes due chains from `start` to `stop`.

    :ivar order: what is done with each.
    """

    def __init__(
        self,
        chain_type: str,
        store: IChainStore,
        backstage: Backstage,
        executor: Executor,
        locks: Locks,
        *,
        at_once: int,
        keep_ended: float | None,
    ) -> None:
        """
        :param at_once: so many chains at most are executed at the same time.
        :param keep_ended: so many seconds after its end a chain is forgotten; None is never.
        """
        self.order = Order()
        self._chain_type = chain_type
        self._store = store
        self._backstage = backstage
        self._executor = executor
        self._locks = locks
        self._at_once = at_once
        self._keep_ended = keep_ended
        self._running: set[Deferred[None]] = set()
        self._is_on = self._looking = self._look_again = False
        self._call: IDelayedCall | None = None
        self._forget_at = 0.0
        self._drained: Deferred[None] | None = None
        self._stop_listening: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to look for due chains."""
        self._is_on = True
        self._stop_listening = self._backstage.store.listen(self._told)
        self.look()

    async def stop(self, limit: float) -> None:
        """
        Claim nothing more, and wait for what is executed.

        :param limit: after so many seconds that is cancelled; its chains are due at once.
        """
        self._is_on = False
        self._stop_listening()
        _cancel(self._call)
        if self._running:
            drained = self._drained = Deferred()
            parking = self._backstage.clock().callLater(limit, self._park)
            await drained
            _cancel(parking)

    def _park(self) -> None:
        for each in list(self._running):
            each.cancel()

    # Looking

    def _told(self, news: str) -> None:
        if news == "chains":
            self.look()

    def look(self) -> None:
        """Look for due chains, now and until there are no more."""
        if not self._is_on:
            return
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        Deferred.fromCoroutine(self._look()).addErrback(self._failed)

    async def _look(self) -> None:
        more = True
        while more and self._is_on:
            self._look_again = False
            room = self._at_once - len(self._running)
            if room <= 0:
                # Whoever ends looks again.
                break
            now = self._backstage.now()
            claimed = await self._store.claim_due(
                self._chain_type, self._locks.until(now), now, room
            )
            for each in claimed:
                self._execute(each)
            more = len(claimed) == room or self._look_again
        await self._forget()
        due = await self._store.next_due(self._chain_type)
        self._looking = False
        now = self._backstage.now()
        self._look_later(SLOWEST_POLL if due is None else max(due - now, 0.01))

    def _look_later(self, delay: float) -> None:
        _cancel(self._call)
        if self._is_on:
            delay = min(delay, SLOWEST_POLL)
            self._call = self._backstage.clock().callLater(delay, self.look)

    def _failed(self, failure: Failure) -> None:
        self._looking = False
        if failure.check(StoreClosed):
            # There is nothing to look for any more.
            self._is_on = False
        if self._is_on:
            _log.failure(
                "The schedule of {chain_type} could not look for due chains",
                failure,
                chain_type=self._chain_type,
            )
            self._look_later(SLOWEST_POLL)

    async def _forget(self) -> None:
        """Forget chains that have been at their end for long enough."""
        now = self._backstage.now()
        if self._keep_ended is None or now < self._forget_at:
            return
        before = now - self._keep_ended
        count = await self._store.purge(self._chain_type, before, MOST_FORGOTTEN)
        self._forget_at = now if count == MOST_FORGOTTEN else now + FORGETTING

    # Executing

    def _execute(self, locked: LockedChain) -> None:
        if not self._locks.accept(locked):
            return
        chain = chain_of(locked.chain)
        execution = self._executor.carry_on(locked, chain, self.order, whole=True)
        done = Deferred.fromCoroutine(execution).addCallbacks(self._done, self._not_done)
        self._running.add(done)
        done.addBoth(self._ended, done)

    def _done(self, result: ChainResult) -> None:
        """Take no note: what a chain has come to is in the store."""

    def _not_done(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(StoreError):
            _log.warn("{error}", error=failure.getErrorMessage())
            return
        _log.failure(
            "A chain of type {chain_type} could not be executed, which is tried again",
            failure,
            chain_type=self._chain_type,
        )

    def _ended(self, _: object, done: Deferred[None]) -> None:
        self._running.discard(done)
        if self._drained is not None and not self._running:
            drained, self._drained = self._drained, None
            drained.callback(None)
        elif self._is_on and not self._looking:
            self._look_later(0)


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
