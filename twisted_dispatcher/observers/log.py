"""
Writes what a dispatcher does as structured `twisted.logger` events.

`report_failure` is what every dispatcher does with a handler that fails, at once. `LogObserver`
writes the rest, at debug level, for who wants to follow single events.

A log event has the fields ``event_label``, ``handler``, ``handler_id``, ``phase`` and
``registered_at``; a failure also ``log_failure``. The event itself, which may hold what does not
belong in a log, is there only as its label: its type, and the key of an `Event`.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_dispatcher.events import Event
from twisted_dispatcher.interfaces import IHandler, IObserver
from twisted_dispatcher.results import DispatchResult

_log = Logger("twisted_dispatcher.handlers")
_fires = Logger("twisted_dispatcher.fires")


def event_label(event: object) -> str:
    """Name an event without telling what is in it."""
    if isinstance(event, Event):
        return f"Event {event.type}" + (f" ({event.key})" if event.key else "")
    label = getattr(type(event), "log_label", None)
    if label is not None:
        return str(label(event))
    return f"{type(event).__module__}.{type(event).__qualname__}"


def _fields(handler: IHandler, event: object) -> dict[str, Any]:
    return {
        "event_label": event_label(event),
        "handler": handler.name,
        "handler_id": handler.id,
        "phase": handler.phase,
        "registered_at": handler.registered_at,
    }


def report_failure(handler: IHandler, event: object, failure: Failure) -> None:
    """Log that a handler has failed for an event, with the traceback."""
    _log.failure(
        "Handler {handler} failed for {event_label} in phase {phase} "
        "(registered at {registered_at})",
        failure,
        LogLevel.error,
        **_fields(handler, event),
    )


def report_retry(
    handler: IHandler, event: object, failure: Failure, attempt: int, delay: float
) -> None:
    """Log that an attempt has failed, and when the next one will be made."""
    _log.warn(
        "Handler {handler} failed for {event_label} in phase {phase} at attempt {attempt}, which "
        "is repeated in {delay:.3g} s: {error_type}: {error}",
        attempt=attempt,
        delay=delay,
        error_type=failure.type.__name__ if failure.type else "",
        error=failure.getErrorMessage(),
        **_fields(handler, event),
    )


def report_never_called(name: str, phase: str, registered_at: str) -> None:
    """Log that a weakly held handler was collected before it was ever called."""
    _log.warn(
        "Handler {handler} for phase {phase} (registered at {registered_at}) was collected before "
        "it was ever called: nothing but the dispatcher held it. Keep a reference to it, or "
        "register it with use_weakref=False",
        handler=name,
        phase=phase,
        registered_at=registered_at,
    )


@implementer(IObserver)
class LogObserver:
    """Follows every event through its handlers, in the log, at debug level."""

    def fire_started(self, event: Any) -> None:
        _fires.debug("Fired {event_label}", event_label=event_label(event))

    def fire_ended(self, event: Any, result: DispatchResult) -> None:
        outcomes = result.outcomes
        _fires.debug(
            "Done with {event_label}: {called} handlers called, {failed} failed",
            event_label=event_label(event),
            called=len(outcomes),
            failed=sum(outcome.failure is not None for outcome in outcomes),
        )

    def handler_started(self, handler: IHandler, event: Any) -> None:
        _log.debug("Calling {handler} for {event_label} in {phase}", **_fields(handler, event))

    def handler_ended(self, handler: IHandler, event: Any, value: Any) -> None:
        _log.debug("Done {handler} for {event_label} in {phase}", **_fields(handler, event))

    def handler_failed(self, handler: IHandler, event: Any, failure: Any) -> None:
        """Nothing: every failure is logged anyway."""
