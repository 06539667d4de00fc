"""
Storing events on somebody else's connection, in the transaction that is open there.

What an application writes and the events of it are stored together, or not at all. The events are
stored without deliveries; a worker, which knows the handlers, plans them after the commit.

These modules know no driver: they are given a cursor that takes ``%s`` for parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from twisted_dispatcher.records import NewEvent
from twisted_dispatcher.stores.outbox.entries import Entry
from twisted_dispatcher.stores.outbox.postgresql import accept_on as accept_on_postgresql
from twisted_dispatcher.stores.outbox.sqlite import accept_on as accept_on_sqlite

__all__ = ["AcceptOn", "Entry", "outbox_on"]


class AcceptOn(Protocol):
    """What `outbox_on` gives."""

    def __call__(
        self, cursor: Any, events: Sequence[NewEvent], now: float, and_commit: bool = False
    ) -> list[Entry]: ...


def outbox_on(kind: str) -> AcceptOn:
    """
    Give the function that stores events in a kind of database: ``"sqlite"`` or ``"postgresql"``.

    It is given a DB-API cursor, the events (their deliveries do not count), the time, and whether
    to commit as well: on PostgreSQL by the same message, for which the driver must take several
    statements at once and give the result of the first; SQLite sends none, and leaves that to the
    caller. It must be called within a transaction, and gives what became of each event, in order.
    Keys that are known, also from earlier in the same call, are stored no second time. It raises
    what the driver raises; the transaction must be rolled back then.

    Two transactions that store the same keys wait for each other. Keys of one call are stored in
    an order that is the same for everybody, so that no circle comes from that; over several calls
    a circle is possible, and PostgreSQL ends one of the transactions then. A lane is held until
    the end of the transaction.
    """
    return {"sqlite": accept_on_sqlite, "postgresql": accept_on_postgresql}[kind]
