"""
Dead deliveries that end their event: what they had skipped, and how it is revived.

A dead delivery that stops is marked, and so is what was skipped for it. While one of the former is
left in an event, the latter stay skipped.
"""

from __future__ import annotations

from twisted_dispatcher.records import DEAD, PENDING, RUNNING, SKIPPED
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import DELIVERY

_STOP = f"""
    UPDATE {DELIVERY} SET status = '{SKIPPED}', stops = 1, due = NULL, settled = ?
    WHERE event_id = ? AND settled IS NULL AND status <> '{RUNNING}'
    AND rank > (SELECT rank FROM {DELIVERY} WHERE id = ?)"""
_STOPPERS = f"""
    SELECT 1 FROM {DELIVERY} WHERE id BETWEEN ? AND ? AND status = '{DEAD}' AND stops LIMIT 1"""
_REVIVE = f"""
    UPDATE {DELIVERY} SET status = '{PENDING}', stops = NULL, settled = NULL
    WHERE id BETWEEN ? AND ? AND status = '{SKIPPED}' AND stops"""


def stop_event(ledger: Ledger, delivery_id: int, event_id: int, now: float) -> None:
    """Skip what comes after the phase of a delivery of an event that has just died."""
    ledger.write("stop", _STOP, (now, event_id, delivery_id))


def revive_event(ledger: Ledger, first: int, last: int) -> bool:
    """
    Have what was skipped for a dead delivery wait again, if no such delivery is left.

    :param first: the id of the event's first delivery.
    :param last: the id of its last one.
    :return: whether anything was revived.
    """
    if ledger.read(_STOPPERS, (first, last)):
        return False
    return ledger.write("revive", _REVIVE, (first, last)) > 0
