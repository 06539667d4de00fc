"""
Composing the mail about an event.

An event that is to be mailed says so in its context: ``spark_mail`` has arguments of Django's
`EmailMultiAlternatives`, the recipients first of all. The template of its group, if there is one,
gives the subject and the text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from email.utils import getaddresses, parseaddr
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError

from twisted_dispatcher.django.mails.rendering import subject_and_body
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.events import Event

MAIL: Final = "spark_mail"

_log: Final = logging.getLogger("twisted_dispatcher.django")


class InvalidMail(DispatcherError, ValueError):
    """What an event and the template of its group say makes no mail."""


class Composer:
    """Composes the mails about some events; it reads the templates when the first is asked for."""

    def __init__(
        self, mails: Mapping[str, str] | None = None, defaults: Mapping[str, Any] | None = None
    ) -> None:
        """
        :param mails: by group, the templates to take instead of those in the database.
        :param defaults: arguments of `EmailMultiAlternatives` that an event may leave out.
        """
        self._given = mails
        self._defaults = dict(defaults or {})

    @cached_property
    def _sources(self) -> Mapping[str, str]:
        if self._given is not None:
            return self._given
        # Whoever imports this may do so before there are models.
        from twisted_dispatcher.django.mails.models import Mail

        return dict(Mail.objects.values_list("event_group", "template_source"))

    def options_of(self, event: Event) -> dict[str, Any] | None:
        """
        Give the arguments of `EmailMultiAlternatives` for the mail about an event.

        A template that fails is logged; the mail has what the event, or the defaults, say instead.

        :return: None when the event wants no mail.
        :raises InvalidMail: when no mail can be made of them.
        """
        if MAIL not in event.context:
            return None
        wanted = event.context[MAIL]
        if not isinstance(wanted, Mapping):
            raise InvalidMail(
                f"event['context'][{MAIL!r}] is of type {type(wanted).__name__}, not a mapping of "
                "arguments of EmailMultiAlternatives, as {'to': [...]}"
            )
        options = {**self._defaults, **wanted}
        subject, body = self._text_about(event)
        options["subject"] = subject or options.get("subject") or ""
        options["body"] = body or options.get("body") or ""
        if not (options["subject"] or options["body"]):
            raise InvalidMail(
                f"the mail has neither a subject nor a text: write a Mail for the group "
                f"{event.type!r}, or give them in event['context'][{MAIL!r}]"
            )
        options["headers"] = _with_message_id(options, event)
        _require_sound(options)
        return options

    def _text_about(self, event: Event) -> tuple[str, str]:
        source = self._sources.get(event.type)
        if source is None:
            return "", ""
        try:
            return subject_and_body(source, event.context)
        except DatabaseError as error:
            # The transaction is spoilt; whoever has the mail composed undoes that.
            raise InvalidMail(
                f"the template for {event.type} asks the database what it refuses"
            ) from error
        except Exception as error:
            # Django's errors show all of the context, which may have what stays out of logs.
            _log.error(
                "The template for %s fails with %s for the event %s, whose mail goes without it",
                event.type,
                type(error).__name__,
                event.key,
            )
            return "", ""


def _with_message_id(options: Mapping[str, Any], event: Event) -> dict[str, str]:
    """
    Give the headers of a mail, with the same Message-ID at every attempt to send it.

    One that was sent, but whose sender was killed before that was noted, is sent again; then mail
    programs show one of the two.
    """
    given = options.get("headers") or {}
    if not isinstance(given, Mapping):
        raise InvalidMail(
            f"'headers' is a mapping of names to values, not of type {type(given).__name__}"
        )
    headers = dict(given)
    if "message-id" not in map(str.lower, headers):
        sender = options.get("from_email") or settings.DEFAULT_FROM_EMAIL
        domain = _ascii(parseaddr(str(sender))[1].partition("@")[2])
        headers["Message-ID"] = f"<{quote(str(event.key), safe='')}@{domain}>"
    return headers


def _ascii(domain: str) -> str:
    """Give a domain as it stands in headers."""
    try:
        return domain.encode("idna").decode() or "localhost"
    except UnicodeError:
        return "localhost"


def _is_address(text: Any) -> bool:
    """Tell whether a text is one address, which mail servers would take for one."""
    addresses = [address for _, address in getaddresses([str(text)])]
    return len(addresses) == 1 and bool(addresses[0]) and len(str(text).splitlines()) == 1


def _require_sound(options: Mapping[str, Any]) -> None:
    """
    Refuse a mail that could not be sent, now and not at each attempt to send it.

    :raises InvalidMail: when an argument is unknown or wrong, or nobody would get it.
    """
    try:
        mail = EmailMultiAlternatives(**options)
        mail.message()
        is_whole = all(map(_is_address, mail.recipients()))
    except (AttributeError, TypeError) as error:
        raise InvalidMail(f"EmailMultiAlternatives cannot be made of it: {error}") from error
    except ValueError:
        is_whole = False
    if not is_whole:
        # What it is stays out of logs.
        raise InvalidMail(
            "the subject, an address or another header cannot be written: none has a line break, "
            "and an address is one whole"
        )
    if not mail.recipients():
        raise InvalidMail(
            f"the mail has no recipients: give 'to', 'cc' or 'bcc' in event['context'][{MAIL!r}]"
        )
