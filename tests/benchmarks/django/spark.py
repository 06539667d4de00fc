"""django-spark's way, written afresh: what is recorded in a savepoint is handled at once.

An event is inserted by its key, inside a savepoint or a transaction of its own; a key that is
there already is an error, and the event is passed by.  Otherwise the handlers are called whose
pattern is found in its group.  (django-spark itself, up to version 0.3, imports what Django 4.0
has removed.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.signals import post_save

from tests.benchmarks.django.shop.models import SparkEvent

Declared = Mapping[str, Any]

HANDLERS: list[tuple[str, Callable[[Declared], object]]] = []


def recorded(event: Declared) -> bool:
    """Tells whether an event is new, in which case it is known from now on."""
    fields = {"group": event["group"], "context": repr(event["context"])}
    try:
        with transaction.atomic():
            SparkEvent.objects.create(key=event["key"], **fields)
    except IntegrityError:
        return False
    return True


def process(events: Iterable[Declared]) -> None:
    """Has new events handled."""
    for event in events:
        if recorded(event):
            for pattern, handler in HANDLERS:
                if re.search(pattern, event["group"]):
                    handler(event)


def process_saved(model: type[Any], source: Callable[[Any], Iterator[Declared]]) -> None:
    """Processes the events of each object of a model that is saved from now on."""

    def saved(instance: Any, **rest: object) -> None:
        process(source(instance))

    post_save.connect(saved, sender=model, weak=False)
