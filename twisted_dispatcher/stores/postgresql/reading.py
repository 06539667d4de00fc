"""
What can be asked of the store. Each function is given a ledger that reads.

No query looks through what grows: they go by an id, by a key, by what is open or has failed, or
look at the newest.
"""

from __future__ import annotations

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
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import (
    DELIVERY,
    EVENT,
    OPEN,
    WORKER,
    listed,
)

# So far back it is looked for what was done by one handler.
LOOK_BACK: Final = 100_000

_COLUMNS = """
    SELECT d.id, d.event_id, e.key, d.handler, d.phase, d.status, d.attempts, d.due, d.error"""
_BY_KEY = f"""{_COLUMNS}
    FROM {EVENT} e JOIN {DELIVERY} d ON d.id BETWEEN e.first_delivery AND e.last_delivery
    WHERE e.key = %(key)s"""
_OPEN = f"""{_COLUMNS}
    FROM {OPEN} o JOIN {EVENT} e ON e.id = o.id
    JOIN {DELIVERY} d ON d.id BETWEEN o.first_delivery AND o.last_delivery
    WHERE TRUE"""
_FAILED = f"""{_COLUMNS}
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.failed IS NOT NULL"""
_NEWEST = f"""{_COLUMNS}
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id
    WHERE TRUE"""
_BY_ID = f"{_NEWEST} AND d.id = %s::bigint"
_BY_EVENT = f"""{_COLUMNS}
    FROM {EVENT} e JOIN {DELIVERY} d ON d.id BETWEEN e.first_delivery AND e.last_delivery
    WHERE e.id = %s::bigint ORDER BY d.id"""
_SINCE = f" AND d.id > (SELECT max(id) FROM {DELIVERY}) - {LOOK_BACK}"

_BODY = f"""
    SELECT e.body FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id WHERE d.id = %s::bigint"""

_EVENTS = f"""
    SELECT e.id, e.key, e.body, e.details, e.lane, e.accepted, e.due,
        e.first_delivery IS NOT NULL,
        CASE WHEN o.id IS NULL THEN coalesce(
            (SELECT max(changed) FROM {DELIVERY}
             WHERE id BETWEEN e.first_delivery AND e.last_delivery), e.accepted) END"""
_ALL_EVENTS = f"{_EVENTS} FROM {EVENT} e LEFT JOIN {OPEN} o ON o.id = e.id WHERE TRUE"
_OPEN_EVENTS = f"{_EVENTS} FROM {OPEN} o JOIN {EVENT} e ON e.id = o.id WHERE TRUE"

_SETTLED = f"""
    SELECT event_id FROM unnest(%s::bigint[]) event_id
    WHERE NOT EXISTS (SELECT 1 FROM {OPEN} WHERE id = event_id)"""
_COUNT_OPEN = f"SELECT count(*) FROM {OPEN}"
_COUNT_UNSETTLED = f"""
    SELECT d.status, count(*) FROM {OPEN} o
    JOIN {DELIVERY} d ON d.id BETWEEN o.first_delivery AND o.last_delivery
    WHERE d.status IN ('{PENDING}', '{RUNNING}', '{RETRYING}') GROUP BY d.status"""
_COUNT_FAILED = f"""
    SELECT failed, count(*) FROM {DELIVERY} WHERE failed IS NOT NULL GROUP BY failed"""

_UNPLANNED = f"""
    SELECT e.id, e.key, e.body, e.details, e.lane
    FROM {OPEN} o JOIN {EVENT} e ON e.id = o.id
    WHERE o.first_delivery IS NULL AND o.due <= %s ORDER BY o.due, o.id LIMIT %s"""
_NEXT_DUE = f"""
    SELECT least(
        (SELECT min(next.due) FROM unnest(%s::text[]) name CROSS JOIN LATERAL (
            SELECT due FROM {DELIVERY} WHERE handler = name AND due IS NOT NULL
            ORDER BY due LIMIT 1) next),
        (SELECT min(due) FROM {OPEN} WHERE first_delivery IS NULL))"""
# From one handler that something waits for to the next, by the index.
_ORPHANS = f"""
    WITH RECURSIVE waited (handler) AS (
        (SELECT handler FROM {DELIVERY} WHERE due IS NOT NULL ORDER BY handler LIMIT 1)
        UNION ALL
        SELECT (SELECT handler FROM {DELIVERY} WHERE handler > waited.handler AND due IS NOT NULL
                ORDER BY handler LIMIT 1)
        FROM waited WHERE waited.handler IS NOT NULL)
    SELECT waited.handler, since.due FROM waited CROSS JOIN LATERAL (
        SELECT due FROM {DELIVERY} WHERE handler = waited.handler AND due IS NOT NULL
        ORDER BY due LIMIT 1) since
    WHERE since.due < %s
    AND NOT EXISTS (
        SELECT 1 FROM {WORKER} w WHERE w.alive_until > %s AND waited.handler = ANY(w.handlers))
    LIMIT %s"""


# Deliveries


def delivery(ledger: Ledger, delivery_id: int) -> Delivery:
    """Give one delivery."""
    rows = ledger.read(_BY_ID, (delivery_id,))
    if not rows:
        raise UnknownDelivery(delivery_id)
    return Delivery(*rows[0])


def deliveries_of(ledger: Ledger, event_id: int) -> list[Delivery]:
    """List the deliveries of an event."""
    return [Delivery(*row) for row in ledger.read(_BY_EVENT, (event_id,))]


def deliveries(
    ledger: Ledger,
    status: str | None,
    key: str | None,
    handler: str | None,
    limit: int,
) -> list[Delivery]:
    """List deliveries, the newest first; see `IStore.deliveries`."""
    chosen = "".join(
        f" AND d.{name} = %({name})s"
        for name, value in (("status", status), ("handler", handler))
        if value is not None
    )
    limit = max(limit, 0)
    values = {"status": status, "key": key, "handler": handler, "limit": limit}
    found: dict[int, Delivery] = {}
    for source in _sources(status, key, handler):
        for row in ledger.read(f"{source}{chosen} ORDER BY d.id DESC LIMIT %(limit)s", values):
            found[row[0]] = Delivery(*row)
    return [found[each] for each in sorted(found, reverse=True)[:limit]]


def _sources(status: str | None, key: str | None, handler: str | None) -> tuple[str, ...]:
    """Give where to look for deliveries."""
    if key is not None:
        return (_BY_KEY,)
    if status in (PENDING, RUNNING, RETRYING):
        return (_OPEN,)
    if status in (DEAD, SKIPPED):
        return (_FAILED,)
    if handler is None:
        return (_NEWEST,)
    if status == DONE:
        return (_NEWEST + _SINCE,)
    return (_OPEN, _FAILED, _NEWEST + _SINCE)


def body_of(ledger: Ledger, delivery_id: int) -> str:
    """Give the body of a delivery's event."""
    rows = ledger.read(_BODY, (delivery_id,))
    if not rows:
        raise UnknownDelivery(delivery_id)
    body: str | None = rows[0][0]
    if body is None:
        raise PayloadGone(delivery_id)
    return body


# Events


def events(
    ledger: Ledger,
    ids: Collection[int] | None,
    keys: Collection[str] | None,
    open: bool | None,
    limit: int,
) -> list[StoredEvent]:
    """List events, the newest first; see `IStore.events`."""
    sql = _OPEN_EVENTS if open else _ALL_EVENTS
    values: list[Any] = []
    if open is False:
        sql += " AND o.id IS NULL"
    if ids is not None:
        sql += " AND e.id = ANY(%s::bigint[])"
        values.append(listed(ids))
    if keys is not None:
        sql += " AND e.key = ANY(%s)"
        values.append(list(keys))
    sql += " ORDER BY e.id DESC LIMIT %s"
    return [StoredEvent(*row) for row in ledger.read(sql, (*values, max(limit, 0)))]


def settled(ledger: Ledger, event_ids: Collection[int]) -> frozenset[int]:
    """Tell which of some events are not open."""
    rows = ledger.read(_SETTLED, (listed(event_ids),))
    return frozenset(event_id for (event_id,) in rows)


def counts(ledger: Ledger) -> dict[str, int]:
    """Count what needs attention; see `IStore.counts`."""
    counted = dict.fromkeys((PENDING, RUNNING, RETRYING, DEAD, SKIPPED), 0)
    counted.update(ledger.read(_COUNT_UNSETTLED))
    counted.update(ledger.read(_COUNT_FAILED))
    ((counted["open"],),) = ledger.read(_COUNT_OPEN)
    return counted


# What there is to do


def unplanned(ledger: Ledger, worker: Worker, now: float, limit: int) -> list[Unplanned]:
    """List events that are to be planned; any worker may."""
    return [Unplanned(*row) for row in ledger.read(_UNPLANNED, (now, max(limit, 0)))]


def next_due(ledger: Ledger, worker: Worker, now: float) -> float | None:
    """Tell when something is due next for a worker."""
    due: float | None = ledger.read(_NEXT_DUE, (sorted(worker.handlers),))[0][0]
    return due


def orphans(ledger: Ledger, before: float, now: float, limit: int) -> list[Orphan]:
    """List handlers that something waits for and nobody has."""
    return [Orphan(*row) for row in ledger.read(_ORPHANS, (before, now, max(limit, 0)))]
