"""Our chains: a machine of three steps, and callers that each drive one chain after another."""

from __future__ import annotations

from itertools import count
from os import urandom
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.on_stores.callers import Do, shared
from tests.benchmarks.on_stores.opened import OnStore
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


class Ours(OnStore):
    """
    The chains of three steps in one store.

    :ivar called: counts the calls of the callback.
    """

    def __init__(self, store: IStore) -> None:
        super().__init__(store)
        self.called = 0
        self.chains = ChainDispatcher(CHAIN_TYPE, CONFIGS, dispatcher=self.dispatcher)
        self._number, self._run = count(), urandom(6).hex()

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

    async def _driven(self, drive: Do, chains: int, callers: int) -> None:
        before = self.called
        await shared(chains, [drive] * min(callers, chains))
        if self.called - before != STEPS * chains:
            raise WrongCalls(f"{self.called - before} steps of {chains} chains were taken")
