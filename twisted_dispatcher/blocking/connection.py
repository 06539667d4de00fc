"""`Connection`: a dispatcher, as a synchronous program calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred

from twisted_dispatcher.blocking.registering import Registering
from twisted_dispatcher.blocking.sources import BlockingSources
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import CallTimeout, NeedsStore, WaitTimeout
from twisted_dispatcher.records import Acceptance, Delivery
from twisted_dispatcher.registration.explaining import HandlerDescription, Verdict
from twisted_dispatcher.results import DispatchResult


class Connection(Registering):
    """
    The methods of a dispatcher that runs in the reactor's thread, for every other thread.

    Each call waits for what the dispatcher's own method gives a Deferred for, for `timeout`
    seconds at most (by default those of the connection); then it raises `CallTimeout` and cancels
    what it has started. It takes the context variables of the caller along. All of them raise
    what the dispatcher's methods raise or fail with, and `ForkedProcess`, `InReactorThread` and
    `ConnectionClosed` where nothing would ever come.

    It may be used by many threads at once. It is closed by `close`, at the end of a ``with``
    block, or when the program ends.
    """

    _sources: BlockingSources | None = None

    # Events

    def fire_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        timeout: float | None = None,
        **event_details: Any,
    ) -> DispatchResult:
        """
        Fire an event, and give its result when the last phase is done.

        When the time limit is reached, handlers that are pending are cancelled in memory. With a
        store only the wait ends, and the event is dispatched to its end.

        :param key: with a store alone, as ``at``; see `DurableDispatcher.accept_event`.
        """
        found: DispatchResult = self._ask(
            timeout, self.dispatcher.fire_event, event, **self._named(key, at), **event_details
        )
        return found

    def accept_event(
        self,
        event: Any,
        *,
        key: str | None = None,
        at: datetime | float | None = None,
        timeout: float | None = None,
        **event_details: Any,
    ) -> Acceptance:
        """
        Make an event durable; see `DurableDispatcher.accept_event`.

        When the time limit is reached, the event may be accepted all the same: give it a key, and
        then accept it again.
        """
        accept = self._durable("accept_event")
        found: Acceptance = self._ask(timeout, accept, event, key=key, at=at, **event_details)
        return found

    def wait_for(
        self,
        *,
        timeout: float | None = None,
        check: Callable[[Any], object] | None = None,
        **match_spec: Any,
    ) -> Any:
        """
        Give the next event that matches.

        :param check: is called in the reactor's thread.
        :raises WaitTimeout: when none came within the time limit.
        """
        try:
            return self._ask(timeout, self.dispatcher.wait_for, check=check, **match_spec)
        except CallTimeout as error:
            if not error.begun:
                raise
            raise WaitTimeout(error.seconds, match_spec) from None

    def _named(self, key: str | None, at: datetime | float | None) -> dict[str, Any]:
        named = {name: value for name, value in (("key", key), ("at", at)) if value is not None}
        if named and self.store is None:
            raise NeedsStore("fire_event with key= or at=")
        return named

    # The dispatcher itself

    @property
    def running(self) -> bool:
        """Whether events are dispatched."""
        return not self._is_closed and self.service.dispatcher.running

    @property
    def allowed_keywords(self) -> tuple[str, ...]:
        """The keywords that match specs and details may name."""
        return self.service.dispatcher.allowed_keywords

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of the phases, in the order in which they run."""
        return self.service.dispatcher.phases

    def allow_keyword(self, name: str, *, timeout: float | None = None) -> None:
        """Allow one more keyword. Allowing it again is harmless."""
        self._ask(timeout, self.dispatcher.allow_keyword, name)

    def forbid_keyword(self, name: str, *, timeout: float | None = None) -> None:
        """Forbid a keyword; `KeywordInUse` is raised while a handler's spec names it."""
        self._ask(timeout, self.dispatcher.forbid_keyword, name)

    def describe(self, *, timeout: float | None = None) -> list[HandlerDescription]:
        """List what is registered, by phase and in the order of registration."""
        found: list[HandlerDescription] = self._ask(timeout, self.dispatcher.describe)
        return found

    def why(self, *, timeout: float | None = None, **event_details: Any) -> list[Verdict]:
        """Say for every handler whether such an event would reach it, or what stands against."""
        found: list[Verdict] = self._ask(timeout, self.dispatcher.why, **event_details)
        return found

    def start(self, *, timeout: float | None = None) -> None:
        """Dispatch events again, after `stop`."""
        self._ask(timeout, self.dispatcher.start)
        self.when_ready(timeout=timeout)

    def stop(self, *, timeout: float | None = None) -> None:
        """
        Dispatch nothing more, and wait for the handlers that are running.

        The connection stays open; `close` ends it for good.

        :param timeout: by default the time to drain and the connection's own.
        """
        self._ask(self.longest_drain if timeout is None else timeout, self.dispatcher.stop)

    def when_ready(self, *, timeout: float | None = None) -> None:
        """Wait until events are dispatched. It is so when `connect` gives the connection."""
        self._ask(timeout, self.dispatcher.when_ready)

    # Deliveries

    def deliveries(
        self,
        status: str | None = None,
        *,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
        timeout: float | None = None,
    ) -> list[Delivery]:
        """List deliveries, the newest first, by status, by the event's key, or by handler."""
        ask = self._durable("deliveries")
        found: list[Delivery] = self._ask(
            timeout, ask, status, key=key, handler=handler, limit=limit
        )
        return found

    def replay(
        self,
        delivery_id: int,
        context: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Have a delivery that is done, dead or skipped run again.

        :raises UnknownDelivery, WrongStatus, PayloadGone: as `DurableDispatcher.replay` fails.
        :raises InvalidReplay, NotDecodable, NotEncodable: likewise, with a context.
        """
        self._ask(timeout, self._durable("replay"), delivery_id, context)

    def skip(self, delivery_id: int, *, timeout: float | None = None) -> None:
        """
        Give a delivery up that is not settled, or is dead, so that its event goes on without it.

        :raises UnknownDelivery, WrongStatus: as `DurableDispatcher.skip` fails.
        """
        self._ask(timeout, self._durable("skip"), delivery_id)

    @property
    def sources(self) -> BlockingSources:
        """
        The sources of events on the dispatcher, blocking.

        :raises SourcesNeedStore: in memory.
        """
        if self._sources is None:
            self._sources = BlockingSources(self, self._ask(None, lambda: self.service.sources))
        return self._sources

    def _durable(self, name: str) -> Callable[..., Deferred[Any]]:
        dispatcher = self.service.dispatcher
        if not isinstance(dispatcher, DurableDispatcher):
            raise NeedsStore(name)
        method: Callable[..., Deferred[Any]] = getattr(dispatcher, name)
        return method
