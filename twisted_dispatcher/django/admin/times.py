"""Times as people read them: in the zone of the project, to the second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.utils.timezone import localtime, make_naive

NEVER: Final = "never"


def local_time(seconds: float | None) -> str | None:
    """Write seconds since the epoch as a local time; None stays None."""
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        moment = localtime(moment) if settings.USE_TZ else make_naive(moment)
    except (OverflowError, ValueError, OSError):
        return NEVER
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z").strip()


def time_column(name: str, title: str | None = None, **options: Any) -> Callable[..., Any]:
    """Give a column that shows a field with seconds since the epoch."""

    def column(model_admin: Any, row: Any) -> str | None:
        return local_time(getattr(row, name))

    column.__name__ = f"{name}_time"
    return admin.display(description=title or name.replace("_", " "), **options)(column)
