"""Writing to people: a transition's context becomes a mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.smtp import SMTPSenderFactory

from twisted_dispatcher.chains import Transition

SENDER = "carts@shop.example"


class Mailer:
    """Hands mails to a mail server."""

    def __init__(self, host: str, port: int, reactor: Any, now: Callable[[], datetime]) -> None:
        self._host = host
        self._port = port
        self._reactor = reactor
        self._now = now
        self._connected: list[Deferred[None]] = []

    def send(self, transition: Transition) -> Deferred[None]:
        """
        Send the mail of a transition; the callback of the chains.

        A crash may have it sent again. The Message-ID is the same then, so that a mail server
        that has seen it can drop it.

        :return: a Deferred that fires when the mail server has taken it, and fails when it has
            not; then the chain is tried again.
        """
        mail = message_of(transition, self._now())
        taken: Deferred[None] = Deferred()
        factory = _Sending(SENDER, mail["To"], BytesIO(mail.as_bytes()), taken, retries=0)
        self._connected.append(factory.gone)
        self._reactor.connectTCP(self._host, self._port, factory)
        return taken

    @property
    def is_idle(self) -> bool:
        """Whether no mail is under way."""
        return not self._connected

    async def when_idle(self) -> None:
        """Wait until all mails that are under way have come to their end."""
        while self._connected:
            await self._connected.pop()


class _Sending(SMTPSenderFactory):
    """
    Sends one mail.

    :ivar gone: fires when its connection is closed.
    """

    noisy = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]
        self.gone: Deferred[None] = Deferred()

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:  # noqa: N802
        super().clientConnectionLost(connector, reason)  # type: ignore[no-untyped-call]
        self.gone.callback(None)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:  # noqa: N802
        super().clientConnectionFailed(connector, reason)  # type: ignore[no-untyped-call]
        self.gone.callback(None)


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
