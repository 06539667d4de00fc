"""The daemon: Django's process with a reactor in its main thread, which dispatches events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import STDLibLogObserver, globalLogBeginner

from twisted_dispatcher.blocking import Connection, attach
from twisted_dispatcher.django import running
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.ending import until_idle
from twisted_dispatcher.django.services import new_service, settings_of
from twisted_dispatcher.service import DispatcherService


class Daemon:
    """The dispatcher of the daemon, as the rest of its process knows it."""

    def __init__(self, service: DispatcherService, seconds: float) -> None:
        self._service = service
        self._seconds = seconds

    def wake(self, event_ids: Sequence[int]) -> None:
        dispatcher: Any = self._service.dispatcher
        self._service.reactor.callFromThread(dispatcher.backstage.wake)

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
    :raises StoreError, UnsuitableDatabase: when it cannot begin.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    given = conf()
    globalLogBeginner.beginLoggingTo([STDLibLogObserver("twisted")], redirectStandardIO=False)
    service = new_service(settings_of(given, True), given.setup, reactor)
    running.serve(Daemon(service, given.timeout))
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    problems: list[Any] = []
    reactor.callWhenRunning(_begin, service, ready, ends_when_idle, problems)
    reactor.run()
    if problems:
        problems[0].raiseException()


def _begin(
    service: DispatcherService,
    ready: Callable[[Any], object],
    ends_when_idle: bool,
    problems: list[Any],
) -> None:
    reactor = service.reactor
    service.startService()
    waiting = service.when_ready().addCallback(lambda _: ready(service.dispatcher))
    if ends_when_idle:
        waiting.addCallback(lambda _: Deferred.fromCoroutine(until_idle(service)))
        waiting.addCallback(lambda _: reactor.stop())
    waiting.addErrback(lambda failure: (problems.append(failure), reactor.stop()))
