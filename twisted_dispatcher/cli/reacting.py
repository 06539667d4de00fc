"""Running something under the reactor, to the exit of the process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from twisted.internet.defer import Deferred


class Runs(Protocol):
    """Something that runs, and can be interrupted."""

    def start(self) -> Deferred[int]:
        """Begin; give what fires with the exit status and does not fail."""

    def interrupt(self) -> Deferred[None]:
        """Cancel what is on its way; give what fires when everything has come to its end."""


def run_and_exit(make_run: Callable[[Any], Runs]) -> NoReturn:
    """Start the reactor with a run, and exit with its status when that has ended."""
    from twisted.internet.task import react

    def main(reactor: Any) -> Deferred[None]:
        run = make_run(reactor)

        def interrupt() -> Deferred[None]:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C waits for nobody
            return run.interrupt()

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        return run.start().addCallback(sys.exit)

    react(main)
