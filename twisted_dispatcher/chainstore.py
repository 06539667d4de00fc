"""`IChainStore`: the seam behind which chains live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

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
from twisted_dispatcher.records import Worker


class IChainStore(Interface):
    """
    The place where chains live: the attribute ``chains`` of an `IStore` that can keep them.

    What `IStore` says of threads, time, Deferreds, group commit and ways of failing holds here
    too. Whatever is about one chain fails with `UnknownChain` where there is no such chain.

    **Lock and fence.** Who executes a chain has it locked until some time. A lock that has run out
    can be taken over: the fence rises then, and who had it before writes nothing any more.
    """

    def find(new: NewChain, exact: bool, now: float) -> Deferred[FoundChain]:
        """
        Find the chain with some resources, or store it.

        A chain of this type with exactly these resources wins. Else, unless `exact`, one that has
        them and more: there must be only one. Else the new one is stored. Whoever asks for the
        same at the same time is given the same.

        :return: a Deferred that fires with what was found. No list has more than ten chains.
        """

    def lock(chain_id: str, until: float, now: float) -> Deferred[LockedChain]:
        """Have a chain for oneself, if it is free; see `StoredChain.is_free`."""

    def renew(locks: Sequence[tuple[str, int]], until: float) -> Deferred[None]:
        """Go on having chains, given with their fences, of which none was taken over."""

    def move(move: Move, worker: Worker, now: float) -> Deferred[Moved]:
        """
        Store a transition, its line of history and the event of the new state, all or nothing.

        It happens only if the chain has the version and the fence that are named.
        """

    def transact(
        move: Move, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Moved]]:
        """
        Do some work and store a transition, in one transaction; see `IStore.transact`.

        Events that the work accepts are claimed by the worker as any that are due; where the
        chain was taken over the work is not called.
        """

    def release(release: Release, now: float) -> Deferred[bool]:
        """Give a chain back; the Deferred fires with whether it was still held, and is there."""

    def claim_due(
        chain_type: str, until: float, now: float, limit: int
    ) -> Deferred[list[LockedChain]]:
        """Lock chains of a type that are due, the first due first."""

    def next_due(chain_type: str) -> Deferred[float | None]:
        """Tell when the schedule is to look at a chain of a type next, or None."""

    def due(chain_type: str, now: float, limit: int) -> Deferred[list[StoredChain]]:
        """List the chains of a type that are due, the first due first."""

    def signal(chain_id: str, name: str, value: str, now: float) -> Deferred[None]:
        """
        Remember for a chain that something has arrived; a later value replaces an earlier one.

        The chain is due now, unless it is disabled, parked or at its end.
        """

    def set_disabled(chain_id: str, disabled: bool, now: float) -> Deferred[None]:
        """Keep a chain from being executed, or allow it again: then it is due now."""

    def resume(chain_id: str, now: float) -> Deferred[None]:
        """Forget the failures of a chain, so that it is due now and not parked any more."""

    def chain(chain_id: str) -> Deferred[StoredChain]:
        """Give one chain."""

    def signals(chain_id: str) -> Deferred[Mapping[str, str]]:
        """Give what has arrived for a chain and was not used up, by name."""

    def chains(
        chain_type: str | None = None,
        state: str | None = None,
        pair: tuple[str, str] | None = None,
        parked: bool = False,
        limit: int = 100,
    ) -> Deferred[list[StoredChain]]:
        """
        List chains, the newest first.

        :param pair: only those with this resource; the type of the chain must be given with it.
        :param parked: only those that have failed too often.
        """

    def history(chain_id: str, limit: int = 1000) -> Deferred[list[HistoryRow]]:
        """List the transitions of a chain, the first one first; of many the last ones."""

    def counts(chain_type: str | None = None) -> Deferred[Mapping[tuple[str, str], int]]:
        """Count chains by their type and state."""

    def adopt(
        chain_type: str,
        definition: str,
        renamed: Mapping[str, str],
        going: Sequence[str],
        now: float,
        limit: int = 1000,
    ) -> Deferred[int]:
        """
        Put the chains of a type that were made by other definitions under this one.

        :param renamed: by old states, the states to be in instead.
        :param going: the states that have a way on. Chains that were at their end in one of these
            are due now; those that have none left are at their end.
        :return: a Deferred that fires with the number of chains that were changed, at most
            `limit`; ask again until it is 0.
        """

    def purge(chain_type: str, before: float, limit: int) -> Deferred[int]:
        """
        Forget chains that have been at their end since before a time, with all that is theirs.

        :return: a Deferred that fires with the number of chains, of which there may be more.
        """
