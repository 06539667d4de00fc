"""Deliveries, and the dead ones in a list of their own; to be replayed and skipped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from twisted_dispatcher.django.admin.addresses import link, page_of
from twisted_dispatcher.django.admin.filters import Handler, Status
from twisted_dispatcher.django.admin.finding import failed, found_by_event
from twisted_dispatcher.django.admin.looks import text_block
from twisted_dispatcher.django.admin.mending import MendingMixin, buttons
from twisted_dispatcher.django.admin.stored import Part, StoredAdmin
from twisted_dispatcher.django.admin.times import NOTHING, time_column
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.reading import story_of_event
from twisted_dispatcher.records import DEAD
from twisted_dispatcher.status.reasons import last_line


class DeliveryAdmin(MendingMixin, StoredAdmin):
    """Lists deliveries; a page has the traceback of one and what keeps it from going on."""

    list_display: tuple[str, ...] = (
        *("id", "key", "phase", "handler", "status", "attempts", "due_time", "problem"),
    )
    list_filter: tuple[Any, ...] = (Status, Handler)
    list_select_related = ("event",)
    ordering = ("-id",)
    search_fields = ("handler",)
    search_help_text = (
        "The key of an event, the number of a delivery, or a part of a handler's name"
    )
    fields = ("event_link", "phase", "handler", "status", "attempts", "due_time", "error_block")

    due_time = time_column("due")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out the payloads, which no list shows."""
        return super().get_queryset(request).defer("event__body", "event__details")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find without looking through all."""
        return found_by_event(queryset, search_term.strip()), False

    @admin.display(description="event")
    def key(self, delivery: Any) -> str:
        """Show the key of the event."""
        return str(delivery.event.key)

    @admin.display(description="event")
    def event_link(self, delivery: Any) -> SafeString:
        """Show the key of the event, with the way there."""
        return link(page_of(None, "event", delivery.event_id), delivery.event.key)

    @admin.display(description="error")
    def problem(self, delivery: Any) -> str | None:
        """Show the last line of the traceback."""
        return last_line(delivery.error) if delivery.error else None

    @admin.display(description="traceback of the last attempt")
    def error_block(self, delivery: Any) -> SafeString | str:
        """Show the traceback."""
        return text_block(delivery.error) or NOTHING

    def parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give how the delivery stands, and what can be done."""
        yield from super().parts(request, row)
        offered = buttons(request, row.pk, row.status, "delivery")
        if offered:
            yield Part("What can be done", offered)

    def standing_parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give what keeps the delivery from going on, or has become of it."""
        story = story_of_event(row.event_id, conf().database)
        for each in story.deliveries if story is not None else ():
            if each.delivery.id == row.pk:
                yield Part("How it stands", each.reason.text)


class DeadLetterAdmin(DeliveryAdmin):
    """Lists what is dead alone. Who may see deliveries may see it."""

    list_display = ("id", "key", "phase", "handler", "attempts", "problem")
    list_filter = (Handler,)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave what is dead."""
        return super().get_queryset(request).filter(failed(DEAD))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("twisted_dispatcher.view_delivery"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
