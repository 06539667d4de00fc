"""Giving workers what is due, and taking back what dead workers have left."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from twisted_dispatcher.records import PENDING, RUNNING, Claim, Worker
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, DIED, EVENT, HAS_DIED, WORKER, ByIds

# Which handlers have something to do. Each is looked up by itself: an index gives the first of
# each at once, whatever waits for the others.
_READY = f"""
    SELECT value FROM json_each(?) handler
    WHERE EXISTS (SELECT 1 FROM {DELIVERY} WHERE handler = handler.value AND due <= ?)"""
_DUE = f"""
    SELECT d.due, d.id, d.event_id, e.key, d.handler, d.phase, d.rank, d.attempts + 1,
        e.body, e.details, d.excused, {HAS_DIED}
    FROM {DELIVERY} d JOIN {EVENT} e ON e.id = d.event_id
    WHERE d.handler = ? AND d.due <= ? ORDER BY d.due, d.id LIMIT ?"""
_CLAIM = ByIds(f"""
    UPDATE OR FAIL {DELIVERY}
    SET status = '{RUNNING}', attempts = attempts + 1, due = NULL, worker = ?3
    WHERE id {{ids}}""")
_IS_CLAIMED = f"SELECT 1 FROM {DELIVERY} WHERE id = ? AND worker = ? AND attempts = ?"

_HAS_SIGNED_ON = f"SELECT handlers IS NOT NULL FROM {WORKER} WHERE name = ?"
_HEARTBEAT = f"UPDATE {WORKER} SET alive_until = ?, handlers = ? WHERE name = ?"
_SIGN_ON = f"INSERT INTO {WORKER} (alive_until, handlers, name) VALUES (?, ?, ?)"
_DEAD = f"SELECT 1 FROM {WORKER} WHERE alive_until <= ? LIMIT 1"
# There is no index of what runs, which every event would pay for: only when a worker is found dead
# for the first time, what is not settled is looked through.
_RELEASE = f"""
    UPDATE {DELIVERY} SET status = '{PENDING}', due = ?1, error = {DIED}
    WHERE settled IS NULL AND status = '{RUNNING}'
    AND worker NOT IN (SELECT id FROM {WORKER} WHERE alive_until > ?1)"""
_FORGET = f"DELETE FROM {WORKER} WHERE alive_until <= ?"


@lru_cache(maxsize=64)
def names_of(handlers: frozenset[str]) -> str:
    """Write the names of handlers as JSON."""
    return json.dumps(sorted(handlers))


def claim(ledger: Ledger, worker: Worker, now: float, limit: int) -> list[Claim]:
    """Give deliveries that are due to a worker that can run them; see `IStore.claim`."""
    if limit < 1:
        return []
    due: list[Any] = []
    for (handler,) in ledger.read(_READY, (names_of(worker.handlers), now)):
        due += ledger.read(_DUE, (handler, now, limit))
    if not due:
        return []
    due.sort()
    claims = [Claim(*row[1:]) for row in due[:limit]]
    number, last = ledger.vouched_number_of(worker, now), claims[-1]
    ledger.write_about("claim", _CLAIM, [each.delivery_id for each in claims], number)
    ledger.witness = (_IS_CLAIMED, (last.delivery_id, number, last.attempt))
    return claims


def heartbeat(ledger: Ledger, worker: Worker, until: float, now: float) -> bool:
    """Believe a worker to be alive; tell whether it was known."""
    row = (until, names_of(worker.handlers), worker.id)
    found = ledger.read(_HAS_SIGNED_ON, (worker.id,))
    ledger.write("heartbeat", _HEARTBEAT if found else _SIGN_ON, row)
    return found == [(True,)]


def release_dead(ledger: Ledger, now: float) -> int:
    """Make due again what workers were running that are dead; forget these."""
    if not ledger.read(_DEAD, (now,)):
        return 0
    released = ledger.write("release", _RELEASE, (now,))
    ledger.write("forget workers", _FORGET, (now,))
    if released:
        ledger.news.add("work")
    return released
