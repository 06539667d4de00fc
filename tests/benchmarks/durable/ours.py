"""Our durable dispatcher, and callers that each wait for one event before the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.durable.keys import Keys
from tests.benchmarks.on_stores.callers import shared
from tests.benchmarks.on_stores.opened import OnStore
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.interfaces import IStore

EVENT = {"number": 12345}
HANDLER = "order"

Ask = Callable[[str], Awaitable[Any]]


class Ours(OnStore):
    """A dispatcher with one handler, for the events of one kind.

    C{handled} counts what the handler was called for.
    """

    keywords = ("kind",)

    def __init__(self, store: IStore) -> None:
        super().__init__(store)
        self.handled = 0
        self.dispatcher.on(options=HandlerOptions(name=HANDLER), kind="order")(self._count)

    def _count(self, event: object) -> None:
        self.handled += 1

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
    return await shared(events, [lambda: ask(keys())] * min(callers, events))
