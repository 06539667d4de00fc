"""What the list of chains can be narrowed by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from twisted_dispatcher.chainrecords import hash_of
from twisted_dispatcher.django.admin.filters import ChoiceFilter, Choices, sampled
from twisted_dispatcher.django.models import Chain, ChainPair

HOUR: Final = 3600.0


class ChainType(ChoiceFilter):
    """The type of chains."""

    title = "type"
    parameter_name = "type"

    def names(self, rows: Any) -> Iterable[str]:
        return sampled(rows, "chain_type")

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(chain_type=self.value()) if self.value() else None


class ChainState(ChoiceFilter):
    """The state that chains are in."""

    title = "state"
    parameter_name = "state"

    def names(self, rows: Any) -> Iterable[str]:
        return sampled(rows, "state")

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(state=self.value()) if self.value() else None


class _Moment(admin.SimpleListFilter):
    """A time, as it stands to now."""

    column: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("past", "past"),
            ("hour", "within an hour"),
            ("day", "within a day"),
            ("later", "later"),
            ("none", "none"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return None
        if self.value() == "none":
            return queryset.filter(**{f"{self.column}__isnull": True})
        first, end = self._between(time.time())
        limits = {f"{self.column}__gte": first, f"{self.column}__lt": end}
        return queryset.filter(**{name: at for name, at in limits.items() if at is not None})

    def _between(self, now: float) -> tuple[float | None, float | None]:
        times: dict[str, tuple[float | None, float | None]] = {
            "past": (None, now),
            "hour": (now, now + HOUR),
            "day": (now, now + 24 * HOUR),
            "later": (now + 24 * HOUR, None),
        }
        return times.get(self.value() or "", (None, None))


class NextUpdate(_Moment):
    """Before when chains are not executed."""

    title = "next update"
    parameter_name = "next_update"
    column = "next_update"


class Due(_Moment):
    """When the schedule looks at chains."""

    title = "due"
    parameter_name = "due"
    column = "due"


class Attention(admin.SimpleListFilter):
    """What somebody may have to look at."""

    title = "attention"
    parameter_name = "attention"
    _CONDITIONS: Final[dict[str, Callable[[float], Q]]] = {
        "parked": lambda now: Q(parked=True),
        "failed": lambda now: Q(error__isnull=False),
        "disabled": lambda now: Q(disabled=True),
        "executing": lambda now: Q(locked_until__gt=now),
        "ended": lambda now: Q(ended=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in self._CONDITIONS]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        condition = self._CONDITIONS.get(self.value() or "")
        return None if condition is None else queryset.filter(condition(time.time()))


def found_by_resource(chains: Any, term: str) -> Any:
    """Narrow chains to those with an id, or with a resource, written as ``type=id``."""
    kind, separator, value = term.partition("=")
    if not separator:
        return chains.filter(id=term) if term else chains
    types = sampled(Chain.objects.order_by("-pk"), "chain_type")
    pairs = [hash_of(chain_type, kind, value) for chain_type in types]
    return chains.filter(pk__in=ChainPair.objects.filter(pair__in=pairs).values("chain"))
