"""
What the commands write for programs: plain values with names that stay.

Times are text in ISO 8601, in UTC. What an event says, which may hold secrets, is left out unless
it was asked for.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from twisted_dispatcher.records import Delivery, StoredEvent
from twisted_dispatcher.status import Counts, Explained, Reason, Story
from twisted_dispatcher.status.reasons import in_utc

Form = dict[str, Any]


def counts_form(counts: Counts) -> Form:
    """Give numbers by their names."""
    return attrs.asdict(counts)


def event_form(event: StoredEvent, payload: bool = False) -> Form:
    """Give an event; with its payload also its body, details and lane, as the codec has them."""
    form: Form = {
        "id": event.id,
        "key": event.key,
        "state": state_of(event),
        "accepted": time_form(event.accepted),
        "due": time_form(event.due),
        "settled": time_form(event.settled),
        "planned": event.planned,
        "ordered": event.lane is not None,
    }
    if payload:
        form["body"] = _written(event.body)
        form["details"] = _written(event.details)
        form["lane"] = event.lane
    return form


def delivery_form(delivery: Delivery) -> Form:
    """Give a delivery."""
    return {**attrs.asdict(delivery), "due": time_form(delivery.due)}


def reason_form(reason: Reason) -> Form:
    """Give a reason."""
    return {
        "code": reason.code,
        "text": reason.text,
        "until": time_form(reason.until),
        "deliveries": list(reason.deliveries),
        "event_key": reason.event_key,
    }


def explained_form(explained: Explained) -> Form:
    """Give a delivery with its reason."""
    return {**delivery_form(explained.delivery), "reason": reason_form(explained.reason)}


def story_form(story: Story, payload: bool = False) -> Form:
    """Give an event with its reason and its deliveries."""
    return {
        **event_form(story.event, payload),
        "reason": reason_form(story.reason),
        "deliveries": [explained_form(each) for each in story.deliveries],
    }


def state_of(event: StoredEvent) -> str:
    """Say in a word whether an event has something left to do."""
    return "open" if event.settled is None else "settled"


def time_form(seconds: float | None) -> str | None:
    """Give a time as text."""
    return None if seconds is None else in_utc(seconds)


def _written(text: str | None) -> Any:
    """Give what the codec has written, without the version of its format."""
    if text is None:
        return None
    try:
        return json.loads(text)[1]
    except (ValueError, LookupError, TypeError):
        return text
