"""
Calls during which the caller's thread works for the reactor's thread.

What a synchronous program hands over may itself block: a generator that reads from a database, a
callback that draws a bar. Such things stay in the thread of the caller, which waits for the call
anyway. The reactor's thread puts what it would like to have done there into an inbox, and gets a
Deferred for it; the caller does one thing after the other until the call is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from twisted_dispatcher.blocking.calls import Call

T = TypeVar("T")

END: Final = object()

_Request = tuple[Callable[[], Any], "Deferred[Any] | None"]


class Inbox:
    """What the reactor's thread would like to have done in the thread of one caller."""

    def __init__(self, reactor: Any) -> None:
        """:param reactor: in whose thread the Deferreds fire."""
        self._reactor = reactor
        # None says that the call is done.
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._is_open = True

    def ask(self, function: Callable[[], T]) -> Deferred[T]:
        """Have a function called there; what it gives or raises comes back by the Deferred."""
        if not self._is_open:
            return fail(CancelledError())
        deferred: Deferred[T] = Deferred()
        self._requests.put((function, deferred))
        return deferred

    def tell(self, function: Callable[[], Any]) -> None:
        """Have a function called there; what it raises ends the call, and is the caller's."""
        if self._is_open:
            self._requests.put((function, None))

    def done(self) -> None:
        """Let the caller go."""
        self._requests.put(None)

    def serve(self, seconds: float) -> None:
        """
        Do what is asked for until the call is done, in the thread of the caller.

        :param seconds: for which the next request is waited for at most, each time.
        """
        while True:
            try:
                request = self._requests.get(timeout=seconds)
            except Empty:
                return
            if request is None:
                return
            self._do(*request)

    def _do(self, function: Callable[[], Any], deferred: Deferred[Any] | None) -> None:
        if deferred is None:
            function()
            return
        try:
            answer = function()
        except Exception:
            answer = Failure()
        self._reactor.callFromThread(self._answered, deferred, answer)

    @staticmethod
    def _answered(deferred: Deferred[Any], answer: Any) -> None:
        if not deferred.called:
            deferred.callback(answer)

    def close(self) -> None:
        """Refuse what is asked for from now on: the caller has left."""
        self._is_open = False


class LendingCall(Call):
    """
    A call whose caller works for it meanwhile.

    Its time limit is counted anew from each thing that the caller is asked to do.
    """

    __slots__ = ("_inbox",)

    def __init__(
        self,
        inbox: Inbox,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(function, arguments, keywords or {})
        self._inbox = inbox

    def arrive(self) -> None:
        self._inbox.done()

    def wait(self, seconds: float) -> None:
        self._inbox.serve(seconds)

    def leave(self) -> bool:
        self._inbox.close()
        return super().leave()


# The inbox of the call that is being made, wherever the reactor's thread is in it.
_current: ContextVar[Inbox | None] = ContextVar("inbox", default=None)


def current_inbox() -> Inbox | None:
    """Give the inbox of the caller for whom this runs, or None if nobody waits who could work."""
    return _current.get()


def lend(inbox: Inbox, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function that, and all that it calls, can find the inbox."""
    _current.set(inbox)
    return function(*arguments, **keywords)


class Lent(AsyncIterator[T]):
    """
    An iterable of the caller's thread, as the reactor's thread iterates over it.

    An asynchronous iterable belongs to the reactor's thread, and is not lent.
    """

    def __init__(self, inbox: Inbox, find: Callable[[], Iterable[T]], name: str) -> None:
        """
        :param find: gives the iterable; it is called there as well.
        :param name: what it is called in reports.
        """
        self.__qualname__ = name
        self._inbox = inbox
        self._find = find
        self._take: Callable[[], Any] = self._begin

    def _begin(self) -> Any:
        iterator = iter(self._find())
        self._take = lambda: next(iterator, END)
        return self._take()

    async def __anext__(self) -> T:
        item: Any = await self._inbox.ask(lambda: self._take())
        if item is END:
            raise StopAsyncIteration
        return item  # type: ignore[no-any-return]
