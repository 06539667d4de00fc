"""
Where requests are done: what writes in one transaction, and what reads beside it.

What fails is undone as a whole and done again in halves, so that only who is to blame fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from twisted.python.failure import Failure

from twisted_dispatcher.errors import (
    PayloadGone,
    StoreLocked,
    TransactionMisused,
    UnknownChain,
    UnknownDelivery,
    WrongStatus,
)
from twisted_dispatcher.stores.gathering import (
    Outcomes,
    Requests,
    TryAgain,
    Work,
    isolate,
    perform,
)
from twisted_dispatcher.stores.sqlite.complaints import complain, is_locked
from twisted_dispatcher.stores.sqlite.ledger import Ledger, Undone

# Misuse that is found before anything is written: it harms nobody who is in the same group.
_REFUSED = (UnknownDelivery, UnknownChain, WrongStatus, PayloadGone)


def each(do: Callable[..., Any]) -> Work:
    """Make the work of requests that are done one after another."""

    def work(place: Any, requests: Sequence[Any]) -> list[Any]:
        results = []
        for request in requests:
            try:
                results.append(do(place, *request))
            except _REFUSED:
                results.append(Failure())
        return results

    return work


class Desk:
    """
    Does groups of requests on the connections of a store.

    :ivar news: what has been committed that others may care for; whoever tells them clears it.
    """

    def __init__(self, ledger: Ledger, reader: sqlite3.Connection, name: str) -> None:
        """:param name: what the store is called in errors."""
        self._ledger = ledger
        self._reader = reader
        self._name = name
        self.news: set[str] = set()

    def read(self, requests: Requests) -> Outcomes:
        """Do requests that read."""
        return isolate(requests, self._read)

    def _read(self, requests: Requests) -> Outcomes:
        try:
            return perform(self._reader, requests)
        except Exception as error:
            complain(error, self._name)

    def write(self, requests: Requests) -> Outcomes | TryAgain:
        """Do requests that write, unless another connection keeps the file locked."""
        try:
            self._ledger.begin()
        except Exception as error:
            self._ledger.roll_back()
            if is_locked(error):
                return TryAgain(StoreLocked(self._name))
            complain(error, self._name)
        return isolate(requests, self._write)

    def _write(self, requests: Requests) -> Outcomes:
        """Do requests in one transaction, which may have begun already."""
        try:
            if not self._ledger.connection.in_transaction:
                self._ledger.begin()
            results = perform(self._ledger, requests)
            self._commit()
        except Undone as undone:
            error = undone.__cause__ or _undone_in_silence()
            raise error from error.__cause__
        except Exception as error:
            self._ledger.roll_back()
            complain(error, self._name)
        self.news |= self._ledger.news
        return results

    def _commit(self) -> None:
        try:
            self._ledger.commit()
        except Exception:
            if not self._ledger.was_committed():
                raise


def _undone_in_silence() -> TransactionMisused:
    return TransactionMisused(
        "a statement of a handler has undone its transaction, and the handler went on as if "
        "nothing had happened: let the error of that statement out"
    )
