"""Feeding a log to an application, under the reactor, from its setup to its report."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from twisted.internet.task import deferLater

from twisted_dispatcher.cli.application import Setup, SetupFailed, set_up
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.following import StoredTally
from twisted_dispatcher.cli.statuses import FAILED, WELL
from twisted_dispatcher.cli.steps import Steps
from twisted_dispatcher.cli.venues import DEFAULT_LEASE, InMemory, InStore, StuckFeed, Venue
from twisted_dispatcher.errors import BadLineInLog, EventLogError, StoreError
from twisted_dispatcher.eventlogs import BadLine, EventLog
from twisted_dispatcher.eventlogs.waiting import ReadInThread
from twisted_dispatcher.events import Event
from twisted_dispatcher.feeding import Item, Tally, feed
from twisted_dispatcher.interfaces import IStore

_WANTED: Final = "the application of feed is called with a dispatcher"


class Screen(Protocol):
    """Where a run shows how it goes."""

    def progress(self, events: int, fraction: float | None) -> None:
        """Show how far it is."""

    def tell(self, text: str) -> None:
        """Show what went wrong."""

    def report(self, text: str) -> None:
        """Show what the application has to say at the end."""

    def summary(self, tally: Tally) -> None:
        """Show what was counted."""


class Run(Steps):
    """
    One log, fed to one application by a dispatcher of its own.

    It gives the exit status: `WELL`, `FAILED` (a handler, the setup or the report failed, the log
    could not be read to its end, or the store is away) or `INTERRUPTED`.

    The setup is given the dispatcher. What it gives, if anything, is called when the log is
    through and every handler done; what that gives, if anything, is shown. If it is `strict`, a
    bad line ends the run. With a store the events are made durable there, and the run closes it at
    its end; without, they are dispatched in memory.
    """

    explained = (EventLogError, SetupFailed, StoreError, StuckFeed)

    def __init__(
        self,
        reactor: Any,
        log: EventLog,
        setup: Setup,
        screen: Screen,
        complaints: Complaints,
        *,
        phases: Sequence[str] = ("before", "during", "after"),
        strict: bool = False,
        concurrency: int | None = None,
        store: IStore | None = None,
        lease: float = DEFAULT_LEASE,
        log_name: str | None = None,
    ) -> None:
        """
        :param concurrency: by default 1 in memory and 100 in a store.
        :param lease: see `InStore`.
        :param log_name: what the log is called in keys; by default its full path.
        """
        super().__init__(screen.tell)
        self._venue: Venue = InMemory(phases)
        if store is not None:
            self._venue = InStore(store, reactor, phases, self._refused, self._progress, lease)
        self.tally = self._venue.tally
        self._reactor = reactor
        self._log = log
        self._setup = setup
        self._screen = screen
        self._complaints = complaints
        self._strict = strict
        self._log_name = log_name
        self._concurrency = concurrency or self._venue.concurrency

    async def _run(self) -> int:
        finish: list[Callable[[], Any]] = []
        status = await self._step("the application's setup failed", self._set_up, finish)
        if status != WELL:
            await self._step("stopping failed", self._venue.close)
            return status
        status = await self._step("feeding failed", self._feed)
        status = await self._step("stopping failed", self._venue.close) or status
        if status == WELL and finish:
            status = await self._step("the application's report failed", self._report, finish[0])
        self._screen.summary(self.tally)
        for line in self._complaints.rest():
            self._screen.tell(line)
        return status or (FAILED if _is_amiss(self.tally) else WELL)

    async def _set_up(self, finish: list[Callable[[], Any]]) -> None:
        # From here on the reactor runs, so that Ctrl-C is heard.
        await deferLater(self._reactor, 0)
        answer = await set_up(self._setup, self._venue.dispatcher, _WANTED)
        if callable(answer):
            finish.append(answer)
        elif answer is not None:
            raise TypeError(
                f"it gave {answer!r}: a setup gives nothing, or a function that is called at the "
                "end"
            )

    async def _feed(self) -> None:
        await self._venue.open()
        # What makes its reader wait must not make the reactor wait.
        log: Iterable[Item] = self._log
        if not self._log.checkable:
            log = ReadInThread(self._log, self._reactor)
        await feed(
            self._venue.fed(log, self._log_name or self._full_name()),
            self._venue.target,
            clock=self._reactor,
            tally=self.tally,
            concurrency=self._concurrency,
            on_bad_line=self._bad_line,
            on_turn=self._progress,
        )
        await self._venue.settle()

    def _full_name(self) -> str:
        return str(Path(self._log.name).resolve()) if self._log.checkable else self._log.name

    def _progress(self) -> None:
        """Show how far it is, by the part of the log that was read and of the events settled."""
        done, fraction = self.tally.events, self._log.fraction
        if isinstance(self.tally, StoredTally):
            done = self.tally.settled
        if fraction is not None:
            fraction *= done / max(1, self.tally.events)
        self._screen.progress(done, fraction)

    def _bad_line(self, bad: BadLine) -> None:
        if self._strict:
            raise BadLineInLog(self._log.name, bad.line, bad.reason)
        self._complaints.bad_line(bad)

    def _refused(self, event: Event, error: Exception) -> None:
        reason = f"event {event.key} cannot be stored: {error}"
        if self._strict:
            raise EventLogError(self._log.name, reason)
        self._complaints.refused(reason)

    async def _report(self, finish: Callable[[], Any]) -> None:
        text = finish()
        if inspect.isawaitable(text):
            text = await text
        if text is not None:
            self._screen.report(str(text))


def _is_amiss(tally: Tally) -> bool:
    """Tell whether something was not handled as it should."""
    if isinstance(tally, StoredTally) and (tally.dead or tally.refused):
        return True
    return tally.failures > 0
