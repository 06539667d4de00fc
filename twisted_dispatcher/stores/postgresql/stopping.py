"""
Dead deliveries that end their event: what they had skipped, and how it is revived.

A dead delivery that stops is marked, and so is what was skipped for it. While one of the former is
left in an event, the latter stay skipped.
"""

from __future__ import annotations

from twisted_dispatcher.records import DEAD, PENDING, SKIPPED
from twisted_dispatcher.stores.postgresql.advancing import UNSETTLED
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import DELIVERY

_STOP = f"""
    UPDATE {DELIVERY}
    SET status = '{SKIPPED}', stops = TRUE, due = NULL, worker = NULL, changed = %s
    WHERE id BETWEEN %s AND %s AND status IN {UNSETTLED}
    AND rank > (SELECT rank FROM {DELIVERY} WHERE id = %s)"""
_STOPPERS = f"""
    SELECT 1 FROM {DELIVERY} WHERE id BETWEEN %s AND %s AND status = '{DEAD}' AND stops LIMIT 1"""
_REVIVE = f"""
    UPDATE {DELIVERY} SET status = '{PENDING}', stops = FALSE, changed = %s
    WHERE id BETWEEN %s AND %s AND status = '{SKIPPED}' AND stops"""


def stop_event(ledger: Ledger, delivery_id: int, first: int, last: int, now: float) -> None:
    """Skip what comes after the phase of a delivery that has just died."""
    ledger.write("stop", _STOP, (now, first, last, delivery_id))


def revive_event(ledger: Ledger, first: int, last: int, now: float) -> bool:
    """
    Have what was skipped for a dead delivery wait again, if no such delivery is left.

    :return: whether anything was revived.
    """
    if ledger.read(_STOPPERS, (first, last)):
        return False
    return ledger.write("revive", _REVIVE, (now, first, last)) > 0
