"""The mail server of the story: it delivers to a list, once it has got up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.mail.smtp import SMTPServerError

from examples.abandoned_cart.sink import Inbox, Sink


class SleepyInbox(Inbox):
    """
    Sends away whoever comes too early.

    :ivar refused: the number of mails that it has not taken.
    """

    def __init__(self, refusals: int) -> None:
        """:param refusals: it sends so many away before it takes the first one."""
        super().__init__()
        self.refused = 0
        self._refusals = refusals

    def validateTo(self, user: Any) -> Any:  # noqa: N802
        if self.refused < self._refusals:
            self.refused += 1
            raise SMTPServerError(451, "come back later")
        return super().validateTo(user)


@asynccontextmanager
async def served(reactor: Any, inbox: Inbox) -> AsyncIterator[int]:
    """Serve an inbox on this machine alone; give the port."""
    sink = Sink(inbox)
    listening = reactor.listenTCP(0, sink, interface="127.0.0.1")
    try:
        yield listening.getHost().port
    finally:
        await listening.stopListening()
        await sink.when_empty()
