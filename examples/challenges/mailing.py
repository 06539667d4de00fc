"""Mails from templates: the first line is the subject, the rest is the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.core.mail import EmailMultiAlternatives
from django.template import Context, TemplateDoesNotExist, engines
from django.template.loader import get_template

HOST = "charity.example"


def render_to_mail(
    template: str, context: Mapping[str, Any], **options: Any
) -> EmailMultiAlternatives:
    """
    Write a mail, which is not sent yet.

    ``<template>.txt`` gives the subject, its first line that is not blank, and the text. It is
    plain text, so nothing in it is escaped. Where there is a ``<template>.html``, the mail has
    that form as well, and there HTML is escaped.

    :param options: what else the mail has: ``to``, ``cc``, ``headers``, ...
    :raises TemplateDoesNotExist: when there is no such text.
    :raises ValueError: when the text is blank, so that there is no subject.
    """
    subject, body = subject_and_body(render_text(f"{template}.txt", context))
    mail = EmailMultiAlternatives(subject=subject, body=body, **options)
    try:
        page = get_template(f"{template}.html")
    except TemplateDoesNotExist:
        return mail
    mail.attach_alternative(page.render(dict(context)), "text/html")
    return mail


def render_text(name: str, context: Mapping[str, Any]) -> str:
    """Render a template as the plain text that it is: ``&`` stays ``&``."""
    template = engines["django"].get_template(name)
    return str(template.template.render(Context(dict(context), autoescape=False)))


def subject_and_body(text: str) -> tuple[str, str]:
    """Take a rendered template apart; blank lines around the body are left out."""
    subject, _, body = text.strip().partition("\n")
    if not subject:
        raise ValueError("the template is blank: its first line is the subject of the mail")
    return subject.strip(), body.strip("\n") + "\n"


def message_id(event: Any) -> str:
    """
    Give the Message-ID for the mail about an event.

    It is the same for every attempt: a mail that was sent, but whose sender was killed before that
    was noted, is sent again, and mail programs show one of the two.
    """
    return f"<{quote(event['key'], safe='')}@{HOST}>"
