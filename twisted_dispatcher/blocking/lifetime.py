"""From when to when the service behind a connection runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted_dispatcher.interfaces import IRunner
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings


class Lifetime:
    """
    A service that stops when it is told to, or when the reactor is about to.

    It belongs to the reactor's thread.
    """

    def __init__(self, reactor: Any, service: DispatcherService) -> None:
        self._reactor = reactor
        self.service = service
        # The reactor waits for what this gives before it stops.
        self._trigger = reactor.addSystemEventTrigger("before", "shutdown", service.stopService)

    @classmethod
    async def begin(
        cls,
        reactor: Any,
        settings: Settings,
        setup: Callable[[DispatcherService], object] | None,
        runners: Mapping[str, IRunner] | None,
    ) -> Lifetime:
        """
        Make a service, start it, and wait until it is ready.

        What fails, or is cancelled, leaves nothing running.
        """
        service = DispatcherService(settings, setup=setup, runners=runners, reactor=reactor)
        lifetime = cls(reactor, service)
        try:
            service.startService()
            await service.when_ready()
        except BaseException:
            await lifetime.end()
            raise
        return lifetime

    async def end(self) -> None:
        """Stop the service, and wait until it has stopped."""
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        await self.service.stopService()
