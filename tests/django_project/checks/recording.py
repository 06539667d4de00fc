"""What the tests of recording have in common."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.db import connection

from twisted_dispatcher.django import registry
from twisted_dispatcher.django.models import Event, OpenEvent
from twisted_dispatcher.django.registry import MODEL_SOURCES, Source
from twisted_dispatcher.django.savings import register_model_event_source

# For tests that commit: only the tables of these are emptied, and nothing is made in them anew.
FLUSHED = ["twisted_dispatcher.django", "tests.django_project.club"]


def keys() -> list[str]:
    """Give the keys of all recorded events, in the order of their ids."""
    return list(Event.objects.order_by("id").values_list("key", flat=True))


def unplanned() -> list[str]:
    """Give the keys of the events that wait for a worker to plan them."""
    events = Event.objects.filter(first_delivery=None)
    if connection.vendor == "postgresql":
        events = events.filter(pk__in=OpenEvent.objects.values("pk"))
    return list(events.order_by("id").values_list("key", flat=True))


class SourcesMixin:
    """Forgets after each test which sources and handlers it has registered."""

    def setUp(self) -> None:
        """Have no source, and no handler."""
        super().setUp()  # type: ignore[misc]
        patches: Any = (
            mock.patch.dict(MODEL_SOURCES, clear=True),
            mock.patch.object(registry, "GROUP_HANDLERS", []),
        )
        for patch in patches:
            patch.start()
            self.addCleanup(patch.stop)  # type: ignore[attr-defined]

    def register(self, sender: Any, *sources: Source) -> None:
        """Register sources of a model."""
        for each in sources:
            register_model_event_source(sender=sender, source=each)
