"""
What can be asked of the store. Each function is given a connection that reads.

No query looks through what grows: they go by an id, by a key, by what is open or has failed, or
look at the newest.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Any, Final

from twisted_dispatcher.errors import PayloadGone, UnknownDelivery
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SKIPPED,
    Delivery,
    Orphan,
    StoredEvent,
    Unplanned,
    Worker,
)
from twisted_dispatcher.stores.sqlite.claiming import names_of
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, WORKER

# So far back it is looked for what was done by one handler.
LOOK_BACK: Final = 100_000

_COLUMNS = """
    SELECT d.id, d.event_id, e.key, d.handler, d.phase, d.status, d.attempts, d.due, d.error"""
_BY_ID = f"""{_COLUMNS}
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.id = ?"""
_BY_EVENT = f"""{_COLUMNS}
    FROM {EVENT} e JOIN {DELIVERY} d ON d.id BETWEEN e.first_delivery AND e.last_delivery
    WHERE e.id = ? ORDER BY d.id"""

# Where deliveries are listed from. Each is read in the order of an index, no further than needed.
_BY_KEY = f"""{_COLUMNS}
    FROM {EVENT} e JOIN {DELIVERY} d ON d.id BETWEEN e.first_delivery AND e.last_delivery
    WHERE e.key = :key {{chosen}} ORDER BY d.id DESC LIMIT :limit"""
_UNSETTLED = f"""{_COLUMNS}
    FROM {DELIVERY} d INDEXED BY {DELIVERY}_unsettled CROSS JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.settled IS NULL {{chosen}} ORDER BY d.event_id DESC, d.id DESC LIMIT :limit"""
_FAILED = f"""{_COLUMNS}
    FROM {DELIVERY} d INDEXED BY {DELIVERY}_failed CROSS JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.stops IS NOT NULL {{chosen}} ORDER BY d.id DESC LIMIT :limit"""
_NEWEST = f"""{_COLUMNS}
    FROM {DELIVERY} d CROSS JOIN {EVENT} e ON e.id = d.event_id
    WHERE 1 {{chosen}} ORDER BY d.id DESC LIMIT :limit"""
_NOT_LONG_AGO = f"""{_COLUMNS}
    FROM {DELIVERY} d CROSS JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.id > (SELECT max(id) FROM {DELIVERY}) - {LOOK_BACK} {{chosen}}
    ORDER BY d.id DESC LIMIT :limit"""

_BODY = f"SELECT e.body FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id WHERE d.id = ?"

_IS_OPEN = f"""(
    e.first_delivery IS NULL
    OR EXISTS (SELECT 1 FROM {DELIVERY} WHERE event_id = e.id AND settled IS NULL))"""
_OPEN_IDS = f"""
    SELECT id FROM {EVENT} INDEXED BY {EVENT}_unplanned WHERE first_delivery IS NULL
    UNION SELECT event_id FROM {DELIVERY} WHERE settled IS NULL"""
_EVENTS = f"""
    SELECT e.id, e.key, e.body, e.details, e.lane, e.accepted, e.due,
        e.first_delivery IS NOT NULL,
        CASE WHEN NOT {_IS_OPEN} THEN coalesce(
            (SELECT max(settled) FROM {DELIVERY}
             WHERE id BETWEEN e.first_delivery AND e.last_delivery), e.accepted) END
    FROM {EVENT} e WHERE 1"""

_SETTLED = f"""
    SELECT l.value FROM json_each(?) l LEFT JOIN {EVENT} e ON e.id = l.value
    WHERE e.id IS NULL OR NOT {_IS_OPEN}"""
_COUNT_OPEN = f"SELECT count(*) FROM ({_OPEN_IDS})"
_COUNT_UNSETTLED = f"""
    SELECT status, count(*) FROM {DELIVERY} WHERE settled IS NULL GROUP BY status"""
_COUNT_FAILED = f"""
    SELECT status, count(*) FROM {DELIVERY}
    WHERE stops IS NOT NULL GROUP BY status"""

_UNPLANNED = f"""
    SELECT id, key, body, details, lane FROM {EVENT}
    WHERE first_delivery IS NULL AND due <= ? ORDER BY due, id LIMIT ?"""
_NEXT_DUE = f"""
    SELECT min(due) FROM (
        SELECT (SELECT min(due) FROM {DELIVERY} WHERE handler = handler.value AND due IS NOT NULL)
            AS due
        FROM json_each(?) handler
        UNION ALL SELECT min(due) FROM {EVENT} WHERE first_delivery IS NULL)"""
# From one handler that something waits for to the next, by the index.
_ORPHANS = f"""
    WITH RECURSIVE waited (handler) AS (
        SELECT min(handler) FROM {DELIVERY} WHERE due IS NOT NULL
        UNION ALL
        SELECT (SELECT min(handler) FROM {DELIVERY}
                WHERE handler > waited.handler AND due IS NOT NULL)
        FROM waited WHERE waited.handler IS NOT NULL)
    SELECT handler, (SELECT min(due) FROM {DELIVERY}
                     WHERE handler = waited.handler AND due IS NOT NULL) AS since
    FROM waited
    WHERE since < ?
    AND handler NOT IN (
        SELECT value FROM {WORKER} w, json_each(w.handlers) WHERE w.alive_until > ?)
    LIMIT ?"""


def _rows(reader: sqlite3.Connection, sql: str, parameters: Any = ()) -> list[Any]:
    return reader.execute(sql, parameters).fetchall()


# Deliveries


def delivery(reader: sqlite3.Connection, delivery_id: int) -> Delivery:
    """Give one delivery."""
    rows = _rows(reader, _BY_ID, (delivery_id,))
    if not rows:
        raise UnknownDelivery(delivery_id)
    return Delivery(*rows[0])


def deliveries_of(reader: sqlite3.Connection, event_id: int) -> list[Delivery]:
    """List the deliveries of an event."""
    return [Delivery(*row) for row in _rows(reader, _BY_EVENT, (event_id,))]


def deliveries(
    reader: sqlite3.Connection,
    status: str | None,
    key: str | None,
    handler: str | None,
    limit: int,
) -> list[Delivery]:
    """List deliveries, the newest first; see `IStore.deliveries`."""
    chosen = "".join(
        f" AND d.{name} = :{name}"
        for name, value in (("status", status), ("handler", handler))
        if value is not None
    )
    values = {"status": status, "key": key, "handler": handler, "limit": max(limit, 0)}
    found: dict[int, Delivery] = {}
    for source in _sources(status, key, handler):
        for row in _rows(reader, source.format(chosen=chosen), values):
            found[row[0]] = Delivery(*row)
    return [found[each] for each in sorted(found, reverse=True)[: max(limit, 0)]]


def _sources(status: str | None, key: str | None, handler: str | None) -> tuple[str, ...]:
    """Give the queries by which deliveries are found."""
    if key is not None:
        return (_BY_KEY,)
    if status in (PENDING, RUNNING, RETRYING):
        return (_UNSETTLED,)
    if status in (DEAD, SKIPPED):
        return (_FAILED,)
    if status not in (DONE, None):
        return ()
    if handler is None:
        return (_NEWEST,)
    if status == DONE:
        return (_NOT_LONG_AGO,)
    return (_UNSETTLED, _FAILED, _NOT_LONG_AGO)


def body_of(reader: sqlite3.Connection, delivery_id: int) -> str:
    """Give the body of a delivery's event."""
    rows = _rows(reader, _BODY, (delivery_id,))
    if not rows:
        raise UnknownDelivery(delivery_id)
    body: str | None = rows[0][0]
    if body is None:
        raise PayloadGone(delivery_id)
    return body


# Events


def events(
    reader: sqlite3.Connection,
    ids: Collection[int] | None,
    keys: Collection[str] | None,
    open: bool | None,
    limit: int,
) -> list[StoredEvent]:
    """List events, the newest first; see `IStore.events`."""
    sql = _EVENTS
    values: list[Any] = []
    if open is True:
        sql += f" AND e.id IN ({_OPEN_IDS})"
    if open is False:
        sql += f" AND NOT {_IS_OPEN}"
    if ids is not None:
        sql += " AND e.id IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(list(ids)))
    if keys is not None:
        sql += " AND e.key IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(list(keys)))
    rows = _rows(reader, f"{sql} ORDER BY e.id DESC LIMIT ?", (*values, max(limit, 0)))
    stored = [(*about, bool(planned), settled) for *about, planned, settled in rows]
    return [StoredEvent(*row) for row in stored]


def settled(reader: sqlite3.Connection, event_ids: Collection[int]) -> frozenset[int]:
    """Tell which of some events are not open."""
    rows = _rows(reader, _SETTLED, (json.dumps(list(event_ids)),))
    return frozenset(event_id for (event_id,) in rows)


def counts(reader: sqlite3.Connection) -> dict[str, int]:
    """Count what needs attention; see `IStore.counts`."""
    counted = dict.fromkeys((PENDING, RUNNING, RETRYING, DEAD, SKIPPED), 0)
    counted.update(_rows(reader, _COUNT_UNSETTLED))
    counted.update(_rows(reader, _COUNT_FAILED))
    ((counted["open"],),) = _rows(reader, _COUNT_OPEN)
    return counted


# What there is to do


def unplanned(
    reader: sqlite3.Connection, worker: Worker, now: float, limit: int
) -> list[Unplanned]:
    """List events that are to be planned; any worker may."""
    return [Unplanned(*row) for row in _rows(reader, _UNPLANNED, (now, max(limit, 0)))]


def next_due(reader: sqlite3.Connection, worker: Worker, now: float) -> float | None:
    """Tell when something is due next for a worker."""
    due: float | None = _rows(reader, _NEXT_DUE, (names_of(worker.handlers),))[0][0]
    return due


def orphans(reader: sqlite3.Connection, before: float, now: float, limit: int) -> list[Orphan]:
    """List handlers that something waits for and nobody has."""
    return [Orphan(*row) for row in _rows(reader, _ORPHANS, (before, now, max(limit, 0)))]
