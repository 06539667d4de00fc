"""The dispatcher that lives in a process beside Django, in the reactor's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.blocking import Connection, attach
from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.ending import before_exit, forget
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.django.conf import Conf
from twisted_dispatcher.django.ending import MOST_AWAITED, Patience
from twisted_dispatcher.django.services import new_service, settings_of
from twisted_dispatcher.django.threads import let_go
from twisted_dispatcher.django.waking import Waking
from twisted_dispatcher.errors import StoreUnavailable
from twisted_dispatcher.service import DispatcherService

# When it could not start, it is tried again after these seconds, twice as long each time. At first
# nothing is said of it: somebody may just be writing to a file of SQLite that is to be opened.
SHORTEST_PAUSE, LONGEST_PAUSE, LOUD_PAUSE = 0.05, 5.0, 0.5

_log = Logger()


class Resident:
    """
    A service in the reactor's thread of this process, which starts that if it is the first.

    Nobody waits for it to start: who saves something must not be held up by a store that is
    away. It is tried again until it is there, while the events are safe in their tables.
    """

    def __init__(self, given: Conf, works: bool) -> None:
        """
        Begin to start it.

        :param works: whether it calls handlers.
        :raises UnsuitableDatabase: when it could never start.
        :raises ForkedProcess: when there was a reactor before this process was forked.
        """
        self._given = given
        self._settings = settings_of(given, works)
        self._seconds = given.timeout
        self._service: DispatcherService | None = None
        self._patience: Patience | None = None
        self._is_ready = self._has_ended = False
        self._pause = SHORTEST_PAUSE
        # So many are waited for in the end; that more were recorded, the store knows.
        self._recorded: deque[int] = deque(maxlen=MOST_AWAITED)
        self._waiting: list[Deferred[DispatcherService]] = []
        self._trigger: Any = None
        self._thread = reactor_thread()
        self._waking = Waking(self._thread.reactor, self._take_note)
        self._thread.reactor.callFromThread(self._begin)
        before_exit(self.stop)

    # For any other thread

    def wake(self, event_ids: Sequence[int]) -> None:
        """Have a look at events that were just committed, without waiting for it."""
        self._waking.wake(event_ids)

    def connection(self) -> Connection:
        """
        Give a connection to it, when it has started.

        :raises CallTimeout: when it has not within the time that the setting allows.
        :raises StoreError, NotMigrated: when it could not just now.
        """
        service = self._thread.run(Call(self._when_started, (), {}), self._seconds)
        return attach(service, timeout=self._seconds)

    def stop(self) -> None:
        """
        Stop it, when what was recorded in this process is handled, within the time to drain.

        It is called at the end of the process. In the child of a fork it does nothing.
        """
        forget(self.stop)
        if self._thread.is_forked:
            return
        seconds = 2 * self._settings.drain + self._seconds
        self._thread.run(Call(self._stop, (), {}), seconds)

    # In the reactor's thread

    def _begin(self) -> None:
        # The reactor waits for what this gives before it stops.
        self._trigger = self._thread.reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: Deferred.fromCoroutine(self._end())
        )
        self._start()

    def _start(self) -> None:
        if self._has_ended:
            return
        try:
            service = new_service(self._given, self._settings, self._thread.reactor)
        except Exception:
            self._not_started(Failure())
            return
        self._service = service
        self._patience = Patience(service)
        self._patience.recorded(self._recorded)
        service.addService(self._patience)
        service.startService()
        service.when_ready().addCallback(self._started, service)

    def _not_started(self, failure: Failure) -> None:
        if self._pause >= LOUD_PAUSE or not failure.check(StoreUnavailable):
            _log.failure(
                "The dispatcher could not start in this process, and tries again", failure
            )
            self._tell(lambda waiting: waiting.errback(failure))
        self._thread.reactor.callLater(self._pause, self._start)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _started(self, ready: None, service: DispatcherService) -> None:
        self._is_ready = True
        self._tell(lambda waiting: waiting.callback(service))

    def _tell(self, tell: Callable[[Deferred[DispatcherService]], object]) -> None:
        told, self._waiting = self._waiting, []
        for each in told:
            tell(each)

    def _when_started(self) -> DispatcherService | Deferred[DispatcherService]:
        if self._service is not None and self._is_ready:
            return self._service
        waiting: Deferred[DispatcherService] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def _take_note(self, event_ids: Sequence[int]) -> None:
        if self._service is None or self._patience is None:
            self._recorded.extend(event_ids)
            return
        self._patience.recorded(event_ids)
        dispatcher: Any = self._service.dispatcher
        dispatcher.backstage.wake()

    async def _stop(self) -> None:
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self._thread.reactor.removeSystemEventTrigger(trigger)
        await self._end()

    async def _end(self) -> None:
        """Stop; what was recorded is handled first, within the time to drain."""
        self._waking.hurry()
        deadline = self._now() + self._settings.drain
        while self._recorded and self._service is None and self._now() < deadline:
            await deferLater(self._thread.reactor, SHORTEST_PAUSE)
        self._has_ended = True
        if self._service is not None:
            await self._service.stopService()
        await let_go()

    def _now(self) -> float:
        return float(self._thread.reactor.seconds())
