"""Processing a stream: what `EventSources.process_events` does."""

from __future__ import annotations

from twisted.python.failure import Failure

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import SourceBroke
from twisted_dispatcher.sources.news import NewEvents
from twisted_dispatcher.sources.reading import Items, Reading, name_of_items
from twisted_dispatcher.sources.reports import SourceReport
from twisted_dispatcher.sources.streams import Pace, Stream


async def process(
    dispatcher: DurableDispatcher, reading: Reading, pace: Pace, report: SourceReport
) -> SourceReport:
    """
    Record what is not recorded yet, and wait until all of it has been handled.

    Where this is cancelled, or fails, the generator that gives the events is closed, and what is
    recorded goes on.
    """
    stream = Stream(dispatcher, report, pace)
    reading.before_waiting = stream.flush
    try:
        await drain(reading, stream, report)
        await stream.finish()
    except BaseException:
        stream.abandon()
        raise
    return report


async def drain(reading: Reading, stream: Stream, report: SourceReport) -> None:
    """Offer all that a source gives to a stream; where the source breaks, report that."""
    try:
        async for declaration in reading:
            await stream.offer(declaration, reading.name)
    except SourceBroke:
        report.add_problem(reading.name, None, Failure())
    finally:
        await close(reading, report)


async def close(reading: Reading, report: SourceReport) -> None:
    """Close what was read; where it breaks at that, report it, and let nothing else be hidden."""
    try:
        await reading.close()
    except SourceBroke:
        report.add_problem(reading.name, None, Failure())


def stream_of(dispatcher: DurableDispatcher, events: Items) -> Reading:
    """
    Read a stream; what is new of one is found here anyway, and so by reading the stream.

    :raises InvalidSource: when it cannot be iterated over.
    """
    if isinstance(events, NewEvents) and events.dispatcher is dispatcher:
        return events.reading
    return Reading(events, name_of_items(events))
