"""`Connection`: a dispatcher, as a synchronous program calls it."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred

from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.face import Face
from twisted_dispatcher.blocking.lifetime import Lifetime
from twisted_dispatcher.blocking.thread import ReactorThread
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import (
    CallTimeout,
    ConnectionClosed,
    InvalidOptions,
    NeedsStore,
    WaitTimeout,
)
from twisted_dispatcher.interfaces import Listener, Registration
from twisted_dispatcher.options import EXACTLY_ONCE, HandlerOptions
from twisted_dispatcher.records import Acceptance, Delivery
from twisted_dispatcher.registration.explaining import HandlerDescription, Verdict
from twisted_dispatcher.registration.handlers import Place, caller_place
from twisted_dispatcher.results import DispatchResult

THREAD = "thread"
DEFAULT_OPTIONS = HandlerOptions(runner=THREAD)
ListenerT = TypeVar("ListenerT", bound=Listener)


class Connection:
    """
    The methods of a dispatcher that runs in the reactor's thread, for every other thread.

    Each call waits for what the dispatcher's own method gives a Deferred for, for `timeout`
    seconds at most (by default those of the connection); then it raises `CallTimeout` and cancels
    what it has started. It takes the context variables of the caller along. All of them raise
    what the dispatcher's methods raise or fail with, and `ForkedProcess`, `InReactorThread` and
    `ConnectionClosed` where nothing would ever come.

    A plain function that is registered as a handler is called in a thread, so that it may block;
    an ``async def`` in the reactor's thread.

    It is closed by `close`, at the end of a ``with`` block, or when the program ends.

    :ivar service: the service behind it; it belongs to the reactor's thread, see `call`.
    :ivar timeout: seconds that a call may take that does not say so itself.
    """

    def __init__(self, thread: ReactorThread, lifetime: Lifetime, timeout: float) -> None:
        """Made by `connect`."""
        self._thread = thread
        self._lifetime = lifetime
        self._closing = threading.Lock()
        self._is_closed = False
        self.service = lifetime.service
        self.timeout = timeout

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"<Connection to {self.service.dispatcher!r}: {state}>"

    @property
    def dispatcher(self) -> Any:
        """The dispatcher itself; it belongs to the reactor's thread, see `call`."""
        return self.service.dispatcher

    @property
    def store(self) -> Any:
        """The store itself, or None in memory; it belongs to the reactor's thread, see `call`."""
        return self.service.store

    # Calling, and the end

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        timeout: float | None = None,
        **keywords: Any,
    ) -> Any:
        """
        Call any function in the reactor's thread, and wait for what it gives.

        It may give a value, a Deferred or a coroutine. What it sets of context variables before it
        first waits is set here, too, when it is done.
        """
        call = Call(function, arguments, keywords)
        answer = self._run(call, timeout)
        call.carry_back()
        return answer

    def make(
        self,
        factory: Callable[..., Any],
        *arguments: Any,
        timeout: float | None = None,
        **keywords: Any,
    ) -> Any:
        """
        Make an object of the reactor's thread, such as a `ChainDispatcher`; give a face of it.

        The methods of the face block, and take ``timeout``, as those of the connection do.
        """
        return Face(self, self.call(factory, *arguments, timeout=timeout, **keywords))

    def _ask(
        self, timeout: float | None, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Any:
        return self._run(Call(function, arguments, keywords), timeout)

    def _run(self, call: Call, timeout: float | None) -> Any:
        if self._is_closed:
            raise ConnectionClosed(call.name)
        seconds = self.timeout if timeout is None else check_seconds(timeout)
        return self._thread.run(call, seconds)

    def close(self, *, timeout: float | None = None) -> None:
        """
        Wait for the handlers that are running, stop the dispatcher, and close the store.

        Closing twice is harmless. In the child of a fork it does nothing: the connection is the
        parent's.

        :param timeout: by default the time to drain and the connection's own.
        """
        if self._thread.is_forked:
            return
        seconds = self.service.settings.drain + self.timeout if timeout is None else timeout
        with self._closing:
            if not self._is_closed:
                self._ask(seconds, self._lifetime.end)
                self._is_closed = True

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Handlers

    def add_event_handler(
        self,
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        timeout: float | None = None,
        **match_spec: Any,
    ) -> int:
        """Register a handler, and give its id; see `IEventDispatcher`."""
        keywords = {"options": options, **match_spec}
        registration = ((listen_fn, phase, use_weakref), keywords)
        (handler_id,) = self._replace(caller_place(1), (), [registration], timeout)
        return handler_id

    def on(
        self,
        phase: str = "during",
        *,
        options: HandlerOptions | None = None,
        timeout: float | None = None,
        **match_spec: Any,
    ) -> Callable[[ListenerT], ListenerT]:
        """Give a decorator that registers a function, held strongly, and gives it back."""
        place = caller_place(1)

        def register(listen_fn: ListenerT) -> ListenerT:
            keywords = {"options": options, **match_spec}
            self._replace(place, (), [((listen_fn, phase, False), keywords)], timeout)
            return listen_fn

        return register

    def remove_event_handler(self, handler_id: int, *, timeout: float | None = None) -> None:
        """Remove a registration; see `IEventDispatcher`."""
        self._ask(timeout, self.dispatcher.remove_event_handler, handler_id)

    def replace_event_handlers(
        self,
        handler_ids: Iterable[int],
        registrations: Iterable[Registration],
        *,
        timeout: float | None = None,
    ) -> list[int]:
        """Swap registrations for others, all or nothing; see `IEventDispatcher`."""
        return self._replace(caller_place(1), tuple(handler_ids), registrations, timeout)

    def _replace(
        self,
        place: Place,
        handler_ids: Iterable[int],
        registrations: Iterable[Registration],
        timeout: float | None,
    ) -> list[int]:
        in_threads = [_in_thread(*args, **keywords) for args, keywords in registrations]
        found: list[int] = self._ask(
            timeout, self.dispatcher.replace_for, place, handler_ids, in_threads
        )
        return found

    # Events

    def fire_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        timeout: float | None = None,
        **event_details: Any,
    ) -> DispatchResult:
        """
        Fire an event, and give its result when the last phase is done.

        When the time limit is reached, handlers that are pending are cancelled in memory. With a
        store only the wait ends, and the event is dispatched to its end.

        :param key: with a store alone, as ``at``; see `DurableDispatcher.accept_event`.
        """
        found: DispatchResult = self._ask(
            timeout, self.dispatcher.fire_event, event, **self._named(key, at), **event_details
        )
        return found

    def accept_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        timeout: float | None = None,
        **event_details: Any,
    ) -> Acceptance:
        """
        Make an event durable; see `DurableDispatcher.accept_event`.

        When the time limit is reached, the event may be accepted all the same: give it a key, and
        then accept it again.
        """
        accept = self._durable("accept_event")
        found: Acceptance = self._ask(timeout, accept, event, key=key, at=at, **event_details)
        return found

    def wait_for(
        self,
        *,
        timeout: float | None = None,
        check: Callable[[Any], object] | None = None,
        **match_spec: Any,
    ) -> Any:
        """
        Give the next event that matches.

        :param check: is called in the reactor's thread.
        :raises WaitTimeout: when none came within the time limit.
        """
        try:
            return self._ask(timeout, self.dispatcher.wait_for, check=check, **match_spec)
        except CallTimeout as error:
            if not error.begun:
                raise
            raise WaitTimeout(error.seconds, match_spec) from None

    def _named(self, key: str | None, at: datetime | float | None) -> dict[str, Any]:
        named = {name: value for name, value in (("key", key), ("at", at)) if value is not None}
        if named and self.store is None:
            raise NeedsStore("fire_event with key= or at=")
        return named

    # The dispatcher itself

    @property
    def running(self) -> bool:
        """Whether events are dispatched."""
        return not self._is_closed and self.service.dispatcher.running

    @property
    def allowed_keywords(self) -> tuple[str, ...]:
        """The keywords that match specs and details may name."""
        return self.service.dispatcher.allowed_keywords

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of the phases, in the order in which they run."""
        return self.service.dispatcher.phases

    def allow_keyword(self, name: str, *, timeout: float | None = None) -> None:
        """Allow one more keyword. Allowing it again is harmless."""
        self._ask(timeout, self.dispatcher.allow_keyword, name)

    def forbid_keyword(self, name: str, *, timeout: float | None = None) -> None:
        """Forbid a keyword; `KeywordInUse` is raised while a handler's spec names it."""
        self._ask(timeout, self.dispatcher.forbid_keyword, name)

    def describe(self, *, timeout: float | None = None) -> list[HandlerDescription]:
        """List what is registered, by phase and in the order of registration."""
        found: list[HandlerDescription] = self._ask(timeout, self.dispatcher.describe)
        return found

    def why(self, *, timeout: float | None = None, **event_details: Any) -> list[Verdict]:
        """Say for every handler whether such an event would reach it, or what stands against."""
        found: list[Verdict] = self._ask(timeout, self.dispatcher.why, **event_details)
        return found

    def when_ready(self, *, timeout: float | None = None) -> None:
        """Wait until events are dispatched. It is so when `connect` gives the connection."""
        self._ask(timeout, self.dispatcher.when_ready)

    # Deliveries

    def deliveries(
        self,
        status: str | None = None,
        *,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
        timeout: float | None = None,
    ) -> list[Delivery]:
        """List deliveries, the newest first, by status, by the event's key, or by handler."""
        ask = self._durable("deliveries")
        found: list[Delivery] = self._ask(
            timeout, ask, status, key=key, handler=handler, limit=limit
        )
        return found

    def replay(
        self,
        delivery_id: int,
        context: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Have a delivery that is done, dead or skipped run again."""
        self._ask(timeout, self._durable("replay"), delivery_id, context)

    def skip(self, delivery_id: int, *, timeout: float | None = None) -> None:
        """Give a delivery up that is dead or waits, so that its event goes on without it."""
        self._ask(timeout, self._durable("skip"), delivery_id)

    def _durable(self, name: str) -> Callable[..., Deferred[Any]]:
        dispatcher = self.service.dispatcher
        if not isinstance(dispatcher, DurableDispatcher):
            raise NeedsStore(name)
        method: Callable[..., Deferred[Any]] = getattr(dispatcher, name)
        return method


def check_seconds(seconds: Any) -> float:
    """
    Give a time limit back that can be one.

    :raises InvalidOptions: when it cannot.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= threading.TIMEOUT_MAX:
        raise InvalidOptions(f"timeout is a number of seconds above 0, not {seconds!r}")
    return float(seconds)


def _threaded(options: Any) -> Any:
    """Give options that name a thread where they name no runner of their own, and may do so."""
    if options is None:
        return DEFAULT_OPTIONS
    if not isinstance(options, HandlerOptions):
        return options  # is refused where it is registered
    if options.runner != "reactor" or options.guarantee == EXACTLY_ONCE:
        return options
    return attrs.evolve(options, runner=THREAD)


def _in_thread(
    listen_fn: Listener,
    phase: str,
    use_weakref: bool = True,
    *,
    options: HandlerOptions | None = None,
    **match_spec: Any,
) -> Registration:
    """Have a handler run in a thread, if it can."""
    if not inspect.iscoroutinefunction(listen_fn):
        options = _threaded(options)
    return (listen_fn, phase, use_weakref), {"options": options, **match_spec}
