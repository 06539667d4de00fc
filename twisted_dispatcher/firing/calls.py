"""
How a handler with options is called: each option wraps the call, and is told of here alone.

From the outside in: `times` counts calls, `retry` repeats an attempt, `concurrency` lets an
attempt wait for its slot, `timeout` limits it, and the runner is where the function really runs.
A handler without options has nothing of this in its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.errors import AwaitableFromRunner, HandlerTimeout, WouldDeadlock
from twisted_dispatcher.firing.answers import DEFERRED, PLAIN, kind_of, settle
from twisted_dispatcher.firing.deadlocks import Blocker, Watchman, reached_from
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.loop import Engine
from twisted_dispatcher.firing.trampoline import Trampoline
from twisted_dispatcher.interfaces import IRunner
from twisted_dispatcher.observers.log import report_retry
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED

Function = Callable[[Any], Any]

_log = Logger()
_LATE = "Handler {handler} failed after its time was up"


class Slots:
    """
    Lets a limited number of holders in; further ones wait in order.

    The next one is let in by the trampoline, so that thousands that wait do not recurse.

    :ivar held: what the holders wait for while they hold their slot, if anything.
    """

    def __init__(self, limit: int, name: str, trampoline: Trampoline, watchman: Watchman) -> None:
        self._limit = limit
        self._free = limit
        self._name = name
        self._trampoline = trampoline
        self._watchman = watchman
        self._waiting: deque[Deferred[None]] = deque()
        self.held: list[Deferred[Any]] = []

    def acquire(self) -> Deferred[None]:
        """
        Give a Deferred that fires when there is a slot. Cancelling it leaves the queue.

        It fails with `WouldDeadlock` when those who hold the slots wait for who waits here.
        """
        if self._free and not self._waiting:
            self._free -= 1
            return fired(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        self._watchman.suspect(self)
        return waiting

    def release(self) -> None:
        self._free += 1
        if self._waiting:
            self._trampoline.run(self._admit)

    def _admit(self) -> None:
        if self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().callback(None)

    def examine_at_last(self) -> None:
        self.examine()

    def examine(self) -> None:
        """Refuse those for whom all the holders of a slot wait."""
        for waiting in list(self._waiting):
            holders = set(map(id, self.held))
            if len(self.held) == self._limit and holders <= reached_from(waiting):
                self._waiting.remove(waiting)
                waiting.errback(
                    WouldDeadlock(
                        f"handler {self._name} has a concurrency of {self._limit}, and whoever "
                        "runs waits for an event that it must handle"
                    )
                )


class Limit(Blocker):
    """
    Limits a wait: after so many seconds it is cancelled and fails with `HandlerTimeout`.

    What does not end when it is cancelled is left to itself, so that a handler which hangs cannot
    hold up anybody else. What ends with a value in spite of it has that value.

    :ivar deferred: fires with what the wait came to.
    """

    def __init__(
        self, answer: Deferred[Any], seconds: float, clock: IReactorTime, name: str
    ) -> None:
        self.deferred: Deferred[Any] = Deferred(lambda _: answer.cancel())
        self._answer = answer
        self._seconds = seconds
        self._name = name
        self._timer: IDelayedCall = clock.callLater(seconds, self._expire)
        answer.addBoth(self._end)

    def blocks(self) -> tuple[object, ...]:
        """Give what goes on only when this has ended."""
        return (self.deferred,)

    def _expire(self) -> None:
        self._answer.cancel()
        if not self.deferred.called:
            self.deferred.errback(HandlerTimeout(self._seconds, self._name))

    def _end(self, result: Any) -> None:
        expired = not self._timer.active()
        if not expired:
            self._timer.cancel()
        cancelled = isinstance(result, Failure) and result.check(CancelledError)
        if self.deferred.called:
            if isinstance(result, Failure) and not cancelled:
                _log.failure(_LATE, result, handler=self._name)
        elif expired and cancelled:
            self.deferred.errback(HandlerTimeout(self._seconds, self._name))
        else:
            self.deferred.callback(result)


class OptedCall:
    """Calls one handler's function as its options say."""

    def __init__(
        self,
        handler: Handler,
        options: HandlerOptions,
        function: Function,
        clock: Callable[[], IReactorTime],
        engine: Engine,
        remove: Callable[[int], None],
    ) -> None:
        """
        :param options: those that are kept by the calls.
        :param function: gives the answer to an event; what the runner makes of the handler's.
        :param clock: gives the clock, when the first wait needs one.
        :param remove: takes the handler out of the registry, when it has been called often enough.
        """
        self._handler = handler
        self._options = options
        self._function = function
        self._clock = clock
        self._remove = remove
        self._left = options.times
        self.slots: Slots | None = None
        if options.concurrency:
            self.slots = Slots(
                options.concurrency, handler.name, engine.trampoline, engine.watchman
            )

    def call(self, event: Any) -> Any:
        """Give the handler's answer; a coroutine, where an option may have it wait."""
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self._remove(self._handler.id)
        options = self._options
        if options.retry or options.timeout or options.concurrency:
            return self._attempts(event)
        return self._function(event)

    def _removed(self) -> bool:
        return self._handler.retired and self._left != 0

    async def _attempts(self, event: Any) -> Any:
        attempt = 1
        while True:
            try:
                return await self._attempt(event)
            except CancelledError:
                raise
            except Exception:
                policy = self._options.retry
                if policy is None or attempt >= policy.max_attempts:
                    raise
                failure = Failure()
            delay = policy.delay(attempt)
            report_retry(self._handler, event, failure, attempt, delay)
            await deferLater(self._clock(), delay)
            if self._removed():
                failure.raiseException()
            attempt += 1

    async def _attempt(self, event: Any) -> Any:
        if self.slots is None:
            return await self._limited(event)
        await self.slots.acquire()
        try:
            answer = NOT_CALLED if self._removed() else await self._limited(event)
        except GeneratorExit:
            # Forgotten with its whole dispatcher: nobody is to be let in by a garbage collector.
            raise
        except BaseException:
            self.slots.release()
            raise
        self.slots.release()
        return answer

    async def _limited(self, event: Any) -> Any:
        answer = settle(self._function(event))
        if isinstance(answer, Failure):
            answer.raiseException()
        if kind_of(answer) != DEFERRED:
            return answer
        if self.slots is not None:
            self.slots.held.append(answer)
        try:
            seconds = self._options.timeout
            if seconds is None:
                return await answer
            return await Limit(answer, seconds, self._clock(), self._handler.name).deferred
        finally:
            if self.slots is not None:
                self.slots.held.remove(answer)


def run_by(runner: IRunner, function: Function) -> Function:
    """Give a function that has a runner call the handler's function, and gives its answer."""

    def call(event: Any) -> Deferred[Any]:
        return runner.run(function, event).addCallback(_only_plain)

    return call


def _only_plain(answer: Any) -> Any:
    """Refuse an answer that would have to be waited for where the reactor is not."""
    if kind_of(answer) != PLAIN:
        raise AwaitableFromRunner(answer)
    return answer


def call_for(
    handler: Handler,
    options: HandlerOptions,
    function: Function,
    clock: Callable[[], IReactorTime],
    engine: Engine,
    remove: Callable[[int], None],
) -> Function:
    """Give what a dispatch calls for a handler: the function itself when it has no options."""
    if not (options.times or options.retry or options.timeout or options.concurrency):
        return function
    return OptedCall(handler, options, function, clock, engine, remove).call
