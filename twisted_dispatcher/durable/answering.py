"""Asks a store that gives Deferreds only in the way in which the dispatcher asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted_dispatcher.interfaces import IAnsweringStore, IStore
from twisted_dispatcher.records import NewEvent, Settlement, Worker

Answer = Callable[[Any], object]


def answering(store: IStore) -> IAnsweringStore:
    """
    Give the store itself if its class says that it calls back, and else what asks it and does.

    What an object that passes everything on says of itself is what is said by the store behind
    it, whose methods such an object may well want to see called.
    """
    if IAnsweringStore.implementedBy(type(store)):
        return cast(IAnsweringStore, store)
    return cast(IAnsweringStore, _Asked(store))


class _Asked:
    """
    Provides `IAnsweringStore` by means of an `IStore`; all other methods are those of the store.
    """

    def __init__(self, store: IStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def accept_one(self, event: NewEvent, worker: Worker, now: float, answer: Answer) -> None:
        self._store.accept([event], worker, now).addCallback(_only).addBoth(answer)

    def settle_one(
        self, settlement: Settlement, worker: Worker, now: float, answer: Answer
    ) -> None:
        self._store.settle([settlement], worker, now).addCallback(_only).addBoth(answer)


def _only(answers: list[Any]) -> Any:
    (answer,) = answers
    return answer
