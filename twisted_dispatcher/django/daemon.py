"""The daemon: Django's process with a reactor in its main thread, which dispatches events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import STDLibLogObserver, globalLogBeginner
from twisted.python.failure import Failure

from twisted_dispatcher.blocking import Connection, attach
from twisted_dispatcher.django import running
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.ending import until_idle
from twisted_dispatcher.django.services import new_service, settings_of
from twisted_dispatcher.django.threads import let_go
from twisted_dispatcher.django.waking import Waking
from twisted_dispatcher.service import DispatcherService


class Daemon:
    """The dispatcher of the daemon, as the rest of its process knows it."""

    def __init__(self, service: DispatcherService, seconds: float) -> None:
        self._service = service
        self._seconds = seconds
        self._waking = Waking(service.reactor, self._wake)

    def wake(self, event_ids: Sequence[int]) -> None:
        self._waking.wake(event_ids)

    def _wake(self, event_ids: object) -> None:
        dispatcher: Any = self._service.dispatcher
        dispatcher.backstage.wake()

    def connection(self) -> Connection:
        return attach(self._service, timeout=self._seconds)

    def stop(self) -> None:
        """Leave it to the daemon."""


def run(ready: Callable[[Any], object], *, ends_when_idle: bool = False) -> None:
    """
    Dispatch events until the process is told to end, or nothing is left to do.

    SIGTERM and Ctrl-C let the handlers end that are running, within the time to drain.

    :param ready: called with the dispatcher, when it dispatches.
    :param ends_when_idle: whether to end when nothing is left that is due.
    :raises StoreError, NotMigrated, UnsuitableDatabase: when it cannot begin.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    given = conf()
    globalLogBeginner.beginLoggingTo([STDLibLogObserver("twisted")], redirectStandardIO=False)
    service = new_service(given, settings_of(given, True), reactor)
    running.serve(Daemon(service, given.timeout))
    reactor.addSystemEventTrigger("before", "shutdown", _stop, service)
    beginning = Beginning(service, ready, ends_when_idle)
    reactor.callWhenRunning(beginning.begin)
    reactor.run()
    if beginning.failure is not None:
        beginning.failure.raiseException()


def _stop(service: DispatcherService) -> Deferred[None]:
    """Stop a service, then close the connections of its threads."""
    return service.stopService().addCallback(lambda _: Deferred.fromCoroutine(let_go()))


class Beginning:
    """
    Begins when the reactor runs; ends what cannot begin, or what is to end when it is idle.

    :ivar failure: what has gone wrong, if anything has.
    """

    def __init__(
        self, service: DispatcherService, ready: Callable[[Any], object], ends_when_idle: bool
    ) -> None:
        self._service = service
        self._ready = ready
        self._ends_when_idle = ends_when_idle
        self.failure: Failure | None = None

    def begin(self) -> None:
        """Start the service."""
        Deferred.fromCoroutine(self._go_on()).addErrback(self._failed)

    async def _go_on(self) -> None:
        self._service.startService()
        await self._service.when_ready()
        self._ready(self._service.dispatcher)
        if self._ends_when_idle:
            await until_idle(self._service)
            self._service.reactor.stop()

    def _failed(self, failure: Failure) -> None:
        self.failure = failure
        self._service.reactor.stop()
