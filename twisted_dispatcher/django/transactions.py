"""What an exactly-once handler is given where it is called at once: Django's own transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
from zope.interface import implementer

from twisted_dispatcher.django.databases import vendor_of
from twisted_dispatcher.errors import TransactionMisused
from twisted_dispatcher.interfaces import ITransaction
from twisted_dispatcher.records import Acceptance, NewEvent
from twisted_dispatcher.stores.outbox import outbox_on


@implementer(ITransaction)
class DjangoTransaction:
    """A transaction of Django's, as a store's; valid until its handler returns."""

    def __init__(self, connection: Any, accepted: Callable[[int], object]) -> None:
        """:param accepted: told the id of each new event that is accepted in it."""
        self._connection = connection
        self._accepted = accepted
        self._is_over = False

    @property
    def connection(self) -> Any:
        self._check()
        return self._connection.connection

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        self._check()
        cursor = self._connection.connection.cursor()
        cursor.execute(sql, parameters or ())
        return cursor

    def accept(self, event: NewEvent) -> Acceptance:
        self._check()
        accept_on = outbox_on(vendor_of(self._connection.alias))
        with self._connection.cursor() as cursor:
            unplanned = attrs.evolve(event, deliveries=None)
            (entry,) = accept_on(cursor, [unplanned], time.time())
        if entry.acceptance.new:
            self._accepted(entry.acceptance.event_id)
        return entry.acceptance

    def end(self) -> None:
        """Be used no more."""
        self._is_over = True

    def _check(self) -> None:
        if self._is_over:
            raise TransactionMisused(
                "this transaction is over: use it before the handler returns, and keep it nowhere"
            )
