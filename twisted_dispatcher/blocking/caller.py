"""How the connection of a synchronous program calls into the reactor's thread, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.ending import forget
from twisted_dispatcher.blocking.face import Face
from twisted_dispatcher.blocking.thread import ReactorThread
from twisted_dispatcher.errors import ConnectionClosed, InvalidOptions
from twisted_dispatcher.service import DispatcherService

CallerT = TypeVar("CallerT", bound="Caller")


class Caller:
    """
    Calls functions in the reactor's thread, until it is closed.

    :ivar service: the service behind it; it belongs to the reactor's thread, see `call`.
    :ivar timeout: seconds that a call may take that does not say so itself.
    """

    def __init__(
        self,
        thread: ReactorThread,
        service: DispatcherService,
        timeout: float,
        end: Callable[[], Any] | None,
    ) -> None:
        """Made by `connect` and `attach`; `end` stops the service when it is closed."""
        self._thread = thread
        self._end = end
        self._closing = threading.Lock()
        self._is_closed = False
        self.service = service
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

    def call(
        self,
        function: Callable[..., Any],
        /,
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
        answer = self.run_call(call, timeout)
        call.carry_back()
        return answer

    def make(
        self,
        factory: Callable[..., Any],
        /,
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
        self,
        timeout: float | None,
        function: Callable[..., Any],
        /,
        *arguments: Any,
        **keywords: Any,
    ) -> Any:
        return self.run_call(Call(function, arguments, keywords), timeout)

    def run_call(self, call: Call, timeout: float | None) -> Any:
        """Have a call made, and wait for what it gives; see `call`."""
        if self._is_closed:
            raise ConnectionClosed(call.name)
        seconds = self.timeout if timeout is None else check_seconds(timeout)
        return self._thread.run(call, seconds)

    @property
    def longest_drain(self) -> float:
        """Seconds that stopping may take: the time to drain, and the connection's own."""
        return self.service.settings.drain + self.timeout

    def close(self, *, timeout: float | None = None) -> None:
        """
        Wait for the handlers that are running, stop the dispatcher, and close the store.

        Closing twice is harmless. In the child of a fork it does nothing: the connection is the
        parent's. A connection that `attach` gave leaves the service to its owner.

        :param timeout: by default the time to drain and the connection's own.
        """
        if self._thread.is_forked:
            return
        seconds = self.longest_drain if timeout is None else timeout
        with self._closing:
            if not self._is_closed:
                self._stop_service(seconds)
                self._is_closed = True
                forget(self.close)

    def _stop_service(self, seconds: float) -> None:
        if self._end is None:
            return
        # Before the reactor ends, it has stopped the service itself.
        with suppress(ConnectionClosed):
            self._ask(seconds, self._end)

    def __enter__(self: CallerT) -> CallerT:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_seconds(seconds: Any) -> float:
    """
    Give a time limit back that can be one.

    :raises InvalidOptions: when it cannot.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= threading.TIMEOUT_MAX:
        raise InvalidOptions(f"timeout is a number of seconds above 0, not {seconds!r}")
    return float(seconds)
