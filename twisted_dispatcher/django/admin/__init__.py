"""
What operators see in Django's admin: events, deliveries, dead letters, chains, sessions.

Lists are short by construction: they go by the indexes of the store, count no further than they
show, and look for what has no index among the newest rows alone.
"""

from __future__ import annotations

from django.contrib import admin

from twisted_dispatcher.django.admin.chains import ChainAdmin
from twisted_dispatcher.django.admin.deliveries import DeadLetterAdmin, DeliveryAdmin
from twisted_dispatcher.django.admin.events import EventAdmin
from twisted_dispatcher.django.admin.generators import GeneratorAdmin
from twisted_dispatcher.django.admin.sessions import InstanceAdmin, SessionAdmin
from twisted_dispatcher.django.admin.sweeps import SweepAdmin
from twisted_dispatcher.django.models import (
    Chain,
    DeadLetter,
    Delivery,
    Event,
    Generator,
    Instance,
    Session,
    Sweep,
)

admin.site.register(Event, EventAdmin)
admin.site.register(Delivery, DeliveryAdmin)
admin.site.register(DeadLetter, DeadLetterAdmin)
admin.site.register(Chain, ChainAdmin)
admin.site.register(Session, SessionAdmin)
admin.site.register(Instance, InstanceAdmin)
admin.site.register(Sweep, SweepAdmin)
admin.site.register(Generator, GeneratorAdmin)

__all__ = [
    "ChainAdmin",
    "DeadLetterAdmin",
    "DeliveryAdmin",
    "EventAdmin",
    "GeneratorAdmin",
    "InstanceAdmin",
    "SessionAdmin",
    "SweepAdmin",
]
