"""What the tests of the contract of chains have in common: short ways to ask."""

from __future__ import annotations

from typing import Any

import attrs

from twisted_dispatcher.chainrecords import (
    FoundChain,
    LockedChain,
    Move,
    Moved,
    NewChain,
    Release,
    StoredChain,
)
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.testing.stores import scene
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, new_event

LEASE = 60.0


def new_chain(
    chain_id: str,
    *resources: str,
    chain_type: str = "order",
    state: str = "new",
    due: float | None = NOW,
) -> NewChain:
    """
    Make a chain.

    :param resources: a type and an id each, as words: ``"item 1", "user 2"``.
    """
    pairs = tuple(
        sorted((kind, value) for kind, _, value in (r.partition(" ") for r in resources))
    )
    return NewChain(chain_id, chain_type, state, pairs, "definition", NOW, due)


def move_of(chain: StoredChain, state: str = "paid", **values: Any) -> Move:
    """Make the transition of a chain that is held."""
    version = chain.version + 1
    made = Move(
        chain.id,
        chain.fence,
        chain.version,
        chain.state,
        state,
        "Pay",
        "somebody",
        chain.next_update,
        NOW,
        False,
        0.0,
        (),
        new_event(f"chain/{chain.id}/{version}", "a"),
    )
    return attrs.evolve(made, **values)


class Scene(scene.Scene):
    """A store of chains for each test; see `twisted_dispatcher.testing.stores.scene.Scene`."""

    @property
    def chains(self) -> IChainStore:
        """What is tested."""
        found: IChainStore = getattr(self.store, "chains")  # noqa: B009
        return found

    async def find(
        self, chain_id: str, *resources: str, exact: bool = False, **values: Any
    ) -> FoundChain:
        """Find or store a chain, given as `new_chain` takes it."""
        return await self.chains.find(new_chain(chain_id, *resources, **values), exact, NOW)

    async def made(self, chain_id: str = "c", *resources: str, **values: Any) -> StoredChain:
        """Store a chain, by default with a resource that no other one has."""
        given = resources or (f"item {chain_id}",)
        found = await self.find(chain_id, *given, exact=True, **values)
        assert found.chain is not None
        return found.chain

    async def lock(self, chain_id: str = "c", now: float = NOW) -> LockedChain:
        """Ask for the lock of a chain."""
        return await self.chains.lock(chain_id, now + LEASE, now)

    async def held(self, chain_id: str = "c", **values: Any) -> StoredChain:
        """Store a chain, and lock it."""
        await self.made(chain_id, **values)
        return (await self.lock(chain_id)).chain

    async def move(self, chain: StoredChain, *, now: float = NOW, **values: Any) -> Moved:
        """Store a transition of a chain."""
        return await self.chains.move(move_of(chain, **values), WORKER, now)

    async def release(self, chain: StoredChain, now: float = NOW, **values: Any) -> bool:
        """Give a chain back."""
        values.setdefault("due", NOW)
        return await self.chains.release(Release(chain.id, chain.fence, **values), now)

    async def stored(self, chain_id: str = "c") -> StoredChain:
        """Give a chain as it stands."""
        return await self.chains.chain(chain_id)
