"""
Synchronous programs that connect, each in a process of its own.

``python -m tests.blocking.programs NAME ARGUMENT...`` runs one. What it finds it writes on
standard output, a line for each fact, at once.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from twisted_dispatcher import HandlerOptions, blocking
from twisted_dispatcher.errors import ConnectionClosed, ForkedProcess

# Seconds for which a fact is waited for that comes at once on an idle machine.
LONG = 60.0


def say(*words: object) -> None:
    """Write a line, now."""
    print(*words, flush=True)


def in_store(url: str, **settings: Any) -> dict[str, Any]:
    """Give the settings of a store, with a lease that a test can wait for."""
    return {"store": url, "keywords": ["kind"], "lease": 1.0, **settings}


def plain(url: str) -> None:
    """Connect, fire, and come to the end without closing."""
    connection = blocking.connect(in_store(url))

    @connection.on(kind="order", options=HandlerOptions(name="handle"))
    def handle(event: Any) -> str:
        return f"handled {event}"

    say(*connection.fire_event("order 1", kind="order").values)


def leaving(url: str) -> None:
    """Come to the end while a handler runs, which itself has something to do then."""
    connection = blocking.connect(in_store(url) if url else {"keywords": ["kind"]})
    began = threading.Event()
    executor = ThreadPoolExecutor(1)

    @connection.on(kind="order", options=HandlerOptions(name="handle"))
    def handle(event: Any) -> None:
        began.set()
        while not connection.call(is_stopping):
            """The program is about to end."""
        executor.submit(say, "drained", event, len(connection.describe())).result(LONG)

    def is_stopping() -> bool:
        return not connection.service.dispatcher.running

    firing = threading.Thread(target=fire_quietly, args=(connection,), daemon=True)
    firing.start()
    began.wait(LONG)
    say("leaving")


def fire_quietly(connection: blocking.Connection) -> None:
    """Fire an event, and do not mind that the program ends."""
    try:
        connection.fire_event("order 1", kind="order")
    except Exception as error:
        say("fired", type(error).__name__)


def deserted() -> None:
    """Come to the end while a thread waits for what never comes."""
    connection = blocking.connect({})
    began = threading.Event()

    def forever() -> Deferred[None]:
        began.set()
        return Deferred()

    def wait() -> None:
        try:
            connection.call(forever, timeout=10 * LONG)
        except ConnectionClosed as error:
            say(type(error).__name__)

    threading.Thread(target=wait).start()
    began.wait(LONG)
    say("leaving")


def under_a_reactor() -> None:
    """Connect in a thread of a program that runs the reactor itself, and close nothing."""

    def work() -> None:
        connection = blocking.connect({})
        connection.on()(lambda event: f"handled {event}")
        say(*connection.fire_event("order 1").values)

    task.react(lambda reactor: deferToThread(work))


def raising() -> None:
    """End with an exception."""
    blocking.connect({}).fire_event("event")
    raise ZeroDivisionError


def failing() -> None:
    """Have a handler fail."""
    connection = blocking.connect({})

    @connection.on()
    def handle(event: Any) -> None:
        raise LookupError("nobody is here")

    say(len(connection.fire_event("event").failures))


def exiting() -> None:
    """End with a status of its own."""
    with blocking.connect({}) as connection:
        connection.fire_event("event")
        sys.exit(7)


def unused() -> None:
    """Import the bridge, and connect to nothing."""
    say("twisted.internet.reactor" in sys.modules, threading.active_count())


def interrupted() -> None:
    """Wait for what never comes, until somebody presses Ctrl-C."""
    # Whoever starts this may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection = blocking.connect({})

    @connection.on()
    async def forever(event: Any) -> None:
        say("waiting")
        await Deferred(lambda _: say("cancelled"))

    connection.fire_event("event")


def forking() -> None:
    """Fork in all ways, after connecting."""
    connection = blocking.connect({"keywords": ["kind"]})

    @connection.on(kind="order")
    def handle(event: Any) -> str:
        return f"handled {event}"

    child = os.fork()
    if not child:
        say("child", *refusals(connection))
        connection.close()
        sys.exit(3)
    say("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    fork = multiprocessing.get_context("fork").Process(target=work, args=(connection,))
    fork.start()
    fork.join(LONG)
    say("status", fork.exitcode)
    spawn = multiprocessing.get_context("spawn").Process(target=work_afresh)
    spawn.start()
    spawn.join(LONG)
    say("status", spawn.exitcode)
    say("parent", *connection.fire_event("order 1", kind="order").values)


def refusals(connection: blocking.Connection) -> list[str]:
    """Give how a connection of before, and a new one, are refused."""
    found = []
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: connection.fire_event("event", kind="order"),
        lambda: blocking.connect({}),
    )
    for attempt in attempts:
        try:
            attempt()
        except ForkedProcess as error:
            found.append(type(error).__name__)
    return found


def work(connection: blocking.Connection) -> None:
    """Be the child of a fork."""
    say("worker", *refusals(connection))


def work_afresh() -> None:
    """Be a child that was started afresh."""
    say("afresh", blocking.connect({}).fire_event("event").dispatched)


def preforking(with_a_reactor: str) -> None:
    """Fork first, as web servers do, and connect in the children."""
    if with_a_reactor == "yes":
        importlib.import_module("twisted.internet.reactor")
    for number in range(2):
        child = os.fork()
        if not child:
            say(f"worker {number}", serve(number))
            sys.exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        say("status", status)


def serve(number: int) -> Any:
    """Connect and fire an event, and give what its handler gives."""
    try:
        with blocking.connect({}) as connection:
            connection.on()(lambda event: event)
            return connection.fire_event(number).values[0]
    except ForkedProcess:
        return "refused"


def accepting(url: str) -> None:
    """Accept events, handle some, and wait to be killed."""
    connection = blocking.connect(in_store(url))

    @connection.on(kind="order", options=HandlerOptions(name="handle", concurrency=2))
    def handle(event: Any) -> None:
        if event >= 3:
            threading.Event().wait()

    for number in range(10):
        connection.accept_event(number, key=f"order {number}", kind="order")
    say("accepted")
    threading.Event().wait()


def finishing(url: str) -> None:
    """Handle what another process has accepted."""
    connection = blocking.connect(in_store(url))
    done = threading.Semaphore(0)

    @connection.on(kind="order", options=HandlerOptions(name="handle"))
    def handle(event: Any) -> None:
        done.release()

    while len(connection.deliveries("done")) < 10:
        if not done.acquire(timeout=LONG):
            break
    say(*sorted(each.key for each in connection.deliveries("done")))


def without_crochet() -> None:
    """Connect where crochet is not installed."""
    sys.modules["crochet"] = None  # type: ignore[assignment]
    try:
        blocking.connect({})
    except ImportError as error:
        say(error)


def by_crochet() -> None:
    """Make a call as crochet makes it."""
    import crochet

    crochet.setup()
    try:
        say(crochet.run_in_reactor(lambda: "answer")().wait(1.0))
    except crochet.TimeoutError as error:
        say(type(error).__name__)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
