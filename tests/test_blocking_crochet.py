"""
Tests of crochet's own calls: why a connection makes its calls itself.

Where one of these fails, crochet has been mended, and there may be less for us to do.
"""

from __future__ import annotations

import gc
import threading
import time
from contextvars import ContextVar
from typing import Any

import crochet
from twisted.internet.defer import CancelledError, Deferred

from tests.blocking.children import ended
from tests.blocking.threaded import LONG, BlockingTestCase, in_thread
from tests.documents.sessions import join_crochet

SHORT = 0.05

request: ContextVar[str] = ContextVar("request", default="nothing")


class CrochetTests(BlockingTestCase):
    """What crochet's calls do differently from ours."""

    def setUp(self) -> None:
        """Let crochet find trial's own reactor."""
        join_crochet()

    @in_thread
    def test_context(self) -> None:
        """It loses the context variables."""
        request.set("request 1")

        self.assertEqual("nothing", crochet.run_in_reactor(request.get)().wait(LONG))

    @in_thread
    def test_cancelled(self) -> None:
        """What it cancels at a time limit is logged as an error that nobody handles."""
        forever: Any = crochet.wait_for(SHORT)(Deferred)
        self.assertRaises(crochet.TimeoutError, forever)
        # It is logged when nobody has the Deferred any more: its own threads may for a moment.
        errors: list[Any] = []
        until = time.monotonic() + LONG
        while not errors and time.monotonic() < until:
            crochet.run_in_reactor(gc.collect)().wait(LONG)
            errors = self.flushLoggedErrors(CancelledError)

        self.assertEqual(1, len(errors))

    @in_thread
    def test_begun_late(self) -> None:
        """A call whose limit has passed before it began is begun all the same."""
        began, go_on, called = threading.Event(), threading.Event(), threading.Event()

        @crochet.run_in_reactor
        def hold_up() -> None:
            began.set()
            go_on.wait(LONG)

        holding = hold_up()
        began.wait(LONG)
        self.assertRaises(crochet.TimeoutError, crochet.wait_for(SHORT)(called.set))
        go_on.set()
        holding.wait(LONG)

        self.assertTrue(called.wait(LONG))

    @in_thread
    def test_warnings_are_errors(self) -> None:
        """Where warnings of what is deprecated are errors, it never hears of an answer."""
        child = ended("by_crochet", options=("-W", "error::DeprecationWarning"))

        self.assertEqual(["TimeoutError"], child.lines)
