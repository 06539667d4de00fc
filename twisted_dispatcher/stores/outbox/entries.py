"""What became of events that were stored on somebody else's connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from twisted_dispatcher.records import Acceptance, NewEvent


@attrs.define(unsafe_hash=True)
class Entry:
    """
    What became of one event.

    :ivar details: of the event that has the key, as the codec has written them: where it was known
        they may be others than those that were given.
    """

    acceptance: Acceptance
    details: str


def firsts_of(events: Sequence[NewEvent]) -> dict[str, NewEvent]:
    """Give the first event of each key, by its key."""
    firsts: dict[str, NewEvent] = {}
    for event in events:
        firsts.setdefault(event.key, event)
    return firsts


def in_order(events: Sequence[NewEvent], entries: Mapping[str, Entry]) -> list[Entry]:
    """
    Give the entries of events, which are known by their keys, in the events' order.

    An event whose key came before is known.
    """
    if len(entries) == len(events):
        return [entries[event.key] for event in events]
    found = []
    seen: set[str] = set()
    for event in events:
        entry = entries[event.key]
        if event.key in seen and entry.acceptance.new:
            acceptance = Acceptance(entry.acceptance.event_id, event.key, False)
            entry = Entry(acceptance, entry.details)
        seen.add(event.key)
        found.append(entry)
    return found
