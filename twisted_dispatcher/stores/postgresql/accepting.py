"""Storing events, each but once by its key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import psycopg

from twisted_dispatcher.records import Acceptance, Accepted, NewEvent, Worker
from twisted_dispatcher.stores.postgresql.births import INSERT_BORN, Births, taken_among
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import (
    DELIVERY_ID,
    EVENT,
    EVENT_ID,
    OPEN,
    RESERVE,
    WORKER,
    rows,
)

# An event, who accepts it, and when; and some of them in one call.
AcceptRequest = tuple[NewEvent, Worker, float]
AcceptAllRequest = tuple[Sequence[NewEvent], Worker, float]
# An event: its place among those that are stored together, itself, the place of its first delivery
# among theirs, and who accepts it.
_New = tuple[int, NewEvent, int, Worker]

# Ids are given out before it is seen which of them are needed: those of known events stay unused.
# Where all events are new, which is the rule, their deliveries are written by the same statement,
# and the workers that are given some are held (see `Ledger.vouch`).
_STORE = f"""
    WITH base AS MATERIALIZED (
        SELECT {RESERVE}('{EVENT_ID}', %(events)s) AS event,
            {RESERVE}('{DELIVERY_ID}', %(deliveries)s) AS delivery
    ), stored AS (
        INSERT INTO {EVENT}
            (id, key, body, details, lane, accepted, due, first_delivery, last_delivery)
        SELECT base.event + place, key, body, details, lane, %(now)s, due,
            base.delivery + first, base.delivery + last
        FROM base, json_to_recordset(%(new)s::json) AS new (
            place int, key text, body text, details text, lane text, due float8,
            first int, last int)
        ON CONFLICT (key) DO NOTHING
        RETURNING id, lane, due, first_delivery, last_delivery
    ), opened AS (
        INSERT INTO {OPEN} (id, lane, due, first_delivery, last_delivery)
        SELECT * FROM stored WHERE first_delivery IS NULL OR first_delivery <= last_delivery
    ), born AS (
        {INSERT_BORN} WHERE (SELECT count(*) FROM stored) = %(events)s
    ), held AS (
        SELECT id FROM {WORKER} WHERE id = ANY(%(workers)s::text[]) FOR KEY SHARE
    )
    SELECT base.event, base.delivery, ARRAY(SELECT id FROM stored), ARRAY(SELECT id FROM held)
    FROM base"""
_IDS_OF = f"SELECT key, id FROM {EVENT} WHERE key = ANY(%s)"


def accept_all(ledger: Ledger, requests: Sequence[AcceptAllRequest]) -> list[list[Accepted]]:
    """Store the events of some calls of `IStore.accept`."""
    each = [(event, worker, now) for events, worker, now in requests for event in events]
    accepted = iter(accept_each(ledger, each))
    return [list(islice(accepted, len(events))) for events, _, _ in requests]


def accept_each(ledger: Ledger, requests: Sequence[AcceptRequest]) -> list[Accepted]:
    """Store events, each but once by its key."""
    if not requests:
        return []
    new: list[_New] = []
    count = 0
    for place, (event, worker, _) in enumerate(requests):
        new.append((place, event, count, worker))
        count += len(event.deliveries or ())
    return _Batch(ledger, new, count, max(request[2] for request in requests)).accept()


class _Batch:
    """Events that are stored together."""

    def __init__(self, ledger: Ledger, new: list[_New], deliveries: int, now: float) -> None:
        """:param deliveries: how many they have."""
        self._ledger = ledger
        self._new = new
        self._deliveries = deliveries
        self._now = now

    def accept(self) -> list[Accepted]:
        """Store the events."""
        # Before ids are given out, so that those of a lane are in the order of acceptance.
        lanes = (event.lane for _, event, _, _ in self._new if event.lane is not None)
        taken = taken_among(self._ledger, lanes)
        births = self._births(self._new, taken)
        base_event, base_delivery, stored, held = self._store(births)
        for name, worker in births.workers.items():
            if name not in held:
                self._ledger.vouch(worker, self._now)
        known: dict[int, int] = {}
        if len(stored) < len(self._new):
            missing = {
                place: event.key
                for place, event, _, _ in self._new
                if base_event + place not in stored
            }
            known = _known(self._ledger, missing)
            births = self._births([each for each in self._new if each[0] not in known], taken)
            births.write(self._ledger, base_event, base_delivery)
        return [
            Accepted(Acceptance(known[place], event.key, False))
            if place in known
            else Accepted(
                Acceptance(base_event + place, event.key, True),
                births.claims(place, event, base_event, base_delivery),
            )
            for place, event, _, _ in self._new
        ]

    def _births(self, new: Sequence[_New], taken: frozenset[str]) -> Births:
        births = Births(self._ledger.news, self._now, taken)
        for each in new:
            births.enter(*each)
        return births

    def _store(self, births: Births) -> tuple[int, int, frozenset[int], frozenset[str]]:
        """
        Insert the rows of events; those of their deliveries too, if all of them are new.

        :return: the bases of the ids of events and of deliveries, the ids of the events that were
            stored, and those of the workers that are held.
        """
        values = {
            "events": len(self._new),
            "deliveries": self._deliveries,
            "now": self._now,
            # Everybody inserts keys in the same order, so that nobody waits for one another in a
            # circle.
            "new": rows([_row(*each) for each in sorted(self._new, key=_key_of)]),
            "born": births.rows(),
            "workers": list(births.workers),
        }
        ((event, delivery, stored, held),) = self._ledger.change("insert events", _STORE, values)
        return event, delivery, frozenset(stored), frozenset(held)


def _key_of(new: _New) -> str:
    return new[1].key


def _row(place: int, event: NewEvent, first: int, worker: Worker) -> dict[str, Any]:
    row: dict[str, Any] = {
        "place": place,
        "key": event.key,
        "body": event.body,
        "details": event.details,
        "due": event.due,
    }
    if event.lane is not None:
        row["lane"] = event.lane
    if event.deliveries is not None:
        row["first"] = first
        row["last"] = first + len(event.deliveries) - 1
    return row


def _known(ledger: Ledger, missing: dict[int, str]) -> dict[int, int]:
    """Give the ids of events that were known, by their places; their keys are given."""
    ids = dict(ledger.read(_IDS_OF, (list(set(missing.values())),)))
    if any(key not in ids for key in missing.values()):
        # It was there, and has been forgotten this moment: the next attempt will store it.
        raise psycopg.errors.SerializationFailure("a key was forgotten meanwhile")
    return {place: ids[key] for place, key in missing.items()}
