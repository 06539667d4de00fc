"""
Sending mails that are written: each is an event, which is handled like any other.

So a mail is stored in the transaction in which it is written, sent after the commit, tried again
while the mail server is away, and dead at last, when it can be replayed in the admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.mail import EmailMultiAlternatives

from twisted_dispatcher.django import registry
from twisted_dispatcher.events import Event
from twisted_dispatcher.options import HandlerOptions, RetryPolicy
from twisted_dispatcher.sources import event

GROUP: Final = "twisted_dispatcher_mail"
PATTERN: Final = rf"^{GROUP}\Z"
# A mail server may be away for most of a day: after 10 seconds, 20, 40, ... and then once an hour.
PATIENT: Final = HandlerOptions(retry=RetryPolicy(max_attempts=24, initial=10, maximum=3600))


def register() -> None:
    """Have mails sent, unless that is so already: tests may get applications ready again."""
    if not any(each.handler is send_mail for each in registry.GROUP_HANDLERS):
        registry.register_group_handler(handler=send_mail, group=PATTERN, options=PATIENT)


def mail_event(key: str, options: Mapping[str, Any]) -> Any:
    """
    Declare that a mail is written.

    :param key: of the event that it is about; there is one mail for each.
    :param options: arguments of `EmailMultiAlternatives`.
    """
    return event(GROUP, key, {"mail": dict(options)})


def send_mail(event: Event) -> None:
    """
    Send a mail.

    :raises OSError: when the mail server does not take it (`smtplib.SMTPException` is one); then
        it is tried again.
    """
    EmailMultiAlternatives(**event["mail"]).send()
