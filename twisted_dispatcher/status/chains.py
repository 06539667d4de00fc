"""`ChainStatus`: asks a store of its chains, and tells how they stand. It changes nothing."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.errors import StoreWithoutChains, UnknownChain
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.status.standing import ChainStory, reason_of_chain, refusals_of


class ChainStatus:
    """
    Tells what chains are in a store. Every Deferred may fail with a `StoreError`.

    :raises StoreWithoutChains: when the store cannot keep chains.
    """

    def __init__(self, store: IStore, clock: IReactorTime) -> None:
        chains: IChainStore | None = getattr(store, "chains", None)
        if chains is None:
            raise StoreWithoutChains(store)
        self._store = chains
        self._clock = clock

    def chains(
        self,
        chain_type: str | None = None,
        *,
        state: str | None = None,
        pair: tuple[str, str] | None = None,
        parked: bool = False,
        limit: int = 100,
    ) -> Deferred[list[StoredChain]]:
        """List chains, the newest first; see `IChainStore.chains`."""
        return self._store.chains(chain_type, state, pair, parked=parked, limit=limit)

    def counts(self, chain_type: str | None = None) -> Deferred[dict[tuple[str, str], int]]:
        """Count chains by their type and state, these in order."""
        return Deferred.fromCoroutine(self._counts(chain_type))

    async def _counts(self, chain_type: str | None) -> dict[tuple[str, str], int]:
        return dict(sorted((await self._store.counts(chain_type)).items()))

    def story(self, chain_id: str) -> Deferred[ChainStory | None]:
        """Tell all of one chain; None where there is none."""
        return Deferred.fromCoroutine(self._story(chain_id))

    async def _story(self, chain_id: str) -> ChainStory | None:
        try:
            chain = await self._store.chain(chain_id)
        except UnknownChain:
            return None
        signals = await self._store.signals(chain_id)
        history = await self._store.history(chain_id)
        return ChainStory(
            chain,
            reason_of_chain(chain, self._clock.seconds()),
            refusals_of(chain),
            {name: _written(text) for name, text in signals.items()},
            tuple(history),
        )


def _written(text: str) -> Any:
    """Give what the codec has written, without the version of its format."""
    try:
        return json.loads(text)[1]
    except (ValueError, LookupError, TypeError):
        return text
