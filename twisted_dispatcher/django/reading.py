"""
The read model of `twisted_dispatcher.status`, asked over Django's own connection.

It needs no reactor and no other connection: the stores' questions are plain functions of a
connection, and what asks them gives Deferreds that have already fired. So a page sees what its
own transaction sees.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, cast

from django.db import connections
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_dispatcher.errors import CannotRead
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.status import ChainStatus, ChainStory, Status, Story

T = TypeVar("T")


def story_of_event(event_id: int, alias: str) -> Story | None:
    """
    Tell all of one event; None where there is none.

    :raises CannotRead: on PostgreSQL without psycopg 3.
    """
    return answer(Status(store_of(alias), clock()).story(event_id=event_id))


def story_of_chain(chain_id: str, alias: str) -> ChainStory | None:
    """
    Tell all of one chain; None where there is none.

    :raises CannotRead: on PostgreSQL without psycopg 3.
    """
    return answer(ChainStatus(store_of(alias), clock()).story(chain_id))


def answer(deferred: Deferred[T]) -> T:
    """Give what a Deferred that has fired has fired with, or raise what it has failed with."""
    answers: list[Any] = []
    deferred.addBoth(answers.append)
    assert answers, "a question to Django's connection has been answered when it returns"
    if isinstance(answers[0], Failure):
        answers[0].raiseException()
    return cast(T, answers[0])


def store_of(alias: str) -> IStore:
    """Give what can be asked of the tables in a database, by the names of `IStore`."""
    return cast(IStore, _Store(alias))


def clock() -> IReactorTime:
    """Give the time of day, as reasons need it."""
    return cast(IReactorTime, _TimeOfDay())


class _TimeOfDay:
    def seconds(self) -> float:
        return time.time()


class _Asked:
    """Asks the questions of one module of the store that keeps its tables in a Django database."""

    def __init__(self, alias: str, part: str) -> None:
        self._connection = connections[alias]
        self._part = part

    def ask(self, question: str, *values: Any) -> Deferred[Any]:
        """Give a Deferred that has fired with what a function of the module gives."""
        return execute(self._ask, question, values)

    def _ask(self, question: str, values: Sequence[Any]) -> Any:
        return getattr(self._module(), question)(self._place(), *values)

    def _module(self) -> ModuleType:
        """Import only here what needs a driver that a user of the other store does not have."""
        name = f"twisted_dispatcher.stores.{self._connection.vendor}{self._part}.reading"
        try:
            return import_module(name)
        except ImportError as error:
            raise CannotRead from error

    def _place(self) -> Any:
        self._connection.ensure_connection()
        if self._connection.vendor == "sqlite":
            return self._connection.connection
        return _Cursors(self._connection)


class _Cursors:
    """Reads on PostgreSQL as a ledger does."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def read(self, sql: str, parameters: Any = None) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            rows: list[Any] = cursor.fetchall()
        return rows


class _Store:
    """What `Status` asks of an `IStore`."""

    def __init__(self, alias: str) -> None:
        self._ask = _Asked(alias, "").ask
        self.chains = _Chains(alias)

    def events(
        self,
        ids: Collection[int] | None = None,
        keys: Collection[str] | None = None,
        open: bool | None = None,
        limit: int = 100,
    ) -> Deferred[Any]:
        return self._ask("events", ids, keys, open, limit)

    def delivery(self, delivery_id: int) -> Deferred[Any]:
        return self._ask("delivery", delivery_id)

    def deliveries_of(self, event_id: int) -> Deferred[Any]:
        return self._ask("deliveries_of", event_id)

    def settled(self, event_ids: Collection[int]) -> Deferred[Any]:
        return self._ask("settled", event_ids)

    def orphans(self, before: float, now: float, limit: int = 100) -> Deferred[Any]:
        return self._ask("orphans", before, now, limit)

    def counts(self) -> Deferred[Any]:
        return self._ask("counts")


class _Chains:
    """What `ChainStatus` asks of an `IChainStore`."""

    def __init__(self, alias: str) -> None:
        self._ask = _Asked(alias, ".chains").ask

    def chain(self, chain_id: str) -> Deferred[Any]:
        return self._ask("chain", chain_id)

    def signals(self, chain_id: str) -> Deferred[Any]:
        return self._ask("signals", chain_id)

    def history(self, chain_id: str, limit: int = 1000) -> Deferred[Any]:
        return self._ask("history", chain_id, limit)
