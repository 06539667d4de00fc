"""What people ask for: to run a delivery again, or to go on without it."""

from __future__ import annotations

import attrs

from twisted_dispatcher.errors import PayloadGone, UnknownDelivery, WrongStatus
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RUNNING,
    SKIPPABLE,
    SKIPPED,
)
from twisted_dispatcher.stores.postgresql.advancing import NOBODY, UNSETTLED, Standing, advance
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.stopping import revive_event
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, EVENT, OPEN

_LOCK_DELIVERY = f"SELECT event_id FROM {DELIVERY} WHERE id = %s::bigint FOR UPDATE"
_LOCK_EVENT = f"SELECT lane FROM {EVENT} WHERE id = %s FOR UPDATE"
_LOCK_OPEN = f"SELECT 1 FROM {OPEN} WHERE id = %s FOR UPDATE"
_FIND = f"""
    SELECT d.event_id, d.rank, d.status, d.stops, e.lane, e.due, e.first_delivery,
        e.last_delivery, e.body IS NOT NULL, o.id IS NOT NULL
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id LEFT JOIN {OPEN} o ON o.id = e.id
    WHERE d.id = %s"""
_SET_BODY = f"UPDATE {EVENT} SET body = %s WHERE id = %s"
_REOPEN = f"""
    INSERT INTO {OPEN} (id, lane, due, first_delivery, last_delivery)
    VALUES (%s, %s, %s, %s, %s)"""
_REPLAY = f"""
    UPDATE {DELIVERY} SET status = '{PENDING}', due = %s, stops = FALSE, worker = NULL,
        changed = %s, excused = attempts
    WHERE id = %s"""
_SKIP = f"""
    UPDATE {DELIVERY} SET status = '{SKIPPED}', due = NULL, stops = FALSE, worker = NULL,
        changed = %s
    WHERE id = %s"""
# What a delivery of a rank waits for: what is left of earlier ranks, and an open later one.
_OTHER_RANK = f"""
    SELECT 1 FROM {DELIVERY}
    WHERE id BETWEEN %(first)s AND %(last)s AND status IN {UNSETTLED}
    AND (rank < %(rank)s OR rank > %(rank)s AND (due IS NOT NULL OR status = '{RUNNING}'))
    LIMIT 1"""
_UNSETTLED = f"""
    SELECT 1 FROM {DELIVERY} WHERE id BETWEEN %s AND %s AND status IN {UNSETTLED} LIMIT 1"""
# Another event of the lane comes first, or is going.
_BLOCKING = f"""
    SELECT 1 FROM {OPEN} o
    WHERE o.lane = %(lane)s AND o.id <> %(event_id)s AND (o.id < %(event_id)s OR EXISTS (
        SELECT 1 FROM {DELIVERY} d WHERE d.id BETWEEN o.first_delivery AND o.last_delivery
        AND (d.due IS NOT NULL OR d.status = '{RUNNING}')))
    LIMIT 1"""


@attrs.frozen
class _Found:
    """A delivery that somebody wants to be changed, and its event."""

    event_id: int
    rank: int
    status: str
    stops: bool
    lane: str | None
    due: float
    first: int
    last: int
    has_body: bool
    is_open: bool


def _find(ledger: Ledger, delivery_id: int) -> _Found:
    """Find a delivery, and keep everybody else from it, its event and its lane."""
    locked = ledger.read(_LOCK_DELIVERY, (delivery_id,))
    if not locked:
        raise UnknownDelivery(delivery_id)
    ((event_id,),) = locked
    ((lane,),) = ledger.read(_LOCK_EVENT, (event_id,))
    ledger.read(_LOCK_OPEN, (event_id,))
    if lane is not None:
        ledger.lock_lanes((lane,))
    return _Found(*ledger.read(_FIND, (delivery_id,))[0])


def replay(ledger: Ledger, delivery_id: int, body: str | None, now: float) -> None:
    """Have a delivery that is settled run again; see `IStore.replay`."""
    found = _find(ledger, delivery_id)
    if found.status not in (DEAD, DONE, SKIPPED):
        raise WrongStatus(delivery_id, found.status, "replayed", (DEAD, DONE, SKIPPED))
    if body is None and not found.has_body:
        raise PayloadGone(delivery_id)
    if body is not None:
        ledger.write("replace body", _SET_BODY, (body, found.event_id))
    _reopen(ledger, found)
    event = {"first": found.first, "last": found.last, "rank": found.rank}
    waits = _is_blocked(ledger, found) or ledger.read(_OTHER_RANK, event)
    ledger.write("replay", _REPLAY, (None if waits else now, now, delivery_id))
    if found.status == DEAD and found.stops:
        revive_event(ledger, found.first, found.last, now)
    ledger.news.add("work")


def skip(ledger: Ledger, delivery_id: int, now: float) -> None:
    """Have an event go on without a delivery; see `IStore.skip`."""
    found = _find(ledger, delivery_id)
    if found.status not in SKIPPABLE:
        raise WrongStatus(delivery_id, found.status, "skipped", SKIPPABLE)
    ledger.write("skip", _SKIP, (now, delivery_id))
    stopped = found.status == DEAD and found.stops
    revived = stopped and revive_event(ledger, found.first, found.last, now)
    if revived:
        _reopen(ledger, found)
    if found.is_open or revived:
        _go_on(ledger, found, now)


def _go_on(ledger: Ledger, found: _Found, now: float) -> None:
    """Let an event go on, unless it has to wait in its lane."""
    is_left = ledger.read(_UNSETTLED, (found.first, found.last))
    if not (is_left and _is_blocked(ledger, found)):
        standing = Standing(found.lane, found.first, found.last, NOBODY)
        advance(ledger, {found.event_id: standing}, now)


def _reopen(ledger: Ledger, found: _Found) -> None:
    if not found.is_open:
        row = (found.event_id, found.lane, found.due, found.first, found.last)
        ledger.write("reopen", _REOPEN, row)


def _is_blocked(ledger: Ledger, found: _Found) -> bool:
    if found.lane is None:
        return False
    values = {"lane": found.lane, "event_id": found.event_id}
    return bool(ledger.read(_BLOCKING, values))
