"""Events, each with its deliveries and how they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
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
from twisted_dispatcher.django.models import Delivery, Event
from twisted_dispatcher.django.reading import story_of_event
from twisted_dispatcher.records import DEAD, SETTLED
from twisted_dispatcher.status import Explained, Story
from twisted_dispatcher.status.reasons import last_line

GONE: Final = "It was deleted, after the time for which payloads are kept."
_HEADS: Final = ("delivery", "phase", "handler", "status", "attempts", "how it stands", "")


class EventList(ChangeList):
    """The events of a page, with how many deliveries each has, and what has become of them."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Counted for those that are shown alone: a query that counts and passes pages over would
        # count on these as well.
        events = list(self.result_list)
        counts = Event.objects.filter(pk__in=[each.pk for each in events]).annotate(
            count=_count(),
            count_dead=_count(status=DEAD),
            count_settled=_count(status__in=SETTLED),
        )
        names = ("count", "count_dead", "count_settled")
        found = {pk: counted for pk, *counted in counts.values_list("pk", *names)}
        for each in events:
            # One that was deleted meanwhile has nothing left.
            vars(each).update(zip(names, found.get(each.pk, (0, 0, 0))))
        self.result_list = events


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
        """Leave out the payloads, which no list shows."""
        return super().get_queryset(request).defer("body")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """Give what a page of the list is made of."""
        return EventList

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
        """Give how the event stands, and what it says, as it is stored."""
        yield from super().parts(request, row)
        # Nothing in it is brought to life.
        yield Part("Payload", encoded_block(row.body) or GONE)
        yield Part("Details", encoded_block(row.details))

    def standing_parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give how the event stands, and its deliveries with reasons and buttons."""
        story = story_of_event(row.pk, conf().database)
        if story is not None:
            yield Part("How it stands", story.reason.text)
            yield Part("Deliveries", _deliveries(request, story))


def _count(**conditions: Any) -> Subquery:
    """Count deliveries of an event; they have neighbouring ids."""
    ids = {"pk__gte": OuterRef("first_delivery"), "pk__lte": OuterRef("last_delivery")}
    rows = Delivery.objects.filter(**ids, **conditions).order_by()
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
