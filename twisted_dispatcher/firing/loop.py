"""
The loop: an event goes through its handlers, phase after phase.

`Engine.go_on` is the loop. It runs as far as handlers answer at once, with nothing allocated but
the list of their values; only when one really has to be waited for does the event become a
`Fire`, which takes it from there. The quickest case, that every handler answers None, is not
even here: `signature.py` has its own.

Nothing is locked while handlers run, and nothing recurses: what continues after a wait is run by
the trampoline, and so is an event that is fired more than `DEEPEST` handlers deep.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, KINDS, PLAIN, kind_of, settle
from twisted_dispatcher.firing.deadlocks import Blocker, Suspect, Watchman
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.firing.trampoline import Trampoline
from twisted_dispatcher.interfaces import IObserver
from twisted_dispatcher.observers.log import event_label, report_failure
from twisted_dispatcher.registration.handlers import Handler
from twisted_dispatcher.results import NOT_CALLED, DispatchResult

# So many synchronous calls of handlers within handlers are run on the stack; deeper ones wait
# for the trampoline. With a few frames for each this stays far from Python's limit of 1000.
DEEPEST = 25

_log = Logger()


class Stop(Suspect, Protocol):
    """Someone who waits for all that is in flight, until `deferred` fires."""

    deferred: Deferred[None]


class Engine:
    """
    Runs events through handlers, for one dispatcher.

    :ivar depth: how many handlers are being called within one another right now.
    :ivar in_flight: the fires that wait for something.
    :ivar generation: counts the starts of the dispatcher; each fire belongs to one.
    :ivar stops: who waits until everything in flight has ended.
    """

    __slots__ = (
        "depth",
        "generation",
        "in_flight",
        "observers",
        "stopping",
        "stops",
        "trampoline",
        "watchman",
    )

    def __init__(self, stopping: frozenset[str], watchman: Watchman) -> None:
        """:param stopping: the phases after which a failure ends the dispatch."""
        self.stopping = stopping
        self.watchman = watchman
        self.observers: tuple[IObserver, ...] = ()
        self.trampoline = Trampoline()
        self.in_flight: set[Fire] = set()
        self.stops: list[Stop] = []
        self.generation = 0
        self.depth = 0

    def run(self, event: Any, handlers: Sequence[Handler]) -> Deferred[DispatchResult]:
        """Take an event through its handlers, now."""
        if not handlers:
            return fired(DispatchResult(handlers, None))
        self.depth += 1
        try:
            return self.depart(event, handlers, [], call(handlers[0], event))
        finally:
            self.depth -= 1

    def depart(
        self, event: Any, handlers: Sequence[Handler], values: list[Any], value: Any
    ) -> Deferred[DispatchResult]:
        """
        Carry on from the handler after the known values, which has answered `value`.

        It is called at the depth of the handlers' calls, and gives the event's Deferred.
        """
        fire = self.go_on(event, handlers, values, value, None)
        if fire is None:
            return fired(DispatchResult(handlers, values))
        self.depth -= 1
        fire.pause()
        self.depth += 1
        return fire.done

    def go_on(
        self,
        event: Any,
        handlers: Sequence[Handler],
        values: list[Any],
        value: Any,
        fire: Fire | None,
    ) -> Fire | None:
        """
        Carry on from the handler after the known values, which has answered `value`.

        :return: the fire, if there was a reason to have one; else all is done.
        """
        kinds = KINDS.get
        add = values.append
        position = len(values)
        handler = handlers[position]
        while True:
            if kinds(type(value)) == PLAIN:
                add(value)
            else:
                fire = self._take(event, handlers, values, value, fire)
            position += 1
            if position == len(handlers):
                break
            phase = handler.phase
            handler = handlers[position]
            if handler.phase is not phase:
                if fire is not None and (fire.waiting or fire.cancelled):
                    break
                if self.stopping and self.ends_with(phase, handlers, values):
                    break
            function = handler.call
            try:
                value = function(event)
            except BaseException:
                value = Failure()
        return fire

    def _take(
        self,
        event: Any,
        handlers: Sequence[Handler],
        values: list[Any],
        answer: Any,
        fire: Fire | None,
    ) -> Fire | None:
        """Take an answer that is not simply there; give the fire, if there is one now."""
        position = len(values)
        value = settle(answer)
        kind = kind_of(value)
        if kind == DEFERRED:
            values.append(NOT_CALLED)
            fire = fire or Fire(self, event, handlers, values)
            fire.wait_for(position, value)
        else:
            values.append(value)
            if kind == FAILURE:
                self.report(handlers[position], event, value)
        return fire

    def ends_with(self, phase: str, handlers: Sequence[Handler], values: Sequence[Any]) -> bool:
        """Tell whether the dispatch ends with this phase, because a handler of it failed."""
        return phase in self.stopping and any(
            isinstance(value, Failure) and handler.phase is phase
            for handler, value in zip(handlers, values)
        )

    def report(self, handler: Handler, event: Any, failure: Failure) -> None:
        """Tell everybody, at once, that a handler has failed."""
        report_failure(handler, event, failure)
        self.tell("handler_failed", handler, event, failure)

    def tell(self, what: str, *arguments: Any) -> None:
        """Call a method of all observers; what they raise is logged."""
        for observer in self.observers:
            try:
                getattr(observer, what)(*arguments)
            except Exception:
                _log.failure("Observer {observer} failed in {what}", observer=observer, what=what)

    def examine_stops(self) -> None:
        """Look whether those who wait for what is in flight have waited long enough."""
        for stop in list(self.stops):
            stop.examine()


def call(handler: Handler, event: Any) -> Any:
    """Call a handler; what it raises is its answer, as a `Failure`."""
    try:
        return handler.call(event)
    except BaseException:
        return Failure()


class Fire(Blocker):
    """
    An event on its way that has to wait for its handlers.

    :ivar done: fires with the result.
    :ivar waiting: what is waited for, by the position of the handler.
    :ivar cancelled: whether `done` was cancelled; what it waits for then still ends.
    :ivar generation: the start of the dispatcher to which it belongs.
    """

    __slots__ = (
        "_context",
        "_event",
        "_handlers",
        "_running",
        "_values",
        "cancelled",
        "done",
        "engine",
        "generation",
        "waiting",
    )

    def __init__(
        self, engine: Engine, event: Any, handlers: Sequence[Handler], values: list[Any]
    ) -> None:
        self.engine = engine
        self._event = event
        self._handlers = handlers
        self._values = values
        # Whether its handlers are being called right now, so that nobody else goes on with it.
        self._running = True
        self.waiting: dict[int, Deferred[Any]] = {}
        self.cancelled = False
        self.generation = engine.generation
        self._context = contextvars.copy_context()
        self.done: Deferred[DispatchResult] = Deferred(self._cancel)
        engine.in_flight.add(self)

    def begin(self) -> None:
        """Start with the first handler."""
        self.engine.tell("fire_started", self._event)
        self._proceed()

    # What is run later has the context variables of who fired the event all the same.

    def begin_later(self) -> None:
        """Start when that had to wait: for its turn, or for the stack to unwind."""
        self._context.run(self.begin)

    def _resume(self) -> None:
        """Go on when handlers had to be waited for."""
        self._context.run(self._proceed)

    def _proceed(self) -> None:
        """Go on with the next phase, unless that was the last."""
        engine, handlers, values = self.engine, self._handlers, self._values
        position = len(values)
        ended = self.cancelled or position == len(handlers)
        if position and not ended:
            ended = engine.ends_with(handlers[position - 1].phase, handlers, values)
        if ended:
            self.end()
            return
        self._running = True
        engine.depth += 1
        value = call(handlers[position], self._event)
        engine.go_on(self._event, handlers, values, value, self)
        engine.depth -= 1
        self.pause()

    def pause(self) -> None:
        """Handlers are not being called any more: wait for them, or end."""
        self._running = False
        if not self.waiting:
            self.end()
            return
        if self.engine.stops:
            self.engine.examine_stops()
        for suspect in self.suspects():
            suspect.examine()

    def end(self) -> None:
        """Give the result."""
        result = DispatchResult(self._handlers, self._values)
        engine = self.engine
        if engine.observers:
            engine.tell("fire_ended", self._event, result)
        if not self.cancelled:
            self.done.callback(result)
        engine.in_flight.discard(self)
        if engine.stops:
            engine.examine_stops()

    # What it waits for

    def wait_for(self, position: int, answer: Deferred[Any]) -> None:
        """Wait for what the handler at a position has given."""
        self.waiting[position] = answer
        answer.addCallbacks(
            self._succeeded, self._failed, callbackArgs=(position,), errbackArgs=(position,)
        )
        if self.cancelled:
            self._cancel_answer(answer)

    def _succeeded(self, value: Any, position: int) -> Any:
        if KINDS.get(type(value)) == PLAIN:
            self._arrived(position, value)
            return value
        # A callback has given a coroutine: it is the answer now.
        value = settle(value)
        if kind_of(value) == DEFERRED:
            self.wait_for(position, value)
        elif kind_of(value) == FAILURE:
            self._failed(value, position)
        else:
            self._arrived(position, value)
        return None

    def _failed(self, failure: Failure, position: int) -> None:
        if not (self.cancelled and failure.check(CancelledError)):
            self.engine.report(self._handlers[position], self._event, failure)
        self._arrived(position, failure)

    def _arrived(self, position: int, value: Any) -> None:
        del self.waiting[position]
        self._values[position] = value
        if not self.waiting and not self._running:
            self.engine.trampoline.run(self._resume)

    def _cancel(self, done: Deferred[DispatchResult]) -> None:
        """Cancel what is pending; what comes after it does not start."""
        self.cancelled = True
        # Events that handlers fired and wait for are cancelled so as well, hundreds deep.
        self.engine.trampoline.run(self._cancel_answers)

    def _cancel_answers(self) -> None:
        for answer in list(self.waiting.values()):
            self._cancel_answer(answer)

    def _cancel_answer(self, answer: Deferred[Any]) -> None:
        try:
            answer.cancel()
        except Exception:
            _log.failure("A canceller of {name} failed", name=event_label(self._event))

    # Who waits for it

    def blocks(self) -> Iterable[object]:
        """Give what goes on only when this has ended."""
        return (self.done,)

    def suspects(self) -> Iterable[Suspect]:
        """Give those of whom it may show, now that this waits, that they wait for themselves."""
        return ()
