"""
The end of the program: connections are closed while everything still works.

When the main thread has come to its end, Python first calls what is registered with the threading
module, then waits for the threads that are left, then calls what is registered with ``atexit``.
The executors of `concurrent.futures` stop in the first of these steps, and refuse work from then
on; a store and handlers may need them. What is registered here is called in the first step, too,
and before them, as the last one to register is called first.

Python has no public name for that step. Where it is called otherwise than it is now, nothing is
registered; then connections are closed when crochet stops the reactor, in the second step.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - registers itself, and is to be the earlier one
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from twisted.logger import Logger

_log = Logger()

_closers: list[Callable[[], None]] = []
_lock = threading.Lock()
_is_registered = False


def before_exit(close: Callable[[], None]) -> None:
    """
    Have something closed at the end of the program, unless `forget` is called before.

    :param close: is called in the main thread when everything else in it has ended; may block.
    """
    global _is_registered
    with _lock:
        _closers.append(close)
        if not _is_registered:
            _is_registered = True
            _register()


def _register() -> None:
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        # It is refused when the main thread has ended already.
        with suppress(RuntimeError):
            register(_close_all)


def forget(close: Callable[[], None]) -> None:
    """Do not have a connection closed: it is."""
    with _lock:
        if close in _closers:
            _closers.remove(close)


if hasattr(os, "register_at_fork"):
    # What the parent has connected is the parent's to close.
    os.register_at_fork(after_in_child=_closers.clear)


def _close_all() -> None:
    """Close all connections, the last one first."""
    for close in reversed(tuple(_closers)):
        try:
            close()
        except Exception:
            _log.failure("A connection could not be closed at the end of the program")
