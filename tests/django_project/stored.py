"""
Rows of the store for tests of what is shown, written on Django's own connection.

They are what the stores write; `tests.django_project.checks.check_admin_mending` has some that a
dispatcher has written.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from twisted_dispatcher.chainrecords import hash_of
from twisted_dispatcher.django.models import (
    Chain,
    ChainHistory,
    ChainPair,
    Delivery,
    Event,
    Instance,
    OpenEvent,
    Session,
)
from twisted_dispatcher.records import DEAD, PENDING, RETRYING, SETTLED, SKIPPED

# 2026-03-04 05:06:07 UTC.
THEN = 1772600767.0
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: <b>no</b> mail'


def store_event(key: str, *statuses: str, group: str = "shop", **fields: Any) -> Event:
    """
    Store an event, with deliveries of some statuses, to the handlers ``shop.first`` and so on.

    Without statuses it is not planned.
    """
    body = json.dumps([1, {"$": "Event", "type": group, "key": key, "context": {"note": "<i>"}}])
    details = json.dumps([1, {"group": group}], separators=(",", ":"))
    values = {"accepted": THEN, "due": THEN, "body": body, "details": details, **fields}
    first = _next(Delivery)
    ids = (first, first + len(statuses) - 1) if statuses else (None, None)
    event: Event = Event.objects.create(
        pk=_next(Event), key=key, first_delivery=ids[0], last_delivery=ids[1], **values
    )
    for number, status in enumerate(statuses):
        _store_delivery(first + number, event.pk, f"shop.handler{number}", status)
    _leave_open(event, statuses)
    return event


def delivery_of(event: Event, status: str) -> Delivery:
    """Give the delivery of an event that has a status."""
    delivery: Delivery = Delivery.objects.get(event=event, status=status)
    return delivery


def _next(model: Any) -> int:
    last = model.objects.order_by("-pk").values_list("pk", flat=True).first()
    return int(last or 0) + 1


def _store_delivery(number: int, event_id: int, handler: str, status: str) -> None:
    due = THEN if status in (PENDING, RETRYING) else None
    error = TRACEBACK if status in (DEAD, RETRYING) else None
    row: dict[str, Any] = {
        **{"id": number, "event_id": event_id, "handler": handler, "phase": "during"},
        **{"rank": 1, "status": status, "attempts": int(status != PENDING), "due": due},
        **{"error": error},
    }
    if connection.vendor == "postgresql":
        row.update(changed=THEN, stops=False)
    else:
        stops = 0 if status in (DEAD, SKIPPED) else None
        row.update(settled=THEN if status in SETTLED else None, stops=stops)
    _insert("twisted_dispatcher_delivery", row)


def _insert(table: str, row: dict[str, Any]) -> None:
    """Store a row with columns that the model does not have."""
    marks = ", ".join(["%s"] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )


def _leave_open(event: Event, statuses: tuple[str, ...]) -> None:
    is_open = not statuses or set(statuses) - SETTLED
    if is_open and connection.vendor == "postgresql":
        names = ("pk", "lane", "due", "first_delivery", "last_delivery")
        OpenEvent.objects.create(**{name: getattr(event, name) for name in names})


def store_chain(chain_id: str, state: str = "waiting", **fields: Any) -> Chain:
    """Store a chain of the type ``order``, about the order of its id, with one transition."""
    pairs = (("order", chain_id),)
    values: dict[str, Any] = {
        **{"chain_type": "order", "state": state, "version": 1, "definition": "1"},
        **{"next_update": None, "due": THEN, "disabled": False, "ended": False},
        **{"locked_until": 0.0, "fence": 1, "poked": False, "failures": 0, "parked": False},
        **{"created": THEN, "entered": THEN, "pairs": json.dumps(pairs)},
        **fields,
    }
    chain: Chain = Chain.objects.create(
        id=chain_id, set_hash=hash_of("order", pairs, chain_id), **values
    )
    ChainPair.objects.create(pair=hash_of("order", "order", chain_id), chain=chain)
    ChainHistory.objects.create(
        chain=chain,
        version=1,
        previous="NEW",
        state=state,
        transition_name="Ordered",
        requested_by="<u>Ann</u>",
        at=THEN,
    )
    return chain


def store_session(uid: str, *instances: tuple[str, int | None]) -> Session:
    """Store a session with instances of the task ``mail``, each of a status and life."""
    config = json.dumps([1, {"mail": {"after": ["ordered"], "run": "shop:mail"}}])
    row = {"uid": uid, "config": config, "state": '{"latest": {"ordered": "<s>"}}', "version": 1}
    writer = {"writer": "somebody"} if connection.vendor == "sqlite" else {}
    _insert("twisted_dispatcher_session", {**row, "changed": THEN, **writer})
    session: Session = Session.objects.get(uid=uid)
    for number, (status, live) in enumerate(instances, 1):
        Instance.objects.create(
            session=session,
            name=f"mail#{number}",
            task="mail",
            number=number,
            status=status,
            live=live,
            body='{"kwargs": {"ordered": {}}, "times": {}}',
        )
    return session
