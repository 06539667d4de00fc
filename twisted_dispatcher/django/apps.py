"""The application as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DispatcherConfig(AppConfig):
    """Dispatches events that happen in the transactions of a project."""

    name = "twisted_dispatcher.django"
    label = "twisted_dispatcher"
    verbose_name = "Twisted dispatcher"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let Django's values stand in contexts, settings be checked, and events be heard of."""
        from twisted_dispatcher.django import references, values
        from twisted_dispatcher.django.checks import register_checks
        from twisted_dispatcher.django.journals import write_ahead
        from twisted_dispatcher.django.running import begin

        references.register()
        values.register()
        begin()
        post_migrate.connect(write_ahead, sender=self)
        register_checks()
