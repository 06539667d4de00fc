"""Planning events that came without deliveries: those of a group together, by two statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from twisted_dispatcher.records import Acceptance, Accepted, NewDelivery, NewEvent, Worker
from twisted_dispatcher.stores.postgresql.advancing import Standing, advance
from twisted_dispatcher.stores.postgresql.births import INSERT_BORN, Births
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import (
    DELIVERY_ID,
    EVENT,
    OPEN,
    RESERVE,
    WORKER,
    listed,
    rows,
)

# The id of an event, its deliveries, who plans it, and when.
PlanRequest = tuple[int, Sequence[NewDelivery], Worker, float]

# Locked in the order of their ids, as everybody does.
_TAKE = f"""
    SELECT o.id, e.key, e.body, e.details, e.lane, e.due
    FROM {OPEN} o JOIN {EVENT} e ON e.id = o.id
    WHERE o.id = ANY(%s::bigint[]) AND o.first_delivery IS NULL ORDER BY o.id FOR UPDATE OF o"""
_IS_BLOCKED = f"SELECT 1 FROM {OPEN} WHERE lane = %s AND id < %s LIMIT 1"

_PLANNED = """
        SET first_delivery = base.delivery + new.first, last_delivery = base.delivery + new.last
        FROM base, new WHERE own.id = new.id"""
# The workers that are given some are held (see `Ledger.vouch`).
_PLAN = f"""
    WITH base AS MATERIALIZED (
        SELECT 0::bigint AS event, {RESERVE}('{DELIVERY_ID}', %(deliveries)s) AS delivery
    ), new AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(new)s::json) AS new (id bigint, first int, last int)
    ), planned AS (
        UPDATE {EVENT} own {_PLANNED}
    ), opened AS (
        UPDATE {OPEN} own {_PLANNED}
    ), born AS (
        {INSERT_BORN}
    ), held AS (
        SELECT id FROM {WORKER} WHERE id = ANY(%(workers)s::text[]) FOR KEY SHARE
    )
    SELECT base.delivery, ARRAY(SELECT id FROM held) FROM base"""


@attrs.frozen(eq=False)
class _Taken:
    """An event that is planned here; the places of its request, and of its first delivery."""

    place: int
    event_id: int
    event: NewEvent
    first: int
    worker: Worker

    @property
    def last(self) -> int:
        """The place of its last delivery."""
        return self.first + len(self.event.deliveries or ()) - 1


def plan_each(ledger: Ledger, requests: Sequence[PlanRequest]) -> list[Accepted | None]:
    """Store the deliveries of events that have none; see `IStore.plan`."""
    answers: list[Accepted | None] = [None] * len(requests)
    now = max(request[3] for request in requests)
    taken = _take(ledger, requests)
    if not taken:
        return answers
    births = _births(ledger, taken, now)
    base = _write(ledger, taken, births, now)
    opened = _advance(ledger, taken, base, now)
    for each in taken:
        claims = births.claims(each.event_id, each.event, 0, base)
        acceptance = Acceptance(each.event_id, each.event.key, True)
        answers[each.place] = Accepted(acceptance, opened.get(each.event_id, claims))
    return answers


def _take(ledger: Ledger, requests: Sequence[PlanRequest]) -> list[_Taken]:
    """Lock the events that nobody has planned, and read them."""
    # Who asks first for an event plans it.
    places = {request[0]: place for place, request in reversed([*enumerate(requests)])}
    taken: list[_Taken] = []
    count = 0
    for event_id, key, body, details, lane, due in ledger.read(_TAKE, (listed(places),)):
        place = places[event_id]
        _, deliveries, worker, _ = requests[place]
        event = NewEvent(key, body, details, lane, due, tuple(deliveries))
        taken.append(_Taken(place, event_id, event, count, worker))
        count += len(deliveries)
    return taken


def _births(ledger: Ledger, taken: Sequence[_Taken], now: float) -> Births:
    ledger.lock_lanes([each.event.lane for each in taken if each.event.lane is not None])
    births = Births(ledger.news, now)
    for each in taken:
        lane, deliveries = each.event.lane, each.event.deliveries
        if deliveries:
            is_free = lane is None or not ledger.read(_IS_BLOCKED, (lane, each.event_id))
            due = each.event.due
            births.bear(each.event_id, due, deliveries, each.first, each.worker, is_free)
    return births


def _write(ledger: Ledger, taken: Sequence[_Taken], births: Births, now: float) -> int:
    """Write the deliveries, and to which event they belong; give from where their ids count."""
    values: dict[str, Any] = {
        "deliveries": taken[-1].last + 1,
        "new": rows([{"id": e.event_id, "first": e.first, "last": e.last} for e in taken]),
        "born": births.rows(),
        "workers": list(births.workers),
        "now": now,
    }
    ((base, held),) = ledger.change("plan", _PLAN, values)
    for name, worker in births.workers.items():
        if name not in held:
            ledger.vouch(worker, now)
    return int(base)


def _advance(ledger: Ledger, taken: Sequence[_Taken], base: int, now: float) -> dict[int, Any]:
    """Let events go on that have no deliveries; give what their workers are to run for that."""
    standings = {
        each.event_id: Standing(each.event.lane, base + each.first, base + each.last, each.worker)
        for each in taken
        if not each.event.deliveries
    }
    progress = advance(ledger, standings, now) if standings else {}
    return {event_id: progress[event_id].opened for event_id in standings}
