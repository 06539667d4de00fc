"""A dispatcher of ours on a store of its own, as the benchmarks open and close it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.interfaces import IStore

Opened = TypeVar("Opened", bound="OnStore")


class OnStore:
    """A store with a dispatcher that allows the C{keywords}."""

    keywords: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: IStore) -> None:
        self.store = store
        self.dispatcher = DurableDispatcher(store, self.keywords)

    @classmethod
    async def open(cls: type[Opened], url: str) -> Opened:
        """Opens a store, and starts a dispatcher on it."""
        opened = cls(open_store(url))
        opened.dispatcher.start()
        await opened.dispatcher.when_ready()
        return opened

    async def close(self) -> None:
        """Stops, and closes the store."""
        await self.dispatcher.stop()
        await self.store.close()
