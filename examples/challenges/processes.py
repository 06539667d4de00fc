"""The processes of the site, as the story starts them: commands of Django, and the daemon."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

MANAGE = str(Path(__file__).resolve().parent / "manage.py")


class CommandFailed(Exception):
    """A command of the site has ended badly; the message has what it wrote."""


class Command(ProcessProtocol):
    """
    One command while it runs.

    :ivar ended: fires with what it wrote when it has ended well, and fails with `CommandFailed`.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._written: list[bytes] = []
        self.ended: Deferred[str] = Deferred()

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        self._written.append(data)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        self._written.append(data)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        written = b"".join(self._written).decode(errors="replace")
        if reason.check(ProcessDone):
            self.ended.callback(written)
        else:
            command = " ".join(self._words)
            error = CommandFailed(f"{command}: {reason.getErrorMessage()}\n{written}")
            self.ended.errback(error)

    def stop(self) -> None:
        """Ask it to end, as who runs daemons does."""
        self.transport.signalProcess("TERM")  # type: ignore[union-attr]


def start(reactor: Any, environment: Mapping[str, str], *words: str) -> Command:
    """Start a command of the site: ``start(reactor, environment, "migrate")``."""
    command = Command(words)
    arguments = [sys.executable, MANAGE, *words]
    reactor.spawnProcess(command, sys.executable, arguments, env=dict(environment))
    return command
