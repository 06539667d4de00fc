"""
The threads in which handlers run that use the ORM.

Django keeps a connection to each database for each thread. What it does around a request is done
here around a handler: connections that are broken or too old are closed before it and after it, so
that a database that was restarted harms one handler at most, and an idle thread holds no
connection (unless ``CONN_MAX_AGE`` says so). Where more handlers wait than there are threads, a
thread goes on with its connections: to open them anew costs more than most handlers do.

The threads are none of the reactor's: a handler that hangs must not hold up the end of a program,
which waits for all threads of the reactor's pool.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from threading import Lock, Thread
from typing import Any, Final

from django.db import connections, reset_queries
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.lending import lender
from twisted_dispatcher.django.references import resolved
from twisted_dispatcher.interfaces import IRunner, Listener

_log = Logger()

# What is to be called, and what fires with its outcome.
_Call = tuple[Callable[[], Any], Deferred[Any]]

# So many handlers run at once in a process; each may hold a connection to each database.
MOST_THREADS: Final = 10


@implementer(IRunner)
class DjangoThreads:
    """
    Calls handlers in threads that may use the ORM, with the context variables of the caller.

    A call that is cancelled before a thread was free for it is never begun. One that has begun
    cannot be stopped: the wait ends, and the thread goes on to its end unheard.
    """

    def __init__(self, reactor: Any = None, most: int = MOST_THREADS) -> None:
        """:param reactor: by default the global one, when first needed."""
        self._reactor = reactor
        self._pool = ThreadPool(0, most, "twisted_dispatcher.django")
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
        self._most = most
        self._lock = Lock()
        self._waiting: deque[_Call] = deque()
        self._working = 0

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        return self.call(_handle, handler, event)

    def call(
        self, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Deferred[Any]:
        """
        Call a function in one of the threads; belongs to the reactor's thread.

        :return: a Deferred that fires with what the function gives, or fails with what it raises.
        """
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        if not self._pool.started:
            self._pool.start()
        work = partial(contextvars.copy_context().run, function, *arguments, **keywords)
        answer: Deferred[Any] = Deferred()
        with self._lock:
            self._waiting.append((work, answer))
            has_room = self._working < self._most
            self._working += has_room
        if has_room:
            self._pool.callInThread(self._work)
        return answer

    def _work(self) -> None:
        """Do what waits, until nothing does."""
        while (call := self._next(or_be_free=True)) is not None:
            self._work_on(*call)

    def _work_on(self, work: Callable[[], Any], answer: Deferred[Any]) -> None:
        """Do something, and what waits then; the last one ends when the connections are tidy."""
        try:
            with tidied_connections() as mend:
                value = _outcome(work, mend)
                while (following := self._next()) is not None:
                    self._reactor.callFromThread(_tell, answer, value)
                    work, answer = following
                    value = _outcome(work, mend)
        except BaseException:
            value = Failure()
        self._reactor.callFromThread(_tell, answer, value)

    def _next(self, or_be_free: bool = False) -> _Call | None:
        """Give what waits, and is wanted still; if there is nothing, this thread may be free."""
        with self._lock:
            while self._waiting:
                call = self._waiting.popleft()
                if not call[1].called:
                    return call
            self._working -= or_be_free
        return None


def _outcome(work: Callable[[], Any], mend: Callable[[], object]) -> Any:
    """Give what a call gives, or the failure of it or of its connections."""
    try:
        try:
            return work()
        finally:
            mend()
    except BaseException:
        return Failure()


@lru_cache(maxsize=1)
def the_threads() -> DjangoThreads:
    """Give the threads of this process, as many as the setting allows."""
    return DjangoThreads(most=conf().threads)


def in_thread(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Deferred[Any]:
    """
    Call a function that uses the ORM, for an ``async def`` that must not.

    It belongs to the reactor's thread. ::

        async def thank(event):
            member = await in_thread(Member.objects.get, pk=event["member"])

    References in its arguments are rows to it.

    :return: a Deferred that fires with what the function gives, or fails with what it raises.
    """
    work = partial(_call_resolved, function, arguments, keywords)
    lent = lender()
    return the_threads().call(work) if lent is None else lent.call(work)


def _call_resolved(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    return function(*resolved(arguments), **{name: resolved(keywords[name]) for name in keywords})


def _handle(handler: Listener, event: Any) -> Any:
    """Call a handler with an event whose references are rows, read here when it asks for them."""
    return handler(resolved(event))


def _tell(answer: Deferred[Any], value: Any) -> None:
    """Fire with a value or a failure; when nobody waits any more, log a failure."""
    if not answer.called:
        answer.callback(value)
    elif isinstance(value, Failure):
        _log.failure("A handler failed in its thread after nobody waited for it any more", value)


@contextmanager
def tidied_connections() -> Iterator[Callable[[], None]]:
    """
    Leave this thread's connections as a request would: usable, or closed.

    A connection that is in a transaction from before belongs to whoever began that, such as a
    test, and is left alone. A transaction that was begun in between and left open is rolled back.

    :return: what sees, between two handlers, that the connections can be used by the next one.
    """
    lent = [each for each in connections.all(initialized_only=True) if each.in_atomic_block]
    _tidy(lent)
    reset_queries()
    try:
        yield partial(_mend, lent)
    finally:
        _tidy(lent)


def _tidy(lent: list[Any]) -> None:
    """Close connections that cannot be used again, or are too old."""
    for connection in _others(lent):
        connection.close_if_unusable_or_obsolete()


def _mend(lent: list[Any]) -> None:
    """Close connections that cannot be used again."""
    reset_queries()
    for connection in _others(lent):
        until, connection.close_at = connection.close_at, None
        connection.close_if_unusable_or_obsolete()
        connection.close_at = until


def _others(lent: list[Any]) -> Iterator[Any]:
    """Give connections that are neither lent nor in a transaction, which is rolled back."""
    for connection in connections.all(initialized_only=True):
        if connection in lent:
            continue
        if connection.in_atomic_block:
            connection.close()
            del connections[connection.alias]
        else:
            yield connection
