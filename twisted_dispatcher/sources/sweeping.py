"""Sweeping: running sources on all their objects, what `EventSources.sweep` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import InvalidSource, NotRunning, SourceBroke
from twisted_dispatcher.registration.handlers import callable_name
from twisted_dispatcher.sources.places import Place
from twisted_dispatcher.sources.processing import close, drain
from twisted_dispatcher.sources.reading import Reading, reading_of
from twisted_dispatcher.sources.registered import Source
from twisted_dispatcher.sources.reports import SweepReport
from twisted_dispatcher.sources.routes import Route
from twisted_dispatcher.sources.streams import Pace, Stream

# Progress is told so often, in seconds.
BETWEEN: Final = 0.1

Progress = Callable[[SweepReport], object]

_log = Logger()


class Sweeping:
    """One sweep."""

    def __init__(
        self, dispatcher: DurableDispatcher, pace: Pace, progress: Progress | None
    ) -> None:
        self._dispatcher = dispatcher
        self._report = SweepReport()
        self._stream = Stream(dispatcher, self._report, pace)
        self._progress = progress
        self._next_telling = time.perf_counter() + BETWEEN

    def start(self, routes: Sequence[Route]) -> Deferred[SweepReport]:
        """Begin; give what fires with the report."""
        return Deferred.fromCoroutine(self._sweep(routes))

    async def _sweep(self, routes: Sequence[Route]) -> SweepReport:
        try:
            if not self._dispatcher.running:
                raise NotRunning
            for route in routes:
                await self._go(route)
            await self._stream.finish()
        except BaseException:
            self._stream.abandon()
            raise
        self._tell()
        return self._report

    async def _go(self, route: Route) -> None:
        """Go through the objects of one sender."""
        place = await Place.of(route, self._dispatcher.backstage)
        report = self._report
        report.sender, report.seen, report.total = route.sender.name, place.seen, route.total
        self._stream.on_recorded = place.recorded
        if not place.seen:
            # So that a sweep which is stopped soon is not resumed where an older one stood.
            await place.keep()
        try:
            is_through = await self._go_through(route, place)
        except Exception:
            await self._keep_after_all(place)
            raise
        await self._stream.flush()
        await place.keep(ended=is_through)
        self._tell()

    async def _go_through(self, route: Route, place: Place) -> bool:
        """Go through the objects, and say whether these came to their end."""
        name = f"the objects of {route.sender.name}"
        find = partial(route.find, place.after)
        try:
            reading = await reading_of(find, name, self._stream.flush)
            try:
                async for thing in reading:
                    await self._look_at(thing, route, place)
            finally:
                await close(reading, self._report)
        except (SourceBroke, InvalidSource) as error:
            self._report.add_problem(name, None, Failure(error))
            return False
        return True

    async def _look_at(self, thing: Any, route: Route, place: Place) -> None:
        """Run the sources on an object, unless that was done before the sweep was resumed."""
        if place.skips:
            place.skips -= 1
        else:
            for source in route.sender.sources:
                await self._run(source, thing)
            place.passed(thing)
            self._report.objects += 1
            self._report.seen = place.seen
            if place.is_due:
                await self._stream.flush()
                await place.keep()
        await self._stream.breathe()
        if time.perf_counter() >= self._next_telling:
            self._tell()

    async def _run(self, source: Source, thing: Any) -> None:
        """Run a source on an object; where it breaks, the next one has its turn."""
        name = callable_name(source)
        try:
            reading: Reading = await reading_of(
                partial(source, thing), name, self._stream.flush, may_be_none=True
            )
        except (SourceBroke, InvalidSource) as error:
            self._report.add_problem(name, None, Failure(error))
        else:
            await drain(reading, self._stream, self._report)

    async def _keep_after_all(self, place: Place) -> None:
        try:
            await place.keep()
        except Exception:
            _log.failure(
                "It could not be kept where a sweep stands: it was {seen}", seen=place.seen
            )

    def _tell(self) -> None:
        self._next_telling = time.perf_counter() + BETWEEN
        if self._progress is not None:
            self._progress(self._report)
