"""What the lists of events and deliveries can be narrowed by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from twisted_dispatcher.django.admin.finding import (
    accepted_since,
    failed,
    is_open,
    newest,
    of_group,
    unsettled,
    with_dead,
)
from twisted_dispatcher.django.admin.looks import group_of
from twisted_dispatcher.django.models import DeadLetter
from twisted_dispatcher.records import DEAD, DONE, SKIPPED, STATUSES

# So many of the newest rows are asked what there is to choose from.
SAMPLE: Final = 1000

Choices = list[tuple[str, str]]


class ChoiceFilter(admin.SimpleListFilter):
    """A filter whose choices are those of the class, and whichever one is chosen."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        names = set(self.names(model_admin.get_queryset(request).order_by("-pk")))
        chosen = request.GET.get(self.parameter_name)
        if chosen:
            names.add(chosen)
        return [(name, name) for name in sorted(names)]

    def names(self, rows: Any) -> Iterable[str]:
        """Give what can be chosen from; the rows are all, the newest first."""
        raise NotImplementedError


def sampled(rows: Any, name: str) -> set[str]:
    """Give what there is in a column of the newest rows."""
    newest_rows: Iterable[str] = rows.values_list(name, flat=True)[:SAMPLE]
    return set(newest_rows)


class Standing(admin.SimpleListFilter):
    """Whether events are settled."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("open", "open"), ("settled", "settled"), (DEAD, "with dead deliveries")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        conditions: dict[str, Callable[[], Any]] = {
            "open": is_open,
            "settled": lambda: ~is_open(),
            DEAD: with_dead,
        }
        condition = conditions.get(self.value() or "")
        return None if condition is None else queryset.filter(condition())


class Accepted(admin.SimpleListFilter):
    """When events were accepted."""

    title = "time of acceptance"
    parameter_name = "accepted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("hour", "past hour"),
            ("today", "today"),
            ("week", "past 7 days"),
            ("month", "past 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        since = _since(self.value())
        return None if since is None else queryset.filter(accepted_since(since))


def _since(choice: str | None) -> float | None:
    """Give when what is chosen begins: seconds since the epoch."""
    if choice == "today":
        now = timezone.now()
        now = timezone.localtime(now) if timezone.is_aware(now) else now
        return float(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    days = {"hour": 1 / 24, "week": 7, "month": 30}.get(choice or "")
    return None if days is None else time.time() - timedelta(days=days).total_seconds()


class Group(ChoiceFilter):
    """The group of events, by their details."""

    title = "group (of the newest)"
    parameter_name = "group"

    def names(self, rows: Any) -> Iterable[str]:
        return filter(None, map(group_of, sampled(rows, "details")))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        group = self.value()
        return None if group is None else newest(queryset).filter(of_group(group))


class Status(admin.SimpleListFilter):
    """The status of deliveries."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(each, each) for each in STATUSES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        status = self.value()
        if status not in STATUSES:
            return None
        if status == DONE:
            return newest(queryset).filter(status=DONE)
        find = failed if status in (DEAD, SKIPPED) else unsettled
        return queryset.filter(find(status))


class Handler(ChoiceFilter):
    """The handler of deliveries: of those that need attention, or else among the newest."""

    title = "handler"
    parameter_name = "handler"

    def names(self, rows: Any) -> Iterable[str]:
        return sampled(rows, "handler")

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        handler = self.value()
        if handler is None:
            return None
        chosen = queryset.filter(handler=handler)
        is_short = queryset.model is DeadLetter or request.GET.get(Status.parameter_name)
        return chosen if is_short else newest(chosen)
