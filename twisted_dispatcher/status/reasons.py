"""
Why a delivery, or an event, has not gone on: pure rules, without a store or a clock.

A reason is for people and programs alike: a code that stays the same, and a text that names the
cure where there is something to be mended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Final

import attrs

from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SETTLED,
    SKIPPED,
    Delivery,
    StoredEvent,
)

# The codes of reasons, beside the statuses done, running, dead and skipped.
NOT_DUE: Final = "not_due"
DUE: Final = "due"
EARLIER_PHASE: Final = "earlier_phase"
LATER_PHASE: Final = "later_phase"
EARLIER_EVENT: Final = "earlier_event"
NO_WORKER: Final = "no_worker"
NOT_PLANNED: Final = "not_planned"
UNDER_WAY: Final = "under_way"
EVENT_SETTLED: Final = "settled"

CODES: Final = (
    DONE,
    RUNNING,
    RETRYING,
    DEAD,
    SKIPPED,
    NOT_DUE,
    DUE,
    EARLIER_PHASE,
    LATER_PHASE,
    EARLIER_EVENT,
    NO_WORKER,
    NOT_PLANNED,
    UNDER_WAY,
    EVENT_SETTLED,
)

# So many deliveries are named in a text; the others are counted.
MOST_NAMED: Final = 3


@attrs.frozen
class Reason:
    """
    How something stands, and why.

    :ivar code: one of `CODES`.
    :ivar text: says it to people, with the cure.
    :ivar until: when it changes by itself, if that is known: seconds since the epoch.
    :ivar deliveries: the ids of those that are waited for.
    :ivar event_key: the key of the event that is waited for.
    """

    code: str
    text: str
    until: float | None = None
    deliveries: tuple[int, ...] = ()
    event_key: str | None = None


@attrs.frozen
class Surroundings:
    """
    What bears upon a delivery beside itself.

    :ivar event: its event.
    :ivar siblings: all deliveries of its event, in order.
    :ivar orphaned: the names of handlers that are waited for, and that no live worker has.
    :ivar ahead: an open event of the same lane that comes first, if one was found.
    :ivar now: the time.
    """

    event: StoredEvent
    siblings: Sequence[Delivery]
    orphaned: frozenset[str]
    ahead: StoredEvent | None
    now: float


def in_utc(seconds: float) -> str:
    """Write a time in ISO 8601, in UTC, to the millisecond; ``Z`` stands at its end."""
    try:
        time = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "never" if seconds > 0 else "before all time"
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Deliveries


def reason_of(delivery: Delivery, around: Surroundings) -> Reason:
    """Say how a delivery stands, and what keeps it from going on."""
    return _BY_STATUS[delivery.status](delivery, around)


def last_line(error: str | None) -> str:
    """Give the last line of a traceback, which says what was wrong."""
    lines = (error or "").strip().splitlines()
    return lines[-1].strip() if lines else "no error was kept"


def _done(delivery: Delivery, around: Surroundings) -> Reason:
    return Reason(DONE, f"done, at attempt {delivery.attempts}")


def _dead(delivery: Delivery, around: Surroundings) -> Reason:
    number = delivery.id
    return Reason(
        DEAD,
        f"dead after {_attempts(delivery.attempts)}: {last_line(delivery.error)}. Mend the cause "
        f"and run `twisted-dispatcher replay {number}`, or give it up by "
        f"`twisted-dispatcher skip {number}`",
    )


def _skipped(delivery: Delivery, around: Surroundings) -> Reason:
    stopper = next((each for each in _earlier(delivery, around) if each.status == DEAD), None)
    if stopper is None:
        again = f"`twisted-dispatcher replay {delivery.id}` has it run"
        return Reason(SKIPPED, f"skipped: somebody gave it up. {again}")
    again = f"`twisted-dispatcher replay {stopper.id}` has that run, and then this one"
    why = f"delivery {stopper.id} of an earlier phase is dead"
    return Reason(SKIPPED, f"skipped: {why}. {again}", deliveries=(stopper.id,))


def _running(delivery: Delivery, around: Surroundings) -> Reason:
    return Reason(RUNNING, f"a worker runs it: attempt {delivery.attempts}")


def _waiting(delivery: Delivery, around: Surroundings) -> Reason:
    if delivery.due is None:
        return _closed(delivery, around)
    if delivery.due > around.now:
        return _not_due(delivery, delivery.due)
    if delivery.handler in around.orphaned:
        return Reason(
            NO_WORKER,
            f"no worker that is alive has registered the handler {delivery.handler}, for which it "
            f"waits since {in_utc(delivery.due)}: start the "
            "program that does, register the handler under this name again, or give the delivery "
            f"up by `twisted-dispatcher skip {delivery.id}`",
        )
    return Reason(
        DUE, f"due since {in_utc(delivery.due)}: the next worker with room for it runs it"
    )


def _not_due(delivery: Delivery, due: float) -> Reason:
    when = in_utc(due)
    if delivery.status != RETRYING:
        return Reason(NOT_DUE, f"not due until {when}", due)
    failed = f"attempt {delivery.attempts} failed: {last_line(delivery.error)}"
    return Reason(RETRYING, f"retried at {when}; {failed}", due)


def _closed(delivery: Delivery, around: Surroundings) -> Reason:
    """Say why a delivery is not even open."""
    before = [each for each in _earlier(delivery, around) if each.status not in SETTLED]
    if before:
        phases = ", ".join(dict.fromkeys(each.phase for each in before))
        return Reason(
            EARLIER_PHASE,
            f"an earlier phase is not over ({phases}): it waits for {_named(before)}",
            deliveries=tuple(each.id for each in before),
        )
    after = [each for each in around.siblings if _is_open(each) and each.id != delivery.id]
    if after:
        phases = ", ".join(dict.fromkeys(each.phase for each in after))
        return Reason(
            LATER_PHASE,
            f"it was replayed while a later phase is open ({phases}): it waits for "
            f"{_named(after)}",
            deliveries=tuple(each.id for each in after),
        )
    if around.ahead is not None:
        key = around.ahead.key
        return Reason(
            EARLIER_EVENT, f"the event {key} comes first, by order_by: look there", event_key=key
        )
    return Reason(EARLIER_EVENT, "another event comes first, by order_by, and is not settled")


def _is_open(delivery: Delivery) -> bool:
    return delivery.status not in SETTLED and (
        delivery.due is not None or delivery.status == RUNNING
    )


def _earlier(delivery: Delivery, around: Surroundings) -> list[Delivery]:
    """Give the deliveries of the phases before that of a delivery."""
    found: list[Delivery] = []
    for each in around.siblings:
        if each.phase == delivery.phase:
            break
        found.append(each)
    return found


_BY_STATUS: Final[dict[str, Callable[[Delivery, Surroundings], Reason]]] = {
    PENDING: _waiting,
    RETRYING: _waiting,
    RUNNING: _running,
    DONE: _done,
    DEAD: _dead,
    SKIPPED: _skipped,
}


# Events


def reason_of_event(around: Surroundings) -> Reason:
    """Say how an event stands, and what keeps it from going on."""
    event = around.event
    if event.settled is not None:
        return _settled(event.settled, around.siblings)
    if not event.planned:
        return _not_planned(event, around.now)
    going = [each for each in around.siblings if each.status not in SETTLED]
    ready = [each for each in going if _is_open(each)]
    if not ready and going:
        return reason_of(going[0], around)
    reasons = [reason_of(each, around) for each in ready]
    if not reasons or any(each.code in (RUNNING, DUE) for each in reasons):
        return _under_way(around.siblings, ready)
    stuck = [each for each in reasons if each.code == NO_WORKER]
    return stuck[0] if stuck else min(reasons, key=lambda each: each.until or 0.0)


def _under_way(deliveries: Sequence[Delivery], ready: Sequence[Delivery]) -> Reason:
    settled = sum(each.status in SETTLED for each in deliveries)
    return Reason(
        UNDER_WAY,
        f"under way: {settled} of {len(deliveries)} deliveries are settled; it waits for "
        f"{_named(ready)}",
        deliveries=tuple(each.id for each in ready),
    )


def _settled(when: float, deliveries: Sequence[Delivery]) -> Reason:
    if not deliveries:
        return Reason(EVENT_SETTLED, f"settled at {in_utc(when)}: no handler matched it")
    dead = [each for each in deliveries if each.status == DEAD]
    text = f"settled at {in_utc(when)}"
    if dead:
        text += f"; dead: {_named(dead)}"
    return Reason(EVENT_SETTLED, text, deliveries=tuple(each.id for each in dead))


def _not_planned(event: StoredEvent, now: float) -> Reason:
    if event.due > now:
        return Reason(NOT_DUE, f"not due until {in_utc(event.due)}", event.due)
    return Reason(
        NOT_PLANNED,
        "no worker has planned yet to which handlers it goes: start a dispatcher that works "
        "(worker=True) on this store",
    )


# Words


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _named(deliveries: Sequence[Delivery]) -> str:
    named = [f"delivery {each.id} to {each.handler} ({each.status})" for each in deliveries]
    rest = len(named) - MOST_NAMED
    return ", ".join(named[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
