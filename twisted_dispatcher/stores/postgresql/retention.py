"""
Forgetting what is old: first the bodies of settled events, later their keys and deliveries.

Events are walked through in the order in which they were accepted, a few at each call, so that no
index of the times at which they were settled is needed, which every event would pay for.
"""

from __future__ import annotations

import attrs

from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import DELIVERY, EVENT, OPEN, listed

# The time at which an event was settled is that of the last change of its deliveries.
_WALK = f"""
    SELECT e.id, e.accepted, o.id IS NOT NULL, coalesce(
        (SELECT max(changed) FROM {DELIVERY}
         WHERE id BETWEEN e.first_delivery AND e.last_delivery),
        e.accepted)
    FROM {EVENT} e LEFT JOIN {OPEN} o ON o.id = e.id
    WHERE e.id > %s AND {{condition}} ORDER BY e.id LIMIT %s"""
_WALK_BODIES = _WALK.format(condition="e.body IS NOT NULL")
_WALK_EVENTS = _WALK.format(condition="TRUE")
# What somebody else holds is just being replayed, or forgotten: it is passed over. What was
# replayed a moment ago is seen by the next statement only, when nobody can replay it any more.
_HOLD = f"SELECT id FROM {EVENT} WHERE id = ANY(%s::bigint[]) FOR UPDATE SKIP LOCKED"
_STILL_SETTLED = f"""
    SELECT e.id FROM {EVENT} e WHERE e.id = ANY(%s::bigint[])
    AND NOT EXISTS (SELECT 1 FROM {OPEN} o WHERE o.id = e.id)"""
_FORGET_BODIES = f"UPDATE {EVENT} SET body = NULL WHERE id = ANY(%s::bigint[])"
_FORGET_DELIVERIES = f"""
    DELETE FROM {DELIVERY} d USING {EVENT} e
    WHERE e.id = ANY(%s::bigint[]) AND d.id BETWEEN e.first_delivery AND e.last_delivery"""
_FORGET_EVENTS = f"DELETE FROM {EVENT} WHERE id = ANY(%s::bigint[])"


@attrs.define
class Walks:
    """How far the walks have come; another process, or a new one, begins at the beginning."""

    bodies: int = 0
    events: int = 0


def purge(
    ledger: Ledger,
    walks: Walks,
    payloads_before: float | None,
    keys_before: float | None,
    limit: int,
) -> int:
    """Forget some of what is old; see `IStore.purge`."""
    forgotten: set[int] = set()
    if keys_before is not None:
        old, walks.events = _walk(ledger, _WALK_EVENTS, walks.events, keys_before, limit)
        _forget_events(ledger, old)
        forgotten.update(old)
    if payloads_before is not None:
        old, walks.bodies = _walk(ledger, _WALK_BODIES, walks.bodies, payloads_before, limit)
        _forget_bodies(ledger, old)
        forgotten.update(old)
    return len(forgotten)


def _walk(
    ledger: Ledger, sql: str, after: int, before: float, limit: int
) -> tuple[list[int], int]:
    """Give the events next on a walk that were settled before a time, and where it ends."""
    rows = ledger.read(sql, (after, max(limit, 0)))
    end = rows[-1][0] if rows and len(rows) == limit else 0
    old = []
    for event_id, accepted, is_open, settled in rows:
        if accepted >= before:
            end = 0
            break
        if not is_open and settled < before:
            old.append(event_id)
    return _hold(ledger, old), end


def _hold(ledger: Ledger, event_ids: list[int]) -> list[int]:
    """Give those of some settled events that are so still, and keep others from them."""
    if not event_ids:
        return []
    ledger.mark()
    held = [event_id for (event_id,) in ledger.read(_HOLD, (listed(event_ids),))]
    return [event_id for (event_id,) in ledger.read(_STILL_SETTLED, (listed(held),))]


def _forget_bodies(ledger: Ledger, event_ids: list[int]) -> None:
    if event_ids:
        ledger.write("forget bodies", _FORGET_BODIES, (listed(event_ids),))


def _forget_events(ledger: Ledger, event_ids: list[int]) -> None:
    if event_ids:
        ids = listed(event_ids)
        ledger.write("forget deliveries", _FORGET_DELIVERIES, (ids,))
        ledger.write("forget events", _FORGET_EVENTS, (ids,))
