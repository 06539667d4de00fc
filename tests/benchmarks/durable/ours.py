"""Our durable dispatcher, and callers that each wait for one event before the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.keys import Keys
from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.interfaces import IStore

EVENT = {"number": 12345}
HANDLER = "order"

Ask = Callable[[str], Awaitable[Any]]


class Ours:
    """A dispatcher with one handler, for the events of one kind.

    C{handled} counts what the handler was called for.
    """

    def __init__(self, store: IStore) -> None:
        self.store = store
        self.handled = 0
        self.dispatcher = DurableDispatcher(store, ("kind",))
        self.dispatcher.on(options=HandlerOptions(name=HANDLER), kind="order")(self._count)

    def _count(self, event: object) -> None:
        self.handled += 1

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

    async def fire(self, events: int, callers: int, keys: Keys) -> float:
        """Fires so many events, and gives the longest wait for one of them in seconds.

        Raises WrongCalls unless the handler was called once for each.
        """
        before = self.handled
        longest = await called(
            lambda key: self.dispatcher.fire_event(EVENT, key=key, kind="order"),
            *(events, callers, keys),
        )
        if self.handled - before != events:
            raise WrongCalls(f"our handler was called {self.handled - before} times: {events}")
        return longest

    async def record(self, events: int, callers: int, keys: Keys) -> float:
        """Accepts so many events that nobody handles; gives the longest wait."""
        return await called(
            lambda key: self.dispatcher.accept_event(EVENT, key=key, kind="unknown"),
            *(events, callers, keys),
        )


async def called(ask: Ask, events: int, callers: int, keys: Keys) -> float:
    """Has so many callers ask so many times altogether, and gives the longest wait in seconds."""
    left = events
    longest = 0.0

    async def caller() -> None:
        nonlocal left, longest
        while left > 0:
            left -= 1
            asked = perf_counter()
            await ask(keys())
            longest = max(longest, perf_counter() - asked)

    everybody = [Deferred.fromCoroutine(caller()) for _ in range(min(callers, events))]
    await gatherResults(everybody, consumeErrors=True)
    return longest
