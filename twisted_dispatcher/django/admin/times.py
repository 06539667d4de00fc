"""Times as people read them: in the zone of the project, to the second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

from django.conf import settings
from django.utils.timezone import localtime, make_naive

NEVER: Final = "never"
# Django writes None where a page has no value.
NOTHING: Final = "-"


def local_time(seconds: float | None) -> str | None:
    """Write seconds since the epoch as a local time; None stays None."""
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        moment = localtime(moment) if settings.USE_TZ else make_naive(moment)
    except (OverflowError, ValueError, OSError):
        return NEVER
    return str(moment.strftime("%Y-%m-%d %H:%M:%S %Z")).strip()


def time_column(name: str, title: str | None = None) -> Callable[..., Any]:
    """Give a column that shows a field with seconds since the epoch."""

    def column(model_admin: Any, row: Any) -> str:
        return local_time(getattr(row, name)) or NOTHING

    column.__name__ = f"{name}_time"
    column.short_description = title or name.replace("_", " ")  # type: ignore[attr-defined]
    return column
