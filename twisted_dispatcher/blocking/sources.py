"""Sources of events, as a synchronous program has them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Iterable
from copy import copy
from functools import wraps
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool

from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.lending import Inbox, LendingCall, Lent, current_inbox, lend
from twisted_dispatcher.blocking.news import BlockingNewEvents, lent
from twisted_dispatcher.blocking.registering import in_thread
from twisted_dispatcher.interfaces import Listener
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registration.handlers import callable_name, caller_place
from twisted_dispatcher.sources import EventSources, SourceReport, SweepReport
from twisted_dispatcher.sources.reading import check_items

# Whose items are there already.
_AT_HAND: Final = (list, tuple, set, frozenset, dict, range)


class BlockingSources:
    """
    The methods of an `EventSources`, for a synchronous program.

    What is handed over may block: streams, sources, objects and callbacks are run in the thread
    that makes the call, while it waits; handlers in threads of their own. A time limit counts anew
    from each thing that this thread is asked for.
    """

    def __init__(self, connection: Any, sources: EventSources) -> None:
        """
        :param connection: makes the calls.
        :param sources: belongs to the reactor's thread.
        """
        self._connection = connection
        self._sources = sources
        self._reactor = connection.service.reactor

    def __repr__(self) -> str:
        return f"<blocking {self._sources!r}>"

    def register_group_handler(
        self,
        *,
        handler: Listener,
        group: str | re.Pattern[str],
        options: HandlerOptions | None = None,
        timeout: float | None = None,
    ) -> int:
        """Register a handler, held strongly; see `EventSources.register_group_handler`."""
        given = in_thread(handler, options)
        found: int = self._call(
            timeout,
            self._sources.enter_group_handler,
            handler=handler,
            group=group,
            options=given,
            place=caller_place(1),
        )
        return found

    def register_source(
        self,
        *,
        sender: Hashable,
        source: Callable[[Any], Any],
        objects: Any = None,
        position: Callable[[Any], Any] | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Register a source; see `EventSources.register_source`.

        :param position: is called in the reactor's thread.
        """
        self._call(
            timeout,
            self._sources.register_source,
            sender=sender,
            source=self._source(source),
            # What can be gone through but once is refused.
            objects=objects if hasattr(objects, "__next__") else self._objects(objects),
            position=position,
        )

    def _call(self, timeout: float | None, function: Callable[..., Any], **keywords: Any) -> Any:
        return self._connection.run_call(Call(function, (), keywords), timeout)

    # Streams

    def only_new_events(
        self, events: Iterable[Any], *, timeout: float | None = None
    ) -> BlockingNewEvents:
        """Give what is new of a stream, each recorded just before it is given."""
        return BlockingNewEvents(self._connection, self._sources, events, timeout)

    def process_events(
        self,
        events: Iterable[Any],
        *,
        window: int = 1,
        per_event: float | None = None,
        timeout: float | None = None,
    ) -> SourceReport:
        """
        Record what was not recorded before of a stream, and wait until all of it is handled.

        :param per_event: so many seconds an event can hold up the stream; see ``timeout`` of
            `EventSources.process_events`.
        :param timeout: seconds within which the next event must be asked for, or the end come.
        """
        if isinstance(events, BlockingNewEvents):
            inbox, items = events.inbox, events.stream
        else:
            inbox = Inbox(self._reactor)
            items = lent(inbox, events)
        process = self._sources.process_events
        arguments = (inbox, process, items)
        call = LendingCall(inbox, lend, arguments, {"window": window, "timeout": per_event})
        found: SourceReport = self._connection.run_call(call, timeout)
        return found

    def sweep(
        self,
        sender: Hashable | None = None,
        objects: Any = None,
        progress: Callable[[SweepReport], object] | None = None,
        *,
        name: str | None = None,
        resume: bool = False,
        wait: bool = True,
        window: int = 100,
        per_event: float | None = 60.0,
        timeout: float | None = None,
    ) -> SweepReport:
        """
        Run the sources on all their objects, or on some, and have what is new handled.

        See `EventSources.sweep`. Where the caller stops waiting, by Ctrl-C, an exception in the
        progress or the time limit, the sweep stops and its place is kept.

        :param per_event: so many seconds an event can hold up the sweep; see ``timeout`` there.
        :param timeout: seconds within which the next thing must be asked for, or the end come.
        """
        inbox = Inbox(self._reactor)
        given: dict[str, Any] = {"name": name, "resume": resume, "wait": wait, "window": window}
        given["timeout"] = per_event
        given["objects"] = self._objects(objects)
        if progress is not None:
            given["progress"] = _told(inbox, progress)
        call = LendingCall(inbox, lend, (inbox, self._sources.sweep, sender), given)
        found: SweepReport = self._connection.run_call(call, timeout)
        return found

    # What is handed over

    def _source(self, source: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Have a source run in the caller's thread, or where nobody waits in another one."""
        if not callable(source) or _is_asynchronous(source):
            return source

        @wraps(source)
        def ask(item: Any) -> Any:
            events = self._events_of(source, item)
            events.__qualname__ = getattr(source, "__qualname__", type(source).__qualname__)
            return events

        return ask

    async def _events_of(self, source: Callable[[Any], Any], item: Any) -> Any:
        inbox = current_inbox()
        if inbox is None:
            pool = self._reactor.getThreadPool()
            found = await deferToThreadPool(self._reactor, pool, _collected, source, item)
        else:
            found = await inbox.ask(lambda: _collected(source, item))
        events, error = found
        for event in events:
            yield event
        if error is not None:
            raise error

    def _objects(self, objects: Any) -> Any:
        """Have objects found, and gone through, in the thread of the caller of a sweep."""
        if not callable(objects) and not _may_block(objects):
            return objects
        if _is_asynchronous(objects):
            return objects

        def find(*arguments: Any) -> Any:
            def found() -> Any:
                return objects(*arguments) if callable(objects) else objects

            inbox = current_inbox()
            if inbox is None:
                return found()
            return Lent(inbox, found, getattr(objects, "__qualname__", type(objects).__qualname__))

        return find


def _may_block(items: Any) -> bool:
    """Tell whether going through something may run somebody's code that blocks."""
    return hasattr(items, "__iter__") and not isinstance(items, _AT_HAND)


def _is_asynchronous(function: Any) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)


def _collected(source: Callable[[Any], Any], item: Any) -> tuple[list[Any], Exception | None]:
    """Give what a source says of an object, and what it raised after that."""
    events: list[Any] = []
    try:
        found = source(item)
        if found is not None:
            check_items(found, callable_name(source))
            events.extend(found)
    except Exception as error:
        return events, error
    return events, None


def _told(inbox: Inbox, progress: Callable[..., object]) -> Callable[..., None]:
    def tell(report: SweepReport) -> None:
        # It is counted on while the caller looks at it.
        then = copy(report)
        inbox.tell(lambda: progress(then))

    return tell
