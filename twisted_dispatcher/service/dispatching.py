"""A dispatcher with its store, as one service made of settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import ServiceStopped, SetupWaits
from twisted_dispatcher.interfaces import IRunner, IStore
from twisted_dispatcher.service.chains import Chains
from twisted_dispatcher.service.triggers import Triggers
from twisted_dispatcher.settings import Settings
from twisted_dispatcher.sources import EventSources
from twisted_dispatcher.stores import open_store

_log = Logger()


class DispatcherService(MultiService):
    """
    A dispatcher with its store, made of `Settings`, as one service.

    Services that are added to it start after its dispatcher, and have stopped before it does. It
    belongs to the reactor's thread.

    :ivar settings: what it was made of.
    :ivar store: the store, which it closes at the end; None in memory.
    :ivar reactor: the reactor that it lives under, also its clock.
    :ivar dispatcher: a `DurableDispatcher`, or without a store an `EventDispatcher`.
    :ivar chains: the chains on its dispatcher, by their types: see `Chains`.
    """

    def __init__(
        self,
        settings: Settings | str | Mapping[str, Any],
        *,
        setup: Callable[[DispatcherService], object] | None = None,
        runners: Mapping[str, IRunner] | None = None,
        migrate: bool = True,
        reactor: Any = None,
    ) -> None:
        """
        Open the store, which may take a moment, and have handlers registered.

        :param settings: what `Settings.of` takes.
        :param setup: a plain function that is called with the service before it starts: it
            registers handlers, adds chains, and has trigger sessions.
        :param runners: runners by name, beside ``"reactor"`` and ``"thread"``; one that is called
            ``"thread"`` takes the place of the usual one.
        :param migrate: bring older tables up to date, and make those that are missing. False:
            refuse to run then.
        :param reactor: by default the global one.
        :raises InvalidSettings, StoreError: when nothing can be made of the settings.
        :raises SetupWaits: when the setup is asynchronous.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        if reactor is None:
            from twisted.internet import reactor
        self.reactor = reactor
        self._stopping: Deferred[None] | None = None
        self._sources: EventSources | None = None
        self._triggers: Triggers | None = None
        self.settings = Settings.of(settings)
        self.store: IStore | None = None
        if self.settings.store is not None:
            self.store = open_store(self.settings.store, migrate=migrate, reactor=reactor)
        try:
            self.dispatcher = self._new_dispatcher(runners)
            self.chains = Chains(self._add, self.dispatcher, self.settings.worker)
            self._set_up(setup)
        except BaseException:
            if self.store is not None:
                self.store.close()
            raise

    def _new_dispatcher(
        self, runners: Mapping[str, IRunner] | None
    ) -> DurableDispatcher | EventDispatcher:
        given = self.settings
        common: dict[str, Any] = {
            "on_failure": given.on_failure,
            "order_by": given.order_by,
            "clock": self.reactor,
            "runners": runners,
        }
        if self.store is None:
            return EventDispatcher(given.keywords, given.phases, **common)
        return DurableDispatcher(
            self.store,
            given.keywords,
            given.phases,
            worker=given.worker,
            lease=given.lease,
            drain=given.drain,
            bury_after=given.bury_after,
            keep_payloads=given.keep_payloads,
            keep_keys=given.keep_keys,
            **common,
        )

    def _set_up(self, setup: Callable[[DispatcherService], object] | None) -> None:
        answer = None if setup is None else setup(self)
        if inspect.iscoroutine(answer):
            answer.close()
            raise SetupWaits

    def _add(self, service: Service) -> None:
        """
        Have a service start and stop with this one.

        :raises ServiceStopped: when this one has been stopped.
        """
        if self._stopping is not None:
            raise ServiceStopped
        service.setServiceParent(self)

    @property
    def sources(self) -> EventSources:
        """
        The sources of events on its dispatcher, made when they are first asked for.

        :raises SourcesNeedStore: in memory.
        """
        if self._sources is None:
            self._sources = EventSources(cast(DurableDispatcher, self.dispatcher))
        return self._sources

    @property
    def triggers(self) -> Triggers:
        """
        The trigger sessions on its dispatcher; who works asks for them before it starts.

        :raises InvalidSession: in memory.
        """
        if self._triggers is None:
            self._triggers = Triggers(self.dispatcher)
        return self._triggers

    def when_ready(self) -> Deferred[None]:
        """Give a Deferred that fires when events are dispatched; see `IBackgroundUtility`."""
        return self.dispatcher.when_ready()

    def startService(self) -> None:
        """
        Start the dispatcher, then the services that were added.

        :raises ServiceStopped: when it was stopped before, as its store is closed then.
        """
        if self._stopping is not None:
            raise ServiceStopped
        self.dispatcher.start()
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[None]:
        """
        Stop the services that were added, then the dispatcher, and close the store.

        :return: a Deferred that fires with None when all this is done. What does not end within
            the time to drain is given back to the store, or in memory is not waited for.
        """
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
        stopped: Deferred[None] = Deferred()
        self._stopping.addBoth(lambda _: stopped.callback(None))
        return stopped

    async def _stop(self) -> None:
        Service.stopService(self)
        children = list(self)
        await gatherResults([_stopped(child) for child in reversed(children)])
        await self._stop_dispatcher()
        if self.store is not None:
            await self.store.close()

    async def _stop_dispatcher(self) -> None:
        stopping = self.dispatcher.stop()
        if isinstance(self.dispatcher, DurableDispatcher):
            await stopping
            return
        # In memory nothing can be given back to anybody.
        stopping.addTimeout(max(self.settings.drain, 0.001), self.reactor)
        try:
            await stopping
        except TimeoutError:
            _log.warn(
                "{dispatcher}: handlers have not ended in {seconds} seconds, and are not waited "
                "for any longer",
                dispatcher=self.dispatcher,
                seconds=self.settings.drain,
            )


def _stopped(service: Any) -> Deferred[Any]:
    """Stop a service; its failing to stop is logged, and keeps nothing else from stopping."""

    def failed(failure: Failure) -> None:
        _log.failure("{service} could not be stopped well", failure, service=service)

    return maybeDeferred(service.stopService).addErrback(failed)
