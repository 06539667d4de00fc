"""
Forgetting what is old: first the bodies of settled events, later their keys and deliveries.

Events are walked through in the order in which they were accepted, a few at each call, so that no
index of the times at which they were settled is needed, which every event would pay for. The
newest event and the newest delivery stay, so that no id is ever given again.
"""

from __future__ import annotations

import attrs

from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, EVENT, ByIds

# The time at which an event was settled is that of the last change of its deliveries.
_WALK = f"""
    SELECT e.id, e.accepted,
        e.first_delivery IS NULL
        OR EXISTS (SELECT 1 FROM {DELIVERY} WHERE event_id = e.id AND settled IS NULL),
        coalesce((SELECT max(settled) FROM {DELIVERY}
                  WHERE id BETWEEN e.first_delivery AND e.last_delivery), e.accepted)
    FROM {EVENT} e
    WHERE e.id > ? AND {{condition}} ORDER BY e.id LIMIT ?"""
_WALK_BODIES = _WALK.format(condition="e.body IS NOT NULL")
_WALK_EVENTS = _WALK.format(condition="1")
_NEWEST = f"""
    SELECT max(id) FROM {EVENT} UNION ALL
    SELECT event_id FROM {DELIVERY} WHERE id = (SELECT max(id) FROM {DELIVERY})"""
_FORGET_BODIES = ByIds(f"UPDATE OR FAIL {EVENT} SET body = NULL WHERE id {{ids}}")
_FORGET_DELIVERIES = ByIds(f"""
    DELETE FROM {DELIVERY} WHERE id IN (
        SELECT d.id FROM {EVENT} e
        JOIN {DELIVERY} d ON d.id BETWEEN e.first_delivery AND e.last_delivery
        WHERE e.id {{ids}})""")
_FORGET_EVENTS = ByIds(f"DELETE FROM {EVENT} WHERE id {{ids}}")


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
        newest = {event_id for (event_id,) in ledger.read(_NEWEST)}
        old = [event_id for event_id in old if event_id not in newest]
        ledger.write_about("forget deliveries", _FORGET_DELIVERIES, old)
        ledger.write_about("forget events", _FORGET_EVENTS, old)
        forgotten.update(old)
    if payloads_before is not None:
        old, walks.bodies = _walk(ledger, _WALK_BODIES, walks.bodies, payloads_before, limit)
        ledger.write_about("forget bodies", _FORGET_BODIES, old)
        forgotten.update(old)
    return len(forgotten)


def _walk(
    ledger: Ledger, sql: str, after: int, before: float, limit: int
) -> tuple[list[int], int]:
    """Give the events next on a walk that were settled before a time, and where it ends."""
    rows = ledger.read(sql, (after, limit))
    old: list[int] = []
    for event_id, accepted, is_open, settled in rows:
        if accepted >= before:
            return old, 0
        if not is_open and settled < before:
            old.append(event_id)
    return old, rows[-1][0] if len(rows) == limit else 0
