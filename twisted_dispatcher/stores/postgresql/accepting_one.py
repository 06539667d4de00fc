"""
Storing events that come one by one, are planned and are in no lane, as one statement.

It does what `stores.postgresql.accepting` does in several ones. Of an event whose key is known the
id is told if it was known when the statement began, or came earlier in the same message; where
somebody else is just storing the key, a thread looks again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import attrs
from psycopg import Cursor

from twisted_dispatcher.records import Acceptance, Accepted, NewEvent
from twisted_dispatcher.stores.postgresql.accepting import AcceptRequest
from twisted_dispatcher.stores.postgresql.births import Births
from twisted_dispatcher.stores.postgresql.marks import WRITTEN
from twisted_dispatcher.stores.postgresql.messages import LEFT, Done, marked, text_array
from twisted_dispatcher.stores.postgresql.tables import (
    DELIVERY,
    DELIVERY_ID,
    EVENT,
    EVENT_ID,
    OPEN,
    RESERVE,
    WORKER,
    rows,
)

# What the parameter of events has of each.
COLUMNS: Final = """
    place int, key text, body text, details text, due float8, first int, last int"""


def storing(given: str) -> str:
    """
    Give the end of a statement that stores events; its parameters are those of `AcceptMessage`.

    :param given: from where `COLUMNS` are taken.
    """
    # A worker that is not there, and one that others are just making known, is held by its new
    # row.
    return f"""
    base AS MATERIALIZED (
        SELECT {RESERVE}('{EVENT_ID}', $3::bigint) AS event,
            {RESERVE}('{DELIVERY_ID}', $4::bigint) AS delivery
        FROM marked
    ), stored AS (
        INSERT INTO {EVENT} (id, key, body, details, accepted, due, first_delivery, last_delivery)
        SELECT base.event + place, key, body, details, $5::float8, due,
            base.delivery + first, base.delivery + last
        FROM base, {given}
        ON CONFLICT (key) DO NOTHING
        RETURNING id, due, first_delivery, last_delivery
    ), opened AS (
        INSERT INTO {OPEN} (id, due, first_delivery, last_delivery)
        SELECT * FROM stored WHERE first_delivery <= last_delivery
    ), born AS (
        INSERT INTO {DELIVERY}
            (id, event_id, handler, phase, rank, status, attempts, due, worker, changed)
        SELECT base.delivery + new.id, base.event + new.event_id, handler, phase, rank, status,
            attempts, due, worker, $5::float8
        FROM base, json_to_recordset($7::json) AS alike (
            handler text, phase text, rank int, status text, attempts int, due float8,
            worker text, ids bigint[], event_ids bigint[]),
        unnest(alike.ids, alike.event_ids) AS new (id, event_id)
        WHERE (SELECT count(*) FROM stored) = $3::bigint
        OR base.event + new.event_id IN (SELECT id FROM stored)
    ), held AS MATERIALIZED (
        SELECT id FROM {WORKER} WHERE id = ANY($8::text[]) FOR KEY SHARE
    ), vouched AS (
        INSERT INTO {WORKER} AS known (id, alive_until, handlers)
        SELECT name, $5::float8, '{{}}' FROM marked, unnest($8::text[]) name
        WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.id = name)
        ON CONFLICT (id) DO UPDATE SET alive_until = known.alive_until
    )
    SELECT base.event, base.delivery,
        CASE WHEN (SELECT count(*) FROM stored) < $3::bigint
        THEN (SELECT coalesce(json_agg(id), '[]') FROM stored) END,
        CASE WHEN (SELECT count(*) FROM stored) < $3::bigint THEN (
            SELECT coalesce(json_object_agg(e.key, e.id), '{{}}')
            FROM json_to_recordset($6::json) AS new (key text) JOIN {EVENT} e ON e.key = new.key
        ) END
    FROM base"""


_STORE: Final = f"{marked()}, {storing(f'json_to_recordset($6::json) AS new ({COLUMNS})')}"
_RECALL: Final = f"""
    SELECT key, id, first_delivery, {WRITTEN} FROM {EVENT} WHERE key = ANY(%(keys)s)"""


@attrs.frozen
class _Known:
    """
    Where the ids begin, and which events were not new.

    :ivar stored: the ids of those that were; None if all were.
    :ivar ids: by their keys, those of the others.
    """

    event: int
    delivery: int
    stored: frozenset[int] | None
    ids: dict[str, int]


class AcceptMessage:
    """Some events."""

    name: ClassVar[bytes] = b"accept"
    step: ClassVar[str] = "accept"
    sql: ClassVar[str] = _STORE

    def __init__(
        self, requests: Sequence[AcceptRequest], more: Sequence[dict[str, Any]] | None = None
    ) -> None:
        """:param more: what the statement is to know of each event, beyond `COLUMNS`."""
        self._more = more
        self._events = [request[0] for request in requests]
        self._firsts: list[int] = []
        self._news: set[str] = set()
        now = max(request[2] for request in requests)
        self._births = Births(self._news, now)
        count = 0
        for place, (event, worker, _) in enumerate(requests):
            self._births.enter(place, event, count, worker)
            self._firsts.append(count)
            count += len(event.deliveries or ())
        self.parameters: Sequence[bytes] = [
            b"%d" % len(requests),
            b"%d" % count,
            repr(now).encode(),
            rows([self._row(place) for place in self._places()]).encode(),
            self._births.rows().encode(),
            text_array(self._births.workers),
        ]

    @staticmethod
    def suits(event: NewEvent) -> bool:
        """Tell whether an event is of the kind that it is for."""
        return event.lane is None and event.deliveries is not None

    def _places(self) -> list[int]:
        # Everybody inserts keys in the same order, so that nobody waits for one another in a
        # circle.
        places = list(range(len(self._events)))
        places.sort(key=lambda place: self._events[place].key)
        return places

    def _row(self, place: int) -> dict[str, Any]:
        event, first = self._events[place], self._firsts[place]
        row = {
            "place": place,
            "key": event.key,
            "body": event.body,
            "details": event.details,
            "due": event.due,
            "first": first,
            "last": first + len(event.deliveries or ()) - 1,
        }
        return row if self._more is None else {**row, **self._more[place]}

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        ((event, delivery, stored, ids),) = found
        assert event is not None
        assert delivery is not None
        known = _Known(
            int(event),
            int(delivery),
            None if stored is None else frozenset(json.loads(stored)),
            {} if ids is None else json.loads(ids),
        )
        return self._done(known)

    def recall(self, cursor: Cursor[Any], connection: str) -> Done:
        values = {"keys": [event.key for event in self._events], "connection": connection}
        base_event = base_delivery = 0
        stored, ids = set(), {}
        first_places = {self._events[place].key: place for place in reversed(self._places())}
        for key, event_id, first_delivery, is_ours in cursor.execute(_RECALL, values):
            ids[key] = event_id
            if is_ours:
                stored.add(event_id)
                place = first_places[key]
                base_event = event_id - place
                base_delivery = first_delivery - self._firsts[place]
        return self._done(_Known(base_event, base_delivery, frozenset(stored), ids))

    def _done(self, known: _Known) -> Done:
        outcomes = [self._outcome(place, event, known) for place, event in enumerate(self._events)]
        return Done(outcomes, frozenset(self._news))

    def _outcome(self, place: int, event: NewEvent, known: _Known) -> Any:
        event_id, key = known.event + place, event.key
        if known.stored is None or event_id in known.stored:
            known.ids[key] = event_id
            claims = self._births.claims(place, event, known.event, known.delivery)
            return Accepted(Acceptance(event_id, key, True), claims)
        if key in known.ids:
            return Accepted(Acceptance(known.ids[key], key, False))
        return LEFT
