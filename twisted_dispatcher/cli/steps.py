"""What a command does under the reactor, step by step, until it is done or interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.cli.complaints import traceback_of
from twisted_dispatcher.cli.statuses import FAILED, INTERRUPTED, WELL


class Steps:
    """
    A course of steps, each of which may fail, with an exit status at its end.

    :cvar interruption: what is said when it was interrupted.
    :cvar explained: the errors that say themselves what is wrong; others are shown as tracebacks.
    """

    interruption: ClassVar[str] = "interrupted"
    explained: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, tell: Callable[[str], object]) -> None:
        """:param tell: shows what went wrong."""
        self._tell = tell
        self._running: Deferred[int] | None = None

    def start(self) -> Deferred[int]:
        """Begin; give what fires with the exit status and does not fail."""
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    def interrupt(self) -> Deferred[None]:
        """Cancel what is on its way; give what fires when everything has come to its end."""
        ended: Deferred[None] = Deferred()

        def tell(status: int) -> int:
            ended.callback(None)
            return status

        if self._running is None:
            ended.callback(None)
        else:
            self._running.addBoth(tell)
            self._running.cancel()
        return ended

    async def _run(self) -> int:
        """Take all steps, and give the exit status."""
        raise NotImplementedError

    async def _step(self, failed: str, step: Callable[..., Any], *arguments: Any) -> int:
        """Take a step; if it fails say so, and give the exit status that this means."""
        try:
            await step(*arguments)
        except CancelledError:
            self._tell(self.interruption)
            return INTERRUPTED
        except self.explained as error:
            self._tell(str(error))
            return FAILED
        except Exception:
            self._tell(f"{failed}:\n{traceback_of(Failure())}")
            return FAILED
        return WELL
