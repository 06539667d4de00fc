"""Giving workers what is due, and taking back what dead workers have left."""

from __future__ import annotations

from twisted_dispatcher.records import PENDING, RUNNING, Claim, Worker
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import (
    DELIVERY,
    DIED,
    EVENT,
    HAS_DIED,
    OPEN,
    WORKER,
)

# First it is looked how many each handler would have of those that are due first; then so many of
# each are taken that nobody else is just taking. Each handler is looked up by itself: the index
# gives the first of each at once, whatever waits for the others.
_CLAIM = f"""
    WITH share AS MATERIALIZED (
        SELECT handler, count(*) AS size FROM (
            SELECT d.handler FROM unnest(%(handlers)s::text[]) name CROSS JOIN LATERAL (
                SELECT handler, due, id FROM {DELIVERY}
                WHERE handler = name AND due <= %(now)s ORDER BY due, id LIMIT %(limit)s
            ) d ORDER BY d.due, d.id LIMIT %(limit)s
        ) first GROUP BY handler
    ), taken AS MATERIALIZED (
        SELECT d.id, d.due FROM share CROSS JOIN LATERAL (
            SELECT id, due FROM {DELIVERY}
            WHERE handler = share.handler AND due <= %(now)s ORDER BY due, id
            LIMIT share.size FOR UPDATE SKIP LOCKED
        ) d
    ), claimed AS (
        UPDATE {DELIVERY} d
        SET status = '{RUNNING}', attempts = attempts + 1, due = NULL, worker = %(worker)s,
            changed = %(now)s
        FROM taken WHERE d.id = taken.id
        RETURNING taken.due, d.id, d.event_id, d.handler, d.phase, d.rank, d.attempts,
            d.excused, {HAS_DIED} AS died
    )
    SELECT c.id, c.event_id, e.key, c.handler, c.phase, c.rank, c.attempts, e.body, e.details,
        c.excused, c.died
    FROM claimed c JOIN {EVENT} e ON e.id = c.event_id ORDER BY c.due, c.id"""

_BEAT = f"""
    UPDATE {WORKER} SET alive_until = %s, handlers = %s WHERE id = %s"""
_ENTER = f"""
    INSERT INTO {WORKER} (alive_until, handlers, id) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO UPDATE
    SET alive_until = excluded.alive_until, handlers = excluded.handlers"""
_DEAD = f"SELECT 1 FROM {WORKER} WHERE alive_until <= %s LIMIT 1"
# Waits for those who are just given something to run; see `Ledger.vouch`.
_FORGET = f"DELETE FROM {WORKER} WHERE alive_until <= %s"
# There is no index of what runs, which every event would pay for: only when a worker is found dead
# for the first time, what is open is looked through.
_RELEASE = f"""
    UPDATE {DELIVERY} d SET status = '{PENDING}', due = %(now)s, worker = NULL, changed = %(now)s,
        error = {DIED}
    FROM {OPEN} o
    WHERE d.id BETWEEN o.first_delivery AND o.last_delivery AND d.status = '{RUNNING}'
    AND NOT EXISTS (SELECT 1 FROM {WORKER} w WHERE w.id = d.worker)"""


def claim(ledger: Ledger, worker: Worker, now: float, limit: int) -> list[Claim]:
    """Give deliveries that are due to a worker that can run them; see `IStore.claim`."""
    if limit < 1 or not worker.handlers:
        return []
    values = {
        "handlers": sorted(worker.handlers),
        "now": now,
        "limit": limit,
        "worker": worker.id,
    }
    found = ledger.change("claim", _CLAIM, values)
    if found:
        ledger.mark()
        ledger.vouch(worker, now)
    return [Claim(*row) for row in found]


def heartbeat(ledger: Ledger, worker: Worker, until: float, now: float) -> bool:
    """Believe a worker to be alive; tell whether it was known."""
    row = (until, sorted(worker.handlers), worker.id)
    if ledger.write("heartbeat", _BEAT, row):
        return True
    ledger.write("heartbeat of a new worker", _ENTER, row)
    return False


def release_dead(ledger: Ledger, now: float) -> int:
    """Make due again what workers were running that are dead; forget these."""
    if not ledger.read(_DEAD, (now,)):
        return 0
    ledger.mark()
    if not ledger.write("forget workers", _FORGET, (now,)):
        return 0
    released = ledger.write("release", _RELEASE, {"now": now})
    if released:
        ledger.news.add("work")
    return released
