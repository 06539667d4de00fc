"""
What a handler answered, brought to one of three forms: a value, a `Failure`, a waiting Deferred.

Most handlers answer at once, and nothing that is slow may stand in their way: the kind of an
answer is looked up by its type, a Deferred that has fired is read directly, and a coroutine is
started here and becomes a Deferred only if it really waits.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Coroutine
from types import CoroutineType, GeneratorType
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.errors import ForeignAwaitable, ForgottenDecorator
from twisted_dispatcher.firing.deferreds import FiredDeferred

PLAIN: Final = 0
FAILURE: Final = 1
DEFERRED: Final = 2
COROUTINE: Final = 3
GENERATOR: Final = 4
FOREIGN: Final = 5

# isinstance() against Deferred costs a walk through its metaclass: kinds are looked up by type.
# A type that is not here yet is classified by `kind_of`.
KINDS: dict[type, int] = {
    type(None): PLAIN,
    Failure: FAILURE,
    Deferred: DEFERRED,
    FiredDeferred: DEFERRED,
    CoroutineType: COROUTINE,
    GeneratorType: GENERATOR,
}
_MOST_KINDS = 4096


def kind_of(answer: object) -> int:
    """Tell of what kind an answer is: PLAIN, FAILURE, DEFERRED, COROUTINE, GENERATOR, FOREIGN."""
    kind = KINDS.get(type(answer))
    if kind is None:
        kind = _classify(answer)
        if len(KINDS) >= _MOST_KINDS:
            KINDS.clear()
        KINDS[type(answer)] = kind
    return kind


def _classify(answer: object) -> int:
    if isinstance(answer, Deferred):
        return DEFERRED
    if isinstance(answer, Failure):
        return FAILURE
    if inspect.iscoroutine(answer):
        return COROUTINE
    if inspect.isgenerator(answer) or inspect.isasyncgen(answer):
        return GENERATOR
    return FOREIGN if inspect.isawaitable(answer) else PLAIN


def settle(answer: Any) -> Any:
    """
    Bring an answer to its form.

    :return: the value; or a `Failure`; or a Deferred that has not fired yet, for which the caller
        then waits. A coroutine has been started. A failure that was read is handled.
    """
    kind = kind_of(answer)
    if kind <= FAILURE:
        return answer
    if kind == DEFERRED:
        return _read(answer)
    if kind == COROUTINE:
        return _start(answer)
    if kind == GENERATOR:
        return Failure(ForgottenDecorator())
    return Failure(ForeignAwaitable(answer))


def _read(deferred: Deferred[Any]) -> Any:
    if not deferred.called or deferred.paused:
        return deferred
    result = deferred.result
    if isinstance(result, Failure):
        deferred.addErrback(_handled)
    elif result is not None and kind_of(result) == DEFERRED:
        return deferred
    return result


def _handled(failure: Failure) -> None:
    """End a failure that was read, so that it is not reported a second time."""


def _start(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine up to where it waits, in a context of its own."""
    context = contextvars.copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration as stop:
        return stop.value if stop.value is None else settle(stop.value)
    except BaseException:
        return Failure()
    running = CoroutineDeferred(coroutine, context)
    running.wait_for(awaited)
    return _read(running)


class CoroutineDeferred(Deferred[Any]):
    """
    The Deferred of a coroutine that has been started and waits.

    Cancelling it cancels what the coroutine waits for. A coroutine that carries on after that
    is waited for, as with `inlineCallbacks`: the Deferred fires when it has really ended.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context) -> None:
        super().__init__()
        self._coroutine = coroutine
        self._context = context
        self._awaited: Deferred[Any] | None = None

    def cancel(self) -> None:
        if self.called:
            super().cancel()
        elif self._awaited is not None:
            self._awaited.cancel()

    def wait_for(self, awaited: Any) -> None:
        """Go on when what the coroutine waits for is there; run it as long as it is at once."""
        while True:
            if kind_of(awaited) == DEFERRED:
                result = _read(awaited)
                if result is awaited:
                    self._awaited = awaited
                    awaited.addBoth(self._resume)
                    return
            else:
                result = Failure(ForeignAwaitable(awaited))
            ended, awaited = self._step(result)
            if ended:
                return

    def _resume(self, result: Any) -> None:
        self._awaited = None
        ended, awaited = self._step(result)
        if not ended:
            self.wait_for(awaited)

    def _step(self, result: Any) -> tuple[bool, Any]:
        """Run the coroutine to its next wait; tell whether it ended, and what it waits for."""
        try:
            if isinstance(result, Failure):
                throw = result.throwExceptionIntoGenerator
                return False, self._context.run(throw, self._coroutine)
            return False, self._context.run(self._coroutine.send, result)
        except StopIteration as stop:
            self._end(settle(stop.value))
        except BaseException:
            self.errback(Failure())
        return True, None

    def _end(self, answer: Any) -> None:
        if kind_of(answer) == DEFERRED:
            self._awaited = answer
            answer.addCallbacks(self.callback, self.errback)
        else:
            self.callback(answer)


KINDS[CoroutineDeferred] = DEFERRED
