"""
The thread in which the reactor runs, and how other threads have something called there.

crochet starts the thread, when the first connection is made, and asks the reactor to stop when the
main thread has ended. Where the reactor runs already, as in a daemon, that thread is it. The calls
are our own (`calls`), as crochet's fall short in four ways: they lose the context variables; what
is cancelled at a time limit is logged as an unhandled error; a call that has not begun at its
limit is begun all the same; and from the moment at which the program ends crochet refuses the
calls of handlers that are still being waited for.

A reactor does not outlive a fork: in the child its thread is missing, and its waker and epoll
descriptors are those of the parent. So every call looks at the number of the process, and a fork
after which a reactor is there already is remembered.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from twisted.python import threadable
from twisted.python.failure import Failure

from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.errors import (
    CallTimeout,
    ConnectionClosed,
    ForkedProcess,
    InReactorThread,
    MissingExtra,
)


class ReactorThread:
    """
    The reactor of this process, and the thread that it runs in.

    :ivar reactor: the global reactor.
    """

    def __init__(self) -> None:
        """
        Have the reactor run in a thread of its own, if it does not run anywhere yet.

        :raises ForkedProcess: when there was a reactor before this process was forked.
        :raises MissingExtra: when crochet is not installed.
        """
        if _is_forked:
            raise ForkedProcess
        if not _runs_already():
            _start()
        self.reactor = _global_reactor()
        self._process = os.getpid()
        self._calls: set[Call] = set()
        self._ended = False
        self.reactor.callFromThread(
            self.reactor.addSystemEventTrigger, "after", "shutdown", self._end
        )

    def _end(self) -> None:
        """Let nobody wait for a reactor that runs no more."""
        self._ended = True
        for call in tuple(self._calls):
            call.end(Failure(ConnectionClosed(call.name)))

    @property
    def is_forked(self) -> bool:
        """Whether this is another process than the one in which the thread was started."""
        return self._process != os.getpid()

    def _check(self, call: Call) -> None:
        """Refuse to wait where nothing would ever come."""
        if self.is_forked:
            raise ForkedProcess
        if self._ended:
            raise ConnectionClosed(call.name)
        if threadable.isInIOThread():
            raise InReactorThread(call.name)

    def run(self, call: Call, seconds: float) -> Any:
        """
        Have a call made in the reactor's thread, and wait for what it gives.

        :raises CallTimeout: when that takes longer than so many seconds; it is cancelled then.
        :raises ForkedProcess, InReactorThread, ConnectionClosed: where nothing would ever come.
        """
        self._check(call)
        self._calls.add(call)
        try:
            self.reactor.callFromThread(call.begin)
            if self._ended:  # since it was looked at
                call.end(Failure(ConnectionClosed(call.name)))
            call.wait(seconds)
        finally:
            self._calls.discard(call)
            has_left = not call.done and call.leave()
            if has_left:
                self.reactor.callFromThread(call.cancel)
        if has_left:
            raise CallTimeout(seconds, call.name, call.begun)
        return call.result()


def _runs_already() -> bool:
    """Tell whether the reactor runs, as it does in a daemon, without installing one."""
    return "twisted.internet.reactor" in sys.modules and _global_reactor().running


def _start() -> None:
    """Have crochet run the reactor in a thread, unless it was told that somebody else will."""
    try:
        import crochet
    except ModuleNotFoundError as error:
        if error.name != "crochet":
            raise
        raise MissingExtra("crochet", "a blocking connection", "blocking") from None
    crochet.setup()


def _global_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


_is_forked = False
_lock = threading.Lock()
_thread: ReactorThread | None = None


def reactor_thread() -> ReactorThread:
    """
    Give the thread in which the reactor runs, having started it when it is first asked for.

    :raises ForkedProcess, MissingExtra: see `ReactorThread`.
    """
    global _thread
    if _is_forked:
        raise ForkedProcess
    with _lock:
        if _thread is None:
            _thread = ReactorThread()
        return _thread


def _forked() -> None:
    """Remember, in the child of a fork, whether there was a reactor before it."""
    global _is_forked, _lock
    _is_forked = "twisted.internet.reactor" in sys.modules
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
