"""The application as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig


class MailsConfig(AppConfig):
    """Mails about events."""

    name = "twisted_dispatcher.django.mails"
    # Not as the tables of the store begin.
    label = "dispatcher_mails"
    verbose_name = "Mails about events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have mails sent, by whichever process handles events."""
        from twisted_dispatcher.django.mails.sending import register

        register()
