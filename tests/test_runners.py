"""The option runner: where the code of a handler runs."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.dispatching import (
    OptionsTestCase,
    Problem,
    Recorder,
    failing,
    noting,
)
from twisted_dispatcher import (
    EventDispatcher,
    HandlerOptions,
    RetryPolicy,
    errors,
)
from twisted_dispatcher.interfaces import IRunner


@implementer(IRunner)
class Elsewhere:
    """A runner that runs when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Deferred[Any], Callable[[Any], Any], Any]] = []

    def run(self, handler: Callable[[Any], Any], event: Any) -> Deferred[Any]:
        """Take a call."""
        done: Deferred[Any] = Deferred()
        self.asked.append((done, handler, event))
        return done

    def run_all(self) -> None:
        """Make the calls."""
        while self.asked:
            done, handler, event = self.asked.pop(0)
            try:
                value = handler(event)
            except Exception:
                done.errback()
            else:
                done.callback(value)


class RunnerTests(OptionsTestCase):
    """The option runner."""

    def test_reactor(self) -> None:
        """The runner "reactor" is a plain call."""
        self.opt(lambda event: threading.get_ident(), runner="reactor")

        self.assertEqual(self.fire(self.dispatcher).values, [threading.get_ident()])

    def test_own(self) -> None:
        """An IRunner that is given runs the handler, and its answer is waited for."""
        elsewhere = Elsewhere()
        handler = Recorder("value")
        self.opt(handler, runner=elsewhere)
        firing = self.dispatcher.fire_event("event")
        self.assertEqual(handler.events, [])
        self.assertNoResult(firing)
        elsewhere.run_all()

        self.assertEqual(handler.events, ["event"])
        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_own_by_name(self) -> None:
        """A runner given to the constructor is used by its name, also instead of a known one."""
        elsewhere = Elsewhere()
        dispatcher = self.make(runners={"thread": elsewhere, "far": elsewhere})
        for name in ("thread", "far"):
            self.add(dispatcher, lambda event: "value", options=HandlerOptions(runner=name))
        firing = dispatcher.fire_event("event")
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(firing).values, ["value", "value"])

    def test_failure(self) -> None:
        """What a handler raises in its runner is its failure."""
        elsewhere = Elsewhere()
        self.opt(failing(Problem()), runner=elsewhere)
        firing = self.dispatcher.fire_event("event")
        elsewhere.run_all()
        (failure,) = self.successResultOf(firing).failures

        failure.trap(Problem)
        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    def test_runner_that_raises(self) -> None:
        """What a runner itself raises is the handler's failure."""

        @implementer(IRunner)
        class Broken:
            def run(self, handler: Callable[[Any], Any], event: Any) -> Deferred[Any]:
                raise Problem

        after = Recorder()
        self.opt(Recorder(), runner=Broken())
        self.opt(after, "after")
        (failure,) = self.fire(self.dispatcher).failures
        self.flushLoggedErrors(Problem)

        failure.trap(Problem)
        self.assertEqual(after.events, ["event"])

    def test_with_other_options(self) -> None:
        """The other options work whatever the runner."""
        elsewhere = Elsewhere()
        log: list[str] = []
        self.opt(
            noting(log, "called"),
            runner=elsewhere,
            times=2,
            concurrency=1,
            timeout=5,
            retry=RetryPolicy(max_attempts=2, initial=1, jitter=0.0),
        )
        first, second = self.dispatcher.fire_event(1), self.dispatcher.fire_event(2)
        self.assertEqual(len(elsewhere.asked), 1)
        self.clock.advance(5)
        self.assertEqual(len(elsewhere.asked), 2)
        elsewhere.asked.pop(0)
        elsewhere.run_all()
        self.clock.advance(1)
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(first).values, ["called"])
        self.assertEqual(self.successResultOf(second).values, ["called"])
        self.assertEqual((log, self.registered()), (["called", "called"], 0))

    def test_weak(self) -> None:
        """A handler that is held weakly can run elsewhere."""
        elsewhere = Elsewhere()
        handler = Recorder("value")
        options = HandlerOptions(runner=elsewhere)
        adding = self.dispatcher.add_event_handler(handler, "during", options=options)
        self.successResultOf(adding)
        firing = self.dispatcher.fire_event("event")
        elsewhere.run_all()

        self.assertEqual(self.successResultOf(firing).values, ["value"])


class ThreadTests(TestCase):
    """The runner "thread", with the real reactor."""

    timeout = 20

    def dispatcher(self, handler: Callable[[Any], Any]) -> EventDispatcher:
        """Give a started dispatcher with one handler that runs in a thread."""
        dispatcher = EventDispatcher(("user",))
        options = HandlerOptions(runner="thread")
        dispatcher.add_event_handler(handler, "during", False, options=options)
        dispatcher.start()
        return dispatcher

    async def test_runs_in_a_thread(self) -> None:
        """A handler with the runner "thread" runs in another thread, and its value comes back."""
        result = await self.dispatcher(lambda event: (event, threading.get_ident())).fire_event(1)

        ((event, thread),) = result.values
        self.assertEqual(event, 1)
        self.assertNotEqual(thread, threading.get_ident())

    async def test_ends_in_the_reactor(self) -> None:
        """What comes after a handler in a thread runs in the reactor's thread."""
        dispatcher = self.dispatcher(lambda event: None)
        dispatcher.add_event_handler(lambda event: threading.get_ident(), "after", False)
        result = await dispatcher.fire_event("event")

        self.assertEqual(result.values[1], threading.get_ident())

    async def test_failure(self) -> None:
        """What a handler raises in a thread is its failure."""
        result = await self.dispatcher(failing(Problem())).fire_event("event")

        result.failures[0].trap(Problem)
        self.assertEqual(len(self.flushLoggedErrors(Problem)), 1)

    async def test_concurrent(self) -> None:
        """Two handlers in threads run at the same time."""
        barrier = threading.Barrier(2, timeout=10)
        dispatcher = self.dispatcher(lambda event: barrier.wait())
        options = HandlerOptions(runner="thread")
        dispatcher.add_event_handler(
            lambda event: barrier.wait(), "during", False, options=options
        )
        result = await dispatcher.fire_event("event")

        self.assertEqual(sorted(result.values), [0, 1])

    async def test_context(self) -> None:
        """A handler in a thread sees the context variables of who fired."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        variable.set("seen")
        result = await self.dispatcher(lambda event: variable.get("missing")).fire_event("event")

        self.assertEqual(result.values, ["seen"])

    async def test_deferred(self) -> None:
        """A handler in a thread that gives a Deferred fails: nobody could wait for it there."""
        result = await self.dispatcher(lambda event: Deferred()).fire_event("event")

        result.failures[0].trap(TypeError)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_coroutine(self) -> None:
        """A coroutine function is refused for a thread at once, with the cure."""

        async def coroutine(event: Any) -> None:
            """Do nothing."""

        error = self.assertRaises(errors.InvalidOptions, self.dispatcher, coroutine)

        self.assertIn("plain function", str(error))
