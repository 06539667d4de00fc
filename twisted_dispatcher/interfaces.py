"""
The seams of the package, as zope.interface contracts.

`IEventDispatcher` and `IBackgroundUtility` are what an application looks up and calls.
`IHandler`, `IObserver` and `IRunner` are what somebody else's code may provide or be handed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.results import DispatchResult

Listener = Callable[[Any], Any]
Registration = tuple[tuple[Any, ...], Mapping[str, Any]]


class IBackgroundUtility(Interface):
    """Something that runs in the background of an application until it is stopped."""

    running: bool = Attribute("Whether it is running. Read only.")

    def start() -> None:
        """Start; `running` is True at once. Starting what is running is harmless."""

    def when_ready() -> Deferred[None]:
        """
        Give a Deferred that fires when it is started and does its work.

        It fires with None and does not fail. It may be cancelled.
        """

    def stop() -> Deferred[None]:
        """
        Stop; `running` is False at once. Stopping what is stopped is harmless.

        :return: a Deferred that fires with None when everything accepted before has finished.
            It has already fired when nothing is in flight. It does not fail.
        """


class IEventDispatcher(Interface):
    """
    Something that calls, for each event fired, the handlers whose match spec fits.

    All methods belong to the reactor's thread. Misuse (see each method) is raised at once;
    nothing is registered or fired then.
    """

    allowed_keywords: tuple[str, ...] = Attribute("The keywords that specs and details may name.")
    phases: tuple[str, ...] = Attribute("The names of the phases, in the order in which they run.")

    def add_event_handler(
        listen_fn: Listener,
        phase: str,
        use_weakref: bool = True,
        *,
        options: HandlerOptions | None = None,
        **match_spec: Any,
    ) -> Deferred[int]:
        """
        Register a handler for the events whose details the match spec is a subset of.

        :param listen_fn: called with the event alone. It may give a value, a Deferred or a
            coroutine.
        :param use_weakref: hold it (a bound method: its instance) weakly; when it is collected,
            its registration is removed.
        :param match_spec: for each keyword a plain hashable value, None (anything), a compiled
            pattern, `OneOf`, `Exactly` or `Where`.
        :return: a Deferred that fires with the registration's id, which is never used again.
        :raises UnknownKeyword, UnknownPhase, NotCallable, NotWeakReferenceable: at once.
        :raises UnhashableValue, InvalidOptions: at once.
        """

    def on(
        phase: str = "during", *, options: HandlerOptions | None = None, **match_spec: Any
    ) -> Callable[[Listener], Listener]:
        """
        Give a decorator that registers a function, held strongly, and gives it back.

        It raises as `add_event_handler` does.
        """

    def remove_event_handler(handler_id: int) -> Deferred[None]:
        """
        Remove a registration.

        :return: a Deferred that fires with None when the handler will not be started any more,
            or fails with `UnknownHandler`.
        """

    def replace_event_handlers(
        handler_ids: Iterable[int], registrations: Iterable[Registration]
    ) -> Deferred[list[int]]:
        """
        Swap some registrations for others at once: an event meets the old ones or the new.

        :param registrations: the positional and the keyword arguments of one
            `add_event_handler` call each.
        :return: a Deferred that fires with the new ids, or fails with `UnknownHandler`; then
            nothing has changed.
        :raises: as `add_event_handler` does; then nothing has changed.
        """

    def fire_event(event: Any, **event_details: Any) -> Deferred[DispatchResult]:
        """
        Call the handlers that match the details, phase after phase.

        :return: a Deferred that fires with the result when the last phase is done. Handlers that
            fail do not fail it. Cancelling it cancels the handlers that are pending and starts
            no later phase; it fails with `CancelledError` then. It fails with `UnhashableValue`
            when a detail cannot be hashed, and with `WouldDeadlock` when a handler waits for an
            event queued behind its own.
        :raises UnknownKeyword: at once, for a detail that is not allowed.
        """

    def wait_for(
        *,
        timeout: float | None = None,
        check: Callable[[Any], object] | None = None,
        **match_spec: Any,
    ) -> Deferred[Any]:
        """
        Give the next event that matches.

        :param timeout: seconds after which the Deferred fails with `WaitTimeout`; without it,
            the wait has no limit but its cancellation.
        :param check: called with a matching event; a false answer lets the event pass by. When
            it raises, the Deferred fails with what it raised.
        """

    def allow_keyword(name: str) -> None:
        """Allow one more keyword. Allowing it again is harmless."""

    def forbid_keyword(name: str) -> None:
        """Forbid a keyword; `KeywordInUse` is raised while a handler's spec names it."""

    def describe() -> list[Any]:
        """List what is registered: id, name, phase, spec, options, place of registration."""

    def why(**event_details: Any) -> list[Any]:
        """Say for every handler whether such an event would reach it, or what stands against."""


class IHandler(Interface):
    """A registered handler, as observers and runners see it."""

    id: int = Attribute("The registration's id.")
    name: str = Attribute("The handler's name.")
    phase: str = Attribute("The phase for which it is registered.")
    registered_at: str = Attribute('Where it was registered, as "file:line".')


class IObserver(Interface):
    """
    Something that watches a dispatcher. It is called in the reactor's thread, synchronously.

    What an observer raises is logged and goes no further.
    """

    def fire_started(event: Any) -> None:
        """An event is about to meet its handlers."""

    def fire_ended(event: Any, result: DispatchResult) -> None:
        """All handlers of an event are done."""

    def handler_started(handler: IHandler, event: Any) -> None:
        """A handler is about to be called (with options: for all of its attempts)."""

    def handler_ended(handler: IHandler, event: Any, value: Any) -> None:
        """A handler has given its value."""

    def handler_failed(handler: IHandler, event: Any, failure: Any) -> None:
        """A handler has failed, after its last attempt."""


class IRunner(Interface):
    """A place where a handler's code can run."""

    def run(handler: Listener, event: Any) -> Deferred[Any]:
        """
        Call the handler with the event there.

        :return: a Deferred that fires in the reactor's thread with what the handler gave, or
            fails with what it raised.
        """
