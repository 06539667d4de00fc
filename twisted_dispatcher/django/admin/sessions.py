"""Sessions of triggers, and the instances of their tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.utils.safestring import SafeString

from twisted_dispatcher.django.admin.addresses import address_of, link, page_of
from twisted_dispatcher.django.admin.filters import Choices
from twisted_dispatcher.django.admin.looks import encoded_block, json_block, table
from twisted_dispatcher.django.admin.stored import Part, StoredAdmin
from twisted_dispatcher.django.admin.times import time_column
from twisted_dispatcher.django.models import Instance, Session
from twisted_dispatcher.triggerrecords import ACTIVE, LAST, OPEN, WAITING
from twisted_dispatcher.triggers.statuses import STATUSES

LIVES: Final = {
    "waiting": WAITING,
    "active": ACTIVE,
    "open": OPEN,
}
LIFE_NAMES: Final = {
    WAITING: "waits for triggers",
    ACTIVE: "scheduled or running",
    OPEN: "needs a decision",
    None: "resolved",
}
# So many instances are shown on the page of their session; the list has all.
MOST_SHOWN: Final = 100


class SessionAdmin(StoredAdmin):
    """Lists sessions; a page has the tasks, what is known of the triggers, and instances."""

    list_display = ("uid", "changed_time", "version")
    ordering = ("-id",)
    search_fields = ("uid",)
    search_help_text = "The first letters of the uid of a session"
    fields = ("uid", "version", "changed_time", "config_block", "state_block")

    changed_time = time_column("changed")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out those that somebody is about to make."""
        return super().get_queryset(request).filter(version__gt=0)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find by how a uid begins: the columns are ordered by code points on both databases."""
        term = search_term.strip()
        return queryset.filter(uid__gte=term, uid__lte=term + LAST) if term else queryset, False

    @admin.display(description="tasks")
    def config_block(self, session: Any) -> str | None:
        """Show the configuration."""
        return encoded_block(session.config)

    @admin.display(description="what it knows")
    def state_block(self, session: Any) -> str | None:
        """Show the latest kwargs of triggers and all else."""
        return json_block(session.state)

    def parts(self, request: HttpRequest, row: Any) -> Iterable[Part]:
        """Give those of the instances that are not resolved, and the way to all."""
        if request.user.has_perm("twisted_dispatcher.view_instance"):
            live = Instance.objects.filter(session=row, live__isnull=False).order_by("name")
            rows = [_row(request, each) for each in live[:MOST_SHOWN]]
            heads = ("instance", "task", "status", "")
            all_of_it = address_of(request, "instance_changelist", session=row.pk)
            yield Part(
                "Instances that are not resolved",
                table(heads, rows) if rows else "None.",
            )
            yield Part("All instances", link(all_of_it, "List them"))


def _row(request: HttpRequest, instance: Any) -> Iterable[Any]:
    yield link(page_of(request, "instance", place_of(instance)), instance.name)
    yield instance.task
    yield instance.status
    yield LIFE_NAMES.get(instance.live)


def place_of(instance: Any) -> str:
    """Give what an instance is found by: its session and its name."""
    return f"{instance.session_id}/{instance.name}"


class Life(admin.SimpleListFilter):
    """What an instance is to its session."""

    title = "life"
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, LIFE_NAMES[live]) for name, live in LIVES.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        live = LIVES.get(self.value() or "")
        return None if live is None else queryset.filter(live=live)


class InstanceStatus(admin.SimpleListFilter):
    """The status of instances."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(each, each) for each in STATUSES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else None


class InstanceAdmin(StoredAdmin):
    """Lists instances; one is found by its session and its name, which no other one has."""

    list_display = ("name_link", "session_uid", "task", "status", "life")
    list_display_links = None
    list_filter = (Life, InstanceStatus)
    list_select_related = ("session",)
    ordering = ("-session_id", "-name")
    search_fields = ("name",)
    search_help_text = "The name of an instance, or the uid of a session"
    fields = ("name", "session_link", "task", "number", "status", "life", "body_block")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out what the sessions know, which no list shows."""
        return super().get_queryset(request).defer("session__config", "session__state")

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Find an instance by its session and its name."""
        session, separator, name = object_id.partition("/")
        if not (separator and session.isdecimal() and len(session) < 19):
            raise Http404
        return self.get_queryset(request).filter(session_id=int(session), name=name).first()

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find by the session, or by the name in any."""
        term = search_term.strip()
        if not term:
            return queryset, False
        session = Session.objects.filter(uid=term).first()
        found = queryset.filter(session=session) if session else queryset.filter(name=term)
        return found, False

    @admin.display(description="instance")
    def name_link(self, instance: Any) -> SafeString:
        """Show the name, with the way to the page."""
        return link(page_of(None, "instance", place_of(instance)), instance.name)

    @admin.display(description="session")
    def session_uid(self, instance: Any) -> str:
        """Show the uid of the session."""
        return str(instance.session.uid)

    @admin.display(description="session")
    def session_link(self, instance: Any) -> SafeString:
        """Show the uid of the session, with the way there."""
        return link(page_of(None, "session", instance.session_id), instance.session.uid)

    @admin.display(description="life")
    def life(self, instance: Any) -> str:
        """Show what it is to its session."""
        return LIFE_NAMES.get(instance.live, "resolved")

    @admin.display(description="body")
    def body_block(self, instance: Any) -> str | None:
        """Show its kwargs and the times of what has happened to it."""
        return json_block(instance.body)
