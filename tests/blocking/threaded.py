"""Tests that block, in a thread beside trial's reactor, as a synchronous program would."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from twisted_dispatcher.blocking import Connection, connect

TestT = TypeVar("TestT", bound="BlockingTestCase")

# Seconds for which a fact is waited for that comes at once on an idle machine.
LONG = 60.0


def in_thread(test: Callable[[TestT], None]) -> Callable[[TestT], Deferred[None]]:
    """Have a test run in a thread other than the reactor's."""

    @wraps(test)
    def run(self: TestT) -> Deferred[None]:
        return deferToThread(test, self)

    return run


class BlockingTestCase(TestCase):
    """Makes connections over trial's own reactor, and closes them."""

    timeout = 120

    def connect(self, settings: Any = None, **options: Any) -> Connection:
        """Connect, in the thread of a test, until the end of the test."""
        connection = connect({} if settings is None else settings, **{"timeout": LONG, **options})
        self.addCleanup(deferToThread, connection.close)
        return connection
