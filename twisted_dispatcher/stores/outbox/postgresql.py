"""Storing events on somebody else's connection to PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from twisted_dispatcher.records import Acceptance, NewEvent
from twisted_dispatcher.stores.lanelocks import lane_locks
from twisted_dispatcher.stores.outbox.entries import Entry, firsts_of, in_order

_ONE: Final = """
    SELECT event_id, known
    FROM twisted_dispatcher_record(NULL, %s, %s, %s, %s, %s::float8, %s::float8)"""
# The ids are in the order in which the events were given; stored they are in that of their keys.
_MANY: Final = """
    SELECT new.key, record.event_id, record.known
    FROM twisted_dispatcher_reserve('twisted_dispatcher_event_id', %s) AS base,
        json_to_recordset(%s::json) AS new (
            place int, key text, body text, details text, lane text, due float8),
        LATERAL twisted_dispatcher_record(
            base + new.place, new.key, new.body, new.details, new.lane, new.due, %s::float8)
        AS record"""


_COMMIT: Final = "; COMMIT"


def accept_on(
    cursor: Any, events: Sequence[NewEvent], now: float, and_commit: bool = False
) -> list[Entry]:
    """Store events; see `outbox_on`."""
    # Before ids are given out, so that those of a lane are in the order of acceptance.
    lanes = {event.lane for event in events if event.lane is not None}
    if lanes:
        cursor.execute(*lane_locks(lanes))
    ending = _COMMIT if and_commit else ""
    if len(events) == 1:
        return [_accept_one(cursor, events[0], now, ending)]
    firsts = firsts_of(events)
    return in_order(events, _accept_all(cursor, firsts, now, ending)) if firsts else []


def _accept_one(cursor: Any, event: NewEvent, now: float, ending: str) -> Entry:
    cursor.execute(
        _ONE + ending, (event.key, event.body, event.details, event.lane, event.due, now)
    )
    ((event_id, known),) = cursor.fetchall()
    return _entry(event, event_id, known)


def _accept_all(
    cursor: Any, events: dict[str, NewEvent], now: float, ending: str
) -> dict[str, Entry]:
    rows = [
        {
            "place": place,
            "key": event.key,
            "body": event.body,
            "details": event.details,
            "lane": event.lane,
            "due": event.due,
        }
        for place, event in enumerate(events.values())
    ]
    rows.sort(key=_key_of)
    cursor.execute(_MANY + ending, (len(rows), json.dumps(rows), now))
    return {
        key: _entry(events[key], event_id, known) for key, event_id, known in cursor.fetchall()
    }


def _key_of(row: dict[str, Any]) -> Any:
    return row["key"]


def _entry(event: NewEvent, event_id: int, known: str | None) -> Entry:
    acceptance = Acceptance(event_id, event.key, known is None)
    return Entry(acceptance, event.details if known is None else known)
