"""`ChainKeeping`: what is done to the chains of one type from outside, and what people ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from twisted_dispatcher.chainrecords import NewChain, StoredChain
from twisted_dispatcher.chains.chain import Chain, HistoryEntry, chain_of, entry_of, utc
from twisted_dispatcher.chains.configuration import Configuration
from twisted_dispatcher.chains.graph import mermaid
from twisted_dispatcher.chains.resources import pairs_of
from twisted_dispatcher.chains.states import NEW
from twisted_dispatcher.chains.versions import StatePlan, plan_states
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.durable.backstage import Backstage
from twisted_dispatcher.errors import (
    AmbiguousChain,
    InvalidCallback,
    NoChain,
    UnknownChain,
    WrongChainType,
)


@attrs.frozen
class ChainStanding:
    """
    How a chain stands, and why it does not go on.

    :ivar refusals: at the last attempt, the errors of each transition, by ``str(transition)``.
    :ivar tried: when that was.
    :ivar next_try: when the schedule looks at it next; None when it will not.
    :ivar locked_until: until when somebody has it, or None.
    :ivar failures: how often executing it has failed, one time after another.
    :ivar parked: whether it has failed too often: `resume` lets it go on.
    :ivar error: the traceback of the last failure.
    :ivar signals: what has arrived for it and was not used, by name.
    """

    chain: Chain
    refusals: dict[str, list[Any]]
    tried: datetime | None
    next_try: datetime | None
    locked_until: datetime | None
    failures: int
    parked: bool
    error: str | None
    signals: dict[str, Any]


class ChainKeeping:
    """
    The chains of one type, but for executing them: the first half of a `ChainDispatcher`.

    See there for the attributes, and for what its methods promise.
    """

    chain_type: str
    configuration: Configuration
    store: IChainStore
    chain: Chain | None
    _backstage: Backstage

    def _named(self, chain: Any) -> Chain | str:
        found = self.chain if chain is None else chain
        if found is None:
            raise NoChain
        if isinstance(found, Chain):
            self._check_type(found)
        elif not isinstance(found, str):
            raise UnknownChain(found)
        return found

    def _check_type(self, chain: Chain) -> None:
        if chain.chain_type != self.chain_type:
            raise WrongChainType(chain.chain_type, self.chain_type)

    async def _found(self, pairs: Any, exact: bool) -> Chain:
        now = self._backstage.now()
        new = NewChain(
            self._backstage.keys.make(now),
            self.chain_type,
            NEW,
            pairs,
            self.configuration.definition,
            now,
            None if self.configuration.is_end(NEW) else now,
        )
        found = await self.store.find(new, exact, now)
        if found.chain is None:
            raise AmbiguousChain(self.chain_type, map(chain_of, found.several))
        return chain_of(found.chain)

    # From outside

    def signal(self, chain: Chain | str | Any, name: str, value: Any = None) -> Deferred[Chain]:
        """
        Tell a chain that something has arrived for which its transitions wait, or will wait.

        It is remembered until a transition with this name in `wait_for` is made.

        :param chain: a chain, its id, or resources as for `get_or_create_chain`; where there is
            none that has them, it is made.
        :param value: for `Transition.signals`; what the dispatcher's codec can write.
        :return: a Deferred that fires with the chain when that is stored. It fails with
            `NotEncodable`.
        :raises InvalidResources, InvalidCallback, WrongChainType: at once.
        """
        if not isinstance(name, str) or not name:
            raise InvalidCallback(f"the name of a signal is a text, not {name!r}")
        if isinstance(chain, Chain):
            self._check_type(chain)
        elif not isinstance(chain, str):
            chain = pairs_of(chain)
        return Deferred.fromCoroutine(self._signal(chain, name, value))

    async def _signal(self, named: Any, name: str, value: Any) -> Chain:
        text = self._backstage.codec.encode(value, "value")
        chain = await self._of(named)
        await self.store.signal(chain.id, name, text, self._backstage.now())
        return chain

    async def _of(self, named: Any) -> Chain:
        if isinstance(named, Chain):
            return named
        if isinstance(named, str):
            chain = chain_of(await self.store.chain(named))
            self._check_type(chain)
            return chain
        return await self._found(named, False)

    def disable(self, chain: Chain | str) -> Deferred[Chain]:
        """Keep a chain from being executed, until `enable`."""
        return Deferred.fromCoroutine(self._set_disabled(chain, True))

    def enable(self, chain: Chain | str) -> Deferred[Chain]:
        """Allow a chain to be executed again; the schedule looks at it at once."""
        return Deferred.fromCoroutine(self._set_disabled(chain, False))

    async def _set_disabled(self, named: Chain | str, disabled: bool) -> Chain:
        chain = await self._of(named)
        await self.store.set_disabled(chain.id, disabled, self._backstage.now())
        chain.see(await self.store.chain(chain.id))
        return chain

    def resume(self, chain: Chain | str) -> Deferred[Chain]:
        """Let a chain go on that was parked for failing too often."""
        return Deferred.fromCoroutine(self._resume(chain))

    async def _resume(self, named: Chain | str) -> Chain:
        chain = await self._of(named)
        await self.store.resume(chain.id, self._backstage.now())
        return chain

    # What people ask

    def history(self, chain: Chain | str | None = None) -> Deferred[list[HistoryEntry]]:
        """Give the transitions that a chain has made, the first one first."""
        return Deferred.fromCoroutine(self._history(self._named(chain)))

    async def _history(self, named: Chain | str) -> list[HistoryEntry]:
        chain_id = named if isinstance(named, str) else named.id
        return [entry_of(row) for row in await self.store.history(chain_id)]

    def due(self, limit: int = 100) -> Deferred[list[Chain]]:
        """List the chains of this type that are due, the first due first."""
        return Deferred.fromCoroutine(self._due(limit))

    async def _due(self, limit: int) -> list[Chain]:
        found = await self.store.due(self.chain_type, self._backstage.now(), limit)
        return [chain_of(each) for each in found]

    def chains(
        self, state: str | None = None, *, parked: bool = False, limit: int = 100
    ) -> Deferred[list[Chain]]:
        """List chains of this type, the newest first; those that are parked on request."""
        return Deferred.fromCoroutine(self._chains(state, parked, limit))

    async def _chains(self, state: str | None, parked: bool, limit: int) -> list[Chain]:
        found = await self.store.chains(self.chain_type, state, parked=parked, limit=limit)
        return [chain_of(each) for each in found]

    def counts(self) -> Deferred[dict[str, int]]:
        """Count the chains of this type by their state."""
        return Deferred.fromCoroutine(self._counts())

    async def _counts(self) -> dict[str, int]:
        found = await self.store.counts(self.chain_type)
        return {state: count for (_, state), count in found.items()}

    def why(self, chain: Chain | str | None = None) -> Deferred[ChainStanding]:
        """Tell how a chain stands: which transitions were refused and why, and what is next."""
        return Deferred.fromCoroutine(self._why(self._named(chain)))

    async def _why(self, named: Chain | str) -> ChainStanding:
        chain_id = named if isinstance(named, str) else named.id
        stored = await self.store.chain(chain_id)
        signals = await self.store.signals(chain_id)
        decode = self._backstage.codec.decode
        values = {name: decode(value) for name, value in signals.items()}
        return standing_of(stored, values, self._backstage.now())

    def graph(self, counts: Mapping[str, int] | None = None) -> str:
        """
        Draw the states and transitions as Mermaid text.

        :param counts: how many chains are in which state, to be shown, as `counts` gives it.
        """
        return mermaid(self.configuration, counts)

    def plan_states(self, renamed: Mapping[str, str] | None = None) -> Deferred[StatePlan]:
        """
        Tell what `start` would do to chains whose states the configuration does not have any more.

        Nothing is changed. The Deferred fails with `BadRenames`.

        :param renamed: by old states, the states to be in instead; those that the configuration
            names as ``renamed`` are known without.
        """
        return Deferred.fromCoroutine(self._plan_states(renamed))

    async def _plan_states(self, renamed: Mapping[str, str] | None) -> StatePlan:
        counts = await self._counts()
        return plan_states(
            self.chain_type, self.configuration.states, counts, self._renamed(renamed)
        )

    def _renamed(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {**self.configuration.renamed, **(more or {})}


def standing_of(stored: StoredChain, signals: dict[str, Any], now: float) -> ChainStanding:
    """Give a stored chain as somebody wants to see it who asks why."""
    return ChainStanding(
        chain_of(stored),
        json.loads(stored.refusals or "{}"),
        utc(stored.tried),
        utc(stored.due),
        utc(stored.locked_until) if stored.locked_until > now else None,
        stored.failures,
        stored.parked,
        stored.error,
        signals,
    )
