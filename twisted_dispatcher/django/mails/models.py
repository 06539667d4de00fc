"""The templates of the mails, as the project's staff write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.module_loading import import_string

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.mails.rendering import subject_and_body


def example_for(mail: Mail) -> Mapping[str, Any]:
    """Give a context to try a mail with: what the setting MAILS_CONTEXT gives, or nothing."""
    path = conf().mails_context
    context: Mapping[str, Any] = import_string(path)(mail) if path else {}
    return context


class Mail(models.Model):
    """The template of the mails about the events of a group."""

    id = models.BigAutoField(primary_key=True)
    event_group = models.CharField(max_length=200, unique=True)
    template_source = models.TextField(
        "template",
        help_text="The first line is the subject. What events have in their context stands in "
        "{{ double braces }}.",
    )

    class Meta:
        ordering = ("event_group",)

    def __str__(self) -> str:
        return str(self.event_group)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Refuse a template that fails with an example of a context."""
        super().clean_fields(exclude)
        if exclude and "template_source" in exclude:
            return
        try:
            self.render(example_for(self))
        except Exception as error:
            raise ValidationError({"template_source": str(error)}) from error

    def render(self, context: Mapping[str, Any]) -> tuple[str, str]:
        """Give the subject and the text; see `subject_and_body`."""
        return subject_and_body(self.template_source, context)
