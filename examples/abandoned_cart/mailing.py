"""Writing to people: a transition's context becomes a mail."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.mail.smtp import sendmail

from twisted_dispatcher.chains import Transition

SENDER = "carts@shop.example"


class Mailer:
    """Hands mails to a mail server."""

    def __init__(self, host: str, port: int, reactor: Any) -> None:
        self._host = host
        self._port = port
        self._reactor = reactor
        self._under_way: set[Deferred[Any]] = set()

    def send(self, transition: Transition, sent_at: Any) -> Deferred[Any]:
        """
        Send the mail of a transition; the callback of the chains.

        A crash may have it sent again. The Message-ID is the same then, so that a mail server
        that has seen it can drop it.

        :param sent_at: gives the time.
        :return: a Deferred that fires when the mail server has taken it.
        """
        mail = message_of(transition, sent_at())
        sending = sendmail(
            self._host, SENDER, mail["To"], mail, port=self._port, reactor=self._reactor
        )
        self._under_way.add(sending)
        sending.addBoth(self._sent, sending)
        return sending  # type: ignore[no-any-return]

    def _sent(self, result: Any, sending: Deferred[Any]) -> Any:
        self._under_way.discard(sending)
        return result

    @property
    def is_idle(self) -> bool:
        """Whether no mail is under way."""
        return not self._under_way

    def when_sent(self) -> Deferred[Any]:
        """Give a Deferred that fires when all mails that are under way have come to their end."""
        watched = []
        for sending in self._under_way:
            ended: Deferred[None] = Deferred()
            sending.addBoth(_pass_on, ended)
            watched.append(ended)
        return DeferredList(watched)


def message_of(transition: Transition, date: datetime) -> EmailMessage:
    """Write the mail of a transition."""
    context = transition.context
    mail = EmailMessage()
    mail["From"] = SENDER
    mail["To"] = context["email_to"]
    mail["Subject"] = context["subject"]
    mail["Date"] = date
    mail["Message-ID"] = f"<{transition.idempotency_key.replace('/', '.')}@shop.example>"
    mail.set_content("There is something in your cart: https://shop.example/cart\n")
    return mail


def _pass_on(result: Any, ended: Deferred[None]) -> Any:
    ended.callback(None)
    return result
