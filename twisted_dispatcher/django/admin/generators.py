"""Generators of events, with their conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from twisted_dispatcher.django.models import Condition, Generator

NO_DESCRIPTION = "Description not available."


class ConditionInline(admin.TabularInline):
    """The conditions on the page of their generator."""

    model = Condition
    extra = 1


class GeneratorAdmin(admin.ModelAdmin):
    """Lists generators with their conditions; they are switched on and off in the list."""

    list_display = ("group", "source", "conditions_text", "is_active")
    list_editable = ("is_active",)
    list_filter = ("is_active", "source")
    search_fields = ("group",)
    inlines = (ConditionInline,)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the conditions of all that are listed at once."""
        return super().get_queryset(request).prefetch_related("conditions")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Iterable[Any]:
        """Leave conditions until the source is known."""
        return () if obj is None else self.inlines

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Iterable[str]:
        fields = ("group", "source", "is_active")
        return fields if obj is None else (*fields, "description")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Iterable[str]:
        return () if obj is None else ("description",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Let the source be chosen from those that are registered."""
        if db_field.name != "source":
            return super().formfield_for_dbfield(db_field, request, **options)
        return forms.ChoiceField(choices=_sources, label="Source")

    @admin.display(description="conditions")
    def conditions_text(self, generator: Any) -> str:
        """Show the conditions as one."""
        return " && ".join(map(str, generator.conditions.all()))

    @admin.display(description="variables of the source")
    def description(self, generator: Any) -> str:
        """Show what the source says of its context."""
        context = Generator.SOURCES.get(generator.source, {}).get("context")
        return getattr(context, "context_description", None) or NO_DESCRIPTION


def _sources() -> list[tuple[str, str]]:
    """
    Give the sources as they are now, not as they were when the form was defined.

    One that a row names and nobody has registered is among them, so that it is seen, and refused.
    """
    named = Generator.objects.order_by().values_list("source", flat=True).distinct()
    known = [
        (name, capitalised(str(source.get("verbose_name", name))))
        for name, source in Generator.SOURCES.items()
    ]
    unknown = [(name, f"{name} (not registered)") for name in set(named) - set(Generator.SOURCES)]
    return sorted(known) + sorted(unknown)


def capitalised(text: str) -> str:
    """Write the first letter large and leave the others."""
    return text[:1].upper() + text[1:]
