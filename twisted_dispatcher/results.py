"""
What came back from a dispatch: `HandlerOutcome` and `DispatchResult`.

A result is made for every fire, its outcomes only when somebody asks for them. One result
may therefore serve many fires whose handlers all gave None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.python.failure import Failure


class _NotCalled:
    """Stands where a handler's value would stand when the handler was not called."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<not called>"


NOT_CALLED: Final = _NotCalled()


class CalledHandler(Protocol):
    """What a result needs to know of a handler."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def phase(self) -> str: ...


@attrs.frozen
class HandlerOutcome:
    """What one handler came to: its value, or the `Failure` that ended it."""

    handler_id: int
    name: str
    phase: str
    value: Any = None
    failure: Failure | None = None


class DispatchResult:
    """
    What all handlers of one fired event came to.

    `dispatched` is False when the dispatcher was not running, so that no handler was called.
    A result never changes. It keeps the handlers' values alive, not the event.
    """

    __slots__ = ("_handlers", "_values")

    dispatched: bool = True

    def __init__(self, handlers: Sequence[CalledHandler], values: Sequence[object] | None) -> None:
        """
        :param handlers: the handlers that the event met, in order.
        :param values: for each of these its value, its `Failure`, or `NOT_CALLED`; None when
            every one of them gave None. It may be shorter: the rest was not called.
        """
        self._handlers = handlers
        self._values = values

    @property
    def outcomes(self) -> tuple[HandlerOutcome, ...]:
        """One outcome for each handler that was called: by phase, then by registration."""
        values = self._values
        if values is None:
            values = (None,) * len(self._handlers)
        return tuple(
            HandlerOutcome(handler.id, handler.name, handler.phase, None, value)
            if isinstance(value, Failure)
            else HandlerOutcome(handler.id, handler.name, handler.phase, value)
            for handler, value in zip(self._handlers, values)
            if value is not NOT_CALLED
        )

    @property
    def values(self) -> list[Any]:
        """The values of the handlers that succeeded, in the order of the outcomes."""
        return [outcome.value for outcome in self.outcomes if outcome.failure is None]

    @property
    def failures(self) -> list[Failure]:
        """The failures of the handlers that failed, in the order of the outcomes."""
        return [outcome.failure for outcome in self.outcomes if outcome.failure is not None]

    def raise_for_failures(self) -> None:
        """Raise the original exception of the first handler that failed, if any did."""
        for failure in self.failures:
            failure.raiseException()

    def __repr__(self) -> str:
        if not self.dispatched:
            return "<DispatchResult: not dispatched>"
        outcomes = self.outcomes
        failed = sum(outcome.failure is not None for outcome in outcomes)
        return f"<DispatchResult: {len(outcomes)} called, {failed} failed>"


class _NotDispatched(DispatchResult):
    __slots__ = ()
    dispatched = False


def not_dispatched() -> DispatchResult:
    """Give the result of an event that met a dispatcher that was not running."""
    return _NotDispatched((), None)
