"""What the commands write for people: tables, and the story of an event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from twisted_dispatcher.cli.forms import counts_form, event_form, state_of
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.records import Delivery, StoredEvent
from twisted_dispatcher.status import Counts, Explained, Story
from twisted_dispatcher.status.reasons import in_utc, last_line

_EVENT = ("id", "key", "state", "accepted", "due", "settled")
_DELIVERY = ("id", "event key", "handler", "phase", "status", "attempts", "due", "error")
_EXPLAINED = ("id", "event key", "handler", "phase", "why")
_OF_STORY = ("id", "handler", "phase", "status", "attempts", "why")


def counts_table(screen: ConsoleScreen, counts: Counts) -> None:
    """Show numbers."""
    rows = [(name, f"{count:,}") for name, count in counts_form(counts).items()]
    rows[0] = ("open events", rows[0][1])
    screen.table(("what", "how many"), rows)


def event_table(screen: ConsoleScreen, events: Sequence[StoredEvent]) -> None:
    """Show events."""
    rows = [
        (
            str(each.id),
            each.key,
            state_of(each),
            in_utc(each.accepted),
            in_utc(each.due),
            _time(each.settled),
        )
        for each in events
    ]
    _show(screen, "no events", _EVENT, rows)


def delivery_table(screen: ConsoleScreen, deliveries: Sequence[Delivery]) -> None:
    """Show deliveries."""
    rows = [
        (
            str(each.id),
            each.key,
            each.handler,
            each.phase,
            each.status,
            str(each.attempts),
            _time(each.due),
            last_line(each.error) if each.error else "",
        )
        for each in deliveries
    ]
    _show(screen, "no deliveries", _DELIVERY, rows)


def explained_table(screen: ConsoleScreen, explained: Sequence[Explained]) -> None:
    """Show deliveries with their reasons."""
    rows = [
        (
            str(each.delivery.id),
            each.delivery.key,
            each.delivery.handler,
            each.delivery.phase,
            each.reason.text,
        )
        for each in explained
    ]
    _show(screen, "no deliveries", _EXPLAINED, rows)


def explained_text(screen: ConsoleScreen, explained: Explained) -> None:
    """Show one delivery with its reason."""
    one = explained.delivery
    screen.report(f"delivery {one.id} of event {one.key} to {one.handler} ({one.phase})")
    screen.report(explained.reason.text)


def story_text(screen: ConsoleScreen, story: Story, payload: bool = False) -> None:
    """Show all of an event: how it stands, its deliveries, and the errors of these."""
    event = story.event
    screen.report(
        f"event {event.key} (id {event.id}), accepted at {in_utc(event.accepted)}, due at "
        f"{in_utc(event.due)}"
    )
    screen.report(story.reason.text)
    if payload:
        said = event_form(event, payload=True)
        for name in ("body", "details", "lane"):
            screen.report(f"{name}: {json.dumps(said[name], indent=2, ensure_ascii=False)}")
    if story.deliveries:
        screen.table(_OF_STORY, map(_of_story, story.deliveries))
    for each in story.deliveries:
        if each.delivery.error:
            screen.report(
                f"delivery {each.delivery.id}, the last error:\n{each.delivery.error.rstrip()}\n"
            )


def why_text(screen: ConsoleScreen, story: Story) -> None:
    """Show how an event stands, and its deliveries that are not done."""
    screen.report(f"event {story.event.key} (id {story.event.id}): {story.reason.text}")
    waiting = [each for each in story.deliveries if each.delivery.status != "done"]
    if waiting:
        screen.table(_OF_STORY, map(_of_story, waiting))


def _of_story(each: Explained) -> tuple[str, ...]:
    one = each.delivery
    return (
        str(one.id),
        one.handler,
        one.phase,
        one.status,
        str(one.attempts),
        each.reason.text,
    )


def _show(
    screen: ConsoleScreen, nothing: str, headings: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    rows = list(rows)
    if rows:
        screen.table(headings, rows)
    else:
        screen.tell(nothing)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else in_utc(seconds)
