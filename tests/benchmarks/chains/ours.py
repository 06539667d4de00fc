"""Our chains: a machine of three steps, and callers that each drive one chain after another."""

from __future__ import annotations

from itertools import count
from os import urandom
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.benchmarks.contenders import WrongCalls
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import NEW, Chain, ChainDispatcher, Transition
from twisted_dispatcher.interfaces import IStore

CHAIN_TYPE = "three"
STEPS = 3


class Step(Transition):
    """Goes on at once."""

    def is_valid(self) -> bool:
        return True


class One(Step):
    """The first step."""

    final_state = "one"


class Two(Step):
    """The second step."""

    final_state = "two"


class Three(Step):
    """The last step."""

    final_state = "three"


CONFIGS = {
    "chains": [
        {
            "chain_type": CHAIN_TYPE,
            "transitions": {NEW: [One], "one": [Two], "two": [Three], "three": []},
        }
    ]
}


class Ours:
    """
    The chains of three steps in one store.

    :ivar called: counts the calls of the callback.
    """

    def __init__(self, store: IStore) -> None:
        self.store = store
        self.called = 0
        self.dispatcher = DurableDispatcher(store, ())
        self.chains = ChainDispatcher(CHAIN_TYPE, CONFIGS, dispatcher=self.dispatcher)
        self._number, self._run = count(), urandom(6).hex()

    @classmethod
    async def open(cls, url: str) -> Ours:
        """Opens a store, and starts a dispatcher on it."""
        ours = cls(open_store(url))
        ours.dispatcher.start()
        await ours.dispatcher.when_ready()
        return ours

    async def close(self) -> None:
        """Stops, and closes the store."""
        await self.dispatcher.stop()
        await self.store.close()

    def _call(self, transition: Any) -> None:
        self.called += 1

    async def _new(self) -> Chain:
        order = f"{self._run}-{next(self._number)}"
        return await self.chains.get_or_create_chain([("order", order), ("customer", order)])

    async def run(self, chains: int, callers: int) -> None:
        """Makes so many chains, and runs each to its end while one lock is held."""

        async def drive() -> None:
            chain = await self._new()
            await self.chains.run_chain(chain, callback=self._call)

        await self._driven(drive, chains, callers)

    async def step(self, chains: int, callers: int) -> None:
        """Makes so many chains, and has each take one step after the other, each for itself."""

        async def drive() -> None:
            chain = await self._new()
            for _ in range(STEPS):
                await self.chains.execute_chain(chain, callback=self._call)

        await self._driven(drive, chains, callers)

    async def _driven(self, drive: Any, chains: int, callers: int) -> None:
        before, left = self.called, chains

        async def caller() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await drive()

        everybody = [Deferred.fromCoroutine(caller()) for _ in range(min(callers, chains))]
        await gatherResults(everybody, consumeErrors=True)
        if self.called - before != STEPS * chains:
            raise WrongCalls(f"{self.called - before} steps of {chains} chains were taken")
