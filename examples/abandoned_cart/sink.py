"""A mail server that delivers to a list, and drops a mail whose Message-ID it knows."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.mail.smtp import SMTP, IMessage, IMessageDelivery, SMTPFactory
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IMessageDelivery)
class Inbox:
    """
    Takes mails for everybody.

    :ivar mails: those that came, in order, each once.
    """

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self._known: set[str] = set()

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:  # noqa: N802
        return b"Received: by shop.example"

    def validateFrom(self, helo: Any, origin: Any) -> Any:  # noqa: N802
        return origin

    def validateTo(self, user: Any) -> Any:  # noqa: N802
        return lambda: _Incoming(self)

    def deliver(self, mail: Message) -> None:
        """Keep a mail, unless it has come before."""
        if mail["Message-ID"] not in self._known:
            self._known.add(mail["Message-ID"])
            self.mails.append(mail)


@implementer(IMessage)
class _Incoming:
    """A mail while it is coming in."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        self._lines.append(line)

    def eomReceived(self) -> Deferred[None]:  # noqa: N802
        self._inbox.deliver(message_from_bytes(b"\n".join(self._lines)))
        return succeed(None)

    def connectionLost(self) -> None:  # noqa: N802
        self._lines.clear()


class _Session(SMTP):
    """Somebody who brings mail."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.factory.left(self)


class Sink(SMTPFactory):
    """Serves an inbox."""

    noisy = False
    protocol = _Session

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inbox = inbox
        self._sessions: set[Any] = set()
        self._is_empty: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        session = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        session.delivery = self._inbox
        self._sessions.add(session)
        return session

    def left(self, session: Any) -> None:
        """Take note that somebody has gone."""
        self._sessions.discard(session)
        if self._is_empty is not None and not self._sessions:
            self._is_empty.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Give a Deferred that fires when everybody has gone; nobody must come any more."""
        self._is_empty = Deferred()
        if not self._sessions:
            self._is_empty.callback(None)
        return self._is_empty
