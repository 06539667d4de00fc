"""Where daemons are born and killed, as tests see it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import tests


class Nursery(ProcessProtocol):
    """
    Has daemons born and killed.

    :ivar told: what the present daemon has told.
    :ivar errors: what came on standard error.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.errors = b""
        self.ended: Deferred[None] = Deferred()
        self._rest = b""
        self._pid = 0
        self._until: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Take what a daemon tells."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.told.append(line.decode())
            if line.startswith(b"born"):
                self._pid = int(line.split()[1])
            waiting = self._waiting
            if waiting is not None and (self._until() or line.startswith(b"ended")):
                self._waiting = None
                waiting.callback(None)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        """Keep it for the report."""
        self.errors += data

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        """Tell that the nursery itself has ended."""
        self.ended.errback(reason)

    def wait(self, until: Callable[[], bool]) -> Deferred[None]:
        """Give a Deferred that fires when something was told, or when the daemon has ended."""
        self._until = until
        self._waiting = Deferred()
        return self._waiting

    async def birth(self) -> None:
        """Have a daemon born, and wait until it is."""
        self.told.clear()
        waiting = self.wait(lambda: True)
        self.transport.write(b"\n")  # type: ignore[union-attr]
        await waiting

    async def kill(self) -> None:
        """Kill the daemon."""
        waiting = self.wait(lambda: False)
        os.kill(self._pid, signal.SIGKILL)
        await waiting

    def open(self, reactor: Any, *arguments: object) -> None:
        """Start the nursery; see `tests.killing.daemon` for its arguments."""
        command = [sys.executable, "-m", "tests.killing.daemon", *map(str, arguments)]
        root = str(Path(tests.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": root}
        reactor.spawnProcess(self, sys.executable, command, environment)

    async def close(self) -> None:
        """Close the nursery, and kill the daemon in it, if there is one."""
        self.transport.closeStdin()  # type: ignore[union-attr]
        if self._pid and not self.has_ended:
            os.kill(self._pid, signal.SIGKILL)
        try:
            await self.ended
        except ProcessDone:
            return

    @property
    def has_ended(self) -> bool:
        """Whether the present daemon has ended."""
        return bool(self.told) and self.told[-1].startswith("ended")

    async def live(self, things: int | None) -> bool:
        """
        Have a daemon live until it has told some things, then kill it.

        :param things: None lets it live until it ends by itself.
        :return: whether it was killed.
        """
        await self.birth()
        if things != 0:
            await self.wait(lambda: things is not None and len(self.told) > things)
        if self.has_ended:
            if self.told[-1] != "ended 0":
                raise AssertionError(f"{self.told[-1]}: {self.errors.decode()[-3000:]}")
            return False
        await self.kill()
        return True
