"""
The threads in which handlers run that use the ORM.

Django keeps a connection to each database for each thread. What it does around a request is done
here around a handler (`tidying`): connections that cannot be used again are closed. To open one
costs more than most handlers do; so a thread that has nothing to do lingers with its connections
(`crew`). An idle process holds none, unless ``CONN_MAX_AGE`` says so.

The threads are none of the reactor's: a handler that hangs must not hold up the end of a program,
which waits for all threads of the reactor's pool.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.crew import Crew
from twisted_dispatcher.django.lending import lender
from twisted_dispatcher.django.references import resolved
from twisted_dispatcher.interfaces import IRunner, Listener

# So many handlers run at once in a process; each may hold a connection to each database.
MOST_THREADS: Final = 10


@implementer(IRunner)
class DjangoThreads:
    """
    Calls handlers in threads that may use the ORM, with the context variables of the caller.

    A call that is cancelled before a thread was free for it is never begun. One that has begun
    cannot be stopped: the wait ends, and the thread goes on to its end unheard.

    It belongs to the reactor's thread.
    """

    def __init__(self, reactor: Any = None, most: int = MOST_THREADS, clock: Any = None) -> None:
        """
        :param reactor: by default the global one, when first needed.
        :param clock: tells how long a thread has had nothing to do; by default the reactor.
        """
        self._reactor = reactor
        self._most = most
        self._clock = clock
        self._crew: Crew | None = None

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        return self._call(partial(_handle, handler, event), is_urgent=False)

    def call(
        self, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Deferred[Any]:
        """
        Call a function in one of the threads.

        :return: a Deferred that fires with what the function gives, or fails with what it raises.
        """
        return self._call(partial(function, *arguments, **keywords), is_urgent=True)

    def _call(self, work: Callable[[], Any], is_urgent: bool) -> Deferred[Any]:
        if self._crew is None:
            self._crew = self._new_crew()
        return self._crew.call(partial(contextvars.copy_context().run, work), is_urgent)

    def _new_crew(self) -> Crew:
        reactor = self._reactor
        if reactor is None:
            from twisted.internet import reactor
        return Crew(reactor, self._most, reactor if self._clock is None else self._clock)

    async def let_go(self) -> None:
        """Have the threads that have nothing to do close their connections; see `Crew`."""
        if self._crew is not None:
            await self._crew.let_go()


@lru_cache(maxsize=1)
def the_threads() -> DjangoThreads:
    """Give the threads of this process, as many as the setting allows."""
    return DjangoThreads(most=conf().threads)


@lru_cache(maxsize=1)
def chain_threads() -> DjangoThreads:
    """
    Give the threads of this process in which the transitions of chains are made.

    They are not those of the handlers: one that waits for a chain must not keep its transitions
    from running.
    """
    return DjangoThreads()


async def let_go() -> None:
    """Have all idle threads close their connections, and wait until they have."""
    for each in (the_threads(), chain_threads()):
        await each.let_go()


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
