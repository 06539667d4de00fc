"""The templates of mails in Django's admin, with what they give."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from twisted_dispatcher.django.mails.models import Mail, example_for

_RIGHT: Final = '<div style="white-space: pre-wrap; max-width: 40rem">{}\n\n{}</div>'
_WRONG: Final = '<strong class="errornote">{}</strong>'

_log: Final = logging.getLogger("twisted_dispatcher.django")


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):
    """Lists templates by group; below each stands what it gives."""

    list_display = ("event_group",)
    search_fields = ("event_group", "template_source")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        fields = ("event_group", "template_source")
        return fields if obj is None else (*fields, "rendered")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        return () if obj is None else ("rendered",)

    @admin.display(description="rendered")
    def rendered(self, mail: Mail) -> Any:
        """Show the mail, with the context that the setting MAILS_CONTEXT gives."""
        try:
            subject, body = mail.render(example_for(mail))
        except Exception as error:
            _log.error("The template for %s fails with %s", mail.event_group, type(error).__name__)
            return format_html(_WRONG, "INVALID")
        return format_html(_RIGHT, subject, body)
