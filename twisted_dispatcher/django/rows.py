"""
The rows of deliveries that are run without a worker, on Django's own connection.

It is what the stores write, for one event whose handlers are called here and now: nobody else can
see its deliveries before the transaction ends, and none of them waits for anything then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from twisted_dispatcher.records import DEAD, DONE, RUNNING, SKIPPED, NewDelivery
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, LANE

_POSTGRESQL: Final = "postgresql"
_RESERVE: Final = "SELECT twisted_dispatcher_reserve('twisted_dispatcher_delivery_id', %s)"
_NEXT: Final = f"SELECT coalesce(max(id), 0) + 1 FROM {DELIVERY}"
_COLUMNS: Final = "id, event_id, handler, phase, rank, status, attempts"
_FIND: Final = f"SELECT key, body, details, first_delivery FROM {EVENT} WHERE id = %s"
_FIND_DELIVERY: Final = f"SELECT event_id, handler, attempts, status FROM {DELIVERY} WHERE id = %s"
_PLAN: Final = f"UPDATE {EVENT} SET first_delivery = %s, last_delivery = %s WHERE id = %s"
# Where an event stands until it is settled.
_OPENED: Final = "DELETE FROM twisted_dispatcher_open WHERE id = %s"
_IN_LANE: Final = f"DELETE FROM {LANE} WHERE event_id = %s"
_BODY: Final = f"UPDATE {EVENT} SET body = %s WHERE id = %s"


@attrs.frozen
class EventRow:
    """
    An event as it is stored.

    :ivar first_delivery: the id of its first delivery; None when it is not planned yet.
    """

    id: int
    key: str
    body: str | None
    details: str
    first_delivery: int | None


@attrs.frozen
class DeliveryRow:
    """A delivery as it is stored, and the event that it is of."""

    id: int
    event_id: int
    handler: str
    attempts: int
    status: str


class Rows:
    """Reads and writes the rows on one of Django's connections."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_postgresql = connection.vendor == _POSTGRESQL

    def event(self, event_id: int) -> EventRow | None:
        """Find an event; None when it is not there, as after a rollback."""
        found = self._read(_FIND, event_id)
        return EventRow(event_id, *found[0]) if found else None

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        """Find a delivery."""
        found = self._read(_FIND_DELIVERY, delivery_id)
        return DeliveryRow(delivery_id, *found[0]) if found else None

    def plan(self, event_id: int, deliveries: Sequence[NewDelivery], now: float) -> int:
        """
        Store the deliveries of an event, all of them running.

        :return: the id of the first one; those of the others follow.
        """
        first = self._reserve(len(deliveries))
        extra = (", changed", ", %s") if self._is_postgresql else ("", "")
        insert = (
            f"INSERT INTO {DELIVERY} ({_COLUMNS}{extra[0]}) "
            f"VALUES (%s, %s, %s, %s, %s, '{RUNNING}', 1{extra[1]})"
        )
        times = (now,) if self._is_postgresql else ()
        for delivery_id, each in enumerate(deliveries, first):
            row = (delivery_id, event_id, each.handler, each.phase, each.rank, *times)
            self._write(insert, *row)
        self._write(_PLAN, first, first + len(deliveries) - 1, event_id)
        self._write(_OPENED if self._is_postgresql else _IN_LANE, event_id)
        return first

    def settle(self, delivery_id: int, error: str | None, now: float) -> None:
        """Store that a delivery is done, or with an error, that it is dead."""
        self._end(delivery_id, DONE if error is None else DEAD, error, now)

    def skip(self, delivery_id: int, now: float) -> None:
        """Store that a delivery was given up; the error that it has stays."""
        self._end(delivery_id, SKIPPED, None, now)

    def run_again(self, delivery_id: int) -> None:
        """Store that a delivery is in its next attempt."""
        again = (
            f"UPDATE {DELIVERY} SET status = '{RUNNING}', attempts = attempts + 1 WHERE id = %s"
        )
        self._write(again, delivery_id)

    def change_body(self, event_id: int, body: str) -> None:
        """Store another body for an event."""
        self._write(_BODY, body, event_id)

    def _end(self, delivery_id: int, status: str, error: str | None, now: float) -> None:
        time = "changed" if self._is_postgresql else "settled"
        stops = "FALSE" if self._is_postgresql or status in (DEAD, SKIPPED) else "NULL"
        kept = "coalesce(%s, error)" if status == SKIPPED else "%s"
        self._write(
            f"UPDATE {DELIVERY} SET status = %s, error = {kept}, stops = {stops}, {time} = %s "
            "WHERE id = %s",
            *(status, error, now, delivery_id),
        )

    def _reserve(self, count: int) -> int:
        if self._is_postgresql:
            ((first,),) = self._read(_RESERVE, max(count, 1))
        else:
            ((first,),) = self._read(_NEXT)
        return int(first)

    def _read(self, sql: str, *parameters: Any) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def _write(self, sql: str, *parameters: Any) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
