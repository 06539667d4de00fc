"""Asking a store for a command: it is opened, asked under the reactor, and closed again."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from twisted.internet.defer import Deferred

from twisted_dispatcher.cli.options import fail
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.stores import open_store
from twisted_dispatcher.stores.urls import SQLITE, scheme_of, sqlite_path

T = TypeVar("T")


def ask_store(
    url: str, ask: Callable[[IStore, Any], Awaitable[T]], tell: Callable[[T], object]
) -> NoReturn:
    """
    Ask a store something, tell the answer, and exit.

    :param ask: is given the store and the reactor.
    """

    async def work(reactor: Any) -> T:
        store = open_existing(url, reactor)
        try:
            return await ask(store, reactor)
        finally:
            await store.close()

    under_reactor(work, tell)


def under_reactor(
    work: Callable[[Any], Coroutine[Any, Any, T]], tell: Callable[[T], object]
) -> NoReturn:
    """Start the reactor, do some work with it, tell what came of it, and exit."""
    from twisted.internet.task import react

    async def run(reactor: Any) -> None:
        try:
            found = await work(reactor)
        except DispatcherError as error:
            fail(error)
        tell(found)

    react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    sys.exit()  # for the reader: react has exited


def open_existing(url: str, reactor: Any) -> IStore:
    """
    Open a store that must be there: one that was made now would have nothing to tell.

    :raises StoreError: when it cannot be opened.
    """
    if scheme_of(url) == SQLITE:
        path = sqlite_path(url)
        if path is None:
            fail("a store in memory ends with its process, so that nobody else can look into it")
        elif not os.path.exists(path):
            fail(
                f"there is no store {path}: mend its path, or have it made by\n"
                f"    twisted-dispatcher migrate --store {url}"
            )
    return open_store(url, migrate=False, reactor=reactor)
