"""
What projects call, under the names that django-spark has given it.

All of it is synchronous. To record an event is all that a caller waits for: its handlers are
called after the commit, by this process or by the daemon, as the setting says. In tests that
deliver at once they have been called when the recording returns.

Importing this module imports no model, so that applications may do it while they get ready.
"""

from __future__ import annotations

from typing import Any

from twisted_dispatcher.django.registry import (
    MODEL_SOURCES,
    register_group_handler,
)
from twisted_dispatcher.django.savings import register_model_event_source
from twisted_dispatcher.django.streams import NewEvents, process_events
from twisted_dispatcher.sources import event

__all__ = [
    "MODEL_SOURCES",
    "event",
    "only_new_events",
    "process_events",
    "register_group_handler",
    "register_model_event_source",
]


def only_new_events(events: Any, *, using: str | None = None) -> NewEvents:
    """
    Give what is new of a stream of events: each is recorded just before it is given.

    :param events: an iterable of declarations; what is not consumed is not made either.
    :param using: see `process_events`.
    :return: an iterator of the declarations, as they were given; see `NewEvents`.
    """
    return NewEvents(events, using)
