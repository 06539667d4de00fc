"""What is new of a stream, for a synchronous program to go through."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.lending import END, Inbox, LendingCall, Lent, lend
from twisted_dispatcher.sources import EventSources, SourceReport


class BlockingNewEvents(Iterator[Any]):
    """
    What is new of a stream: each event is recorded just before it is given.

    :ivar inbox: what the reactor's thread would like to have done while this is asked.
    :ivar stream: the `NewEvents` behind it; it belongs to the reactor's thread.
    """

    def __init__(
        self,
        connection: Any,
        sources: EventSources,
        events: Iterable[Any],
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._timeout = timeout
        self._events = events
        self.inbox = Inbox(connection.service.reactor)
        make = Call(sources.only_new_events, (lent(self.inbox, events),), {})
        self.stream = connection.run_call(make, timeout)

    @property
    def report(self) -> SourceReport:
        """What became of the stream so far."""
        found: SourceReport = self.stream.report
        return found

    def __next__(self) -> Any:
        call = LendingCall(self.inbox, lend, (self.inbox, self._following), {})
        event = self._connection.run_call(call, self._timeout)
        if event is END:
            raise StopIteration
        return event

    async def _following(self) -> Any:
        try:
            return await self.stream.__anext__()
        except StopAsyncIteration:
            return END

    def collect(self) -> list[Any]:
        """Give a list of all that is new, when it is recorded."""
        return list(self)

    def close(self) -> None:
        """Consume no more: where the stream is a generator, it ends where it stands."""
        call = LendingCall(self.inbox, lend, (self.inbox, self.stream.aclose), {})
        self._connection.run_call(call, self._timeout)
        if inspect.isgenerator(self._events):
            self._events.close()

    def __enter__(self) -> BlockingNewEvents:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def lent(inbox: Inbox, events: Any) -> Any:
    """Lend a stream; what is no plain iterable of events is judged by whoever reads it."""
    is_single = isinstance(events, (Mapping, str, bytes))
    if is_single or hasattr(events, "__aiter__") or not hasattr(events, "__iter__"):
        return events
    name = getattr(events, "__qualname__", None) or type(events).__qualname__
    return Lent(inbox, lambda: events, str(name))
