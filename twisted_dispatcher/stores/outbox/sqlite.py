"""
Storing events on somebody else's connection to a file of SQLite.

The first statement writes, so that a transaction that begins here has the lock to write from its
beginning, and waits for it: one that has read before is refused where others have written since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from twisted_dispatcher.records import Acceptance, NewEvent
from twisted_dispatcher.stores.outbox.entries import Entry, firsts_of, in_order

# Older versions of SQLite take 999 parameters at most.
AT_ONCE: Final = 100

# Changes nothing, and has the transaction wait for the lock to write.
LOCK: Final = "DELETE FROM twisted_dispatcher_event WHERE id = 0"

_INSERT_EVENTS: Final = """
    INSERT INTO twisted_dispatcher_event (key, body, details, lane, accepted, due)
    VALUES {rows} ON CONFLICT (key) DO NOTHING"""
_INSERT_LANES: Final = "INSERT INTO twisted_dispatcher_lane (event_id, lane) VALUES {rows}"
_FIND_ONE: Final = "SELECT id, details FROM twisted_dispatcher_event WHERE key = %s"
_FIND: Final = "SELECT key, id, details FROM twisted_dispatcher_event WHERE key IN ({keys})"


def accept_on(
    cursor: Any, events: Sequence[NewEvent], now: float, and_commit: bool = False
) -> list[Entry]:
    """Store events; see `outbox_on`."""
    if len(events) == 1:
        return [_accept_one(cursor, events[0], now)]
    firsts = firsts_of(events)
    entries: dict[str, Entry] = {}
    for some in _portions(list(firsts.values())):
        entries.update(_accept(cursor, some, now))
    return in_order(events, entries)


def _accept_one(cursor: Any, event: NewEvent, now: float) -> Entry:
    """Do for one event, as most come, what `_accept` does for some."""
    values = (event.key, event.body, event.details, event.lane, now, event.due)
    cursor.execute(_INSERT_ONE, values)
    if not cursor.rowcount:
        cursor.execute(_FIND_ONE, (event.key,))
        ((event_id, details),) = cursor.fetchall()
        return Entry(Acceptance(event_id, event.key, False), details)
    event_id = cursor.lastrowid
    if event.lane is not None:
        cursor.execute(_INSERT_ONE_LANE, (event_id, event.lane))
    return Entry(Acceptance(event_id, event.key, True), event.details)


def _portions(events: list[NewEvent]) -> Iterator[list[NewEvent]]:
    for start in range(0, len(events), AT_ONCE):
        yield events[start : start + AT_ONCE]


def _accept(cursor: Any, events: Sequence[NewEvent], now: float) -> dict[str, Entry]:
    """Store some events with different keys, and give what became of each by its key."""
    values: list[Any] = []
    for event in events:
        values += (event.key, event.body, event.details, event.lane, now, event.due)
    cursor.execute(_insert(_INSERT_EVENTS, 6, len(events)), values)
    count = cursor.rowcount
    # Ids follow one another while we have the lock, so that these are those of the last ones.
    first = cursor.lastrowid - count + 1 if count else 0
    if count == len(events):
        new = {event.key: event_id for event_id, event in enumerate(events, first)}
        found = [(event.key, new[event.key], event.details) for event in events]
    else:
        found = _find(cursor, [event.key for event in events])
        new = {key: event_id for key, event_id, _ in found if count and event_id >= first}
    lanes: list[Any] = []
    for event in events:
        if event.lane is not None and event.key in new:
            lanes += (new[event.key], event.lane)
    if lanes:
        cursor.execute(_insert(_INSERT_LANES, 2, len(lanes) // 2), lanes)
    return {
        key: Entry(Acceptance(event_id, key, key in new), details)
        for key, event_id, details in found
    }


def _find(cursor: Any, keys: list[str]) -> list[Any]:
    cursor.execute(_FIND.format(keys=", ".join(["%s"] * len(keys))), keys)
    rows: list[Any] = cursor.fetchall()
    return rows


@lru_cache(maxsize=4 * AT_ONCE)
def _insert(sql: str, width: int, count: int) -> str:
    """Give the statement that inserts so many rows of so many columns."""
    row = f"({', '.join(['%s'] * width)})"
    return sql.format(rows=", ".join([row] * count))


_INSERT_ONE: Final = _insert(_INSERT_EVENTS, 6, 1)
_INSERT_ONE_LANE: Final = _insert(_INSERT_LANES, 2, 1)
