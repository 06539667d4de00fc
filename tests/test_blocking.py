"""Tests of blocking connections, made in threads beside trial's own reactor."""

from __future__ import annotations

import gc
import os
import threading
from contextvars import ContextVar, copy_context
from copy import copy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.python.threadable import isInIOThread

from tests.blocking.threaded import LONG, BlockingTestCase, in_thread
from tests.dispatching import Problem
from twisted_dispatcher import HandlerOptions, RetryPolicy
from twisted_dispatcher.blocking import Connection, attach, connect
from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.errors import (
    CallTimeout,
    ConnectionClosed,
    ForkedProcess,
    InReactorThread,
    InvalidOptions,
    InvalidSettings,
    KeywordInUse,
    NeedsStore,
    UnknownHandler,
    UnknownKeyword,
    UnknownPhase,
    WaitTimeout,
)
from twisted_dispatcher.firing.deferreds import waiters
from twisted_dispatcher.service import DispatcherService

request: ContextVar[str] = ContextVar("request", default="nothing")

# Seconds after which a call ends that would never end.
SHORT = 0.05


class ConnectTests(BlockingTestCase):
    """Connecting, and the end of it."""

    @in_thread
    def test_ready(self) -> None:
        """A connection dispatches when it is there."""
        connection = self.connect()
        connection.when_ready()

        self.assertTrue(connection.running)
        self.assertIn("open", repr(connection))

    @in_thread
    def test_bad_settings(self) -> None:
        """What is wrong with settings is said before anything is started."""
        self.assertRaises(InvalidSettings, connect, {"keyword": ["kind"]})
        self.assertRaises(InvalidOptions, connect, {}, timeout=0)
        self.assertRaises(InvalidOptions, connect, {}, timeout="long")

    @in_thread
    def test_failing_setup(self) -> None:
        """What the setup raises is raised to who connects."""

        def setup(service: DispatcherService) -> None:
            raise Problem

        self.assertRaises(Problem, connect, {}, setup=setup)

    @in_thread
    def test_limit_of_connecting(self) -> None:
        """What is not ready within the time limit is stopped again."""
        services: list[DispatcherService] = []
        with patch.object(DispatcherService, "when_ready", lambda service: Deferred()):
            error = self.assertRaises(
                CallTimeout, connect, {}, setup=services.append, timeout=SHORT
            )
        self.connect().call(lambda: None)

        self.assertTrue(error.begun)
        self.assertFalse(services[0].dispatcher.running)
        self.assertFalse(services[0].running)

    @in_thread
    def test_setup(self) -> None:
        """The setup is called with the service, in the reactor's thread."""
        seen: list[Any] = []
        connection = self.connect(setup=lambda service: seen.extend((service, isInIOThread())))

        self.assertEqual([connection.service, True], seen)

    @in_thread
    def test_closing(self) -> None:
        """A closed connection says so, and may be closed again."""
        with self.connect() as connection:
            pass
        connection.close()

        self.assertRaises(ConnectionClosed, connection.fire_event, "event")
        self.assertFalse(connection.running)
        self.assertIn("closed", repr(connection))

    @in_thread
    def test_closing_waits(self) -> None:
        """Closing waits for handlers that are running, whoever closes."""
        began, go_on = threading.Event(), threading.Event()
        ended: list[str] = []
        connection = self.connect()

        @connection.on()
        def slow(event: Any) -> None:
            began.set()
            go_on.wait(LONG)
            ended.append(event)

        firing = threading.Thread(target=connection.fire_event, args=("event",))
        firing.start()
        began.wait(LONG)
        closing = threading.Thread(target=connection.close)
        closing.start()
        alive = [closing.is_alive()]
        go_on.set()
        closing.join(LONG)
        ended_when_closed = list(ended)
        firing.join(LONG)

        self.assertEqual([True], alive)
        self.assertEqual(["event"], ended_when_closed)

    @in_thread
    def test_attached(self) -> None:
        """A connection to somebody else's service leaves it running when it is closed."""
        owner = self.connect()
        with attach(owner.service) as attached:
            attached.fire_event("event")

        self.assertRaises(ConnectionClosed, attached.fire_event, "event")
        self.assertTrue(owner.fire_event("event").dispatched)

    def test_in_the_reactor_thread(self) -> None:
        """Waiting in the reactor's thread is refused at once."""
        self.assertRaises(InReactorThread, connect, {})

    @in_thread
    def test_called_in_the_reactor_thread(self) -> None:
        """A handler in the reactor's thread that would wait is refused, and told what to do."""
        connection = self.connect()

        @connection.on()
        async def handle(event: Any) -> None:
            connection.fire_event("another")

        (failure,) = connection.fire_event("event").failures

        self.assertIsInstance(failure.value, InReactorThread)
        self.assertIn("runner='thread'", str(failure.value))
        self.assertEqual(1, len(self.flushLoggedErrors(InReactorThread)))

    @in_thread
    def test_another_process(self) -> None:
        """After a fork a connection is refused, and closing it does nothing."""
        connection = self.connect()
        with patch.object(os, "getpid", return_value=-1):
            self.assertRaises(ForkedProcess, connection.fire_event, "event")
            connection.close()

        self.assertTrue(connection.fire_event("event").dispatched)


class CallTests(BlockingTestCase):
    """Calling functions of the reactor's thread."""

    @in_thread
    def test_answers(self) -> None:
        """Values, Deferreds and coroutines are waited for alike; what fails raises."""
        connection = self.connect()

        def later() -> Deferred[str]:
            deferred: Deferred[str] = Deferred()
            reactor.callLater(0, deferred.callback, "later")
            return deferred

        async def coroutine(name: str, *, second: str) -> str:
            return f"{await later()} {name} {second}"

        async def failing() -> None:
            await later()
            raise Problem("from there")

        self.assertIs(connection, connection.call(lambda: connection))
        self.assertEqual({"function": 1}, connection.call(dict, function=1))
        self.assertEqual("later", connection.call(later))
        self.assertEqual("later a b", connection.call(coroutine, "a", second="b"))
        problem = self.assertRaises(Problem, connection.call, failing)
        self.assertEqual("from there", str(problem))
        self.assertTrue(connection.call(isInIOThread))

    @in_thread
    def test_limit_cancels(self) -> None:
        """At the time limit, what the call waits for is cancelled."""
        connection = self.connect()
        cancelled = threading.Event()

        def forever() -> Deferred[None]:
            return Deferred(lambda _: cancelled.set())

        error = self.assertRaises(CallTimeout, connection.call, forever, timeout=SHORT)

        self.assertTrue(cancelled.wait(LONG))
        self.assertIsInstance(error, TimeoutError)
        self.assertEqual((SHORT, True), (error.seconds, error.begun))
        self.assertIn("forever (0.05 seconds) did not end", str(error))

    @in_thread
    def test_limit_of_the_connection(self) -> None:
        """A call that does not say how long it may take has the limit of the connection."""
        connection = self.connect()
        attached = attach(connection.service, timeout=SHORT)

        error = self.assertRaises(CallTimeout, attached.call, Deferred)

        self.assertEqual(SHORT, error.seconds)

    @in_thread
    def test_limit_before_it_began(self) -> None:
        """A call that has not begun at its time limit never begins."""
        connection = self.connect()
        began, go_on, called = threading.Event(), threading.Event(), threading.Event()

        def hold_up() -> None:
            began.set()
            go_on.wait(LONG)

        holding = threading.Thread(target=connection.call, args=(hold_up,))
        holding.start()
        began.wait(LONG)
        error = self.assertRaises(CallTimeout, connection.call, called.set, timeout=SHORT)
        go_on.set()
        holding.join(LONG)
        connection.call(lambda: None)

        self.assertFalse(error.begun)
        self.assertIn("keeps the reactor's thread busy", str(error))
        self.assertFalse(called.is_set())

    @in_thread
    def test_cancelling_is_no_error(self) -> None:
        """What was cancelled at the time limit is not reported as an error of anybody's."""
        connection = self.connect()
        self.assertRaises(CallTimeout, connection.call, Deferred, timeout=SHORT)
        connection.call(gc.collect)

        self.assertEqual([], self.flushLoggedErrors())

    @in_thread
    def test_late_failure(self) -> None:
        """A failure that comes when nobody waits any more is logged."""
        connection = self.connect()
        ended = threading.Event()

        def fail(deferred: Deferred[None]) -> None:
            deferred.errback(Problem("too late"))
            ended.set()

        self.assertRaises(CallTimeout, connection.call, lambda: Deferred(fail), timeout=SHORT)
        self.assertTrue(ended.wait(LONG))
        connection.call(lambda: None)

        self.assertEqual(1, len(self.flushLoggedErrors(Problem)))

    @in_thread
    def test_bad_limits(self) -> None:
        """A time limit is a number above 0; nothing is called otherwise."""
        connection = self.connect()
        called: list[Any] = []
        for limit in (0, -1, "long", True, float("nan"), 1e300):
            self.assertRaises(InvalidOptions, connection.call, called.append, 1, timeout=limit)

        self.assertEqual([], called)

    @in_thread
    def test_many_threads(self) -> None:
        """Many threads may call at once; each gets its own answer."""
        connection = self.connect({"keywords": ["number"]})

        @connection.on(number=None)
        async def handle(event: Any) -> Any:
            return event

        wrong: list[Any] = []
        threads = [
            threading.Thread(target=self.call_often, args=(connection, n, wrong))
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)

        self.assertEqual([], wrong)
        self.assertFalse(any(thread.is_alive() for thread in threads))

    @staticmethod
    def call_often(connection: Connection, number: int, wrong: list[Any]) -> None:
        """Fire events with a number of the thread's own, and note what came back wrong."""
        for turn in range(25):
            values = connection.fire_event((number, turn), number=number).values
            if values != [(number, turn)]:
                wrong.append((number, turn, values))

    @in_thread
    def test_answer_at_the_limit(self) -> None:
        """An answer that comes while the caller is about to leave counts."""
        call = Call(lambda: "answer", (), {})
        call.begin()

        self.assertFalse(call.leave())
        self.assertEqual("answer", call.result())


class ContextTests(BlockingTestCase):
    """Context variables go along, as those of traces are."""

    @in_thread
    def test_handlers(self) -> None:
        """A handler sees those of who fired, in the reactor's thread and in a thread."""
        connection = self.connect()
        seen: list[tuple[str, str]] = []

        @connection.on("before")
        async def in_the_reactor(event: Any) -> None:
            seen.append(("reactor", request.get()))

        @connection.on("during")
        def in_a_thread(event: Any) -> None:
            seen.append(("thread", request.get()))

        request.set("request 1")
        connection.fire_event("event")

        self.assertEqual([("reactor", "request 1"), ("thread", "request 1")], seen)

    @in_thread
    def test_back(self) -> None:
        """What a called function sets is set for the caller, who else would have set it."""
        connection = self.connect()
        connection.call(request.set, "set there")

        self.assertEqual("set there", request.get())

    @in_thread
    def test_copied(self) -> None:
        """They are those of the moment of the call, whatever the caller's are later on."""
        connection = self.connect()
        deferred: Deferred[str] = Deferred()

        async def ask() -> str:
            await deferred
            return request.get()

        request.set("request 1")
        context = copy_context()
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(context.run(connection.call, ask)))
        asking.start()
        while not connection.call(lambda: list(waiters(deferred))):
            """It waits in a moment."""
        context_of_another = copy_context()
        context_of_another.run(request.set, "request 2")
        context_of_another.run(connection.call, deferred.callback, None)
        asking.join(LONG)

        self.assertEqual(["request 1"], answers)


class MethodsTests(BlockingTestCase):
    """The methods of a dispatcher in memory."""

    @in_thread
    def test_registering(self) -> None:
        """Handlers are added, listed where they stand, explained, and removed."""
        connection = self.connect({"keywords": ["kind"]})

        def handle(event: Any) -> str:
            return f"handled {event}"

        handler_id = connection.add_event_handler(handle, "during", kind="order")
        (described,) = connection.describe()
        (verdict,) = connection.why(kind="order")

        self.assertEqual(handler_id, described.id)
        self.assertTrue(described.registered_at.startswith(__file__))
        self.assertTrue(verdict.runs)
        self.assertEqual(["handled 7"], connection.fire_event(7, kind="order").values)
        connection.remove_event_handler(handler_id)
        self.assertEqual([], connection.describe())
        self.assertRaises(UnknownHandler, connection.remove_event_handler, handler_id)

    @in_thread
    def test_replacing(self) -> None:
        """Handlers are swapped, all or nothing."""
        connection = self.connect()
        seen: list[Any] = []
        add = connection.add_event_handler(seen.append, "during", False)
        swap = connection.replace_event_handlers
        self.assertRaises(UnknownHandler, swap, [add, 99], [])
        (new,) = swap([add], [((seen.extend, "after", False), {})])

        self.assertEqual(
            [(new, "after")], [(each.id, each.phase) for each in connection.describe()]
        )

    @in_thread
    def test_where_handlers_run(self) -> None:
        """Plain functions run in threads, coroutines in the reactor's thread."""
        connection = self.connect()

        def plain(event: Any) -> bool:
            return bool(isInIOThread())

        async def coroutine(event: Any) -> bool:
            return bool(isInIOThread())

        add = connection.add_event_handler
        add(plain, "before")
        add(plain, "before", options=HandlerOptions(timeout=LONG))
        add(coroutine, "during")
        add(coroutine, "during", options=HandlerOptions(timeout=LONG))

        self.assertEqual([False, False, True, True], connection.fire_event("event").values)

    @in_thread
    def test_bad_options(self) -> None:
        """What are no options is refused, as ever."""
        connection = self.connect()

        self.assertRaises(
            InvalidOptions, connection.add_event_handler, print, "during", options={"times": 1}
        )

    @in_thread
    def test_decorator_that_cannot_be(self) -> None:
        """What is no phase is refused where the decorator is made, a bare @connection.on too."""
        connection = self.connect()
        on: Any = connection.on

        self.assertRaises(UnknownPhase, on, "durign")
        error = self.assertRaises(UnknownPhase, on, lambda event: 1)

        self.assertIn("write @dispatcher.on(), with parentheses", str(error))
        self.assertEqual([], connection.describe())

    @in_thread
    def test_handlers_may_fire(self) -> None:
        """A handler in a thread may fire events and wait for them."""
        connection = self.connect({"keywords": ["kind"]})

        @connection.on(kind="letter")
        def open_letter(event: Any) -> Any:
            return connection.fire_event("page", kind="page").values

        @connection.on(kind="page")
        def read(event: Any) -> str:
            return f"read {event}"

        self.assertEqual([["read page"]], connection.fire_event("letter", kind="letter").values)

    @in_thread
    def test_limit_of_a_fire(self) -> None:
        """At the time limit of a fire, the handlers that are pending are cancelled."""
        connection = self.connect()
        cancelled = threading.Event()

        @connection.on()
        async def forever(event: Any) -> None:
            await Deferred(lambda _: cancelled.set())

        self.assertRaises(CallTimeout, connection.fire_event, "event", timeout=SHORT)

        self.assertTrue(cancelled.wait(LONG))

    @in_thread
    def test_keywords(self) -> None:
        """Keywords are allowed, forbidden, and known."""
        connection = self.connect({"keywords": ["kind"]})
        self.assertRaises(UnknownKeyword, connection.fire_event, "event", user="ada")
        connection.allow_keyword("user")
        connection.on(user="ada")(print)
        self.assertRaises(KeywordInUse, connection.forbid_keyword, "user")
        connection.forbid_keyword("kind")

        self.assertEqual(("user",), connection.allowed_keywords)
        self.assertEqual(("before", "during", "after"), connection.phases)

    @in_thread
    def test_waiting_for_an_event(self) -> None:
        """The next event that matches is waited for."""
        connection = self.connect({"keywords": ["kind"]})
        found: list[Any] = []
        waiting = threading.Thread(
            target=lambda: found.append(connection.wait_for(kind="b", check=bool))
        )
        waiting.start()
        while not connection.describe():
            """It is registered in a moment."""
        for event, kind in (("a", "a"), ("", "b"), ("b", "b")):
            connection.fire_event(event, kind=kind)
        waiting.join(LONG)

        self.assertEqual(["b"], found)

    @in_thread
    def test_waiting_in_vain(self) -> None:
        """Waiting for an event has its limit, after which nothing is left of it."""
        connection = self.connect({"keywords": ["kind"]})
        error = self.assertRaises(WaitTimeout, connection.wait_for, kind="a", timeout=SHORT)
        connection.call(lambda: None)

        self.assertEqual({"kind": "a"}, error.match_spec)
        self.assertEqual([], connection.describe())

    @in_thread
    def test_needs_a_store(self) -> None:
        """What only a store can do is refused in memory."""
        connection = self.connect()
        for ask in (
            lambda: connection.accept_event("event"),
            lambda: connection.fire_event("event", key="key"),
            lambda: connection.fire_event("event", at=1.0),
            connection.deliveries,
            lambda: connection.replay(1),
            lambda: connection.skip(1),
        ):
            self.assertRaises(NeedsStore, ask)

    @in_thread
    def test_stopping_and_starting(self) -> None:
        """A dispatcher can be stopped, and started again, while the connection stays open."""
        connection = self.connect()
        connection.stop()
        stopped = (connection.running, connection.fire_event("event").dispatched)
        connection.start()

        self.assertEqual((False, False), stopped)
        self.assertTrue(connection.fire_event("event").dispatched)


class StoreTests(BlockingTestCase):
    """The methods of a dispatcher with a store."""

    def in_store(self, **options: Any) -> Connection:
        """Connect to a store of the test's own."""
        path = Path(self.mktemp()).absolute()
        return self.connect({"store": f"sqlite:///{path}", "keywords": ["kind"]}, **options)

    @in_thread
    def test_accepting(self) -> None:
        """An event is accepted once by its key, and fired to its end."""
        connection = self.in_store()
        seen: list[Any] = []

        @connection.on(kind="order", options=HandlerOptions(name="handle"))
        def handle(event: Any) -> None:
            seen.append((event, isInIOThread()))

        first = connection.accept_event({"number": 1}, key="order 1", kind="order")
        again = connection.accept_event({"number": 1}, key="order 1", kind="order")
        result = connection.fire_event({"number": 1}, key="order 1", kind="order")

        self.assertEqual((True, False), (first.new, again.new))
        self.assertEqual(first.event_id, again.event_id)
        self.assertTrue(result.dispatched)
        self.assertEqual([({"number": 1}, False)], seen)

    @in_thread
    def test_context(self) -> None:
        """A durable handler sees the context variables of who fired the event."""
        connection = self.in_store()
        seen: list[str] = []

        @connection.on(options=HandlerOptions(name="handle"))
        def handle(event: Any) -> None:
            seen.append(request.get())

        request.set("request 1")
        connection.fire_event({})

        self.assertEqual(["request 1"], seen)

    @in_thread
    def test_exactly_once(self) -> None:
        """An exactly-once handler runs where the store commits."""
        connection = self.in_store()
        options = HandlerOptions(name="handle", guarantee="exactly-once")

        @connection.on(kind="order", options=options)
        def handle(event: Any, transaction: Any) -> Any:
            return transaction.execute("SELECT 1").fetchone()[0]

        self.assertEqual([1], connection.fire_event({}, kind="order").values)

    @in_thread
    def test_deliveries(self) -> None:
        """Deliveries that are dead are listed, replayed and skipped."""
        connection = self.in_store()
        mended, handled = threading.Event(), threading.Event()

        @connection.on(options=HandlerOptions(name="handle", retry=RetryPolicy(max_attempts=1)))
        def handle(event: Any) -> None:
            if not mended.is_set():
                raise Problem
            handled.set()

        connection.fire_event({}, key="order 1")
        connection.fire_event({}, key="order 2")
        one, two = reversed(connection.deliveries("dead", handler="handle"))
        mended.set()
        connection.replay(one.id)
        connection.skip(two.id)

        self.assertEqual(("order 1", "order 2"), (one.key, two.key))
        self.assertTrue(handled.wait(LONG))
        self.assertEqual([two.id], [each.id for each in connection.deliveries("skipped")])
        self.assertEqual([], connection.deliveries("dead", limit=5))
        self.assertRaises(InvalidOptions, connection.deliveries, "deaad")
        self.assertEqual(2, len(self.flushLoggedErrors(Problem)))


class FaceTests(BlockingTestCase):
    """Objects of the reactor's thread, with methods that block."""

    class Counter:
        """Something of the reactor's thread."""

        def __init__(self, start: int) -> None:
            self.number = start
            self.made_there = isInIOThread()

        async def add(self, number: int, *, twice: bool = False) -> int:
            """Count on."""
            self.number += number * (2 if twice else 1)
            return self.number

    @in_thread
    def test_face(self) -> None:
        """Methods block, and everything else is read as it is."""
        counter = self.connect().make(self.Counter, 5)

        self.assertTrue(counter.made_there)
        self.assertEqual(11, counter.add(3, twice=True, timeout=LONG))
        self.assertEqual(11, counter.number)
        self.assertEqual("Count on.", counter.add.__doc__)
        self.assertIn("add", dir(counter))
        self.assertIn("Counter", repr(counter))
        self.assertRaises(AttributeError, getattr, counter, "subtract")

    @in_thread
    def test_copied(self) -> None:
        """A copy of a face is a face of the same object."""
        counter = self.connect().make(self.Counter, 5)

        self.assertEqual(8, copy(counter).add(3))
        self.assertEqual(8, counter.number)

    def test_thread_is_another(self) -> Deferred[None]:
        """The tests above have really run beside the reactor's thread."""
        return deferToThread(lambda: self.assertFalse(isInIOThread()))
