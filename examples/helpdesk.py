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
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from statistics import median

import attrs

from twisted_dispatcher import Event, IEventDispatcher, OneOf, Where


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
        """Give the ticket that an event is about; open it if this desk has not seen it yet."""
        return self.tickets.setdefault(event["case:concept:name"], Ticket(opened=event.time))

    # before: whatever happened, know the ticket

    def open_ticket(self, event: Event) -> None:
        """Open a ticket when its first event comes."""
        self.ticket_of(event)

    # during: act

    def close(self, event: Event) -> None:
        """Close a ticket, and note how long it took."""
        ticket = self.ticket_of(event)
        if not ticket.closed and ticket.opened and event.time:
            self.days_to_close.append((event.time - ticket.opened) / timedelta(days=1))
        ticket.closed = True

    def reopen(self, event: Event) -> None:
        """Open a ticket again if it was closed."""
        ticket = self.ticket_of(event)
        if ticket.closed:
            ticket.closed = False
            self.facts["closed tickets opened again"] += 1

    def assess(self, event: Event) -> None:
        """Note how serious a ticket is, and whether it was thought otherwise before."""
        ticket = self.ticket_of(event)
        seriousness = event.context.get("seriousness_2", event.context.get("seriousness"))
        if ticket.seriousness not in (None, seriousness):
            self.facts["changes of seriousness"] += 1
        ticket.seriousness = seriousness

    def resolve(self, event: Event) -> None:
        """Count whatever was resolved, be it a ticket or an anomaly."""
        self.facts["resolutions"] += 1

    def wait(self, event: Event) -> None:
        """Count what had to wait for somebody else."""
        self.facts["waits for somebody else"] += 1

    def work_late(self, event: Event) -> None:
        """Count what was done when nobody should be working."""
        self.facts["events at odd hours"] += 1

    # after: take stock

    def count(self, event: Event) -> None:
        """Count what was done."""
        self.activities[event.type] += 1

    def count_workgroup(self, event: Event) -> None:
        """Count who was responsible."""
        self.workgroups[event["workgroup"]] += 1

    # at the end: tell

    def report(self) -> str:
        """Tell what was seen, as tables."""
        facts = {
            "tickets": len(self.tickets),
            "still open": sum(not ticket.closed for ticket in self.tickets.values()),
            **self.facts,
        }
        if self.days_to_close:
            facts["days to close a ticket (median)"] = round(median(self.days_to_close))
        return "\n".join(
            (
                table("What was done", self.activities.most_common()),
                table("By workgroup", self.workgroups.most_common()),
                table("In all", facts.items()),
            )
        )


def table(title: str, counts: Iterable[tuple[str, int]]) -> str:
    """Lay out names with their numbers."""
    rows = [f"{count:>8,}  {name}\n" for name, count in counts]
    return f"{title}\n{''.join(rows) or '       -'}"


def at_odd_hours(time: datetime) -> bool:
    """Tell whether it is night or the week-end."""
    return time.weekday() >= 5 or not 7 <= time.hour < 19


def setup(dispatcher: IEventDispatcher) -> Callable[[], str]:
    """Register the handlers of a help desk, and give its report."""
    for keyword in ("concept_name", "time", "workgroup"):
        dispatcher.allow_keyword(keyword)
    desk = HelpDesk()
    on = dispatcher.on

    on("before")(desk.open_ticket)  # without a match spec: every event

    on("during", concept_name="Closed")(desk.close)
    on("during", concept_name=OneOf("Take in charge ticket", "Assign seriousness"))(desk.reopen)
    on("during", concept_name="Assign seriousness")(desk.assess)
    on("during", concept_name=re.compile("^resolve", re.IGNORECASE))(desk.resolve)
    on("during", concept_name=OneOf("Wait", "Require upgrade", "Create SW anomaly"))(desk.wait)
    on("during", time=Where(at_odd_hours))(desk.work_late)

    on("after")(desk.count)
    on("after", workgroup=Where(bool))(desk.count_workgroup)  # those that have one

    return desk.report
