"""When a process may end: when what it has recorded is handled, or nothing is left to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_dispatcher.records import RUNNING
from twisted_dispatcher.service import DispatcherService

# So often it is looked, in seconds.
PAUSE: Final = 0.05
# So many of the events that were recorded last are waited for. As a worker begins with what is due
# first, those before them are mostly done when these are.
MOST_AWAITED: Final = 1000

# What is to be tried again within so many seconds is waited for.
SOON: Final = 0.5

_log = Logger()


class Patience(Service):
    """
    Holds up the end of a process until the events that it has recorded are handled.

    So a short program may record something and end. It waits for the time to drain at most, and
    not for what is to be tried again later than soon; nor does a server that is to end go on with
    what others have recorded.
    """

    def __init__(self, service: DispatcherService) -> None:
        self._service = service
        self._recorded: deque[int] = deque(maxlen=MOST_AWAITED)

    def recorded(self, event_ids: Iterable[int]) -> None:
        """Take note of events; belongs to the reactor's thread."""
        self._recorded.extend(event_ids)

    def stopService(self) -> Deferred[None]:
        """Give a Deferred that fires when nothing more is worth waiting for."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._wait()).addErrback(
            lambda failure: _log.failure(
                "It is not known whether all events were handled", failure
            )
        )

    async def _wait(self) -> None:
        if not self._recorded:
            return
        reactor: Any = self._service.reactor
        deadline = reactor.seconds() + self._service.settings.drain
        while not await self._is_over(reactor.seconds()) and reactor.seconds() < deadline:
            await deferLater(reactor, PAUSE)

    async def _is_over(self, now: float) -> bool:
        store: Any = self._service.store
        awaited = frozenset(self._recorded)
        for event_id in sorted(awaited - await store.settled(awaited)):
            if await self._is_worth_waiting(event_id, now):
                return False
        return True

    async def _is_worth_waiting(self, event_id: int, now: float) -> bool:
        """Tell whether something of an event is run, here or by others, or will be soon."""
        store: Any = self._service.store
        known = {each.name for each in self._service.dispatcher.describe()}
        deliveries = await store.deliveries_of(event_id)
        return not deliveries or any(
            each.status == RUNNING or (each.due is not None and each.due <= now + SOON)
            for each in deliveries
            if each.handler in known
        )


async def is_idle(service: DispatcherService, until: float) -> bool:
    """Tell whether a service runs nothing, and finds nothing to run before a time."""
    dispatcher: Any = service.dispatcher
    return bool(await dispatcher.backstage.is_idle(until))


async def until_idle(service: DispatcherService) -> None:
    """Wait until nothing that is due is left for a service to do."""
    reactor: Any = service.reactor
    await service.when_ready()
    while not await is_idle(service, reactor.seconds()):
        await deferLater(reactor, PAUSE)
