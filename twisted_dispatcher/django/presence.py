"""Whether the project has the application at all: without it nothing could be recorded."""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from twisted_dispatcher.errors import DispatcherError

APPLICATION: Final = "twisted_dispatcher.django"


class NotInstalled(DispatcherError, ImproperlyConfigured):
    """Something is registered in a project that has not installed the application."""

    def __init__(self) -> None:
        super().__init__(
            f"the project has no tables for events: add {APPLICATION!r} to its INSTALLED_APPS, "
            "and run manage.py migrate"
        )


def require_installed() -> None:
    """
    Refuse to go on where the application is missing, as far as that is known.

    :raises NotInstalled: when that is so.
    """
    if apps.apps_ready and not apps.is_installed(APPLICATION):
        raise NotInstalled
