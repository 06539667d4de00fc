"""Exactly once: a handler's own writes, in the transaction that settles its delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from zope.interface import implementer

from twisted_dispatcher.errors import TransactionMisused
from twisted_dispatcher.interfaces import ITransaction
from twisted_dispatcher.records import (
    DONE,
    RUNNING,
    Acceptance,
    Claim,
    NewEvent,
    Settled,
    Settlement,
    Worker,
)
from twisted_dispatcher.stores.postgresql.accepting import accept_each
from twisted_dispatcher.stores.postgresql.connections import OVER, StoreConnection
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.settling import LOST, settle_each
from twisted_dispatcher.stores.postgresql.tables import DELIVERY

# Held until the end, so that nobody gives the delivery to another worker meanwhile.
_HOLD: Final = f"""
    SELECT 1 FROM {DELIVERY}
    WHERE id = %s::bigint AND attempts = %s AND worker = %s AND status = '{RUNNING}' FOR UPDATE"""


class WorkFailed(Exception):
    """The work of a transaction has raised: it is not done again, whatever the reason is."""

    def __init__(self, reason: Exception, is_handlers: bool = True) -> None:
        """:param is_handlers: whether the reason is to be told as it is."""
        self.reason = reason
        self.is_handlers = is_handlers
        super().__init__(reason)


@implementer(ITransaction)
class Transaction:
    """The transaction of a handler; what it accepts is stored for the handler's own worker."""

    def __init__(
        self, ledger: Ledger, connection: StoreConnection, worker: Worker, now: float
    ) -> None:
        self._ledger = ledger
        self._connection = connection
        self._worker = worker
        self._now = now
        self._is_over = False
        self.claims: tuple[Claim, ...] = ()

    @property
    def connection(self) -> StoreConnection:
        self._check()
        return self._connection

    def execute(self, sql: str, parameters: Any = ()) -> psycopg.Cursor[Any]:
        self._check()
        return self._connection.execute(sql, parameters or None)

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
            raise TransactionMisused(OVER)


def transact(
    ledger: Ledger, claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, Settled]:
    """
    Do some work and settle its delivery; see `IStore.transact`.

    :raises WorkFailed: with what the work has raised; then the transaction must not be kept.
    """
    if not ledger.read(_HOLD, (claim.delivery_id, claim.attempt, worker.id)):
        return None, LOST
    try:
        value, claims = do_within(ledger, work, worker, now)
    except Exception as error:
        raise WorkFailed(error) from error
    settlement = Settlement(claim.delivery_id, claim.event_id, claim.attempt, DONE)
    try:
        (settled,) = settle_each(ledger, [(settlement, worker, now)])
    except Exception as error:
        raise WorkFailed(error, is_handlers=False) from error
    return value, Settled(True, claims + settled.opened, settled.finished)


def do_within(
    ledger: Ledger, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, tuple[Claim, ...]]:
    """
    Do some work as a part of the transaction.

    :return: what it has given, and what the worker is to run of the events that it has accepted.
    """
    connection = ledger.connection
    assert isinstance(connection, StoreConnection)
    transaction = Transaction(ledger, connection, worker, now)
    with connection.lent():
        try:
            value = work(transaction)
        finally:
            transaction.end()
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise TransactionMisused(
            "a statement of the handler has failed, and PostgreSQL undoes the whole transaction "
            "then: let the exception out of the handler, or put the statement into "
            "'with transaction.connection.transaction():'"
        )
    return value, transaction.claims
