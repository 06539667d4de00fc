"""
One blocking call: a function runs in the reactor's thread, and another thread waits for it.

The caller waits at a lock that is held from the beginning and let go of when the answer is there:
of all ways to wait with a time limit it costs the least, and Ctrl-C ends it. Whoever stops
waiting, because of the limit or of an exception such as `KeyboardInterrupt`, leaves the call: then
it is never begun, or what it waits for is cancelled.

Python holds its own lock over each of these steps, and they come in one order: `begin` and
`cancel` are run in the reactor's thread, one after the other, and `leave` comes before `cancel`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, kind_of, settle

_UNSET: Final = object()

_log = Logger()


class Call:
    """
    One call of a function, with a copy of the context variables of whoever makes it.

    :ivar context: in which the function runs.
    :ivar begun: whether the function was called.
    :ivar done: whether its answer is there.
    """

    __slots__ = (
        "_answer",
        "_arguments",
        "_arrival",
        "_function",
        "_keywords",
        "_left",
        "_waiting",
        "begun",
        "context",
        "done",
    )

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._keywords = keywords
        self._arrival = threading.Lock()
        self._arrival.acquire()
        self._answer: Any = None
        self._waiting: Deferred[Any] | None = None
        self._left = self.begun = self.done = False
        self.context: Context = copy_context()

    # In the reactor's thread

    def begin(self) -> None:
        """Call the function, unless whoever asked for it has left."""
        if self._left or self.done:
            return
        self.begun = True
        answer = self.context.run(self._call)
        if kind_of(answer) == DEFERRED:
            self._waiting = answer
            answer.addBoth(self.end)
        else:
            self.end(answer)

    def _call(self) -> Any:
        # A coroutine is started here, too, so that it sees the same context variables.
        try:
            return settle(self._function(*self._arguments, **self._keywords))
        except BaseException:
            return Failure()

    def end(self, answer: Any) -> None:
        """Hand the answer over; the first one counts."""
        self._waiting = None
        if self.done:
            return
        self._answer = answer
        self.done = True
        if self._left:
            self._report()
        else:
            self.arrive()

    def arrive(self) -> None:
        """Let the caller know that the answer is there."""
        self._arrival.release()

    def cancel(self) -> None:
        """Cancel what the call waits for."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _report(self) -> None:
        """Say how a call has failed that nobody waits for any more."""
        if kind_of(self._answer) == FAILURE and not self._answer.check(CancelledError):
            _log.failure(
                "{function} failed after nobody waited for it any more",
                self._answer,
                function=self.name,
            )

    # In the thread of the caller

    def wait(self, seconds: float) -> None:
        """Wait until it is done, for so many seconds at most."""
        self._arrival.acquire(timeout=seconds)

    def leave(self) -> bool:
        """Take note that nobody waits any more, and tell whether the answer is still missing."""
        self._left = True
        return not self.done

    def result(self) -> Any:
        """Give what the function gave, or raise what it raised."""
        answer, self._answer = self._answer, None
        if kind_of(answer) == FAILURE:
            answer.raiseException()
        return answer

    def carry_back(self) -> None:
        """Set the context variables here that the function has set there."""
        for variable, value in self.context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)

    @property
    def name(self) -> str:
        """What the function is called in messages."""
        return name_of(self._function)


def name_of(function: Any) -> str:
    """Give the name of a function for a message."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]
