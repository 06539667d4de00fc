"""
A help desk's log, followed as it happens.

    twisted-dispatcher feed helpdesk.xes.gz --app examples.helpdesk:setup

Each event is something that was done to a ticket. It goes through three phases: *before*, the
desk finds the ticket (and opens one that it does not know); *during*, it acts on what happened;
*after*, it takes stock. At the end it tells what it saw.

The log may be any whose events have ``concept:name`` (what was done) and ``case:concept:name``
(to which ticket); who did it, how serious it was and who is responsible are read where they are
known. `python -m examples.generate_log` writes one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import attrs

from twisted_dispatcher import Event, IEventDispatcher, OneOf, Where

KEYWORDS = ("concept_name", "time", "workgroup")


@attrs.define
class Ticket:
    """What the desk remembers of a ticket."""

    opened: datetime | None
    closed: bool = False
    seriousness: str | None = None


class HelpDesk:
    """Keeps the tickets, and counts."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.activities: Counter[str] = Counter()
        self.workgroups: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.days_to_close: list[float] = []

    def ticket_of(self, event: Event) -> Ticket:
        """Give the ticket that an event is about."""
        return self.tickets[event["case:concept:name"]]

    # before: whatever happened, know the ticket

    def open_ticket(self, event: Event) -> None:
        """Open a ticket when its first event comes."""
        self.tickets.setdefault(event["case:concept:name"], Ticket(opened=event.time))

    # during: act

    def close(self, event: Event) -> None:
        """Close a ticket, and note how long that took."""
        ticket = self.ticket_of(event)
        if not ticket.closed and ticket.opened and event.time:
            self.days_to_close.append((event.time - ticket.opened).total_seconds() / 86400)
        ticket.closed = True

    def reopen(self, event: Event) -> None:
        """Open a ticket again that was closed already."""
        ticket = self.ticket_of(event)
        if ticket.closed:
            ticket.closed = False
            self.facts["tickets opened again"] += 1

    def assess(self, event: Event) -> None:
        """Note how serious a ticket is, and whether that is something new."""
        ticket = self.ticket_of(event)
        seriousness = event.context.get("seriousness_2", event.context.get("seriousness"))
        if ticket.seriousness not in (None, seriousness):
            self.facts["times that the seriousness was changed"] += 1
        ticket.seriousness = seriousness

    def resolve(self, event: Event) -> None:
        """Count what was resolved, be it a ticket or an anomaly."""
        self.facts["times that something was resolved"] += 1

    def wait(self, event: Event) -> None:
        """Count what has to wait for somebody else."""
        self.facts["times that somebody else was waited for"] += 1

    def work_late(self, event: Event) -> None:
        """Count what was done while others sleep."""
        self.facts["events at night or on a week-end"] += 1

    # after: take stock

    def count(self, event: Event) -> None:
        """Count what was done."""
        self.activities[event.type] += 1

    def count_workgroup(self, event: Event) -> None:
        """Count who was responsible."""
        self.workgroups[event["workgroup"]] += 1

    # at the end

    def report(self) -> str:
        """Tell what was seen."""
        open_tickets = sum(not ticket.closed for ticket in self.tickets.values())
        self.facts["tickets"] = len(self.tickets)
        ...


def at_odd_hours(time: datetime) -> bool:
    """Tell whether nobody should be working."""
    return time.weekday() >= 5 or not 7 <= time.hour < 20


def setup(dispatcher: IEventDispatcher) -> Callable[[], str]:
    """Register a help desk's handlers; give its report, for the end."""
    desk = HelpDesk()
    ...
