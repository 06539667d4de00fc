"""
What the tests of the durable dispatcher share: stores on a clock, and processes that come and go.

A test is a mixin that derives from `DurableTests`; `on_stores` makes a test case of it for every
store. Time is a `Clock`: the dispatchers' time limits, and where the store allows it also the
turns at whose end it commits, pass when the test says so.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import classImplements, implementer

from tests.postgresql import PostgreSQL
from twisted_dispatcher import (
    Delivery,
    DispatchResult,
    DurableDispatcher,
    HandlerOptions,
    RetryPolicy,
    open_store,
)
from twisted_dispatcher.interfaces import IAnsweringStore, IRunner, IStore, Listener
from twisted_dispatcher.testing import NeverSettled, result_of

if TYPE_CHECKING:
    _TestCase = TestCase
else:
    _TestCase = object

T = TypeVar("T")

# Seconds since the epoch at which tests begin: some day in 2027.
EPOCH = 1_800_000_000.0
ONCE = RetryPolicy(max_attempts=1)


def attempts(count: int, initial: float = 1.0) -> RetryPolicy:
    """Give a policy of so many attempts, whose delays are known to the second."""
    return RetryPolicy(max_attempts=count, initial=initial, jitter=0)


# Stores


class Backend(Protocol):
    """A kind of store."""

    name: str
    # Whether it can be opened again after the process that had it has died.
    outlives: bool
    # How its driver writes a parameter in a statement.
    parameter: str

    def new_url(self, test: TestCase) -> str:
        """Give the URL of an empty store, which is removed when the test has ended."""

    def open(self, url: str, clock: Clock) -> IStore:
        """Open a store."""

    def query(self, url: str, sql: str) -> list[Any]:
        """Ask the database itself."""

    def mishap(self) -> Exception:
        """Give what the driver raises when the disk fails."""

    async def is_busy(self, links: Iterable[Link]) -> bool:
        """Tell whether stores have yet to answer when the clock's turn is over; wait a moment."""


class Memory:
    """SQLite in memory, committing at the end of the clock's turns."""

    name = "Memory"
    outlives = False
    parameter = "?"

    def new_url(self, test: TestCase) -> str:
        return "sqlite://"

    def open(self, url: str, clock: Clock) -> IStore:
        return open_store(url, reactor=clock)

    def query(self, url: str, sql: str) -> list[Any]:
        with closing(sqlite3.connect(file_of(url))) as connection:
            return connection.execute(sql).fetchall()

    def mishap(self) -> Exception:
        return sqlite3.OperationalError("disk I/O error")

    async def is_busy(self, links: Iterable[Link]) -> bool:
        return False


class File(Memory):
    """SQLite in a file."""

    name = "File"
    outlives = True

    def new_url(self, test: TestCase) -> str:
        return f"sqlite:///{test.mktemp()}"

    def open(self, url: str, clock: Clock) -> IStore:
        """Open it without waiting for the disk, since no machine dies in a test."""
        store = super().open(url, clock)
        cast(Any, store)._ledger.connection.execute("PRAGMA synchronous = OFF")
        return store


class Server:
    """PostgreSQL, in a schema of its own; its threads answer in the real reactor's turns."""

    name = "PostgreSQL"
    outlives = True
    parameter = "%s"

    def new_url(self, test: TestCase) -> str:
        place: Any = PostgreSQL()
        place.addCleanup = test.addCleanup
        return cast(str, place.have_tables())

    def open(self, url: str, clock: Clock) -> IStore:
        return open_store(url)

    def query(self, url: str, sql: str) -> list[Any]:
        import psycopg

        with psycopg.connect(url) as connection:
            return connection.execute(cast(Any, sql)).fetchall()

    def mishap(self) -> Exception:
        import psycopg

        return psycopg.OperationalError("could not extend file")

    async def is_busy(self, links: Iterable[Link]) -> bool:
        from twisted.internet import reactor

        if not any(link.open for link in links):
            return False
        await deferLater(cast(Any, reactor), 0.0005)
        return True


# All of these tests hold on PostgreSQL as well, where they take some minutes: `make test-servers`.
# The store's own contract is tested there every time.
ON_SERVERS = os.environ.get("TWISTED_DISPATCHER_TEST_SERVERS") == "all"
BACKENDS: tuple[Backend, ...] = (Server(),) if ON_SERVERS else (Memory(), File())


def on_stores(
    tests: type[DurableTests], *, that_outlive: bool = False
) -> dict[str, type[TestCase]]:
    """
    Make a test case of a mixin for every store, by name; for the module's globals.

    :param that_outlive: only for stores that can be opened again.
    """
    cases: dict[str, type[TestCase]] = {}
    for backend in BACKENDS:
        if backend.outlives or not that_outlive:
            name = tests.__name__.replace("Tests", f"On{backend.name}Tests")
            body = {"backend": backend, "__doc__": tests.__doc__, "__module__": tests.__module__}
            cases[name] = type(name, (tests, TestCase), body)
    return cases


class PatientClock(Clock):
    """A clock that notices when it never comes to an end with what is to happen at one time."""

    MOST_CALLS = 50_000

    def advance(self, amount: float) -> None:
        """
        Let time pass, and do what is due.

        :raises NeverSettled: when what is done brings about ever more, at this very time.
        """
        self.rightNow += amount
        calls = 0
        self._sortCalls()
        while self.calls and self.calls[0].getTime() <= self.rightNow:
            call = self.calls.pop(0)
            call.called = 1
            call.func(*call.args, **call.kw)
            self._sortCalls()
            calls += 1
            if calls > self.MOST_CALLS:
                raise NeverSettled("something goes round and round, and time stands still")


class Link:
    """
    A store as one process has it: it can be away or slow for this process alone, or cut off.

    It provides all of `IAnsweringStore`.

    :ivar away: what everything asked for fails with, while it is set.
    :ivar asked: what was asked for, by the method's name; for one event, by that for several.
    :ivar open: how many answers the store itself has yet to give.
    """

    _AT_ONCE = frozenset({"listen", "close", "crash", "on_point"})
    _PARTS = frozenset({"chains", "triggers", "sweeps"})

    def __init__(self, store: IStore, clock: Clock) -> None:
        self.store = cast(IAnsweringStore, store)
        self.away: Exception | None = None
        self.asked: list[str] = []
        self.open = 0
        self._clock = clock
        self._is_cut = False
        self._held: list[Callable[[], object]] | None = None
        self._hold_at: str | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if name in self._PARTS:
            return Part(self, name)
        return found if name in self._AT_ONCE else partial(self._ask, name, found)

    def accept_one(self, *given: Any) -> None:
        """Accept an event; the answer comes last."""
        self._ask_for_one("accept", self.store.accept_one, *given)

    def settle_one(self, *given: Any) -> None:
        """Settle a delivery; the answer comes last."""
        self._ask_for_one("settle", self.store.settle_one, *given)

    def _ask_for_one(self, name: str, method: Callable[..., None], *given: Any) -> None:
        def ask(*question: Any) -> Deferred[Any]:
            told: Deferred[Any] = Deferred()
            method(*question, told.callback)
            return told

        self._ask(name, ask, *given[:-1]).addBoth(given[-1])

    def hold(self, beginning_with: str | None = None) -> None:
        """Let nothing through to the store, from now or from some method on, until `release`."""
        if beginning_with is None:
            self._held = []
        self._hold_at = beginning_with

    def release(self) -> None:
        """Let through what was held, and what comes."""
        held, self._held, self._hold_at = self._held or [], None, None
        for ask in held:
            ask()

    def cut(self) -> None:
        """Let nothing through any more, as when the process has died."""
        self._is_cut = True

    def _ask(
        self, name: str, method: Callable[..., Deferred[Any]], *given: Any, **named: Any
    ) -> Any:
        self.asked.append(name)
        if name == self._hold_at:
            self.hold()
        answer: Deferred[Any] = Deferred()
        if not self._is_cut:
            self._pass_on(partial(self._go, method, given, named, answer))
        return answer

    def _pass_on(self, go: Callable[[], object]) -> None:
        if self._held is not None:
            self._held.append(go)
        else:
            go()

    def _go(
        self,
        method: Callable[..., Deferred[Any]],
        given: tuple[Any, ...],
        named: dict[str, Any],
        answer: Deferred[Any],
    ) -> None:
        if self._is_cut:
            return
        if self.away is not None:
            self._clock.callLater(0, self._answer, answer, answer.errback, self.away)
            return
        self.open += 1
        asked = method(*given, **named).addBoth(self._answered)
        asked.addCallbacks(
            lambda value: self._answer(answer, answer.callback, value),
            lambda failure: self._answer(answer, answer.errback, failure),
        )

    def _answer(self, answer: Deferred[Any], tell: Callable[[Any], object], what: Any) -> None:
        if not (self._is_cut or answer.called):
            tell(what)

    def _answered(self, result: Any) -> Any:
        self.open -= 1
        return result


classImplements(Link, IAnsweringStore)


class Part:
    """A part of a store, as one process has it."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(getattr(self._link.store, self._name), name)
        return partial(self._link._ask, f"{self._name}.{name}", found)


# Processes


@attrs.define
class Process:
    """A dispatcher and its link to the store, as one process would have them."""

    dispatcher: DurableDispatcher
    link: Link


@implementer(IRunner)
class SameThread:
    """Stands in for threads."""

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        """Call the handler here and now."""
        answer: Deferred[Any] = Deferred()
        try:
            answer.callback(handler(event))
        except BaseException:
            answer.errback()
        return answer


class DurableTests(_TestCase):
    """
    The base of tests of the durable dispatcher.

    :cvar backend: the kind of store.
    :ivar clock: the time of all processes.
    :ivar url: of a store that was empty when the test began.
    """

    backend: ClassVar[Backend]
    timeout = 60

    def setUp(self) -> None:
        """Make the clock, and find a place for a store."""
        self.clock = PatientClock()
        self.clock.advance(EPOCH)
        self.url = self.backend.new_url(cast(TestCase, self))
        self.links: list[Link] = []

    # Stores and dispatchers

    def connect(self) -> Link:
        """Open the store; it is closed when the test has ended."""
        link = Link(self.backend.open(self.url, self.clock), self.clock)
        self.links.append(link)
        self.addCleanup(self._disconnect, link)
        return link

    @staticmethod
    def _disconnect(link: Link) -> Deferred[None]:
        link.cut()
        return link.store.close()

    def make(self, *keywords: str, link: Link | None = None, **options: Any) -> DurableDispatcher:
        """Give a dispatcher that was not started; by default on a store of its own."""
        options = {"clock": self.clock, "runners": {"thread": SameThread()}, **options}
        return DurableDispatcher(cast(IStore, link or self.connect()), keywords, **options)

    async def started(self, *keywords: str, **options: Any) -> DurableDispatcher:
        """Give a dispatcher that was started, and is ready."""
        dispatcher = self.make(*keywords, **options)
        await self.start(dispatcher)
        return dispatcher

    async def start(self, dispatcher: DurableDispatcher) -> None:
        """Start a dispatcher, and wait until it is ready."""
        dispatcher.start()
        await self.result(dispatcher.when_ready())

    async def process(
        self, setup: Callable[[DurableDispatcher], object], *keywords: str, **options: Any
    ) -> Process:
        """Start a process that has a link to the store of its own, and the handlers of setup."""
        link = self.connect()
        dispatcher = self.make(*keywords, link=link, **options)
        setup(dispatcher)
        await self.start(dispatcher)
        return Process(dispatcher, link)

    def kill(self, process: Process) -> None:
        """End a process at once: nothing that it does reaches the store any more."""
        process.link.cut()

    def add(
        self,
        dispatcher: DurableDispatcher,
        function: Callable[..., Any],
        phase: str = "during",
        spec: dict[str, Any] | None = None,
        **options: Any,
    ) -> int:
        """Register a handler, held strongly, with options, and give its id."""
        options.setdefault("name", getattr(function, "__name__", None))
        adding = dispatcher.add_event_handler(
            function, phase, False, options=HandlerOptions(**options), **(spec or {})
        )
        return result_of(adding)

    # Time

    async def quiet(self) -> None:
        """Wait, without letting time pass, until nothing happens any more."""
        self.clock.advance(0)
        while await self.backend.is_busy(self.links):
            self.clock.advance(0)

    async def pass_time(self, seconds: float, step: float | None = None) -> None:
        """Let time pass, in steps: by default of a second, or longer ones for a long time."""
        end = self.clock.seconds() + seconds
        step = max(1.0, seconds / 50) if step is None else step
        await self.quiet()
        while self.clock.seconds() < end:
            self.clock.advance(min(step, end - self.clock.seconds()))
            await self.quiet()

    async def result(self, deferred: Awaitable[T], limit: float = 600.0, step: float = 0.5) -> T:
        """Let time pass until a Deferred has fired, and give its result."""
        if not isinstance(deferred, Deferred):
            deferred = Deferred.fromCoroutine(cast("Coroutine[Any, Any, T]", deferred))
        end = self.clock.seconds() + limit
        await self.quiet()
        while not is_settled(deferred) and self.clock.seconds() < end:
            await self.pass_time(step, step)
        result: T = result_of(deferred)
        return result

    async def fire(
        self, dispatcher: DurableDispatcher, event: Any = "event", **given: Any
    ) -> DispatchResult:
        """Fire an event, and give the result."""
        return await self.result(dispatcher.fire_event(event, **given))

    async def until_settled(self, dispatcher: DurableDispatcher, limit: float = 600.0) -> None:
        """Let time pass until no event is open any more."""
        end = self.clock.seconds() + limit
        store = dispatcher._store
        while (await self.result(store.counts()))["open"]:
            if self.clock.seconds() > end:
                left = await self.result(store.deliveries(limit=10))
                raise NeverSettled(f"after {limit:g} s there is still work to do, of: {left}")
            await self.pass_time(1.0)

    # What is known

    async def delivery(self, dispatcher: DurableDispatcher, **by: Any) -> Delivery:
        """Give the only delivery that there is, by what is given."""
        found = await self.result(dispatcher.deliveries(**by))
        self.assertEqual(1, len(found), found)
        return found[0]

    async def statuses(self, dispatcher: DurableDispatcher, **by: Any) -> dict[str, str]:
        """Give the status of deliveries by the names of the handlers."""
        found = await self.result(dispatcher.deliveries(**by))
        return {each.handler: each.status for each in found}

    def log_from_now(self) -> list[LogEvent]:
        """Give a list to which everything logged from now on is added."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return events


def is_settled(deferred: Deferred[Any]) -> bool:
    """Tell whether a Deferred has its result, and waits for none of a callback's."""
    return bool(deferred.called) and not deferred.paused


def file_of(url: str) -> Path:
    """Give the file of a SQLite store."""
    return Path(url.removeprefix("sqlite:///"))
