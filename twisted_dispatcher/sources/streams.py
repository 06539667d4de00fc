"""
A stream of events on its way into a dispatcher: recorded some at a time, and waited for.

What is offered is recorded together as soon as there are as many events as may be under way, when
the source lets one wait for the next event, and after `TURN` seconds. So a fast source costs one
commit for many events, a slow one keeps no event back, and the reactor gets its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.task import deferLater

from twisted_dispatcher.durable.current import current_delivery
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import InvalidOptions, NoCurrentDelivery
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.sources.recording import Offer, Recorded, Recorder
from twisted_dispatcher.sources.reports import SourceReport
from twisted_dispatcher.sources.windows import Window

# For so many seconds events are taken from a source before the reactor gets a turn.
TURN: Final = 0.02


@attrs.frozen
class Pace:
    """
    How fast a stream goes.

    :ivar window: how many events may be under way at once. With 1, an event is handled before the
        next one is made.
    :ivar timeout: so many seconds an event can hold up the stream; None is without a limit.
    :ivar waits: whether what is new is waited for; else it is recorded, and goes on.
    :ivar waits_for_known: whether what was recorded before, and has not come to its end, is waited
        for as well.
    """

    window: int
    timeout: float | None
    waits: bool = True
    waits_for_known: bool = False

    def __attrs_post_init__(self) -> None:
        if type(self.window) is not int or self.window < 1:
            raise InvalidOptions(f"window must be a whole number from 1, not {self.window!r}")
        HandlerOptions(timeout=self.timeout)


class Stream:
    """
    Takes the events of one stream.

    :ivar on_recorded: called each time that everything which was offered is recorded.
    """

    def __init__(
        self,
        dispatcher: DurableDispatcher,
        report: SourceReport,
        pace: Pace,
    ) -> None:
        self._backstage = dispatcher.backstage
        self._recorder = Recorder(dispatcher, report)
        self._window = Window(pace.window, pace.timeout, self._backstage.clock, report)
        self._waits = pace.waits
        # A known event might be the one that is being handled, or one that waits for this.
        self._waits_for_known = pace.waits_for_known and not _in_handler()
        self._offers: list[Offer] = []
        self._turn_ends = time.perf_counter() + TURN
        self.on_recorded: Callable[[], object] = lambda: None

    async def offer(self, declaration: Any, source: str) -> None:
        """Take a declaration; wait while there is no room for more."""
        self._offers.append(Offer(declaration, source))
        if len(self._offers) >= self._window.room or time.perf_counter() >= self._turn_ends:
            await self.flush()

    async def breathe(self) -> None:
        """Let the reactor have its turn, if it is time."""
        if time.perf_counter() >= self._turn_ends:
            await self.flush()
            await deferLater(self._backstage.clock(), 0)
            self._turn_ends = time.perf_counter() + TURN

    async def flush(self) -> None:
        """Record what was offered, and wait until there is room for more."""
        offers, self._offers = self._offers, []
        if offers:
            for recorded in await self._recorder.record(offers):
                self._admit(recorded)
        self.on_recorded()
        await self._window.roomy()
        self._turn_ends = time.perf_counter() + TURN

    async def finish(self) -> None:
        """Record what was offered, and wait until all of it has been handled."""
        await self.flush()
        await self._window.emptied()

    def abandon(self) -> None:
        """Wait for nothing any more; what is recorded goes on."""
        self._window.abandon()

    def _admit(self, recorded: Recorded | None) -> None:
        if recorded is None or recorded.event_id in self._window:
            return
        if recorded.result is not None and not self._waits:
            recorded.result.addErrback(lambda _: None)
        elif recorded.result is not None:
            self._window.admit(recorded.event_id, recorded.result)
        elif self._waits_for_known and not recorded.settled:
            self._window.admit(recorded.event_id, self._backstage.end_of(recorded.event_id))


def _in_handler() -> bool:
    try:
        current_delivery()
    except NoCurrentDelivery:
        return False
    return True
