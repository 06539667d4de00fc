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
from twisted_dispatcher.stores.sqlite.advancing import NOBODY, advance
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.stopping import revive_event
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, LANE

_FIND = f"""
    SELECT d.event_id, d.rank, d.status, d.stops, e.lane, e.first_delivery, e.last_delivery,
        e.body IS NOT NULL,
        EXISTS (SELECT 1 FROM {DELIVERY} WHERE event_id = e.id AND settled IS NULL)
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.id = ?"""
_SET_BODY = f"UPDATE {EVENT} SET body = ? WHERE id = ?"
_ENTER_LANE = f"INSERT OR IGNORE INTO {LANE} (event_id, lane) VALUES (?, ?)"
_REPLAY = f"""
    UPDATE {DELIVERY} SET status = '{PENDING}', due = ?, stops = NULL, settled = NULL,
        excused = attempts
    WHERE id = ?"""
_SKIP = f"""
    UPDATE {DELIVERY} SET status = '{SKIPPED}', due = NULL, stops = 0, settled = ? WHERE id = ?"""
# What a delivery of a rank waits for: what is left of earlier ranks, and an open later one.
_OTHER_RANK = f"""
    SELECT 1 FROM {DELIVERY} WHERE event_id = ?1 AND settled IS NULL
    AND (rank < ?2 OR rank > ?2 AND (due IS NOT NULL OR status = '{RUNNING}')) LIMIT 1"""
_IS_LEFT = f"SELECT 1 FROM {DELIVERY} WHERE event_id = ? AND settled IS NULL LIMIT 1"
# Another event of the lane comes first, or is going.
_IS_BLOCKED = f"""
    SELECT 1 FROM {LANE} l WHERE l.lane = ?1 AND l.event_id <> ?2 AND (l.event_id < ?2 OR EXISTS (
        SELECT 1 FROM {DELIVERY} WHERE event_id = l.event_id AND settled IS NULL
        AND (due IS NOT NULL OR status = '{RUNNING}')))
    LIMIT 1"""


@attrs.frozen
class _Found:
    """A delivery that somebody wants to be changed, and its event."""

    event_id: int
    rank: int
    status: str
    stops: bool | None
    lane: str | None
    first: int
    last: int
    has_body: bool
    is_open: bool


def _find(ledger: Ledger, delivery_id: int) -> _Found:
    rows = ledger.read(_FIND, (delivery_id,))
    if not rows:
        raise UnknownDelivery(delivery_id)
    return _Found(*rows[0])


def replay(ledger: Ledger, delivery_id: int, body: str | None, now: float) -> None:
    """Have a delivery that is settled run again; see `IStore.replay`."""
    found = _find(ledger, delivery_id)
    if found.status not in (DEAD, DONE, SKIPPED):
        raise WrongStatus(delivery_id, found.status, "replayed", (DEAD, DONE, SKIPPED))
    if body is None and not found.has_body:
        raise PayloadGone(delivery_id)
    if body is not None:
        ledger.write("replace body", _SET_BODY, (body, found.event_id))
    _enter_lane(ledger, found)
    waits = _is_blocked(ledger, found) or ledger.read(_OTHER_RANK, (found.event_id, found.rank))
    ledger.write("replay", _REPLAY, (None if waits else now, delivery_id))
    if found.status == DEAD and found.stops:
        revive_event(ledger, found.first, found.last)
    ledger.news.add("work")


def skip(ledger: Ledger, delivery_id: int, now: float) -> None:
    """Have an event go on without a delivery; see `IStore.skip`."""
    found = _find(ledger, delivery_id)
    if found.status not in SKIPPABLE:
        raise WrongStatus(delivery_id, found.status, "skipped", SKIPPABLE)
    ledger.write("skip", _SKIP, (now, delivery_id))
    stopped = found.status == DEAD and found.stops
    revived = stopped and revive_event(ledger, found.first, found.last)
    if revived:
        _enter_lane(ledger, found)
    if found.is_open or revived:
        _go_on(ledger, found, now)


def _go_on(ledger: Ledger, found: _Found, now: float) -> None:
    """Let an event go on, unless it has to wait in its lane."""
    is_left = ledger.read(_IS_LEFT, (found.event_id,))
    if not (is_left and _is_blocked(ledger, found)):
        advance(ledger, {found.event_id: NOBODY}, now)


def _enter_lane(ledger: Ledger, found: _Found) -> None:
    """Have an event that was settled stand in its lane again."""
    if found.lane is not None:
        ledger.write("enter lane", _ENTER_LANE, (found.event_id, found.lane))


def _is_blocked(ledger: Ledger, found: _Found) -> bool:
    return found.lane is not None and bool(ledger.read(_IS_BLOCKED, (found.lane, found.event_id)))
