"""Events, each with its deliveries and how they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import F, Func, IntegerField, OuterRef, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from twisted_dispatcher.django.admin.addresses import link, page_of
from twisted_dispatcher.django.admin.filters import Accepted, Group, Standing
from twisted_dispatcher.django.admin.finding import found_by_key
from twisted_dispatcher.django.admin.looks import encoded_block, group_of, table
from twisted_dispatcher.django.admin.mending import buttons
from twisted_dispatcher.django.admin.stored import Part, StoredAdmin
from twisted_dispatcher.django.admin.times import time_column
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.models import Delivery
from twisted_dispatcher.django.reading import story_of_event
from twisted_dispatcher.records import DEAD, SETTLED
from twisted_dispatcher.status import Explained, Story
from twisted_dispatcher.status.reasons import last_line

GONE: Final = "It was deleted, after the time for which payloads are kept."
_HEADS: Final = ("delivery", "phase", "handler", "status", "attempts", "how it stands", "")


class EventAdmin(StoredAdmin):
    """Lists events with the group and what is left of them; a page has all of one."""

    list_display = ("key", "group", "accepted_time", "standing")
    list_filter = (Standing, Accepted, Group)
    ordering = ("-id",)
    search_fields = ("key",)
    search_help_text = "A whole key, or a part of the key of one of the newest events"
    fields = (
        "key",
        "group",
        "accepted_time",
        "due_time",
        "lane",
    )

    accepted_time = time_column("accepted")
    due_time = time_column("due", "not before")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Add how many deliveries there are, and what has become of them."""
        return (
            super()
            .get_queryset(request)
            .annotate(
                count=_count(),
                count_dead=_count(status=DEAD),
                count_settled=_count(status__in=SETTLED),
            )
        )

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find by the key alone, without looking through all."""
        return found_by_key(queryset, search_term.strip()), False

    @admin.display(description="group")
    def group(self, event: Any) -> str | None:
        """Show the group, if it has one."""
        return group_of(event.details)

    @admin.display(description="standing")
    def standing(self, event: Any) -> str:
        """Tell in a few words what is left to do."""
        if event.first_delivery is None:
            return "not planned"
        dead = f", {event.count_dead} dead" if event.count_dead else ""
        if event.count_settled < event.count:
            return f"open: {event.count_settled} of {event.count} settled{dead}"
        return f"settled{dead}"

    def parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give how the event stands, its deliveries with reasons and buttons, and the payload."""
        story = story_of_event(row.pk, conf().database)
        if story is not None:
            yield Part("How it stands", story.reason.text)
            yield Part("Deliveries", _deliveries(request, story))
        # As it is stored; nothing in it is brought to life.
        yield Part("Payload", encoded_block(row.body) or GONE)
        yield Part("Details", encoded_block(row.details))


def _count(**conditions: Any) -> Subquery:
    """Count deliveries of an event; they have neighbouring ids."""
    ids = (OuterRef("first_delivery"), OuterRef("last_delivery"))
    rows = Delivery.objects.filter(pk__range=ids, **conditions).order_by()
    counted = rows.annotate(number=Func(F("pk"), function="COUNT")).values("number")
    return Subquery(counted, output_field=IntegerField())


def _deliveries(request: HttpRequest, story: Story) -> SafeString | str:
    if not story.deliveries:
        return "None: no handler matched it, or no worker has planned it yet."
    return table(_HEADS, (_row(request, each) for each in story.deliveries))


def _row(request: HttpRequest, explained: Explained) -> Iterable[Any]:
    delivery = explained.delivery
    yield link(page_of(request, "delivery", delivery.id), delivery.id)
    yield delivery.phase
    yield delivery.handler
    yield delivery.status
    yield delivery.attempts
    yield _standing(explained)
    yield buttons(request, delivery.id, delivery.status, "event")


def _standing(explained: Explained) -> str:
    """Give the reason, without the command line's advice: the page has buttons for that."""
    delivery = explained.delivery
    if delivery.status == DEAD:
        return last_line(delivery.error)
    return explained.reason.text
