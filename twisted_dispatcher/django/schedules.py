"""Sweeps that the daemon does by itself, in the place of a cron job."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.core.management import call_command
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from twisted_dispatcher.django.threads import in_thread

COMMAND: Final = "process_event_sources"

_log = logging.getLogger("twisted_dispatcher.django")


class SweepSchedule(Service):
    """
    Sweeps the models of a project again and again, while its process runs.

    A sweep that fails is logged, and the next one comes when its time has come. Of two that would
    run at the same time, the later one is left out.
    """

    # Tests call here and now.
    _in_thread: Any = staticmethod(in_thread)

    def __init__(self, service: Any, seconds: float, *models: str, **options: Any) -> None:
        """
        Add it to the service that a ``SETUP`` function is given.

        :param seconds: from the beginning of one sweep to that of the next; the first one begins
            with the process.
        :param models: those to be swept, as ``"app.Model"``; by default all that have sources.
        :param options: those of the command ``process_event_sources``, such as
            ``filter=["is_active=True"]``.
        """
        if not seconds > 0:
            raise ValueError(f"a sweep begins every so many seconds, more than 0, not {seconds!r}")
        self._service = service
        self._seconds = seconds
        self._models = models
        self._options = {"verbosity": 0, **options}
        self._loop = LoopingCall(self._sweep)
        self._loop.clock = service.reactor
        self._ended: Deferred[Any] | None = None
        self.setServiceParent(service)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._ended = self._loop.start(self._seconds)

    def stopService(self) -> Deferred[None]:
        """
        Begin no sweep any more.

        :return: a Deferred that fires when the present sweep has ended, or when the time to drain
            is over. Its last batch is rolled back then; what was recorded stays.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        stopped: Deferred[None] = Deferred()
        ended, self._ended = self._ended, None
        if ended is None:
            stopped.callback(None)
            return stopped
        ended.addBoth(lambda _: stopped.callback(None))
        self._loop.stop()
        drain = self._service.settings.drain
        return stopped.addTimeout(drain, self._service.reactor, lambda *_: None)

    def _sweep(self) -> Deferred[Any]:
        sweeping: Deferred[Any] = self._in_thread(self._call)
        return sweeping.addErrback(self._failed)

    def _call(self) -> None:
        call_command(COMMAND, *self._models, **self._options)

    def _failed(self, failure: Failure) -> None:
        what = " ".join(self._models) or "all models"
        _log.error("The sweep of %s has failed: %s", what, failure.getErrorMessage())
