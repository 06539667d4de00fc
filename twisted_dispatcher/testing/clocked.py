"""A dispatcher whose time is yours, and how to let that time pass until all is settled."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.firing.answers import settle
from twisted_dispatcher.interfaces import IRunner, Listener

T = TypeVar("T")


class NeverSettled(DispatcherError, AssertionError):
    """A Deferred has not fired, and nothing that is scheduled will make it."""


class NotADeferred(DispatcherError, TypeError):
    """Something else stands where a Deferred is waited for."""

    def __init__(self, given: object, usage: str) -> None:
        self.given = given
        super().__init__(f"{usage} takes a Deferred, not {given!r}")


@implementer(IRunner)
class _SameThread:
    """Stands in for threads: runs the handler at once, in the thread of the test."""

    def run(self, handler: Listener, event: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        try:
            answer.callback(handler(event))
        except BaseException:
            answer.errback()
        return answer


def clocked_dispatcher(*keywords: str, **options: Any) -> tuple[EventDispatcher, Clock]:
    """
    Give a dispatcher that has been started, and the clock that is its time.

    Handlers with the runner ``"thread"`` run in the thread of the test.

    :param keywords: its allowed match-spec keywords.
    :param options: what else `EventDispatcher` takes.
    """
    clock = Clock()
    options.setdefault("runners", {"thread": _SameThread()})
    dispatcher = EventDispatcher(keywords, clock=clock, **options)
    dispatcher.start()
    return dispatcher, clock


def result_of(deferred: Deferred[T]) -> T:
    """
    Give the result of a Deferred that has fired, or raise what it failed with.

    :raises NeverSettled: when it has not fired.
    :raises NotADeferred: for anything else.
    """
    _check(deferred, "result_of(deferred)")
    result = settle(deferred)
    if result is deferred:
        raise NeverSettled(
            "the Deferred has not fired: something is still waited for (pump(clock, deferred) "
            "lets time pass)"
        )
    if isinstance(result, Failure):
        result.raiseException()
    return result  # type: ignore[no-any-return]


def pump(clock: Clock, deferred: Deferred[T], limit: float = 10 * 365 * 86400.0) -> T:
    """
    Let time pass, from one scheduled call to the next, until a Deferred has fired.

    It takes no real time, however long the wait is in the clock's.

    :param limit: seconds of the clock that may pass.
    :return: the result of the Deferred; what it failed with is raised.
    :raises NeverSettled: when nothing is scheduled any more, or not within the limit.
    :raises NotADeferred: also where clock and Deferred have changed places.
    """
    _check(deferred, "pump(clock, deferred)")
    end = clock.seconds() + limit
    while not deferred.called or deferred.paused:
        calls = [call.getTime() for call in clock.getDelayedCalls()]
        if not calls:
            raise NeverSettled(
                "the Deferred has not fired and nothing is scheduled on the clock: it waits for "
                "something that this test does not bring about"
            )
        if min(calls) > end:
            raise NeverSettled(f"the Deferred has not fired within {limit:g} seconds of the clock")
        clock.advance(max(0.0, min(calls) - clock.seconds()))
    return result_of(deferred)


def _check(deferred: object, usage: str) -> None:
    if not isinstance(deferred, Deferred):
        raise NotADeferred(deferred, usage)
