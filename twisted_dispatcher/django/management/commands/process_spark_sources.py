"""`process_event_sources` under the name that django-spark has given it."""

from __future__ import annotations

from twisted_dispatcher.django.management.commands.process_event_sources import Command

__all__ = ["Command"]
