"""Storing events, each but once by its key, and planning those that came without deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from twisted_dispatcher.records import (
    Acceptance,
    Accepted,
    NewDelivery,
    NewEvent,
    Worker,
)
from twisted_dispatcher.stores.sqlite.advancing import FINISHED, advance
from twisted_dispatcher.stores.sqlite.births import Births
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import EVENT, LANE, Insert

# An event, who accepts it, and when; and some of them in one call.
AcceptRequest = tuple[NewEvent, Worker, float]
AcceptAllRequest = tuple[Sequence[NewEvent], Worker, float]

_EVENTS = Insert(
    EVENT,
    *("id", "key", "body", "details", "lane", "accepted", "due"),
    *("first_delivery", "last_delivery"),
    otherwise="ON CONFLICT (key) DO NOTHING",
)
_STORED_AFTER = f"SELECT id FROM {EVENT} WHERE id > ?"
_ID_OF = f"SELECT id FROM {EVENT} WHERE key = ?"
_IS_THERE = f"SELECT 1 FROM {EVENT} WHERE key = ? AND accepted = ?"

_FIND = f"SELECT key, body, details, lane, due FROM {EVENT} WHERE id = ?"
_PLAN = f"""
    UPDATE {EVENT} SET first_delivery = ?, last_delivery = ?
    WHERE id = ? AND first_delivery IS NULL"""
_IS_PLANNED = f"SELECT 1 FROM {EVENT} WHERE id = ? AND first_delivery = ?"
_IS_BLOCKED = f"SELECT 1 FROM {LANE} WHERE lane = ? AND event_id < ? LIMIT 1"


def accept_all(ledger: Ledger, requests: Sequence[AcceptAllRequest]) -> list[list[Accepted]]:
    """Store the events of some calls of `IStore.accept`."""
    each = [(event, worker, now) for events, worker, now in requests for event in events]
    accepted = iter(accept_each(ledger, each))
    return [list(islice(accepted, len(events))) for events, _, _ in requests]


def accept_each(ledger: Ledger, requests: Sequence[AcceptRequest]) -> list[Accepted]:
    """Store events, and find what their acceptors are to run of them."""
    if not requests:
        return []
    now = max([request[2] for request in requests])
    last_event, last_delivery = ledger.last_ids()
    known = _store(ledger, requests, last_event, last_delivery, now)
    births = Births(ledger, now)
    accepted = []
    new: NewEvent | None = None
    delivery_id = last_delivery + 1
    for event_id, (event, worker, _) in enumerate(requests, last_event + 1):
        if event_id in known:
            accepted.append(Accepted(Acceptance(known[event_id], event.key, False)))
        else:
            claims = births.enter(event_id, event, delivery_id, worker)
            accepted.append(Accepted(Acceptance(event_id, event.key, True), claims))
            new = event
        if event.deliveries:
            delivery_id += len(event.deliveries)
    births.write()
    if new is not None:
        ledger.witness = (_IS_THERE, (new.key, now))
    return accepted


def _store(
    ledger: Ledger,
    requests: Sequence[AcceptRequest],
    last_event: int,
    last_delivery: int,
    now: float,
) -> dict[int, int]:
    """
    Insert the rows of events, and find those that were known.

    Ids are given out before it is seen which of them are needed: those of known ones stay unused.

    :return: by the id that a known event would have got, the id that it has.
    """
    values: list[Any] = []
    for event_id, (event, _, _) in enumerate(requests, last_event + 1):
        first = last = None
        if event.deliveries is not None:
            first = last_delivery + 1
            last = last_delivery = last_delivery + len(event.deliveries)
        values += (
            *(event_id, event.key, event.body, event.details, event.lane, now, event.due),
            *(first, last),
        )
    if ledger.insert("insert events", _EVENTS, values) == len(requests):
        return {}
    stored = {event_id for (event_id,) in ledger.read(_STORED_AFTER, (last_event,))}
    return {
        event_id: ledger.read(_ID_OF, (event.key,))[0][0]
        for event_id, (event, _, _) in enumerate(requests, last_event + 1)
        if event_id not in stored
    }


def plan(
    ledger: Ledger,
    event_id: int,
    deliveries: Sequence[NewDelivery],
    worker: Worker,
    now: float,
) -> Accepted | None:
    """Store the deliveries of an event that has none; see `IStore.plan`."""
    first = ledger.last_ids()[1] + 1
    if not ledger.write("plan", _PLAN, (first, first + len(deliveries) - 1, event_id)):
        return None
    ((key, body, details, lane, due),) = ledger.read(_FIND, (event_id,))
    ledger.witness = (_IS_PLANNED, (event_id, first))
    acceptance = Acceptance(event_id, key, True)
    if not deliveries:
        progress = advance(ledger, {event_id: worker}, now)
        return Accepted(acceptance, progress.get(event_id, FINISHED).opened)
    is_free = lane is None or not ledger.read(_IS_BLOCKED, (lane, event_id))
    event = NewEvent(key, body, details, lane, due, tuple(deliveries))
    births = Births(ledger, now)
    claims = births.bear(event_id, event, deliveries, first, worker, is_free)
    births.write()
    return Accepted(acceptance, claims)
