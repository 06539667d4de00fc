"""Exactly once: a handler's own writes, in the transaction that settles its delivery."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.errors import TransactionMisused
from twisted_dispatcher.interfaces import ITransaction
from twisted_dispatcher.records import (
    DONE,
    Acceptance,
    Claim,
    NewEvent,
    Settled,
    Settlement,
    Worker,
)
from twisted_dispatcher.stores.sqlite.accepting import accept_each
from twisted_dispatcher.stores.sqlite.complaints import is_denied
from twisted_dispatcher.stores.sqlite.ledger import Ledger, Undone
from twisted_dispatcher.stores.sqlite.settling import LOST, held_among, settle_each


@implementer(ITransaction)
class Transaction:
    """The transaction of a handler; what it accepts is stored for the handler's own worker."""

    def __init__(self, ledger: Ledger, worker: Worker, now: float) -> None:
        self._ledger = ledger
        self._worker = worker
        self._now = now
        self._is_over = False
        self.claims: tuple[Claim, ...] = ()

    @property
    def connection(self) -> sqlite3.Connection:
        self._check()
        return self._ledger.connection

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        self._check()
        return self._ledger.connection.execute(sql, parameters)

    def accept(self, event: NewEvent) -> Acceptance:
        self._check()
        (accepted,) = accept_each(self._ledger, [(event, self._worker, self._now)])
        self.claims += accepted.claims
        return accepted.acceptance

    def end(self) -> None:
        """Allow no more use of it."""
        self._is_over = True

    def _check(self) -> None:
        if self._is_over:
            raise TransactionMisused(
                "this transaction is over: use it before the handler returns, and keep it nowhere"
            )


def transact(
    ledger: Ledger, claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, Settled] | Failure:
    """Do some work and settle its delivery, or leave nothing of it; see `IStore.transact`."""
    settlement = Settlement(claim.delivery_id, claim.event_id, claim.attempt, DONE)
    if not held_among(ledger, [(settlement, worker, now)]):
        return None, LOST
    done = do_within(ledger, work, worker, now)
    if isinstance(done, Failure):
        return done
    value, claims = done
    (settled,) = settle_each(ledger, [(settlement, worker, now)])
    return value, Settled(True, claims + settled.opened, settled.finished)


def do_within(
    ledger: Ledger, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, tuple[Claim, ...]] | Failure:
    """
    Do some work as a part of the transaction, or leave nothing of it.

    :return: what it has given, and what the worker is to run of the events that it has accepted;
        or its failure.
    """
    ledger.mark()
    transaction = Transaction(ledger, worker, now)
    try:
        value = work(transaction)
    except (Exception, SystemExit) as error:
        return _undone(ledger, error)
    finally:
        transaction.end()
    ledger.keep()
    return value, transaction.claims


def _undone(ledger: Ledger, error: BaseException) -> Failure:
    """Undo what a work has written, and give its failure."""
    try:
        ledger.undo()
    except Undone as undone:
        raise undone from error
    return Failure(_misuse(error) if is_denied(error) else error)


def _misuse(error: BaseException) -> TransactionMisused:
    misuse = TransactionMisused(
        "a handler's transaction commits with the settling of its delivery, so the handler must "
        "neither begin, commit nor roll back on its connection: leave that out, and raise an "
        "exception to undo what it has written"
    )
    misuse.__cause__ = error
    return misuse
