"""
Finding rows by the indexes that the store has, which differ between SQLite and PostgreSQL.

What is found by no index is looked for among the newest rows alone (`newest`).
"""

from __future__ import annotations

import json
from typing import Any, Final

from django.db import connections
from django.db.models import Q
from django.db.models.expressions import RawSQL

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.models import Event
from twisted_dispatcher.records import DEAD, SKIPPED

# So far back it is looked for what no index finds.
LOOK_BACK: Final = 100_000
# By so much may the clocks of machines differ that accept events.
CLOCKS: Final = 3600.0

_DELIVERY: Final = "twisted_dispatcher_delivery"
_UNSETTLED: Final = {
    "sqlite": f"SELECT id FROM {_DELIVERY} WHERE settled IS NULL",
    # A join of the ranges would be planned as if each were a good part of the table.
    "postgresql": "SELECT generate_series(first_delivery, last_delivery) "
    "FROM twisted_dispatcher_open",
}
_FAILED: Final = {
    "sqlite": f"SELECT {{}} FROM {_DELIVERY} WHERE stops IS NOT NULL AND status = %s",
    "postgresql": f"SELECT {{}} FROM {_DELIVERY} WHERE failed = %s",
}
_OPEN: Final = {
    "sqlite": f"""
        SELECT id FROM twisted_dispatcher_event
        INDEXED BY twisted_dispatcher_event_unplanned WHERE first_delivery IS NULL
        UNION SELECT event_id FROM {_DELIVERY} WHERE settled IS NULL""",
    "postgresql": "SELECT id FROM twisted_dispatcher_open",
}


def newest(queryset: Any) -> Any:
    """Leave of rows with ascending ids those that are not too far back to be looked through."""
    rows = queryset.model._default_manager.order_by("-pk")
    last = rows.values_list("pk", flat=True).first()
    return queryset if last is None else queryset.filter(pk__gt=last - LOOK_BACK)


def unsettled(status: str) -> Q:
    """Give the condition that a delivery is pending, running or retrying."""
    return Q(status=status, pk__in=RawSQL(_UNSETTLED[_vendor()], []))


def failed(status: str) -> Q:
    """Give the condition that a delivery is dead or skipped."""
    assert status in (DEAD, SKIPPED)
    return Q(pk__in=RawSQL(_FAILED[_vendor()].format("id"), [status]))


def with_dead() -> Q:
    """Give the condition that an event has a delivery that is dead."""
    return Q(pk__in=RawSQL(_FAILED[_vendor()].format("event_id"), [DEAD]))


def is_open() -> Q:
    """Give the condition that an event is not settled."""
    return Q(pk__in=RawSQL(_OPEN[_vendor()], []))


def accepted_since(time: float) -> Q:
    """Give the condition that an event was accepted at a time or later."""
    return Q(pk__gte=_first_since(time - CLOCKS), accepted__gte=time)


def of_group(group: str) -> Q:
    """Give the condition that an event is of a group, by its details."""
    return Q(details__contains=f'"group":{json.dumps(group)}')


def _vendor() -> str:
    return str(connections[conf().database].vendor)


def _first_since(time: float) -> int:
    """
    Give the id from which on events were accepted at a time or later.

    There is no index of the times, which every event would pay for; but ids ascend as the times
    do, so that halving finds it.
    """
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
    first, end = 1, (last or 0) + 1
    while first < end:
        middle = (first + end) // 2
        found = _at_or_after(middle)
        if found is None or found[1] >= time:
            end = middle
        else:
            first = found[0] + 1
    return first


def _at_or_after(event_id: int) -> tuple[int, float] | None:
    """Give the id and the time of the next event; None where it was deleted meanwhile."""
    rows = Event.objects.filter(pk__gte=event_id).order_by("pk")
    found: tuple[int, float] | None = rows.values_list("pk", "accepted").first()
    return found


def found_by_key(events: Any, term: str) -> Any:
    """Narrow events to the one with a key, or else to the newest that have it in theirs."""
    if Event.objects.filter(key=term).exists():
        return events.filter(key=term)
    return newest(events).filter(key__contains=term) if term else events


def found_by_event(deliveries: Any, term: str) -> Any:
    """Narrow deliveries to those with an id, of an event with a key, or whose handler has it."""
    event = Event.objects.filter(key=term).first()
    if event is not None:
        return deliveries.filter(pk__range=(event.first_delivery or 0, event.last_delivery or 0))
    if term.isdecimal() and len(term) < 19:
        return deliveries.filter(pk=int(term))
    return newest(deliveries).filter(handler__contains=term) if term else deliveries
