"""Our sources: a dispatcher with one handler for a group, and streams of events through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.on_stores.opened import OnStore
from tests.benchmarks.sources.streams import Piece
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.sources import EventSources

GROUP = "order"
CONTEXT = {"number": 12345}


class Sources(OnStore):
    """A store with sources, and a handler that counts in C{handled} what it was called for."""

    def __init__(self, store: IStore) -> None:
        super().__init__(store)
        self.handled = 0
        self.sources = EventSources(self.dispatcher)
        self.sources.register_group_handler(
            handler=self._count, group=f"^{GROUP}", options=HandlerOptions(name="count")
        )

    def _count(self, event: object) -> None:
        self.handled += 1

    async def process(self, piece: Piece, window: int) -> None:
        """Processes events with these keys to their end, so many of them at once.

        Raises WrongCalls unless the handler was called once for each that is new.
        """
        before = self.handled
        report = await self.sources.process_events(declarations(piece.keys), window=window)
        handled = self.handled - before
        if handled != len(piece.new) or report.recorded != handled:
            raise WrongCalls(f"our handler was called {handled} times: {report}")


def declarations(keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Gives events with these keys, as a source does."""
    for key in keys:
        yield {"group": GROUP, "key": key, "context": CONTEXT}
