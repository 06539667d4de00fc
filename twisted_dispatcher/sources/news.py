"""`NewEvents`: what is new of a stream, recorded one by one as somebody consumes it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import InvalidSource, SourceBroke
from twisted_dispatcher.sources.reading import Items, Reading, name_of_items
from twisted_dispatcher.sources.recording import Offer, Recorder
from twisted_dispatcher.sources.reports import SourceReport


class NewEvents:
    """
    Gives those declarations of a stream that were not recorded before, for ``async for``.

    Each is recorded just before it is given, so that its handlers are called whether or not
    anybody goes on to consume; what is not consumed is neither made nor recorded.

    :ivar report: what became of the stream so far.
    :ivar reading: the rest of the stream.
    """

    def __init__(self, dispatcher: DurableDispatcher, events: Items) -> None:
        self.dispatcher = dispatcher
        self.report = SourceReport()
        self.reading = Reading(events, name_of_items(events))
        self._recorder = Recorder(dispatcher, self.report)

    def __aiter__(self) -> NewEvents:
        return self

    async def __anext__(self) -> Any:
        """
        Give the next declaration that is new, as the source has given it.

        :raises SourceBroke: when the source raises. What is merely refused is reported and passed
            over.
        :raises NotRunning, StoreError: when nothing can be recorded.
        """
        while True:
            try:
                declaration = await self.reading.__anext__()
            except SourceBroke:
                self.report.add_problem(self.reading.name, None, Failure())
                raise
            [recorded] = await self._recorder.record([Offer(declaration, self.reading.name)])
            if recorded is not None and recorded.result is not None:
                recorded.result.addErrback(_goes_on)
                return declaration

    def __iter__(self) -> Any:
        raise InvalidSource(
            "only_new_events() waits for the store: consume it with 'async for', or get a list "
            "from its collect()"
        )

    def collect(self) -> Deferred[list[Any]]:
        """Give a Deferred that fires with a list of all that is new, when it is recorded."""
        return Deferred.fromCoroutine(self._collect())

    async def _collect(self) -> list[Any]:
        try:
            return [each async for each in self]
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Consume no more: where the stream is a generator, it ends where it stands."""
        await self.reading.close()


def _goes_on(failure: Failure) -> None:
    """Nobody waits for the result; the event is recorded, and goes on."""
