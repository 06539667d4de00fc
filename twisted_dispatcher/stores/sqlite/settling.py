"""Storing what attempts came to: the fence, the new status, and what follows from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RUNNING,
    SETTLED,
    Settled,
    Settlement,
    Worker,
)
from twisted_dispatcher.stores.sqlite.advancing import FINISHED, advance
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.stopping import stop_event
from twisted_dispatcher.stores.sqlite.tables import DELIVERY, ByIds

# A settlement, whose it is, and when; and some of them in one call.
SettleRequest = tuple[Settlement, Worker, float]
SettleAllRequest = tuple[Sequence[Settlement], Worker, float]

LOST = Settled(False)
HELD = Settled(True)

# The fence: the worker still runs this attempt.
_COUNT_HELD = ByIds(f"""
    SELECT count(*) FROM {DELIVERY}
    WHERE id {{ids}} AND status = '{RUNNING}' AND attempts = ?3 AND worker = ?4""")
_IS_HELD = f"""
    SELECT 1 FROM {DELIVERY}
    WHERE id = ? AND status = '{RUNNING}' AND attempts = ? AND worker = ?"""
_DONE = ByIds(f"""
    UPDATE OR FAIL {DELIVERY} SET status = '{DONE}', error = NULL, settled = ?3
    WHERE id {{ids}}""")
_OTHERWISE = f"""
    UPDATE {DELIVERY} SET status = ?, due = ?, error = coalesce(?, error), stops = ?, settled = ?,
        excused = excused + ?
    WHERE id = ?"""
_IS_SETTLED = f"SELECT 1 FROM {DELIVERY} WHERE id = ? AND status = ? AND attempts = ?"


def settle_all(ledger: Ledger, requests: Sequence[SettleAllRequest]) -> list[list[Settled]]:
    """Store the settlements of some calls of `IStore.settle`."""
    each = [(one, worker, now) for settlements, worker, now in requests for one in settlements]
    settled = iter(settle_each(ledger, each))
    return [list(islice(settled, len(settlements))) for settlements, _, _ in requests]


def settle_each(ledger: Ledger, requests: Sequence[SettleRequest]) -> list[Settled]:
    """Store settlements, and open what follows from them."""
    if not requests:
        return []
    now = max([request[2] for request in requests])
    results = [LOST] * len(requests)
    done: list[int] = []
    # Of which events something was settled for good, who runs what follows, and who is told.
    touched: dict[int, Worker] = {}
    places: dict[int, int] = {}
    for place in held_among(ledger, requests):
        each, worker, _ = requests[place]
        results[place] = HELD
        if each.status == DONE:
            done.append(each.delivery_id)
        else:
            _settle_otherwise(ledger, each, now)
        if each.status in SETTLED:
            touched[each.event_id] = worker
            places[each.event_id] = place
    if done:
        ledger.write_about("settle done", _DONE, done, now)
        ledger.witness = (_IS_SETTLED, (done[-1], DONE, each.attempt))
    progress = advance(ledger, touched, now)
    for event_id, place in places.items():
        made = progress.get(event_id, FINISHED)
        results[place] = Settled(True, made.opened, (event_id,) if made.finished else ())
    return results


def held_among(ledger: Ledger, asked: Sequence[SettleRequest]) -> Sequence[int]:
    """
    Give the places of the settlements whose worker holds the attempt.

    It is counted first, and looked at one by one only when some are not held.
    """
    ids: dict[tuple[int, str], list[int]] = defaultdict(list)
    for each, worker, _ in asked:
        ids[each.attempt, worker.id].append(each.delivery_id)
    if all(
        ledger.read_about(_COUNT_HELD, own, attempt, ledger.number_of(worker_id)) == [(len(own),)]
        for (attempt, worker_id), own in ids.items()
    ):
        return range(len(asked))
    places: dict[int, int] = {}
    for place, (each, worker, _) in enumerate(asked):
        attempt = (each.delivery_id, each.attempt, ledger.number_of(worker.id))
        if each.delivery_id not in places and ledger.read(_IS_HELD, attempt):
            places[each.delivery_id] = place
    return list(places.values())


def _settle_otherwise(ledger: Ledger, settlement: Settlement, now: float) -> None:
    """Store that a delivery is dead, or that it is to be run again."""
    delivery_id, status = settlement.delivery_id, settlement.status
    due: float | None = None
    stops = settled = None
    if status == DEAD:
        stops, settled = settlement.stops, now
    else:
        due = now if settlement.due is None else settlement.due
        ledger.news.add("work")
    excused = int(status == PENDING)
    row = (status, due, settlement.error, stops, settled, excused, delivery_id)
    ledger.write(f"settle {status}", _OTHERWISE, row)
    ledger.witness = (_IS_SETTLED, (delivery_id, status, settlement.attempt))
    if status == DEAD and settlement.stops:
        stop_event(ledger, delivery_id, settlement.event_id, now)
