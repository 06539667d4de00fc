"""Sweeping the sources of an application, under the reactor, from its setup to its summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.internet.task import deferLater

from twisted_dispatcher.cli.application import Setup, SetupFailed, set_up
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.statuses import FAILED, WELL
from twisted_dispatcher.cli.steps import Steps
from twisted_dispatcher.cli.venues import DRAIN
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import SourceError, StoreError
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.sources import EventSources, SweepReport

_WANTED: Final = "the application of sweep is called with an EventSources"


class Screen(Protocol):
    """Where a sweep shows how it goes."""

    def progress(self, done: int, fraction: float | None, things: str) -> None:
        """Show how far it is."""

    def tell(self, text: str) -> None:
        """Show what went wrong."""

    def counts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Show what was counted."""


@attrs.frozen
class Wish:
    """
    What is to be swept, and how.

    :ivar sender: the name of a sender; None for all of them.
    :ivar record_only: whether what is new is left to others to handle.
    """

    sender: str | None = None
    resume: bool = False
    record_only: bool = False
    window: int = 100
    phases: Sequence[str] = ("before", "during", "after")
    lease: float = 10.0


class SweepRun(Steps):
    """
    One sweep of one application, with a dispatcher of its own on a store, which it closes.

    It gives the exit status: `WELL`, `FAILED` (something was not recorded, a handler or the setup
    failed, or the store is away) or `INTERRUPTED`; what was swept then is kept.
    """

    interruption = "stopped; --resume goes on from here"
    explained = (SetupFailed, SourceError, StoreError)

    def __init__(
        self,
        reactor: Any,
        store: IStore,
        setup: Setup,
        screen: Screen,
        complaints: Complaints,
        wish: Wish,
    ) -> None:
        super().__init__(screen.tell)
        self._reactor = reactor
        self._store = store
        self._setup = setup
        self._screen = screen
        self._complaints = complaints
        self._wish = wish
        self._dispatcher = DurableDispatcher(
            store,
            (),
            wish.phases,
            clock=reactor,
            worker=not wish.record_only,
            lease=wish.lease,
            drain=DRAIN,
        )
        self._sources = EventSources(self._dispatcher)
        self._report = SweepReport()

    async def _run(self) -> int:
        status = await self._step("the application's setup failed", self._set_up)
        is_set_up = status == WELL
        if is_set_up:
            status = await self._step("sweeping failed", self._sweep)
        status = await self._step("stopping failed", self._close) or status
        if is_set_up:
            self._screen.counts(_counted(self._report))
        for line in self._complaints.rest():
            self._screen.tell(line)
        return status or (WELL if self._report.is_clean else FAILED)

    async def _set_up(self) -> None:
        # From here on the reactor runs, so that Ctrl-C is heard.
        await deferLater(self._reactor, 0)
        await set_up(self._setup, self._sources, _WANTED)

    async def _sweep(self) -> None:
        self._dispatcher.start()
        await self._dispatcher.when_ready()
        wish = self._wish
        await self._sources.sweep(
            wish.sender,
            progress=self._progress,
            resume=wish.resume,
            wait=not wish.record_only,
            window=wish.window,
        )

    def _progress(self, report: SweepReport) -> None:
        self._report = report
        fraction = report.seen / report.total if report.total else None
        self._screen.progress(report.seen, fraction, f"of {report.sender}")

    async def _close(self) -> None:
        await self._dispatcher.stop()
        await self._store.close()


def _counted(report: SweepReport) -> Iterable[tuple[str, str]]:
    """Give what was counted, under the names that people read."""
    counts = {
        "objects": report.objects,
        "new events": report.recorded,
        "known already": report.known,
        "handled": report.handled,
        "failed": report.failed,
        "still under way": report.unfinished,
        "refused": report.refused,
        "key collisions": report.collisions,
        "broken sources": report.broken,
    }
    return ((name, f"{count:,}") for name, count in counts.items())
