"""Sweeps: how far each one is, or when it ended."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from twisted_dispatcher.django.admin.stored import StoredAdmin
from twisted_dispatcher.django.admin.times import time_column


class SweepAdmin(StoredAdmin):
    """Lists sweeps, those that changed last first; there is one row for each name."""

    list_display = ("name", "seen", "began_time", "changed_time", "standing")
    ordering = ("-changed",)
    search_fields = ("name",)
    fields = ("name", "seen", "position", "began_time", "changed_time", "ended_time")

    began_time = time_column("began")
    changed_time = time_column("changed", "last heard of")
    ended_time = time_column("ended")

    @admin.display(description="standing")
    def standing(self, sweep: Any) -> str:
        """Tell whether it has seen all."""
        return "under way, or stopped" if sweep.ended is None else "ended"
