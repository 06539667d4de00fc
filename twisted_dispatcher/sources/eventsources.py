"""`EventSources`: handlers of groups, sources, and streams of events that are handled once."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import InvalidOptions, SourcesNeedStore
from twisted_dispatcher.interfaces import Listener
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registration.handlers import Place, caller_place, check_callable
from twisted_dispatcher.sources.groups import group_pattern
from twisted_dispatcher.sources.naming import handler_name
from twisted_dispatcher.sources.news import NewEvents
from twisted_dispatcher.sources.processing import process, stream_of
from twisted_dispatcher.sources.reading import Items
from twisted_dispatcher.sources.registered import Senders, Source
from twisted_dispatcher.sources.reports import SourceReport, SweepReport
from twisted_dispatcher.sources.routes import routes
from twisted_dispatcher.sources.streams import Pace
from twisted_dispatcher.sources.sweeping import Progress, Sweeping

_PHASE: Final = "during"


class EventSources:
    """
    Sources of events for a dispatcher, and the handlers of their groups.

    A source declares events (see `event`), over and over; each key is recorded once, and handled
    to its end. Recording is accepting: what is recorded is never lost, whatever is killed when. A
    handler that fails is tried again as its options say, and ends among the dead letters.

    :ivar dispatcher: the dispatcher.
    :ivar senders: the sources that are registered.
    """

    def __init__(self, dispatcher: DurableDispatcher) -> None:
        """
        :param dispatcher: a durable one; the keyword ``group`` is allowed on it.
        :raises SourcesNeedStore: for a dispatcher that works in memory.
        """
        if not isinstance(dispatcher, DurableDispatcher):
            raise SourcesNeedStore(dispatcher)
        self.dispatcher = dispatcher
        self.senders = Senders()
        dispatcher.allow_keyword("group")

    def __repr__(self) -> str:
        return f"<EventSources of {self.dispatcher!r}>"

    # Handlers and sources

    def register_group_handler(
        self,
        *,
        handler: Listener,
        group: str | re.Pattern[str],
        options: HandlerOptions | None = None,
    ) -> int:
        """
        Register a handler for the events of some groups.

        It is held strongly, and called with the `Event`, in the phase ``"during"`` (or in the only
        one that there is). A handler that is registered for several patterns is called once for
        each that fits, and has a name for each; see `handler_name`.

        :param group: is searched for in the event's group as a regular expression; an empty text
            finds every group.
        :param options: as for any durable handler. The name in them is used as it is for the
            first pattern.
        :return: the registration's id.
        :raises InvalidSource: for a pattern that is no regular expression.
        :raises NotCallable, InvalidOptions, NameTaken: as `add_event_handler` does.
        """
        return self.enter_group_handler(handler, group, options, caller_place(1))

    def enter_group_handler(
        self,
        handler: Listener,
        group: str | re.Pattern[str],
        options: HandlerOptions | None,
        place: Place,
    ) -> int:
        """Register a handler as from a place in somebody's code; see `register_group_handler`."""
        check_callable(handler)
        pattern = group_pattern(group)
        given = HandlerOptions() if options is None else options
        if not isinstance(given, HandlerOptions):
            raise InvalidOptions(f"options is a HandlerOptions, not {given!r}")
        taken = {each.name for each in self.dispatcher.describe()}
        name = handler_name(handler, pattern.pattern, taken, given.name)
        return self.dispatcher.backstage.register(
            handler,
            self._phase(),
            attrs.evolve(given, name=name),
            {"group": pattern},
            place,
        )

    def _phase(self) -> str:
        phases = self.dispatcher.phases
        if _PHASE in phases or len(phases) != 1:
            return _PHASE
        return phases[0]

    def register_source(
        self,
        *,
        sender: Hashable,
        source: Source,
        objects: Items | Callable[..., Any] | None = None,
        position: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        Register a source, for sweeps.

        :param sender: what the objects have in common: their class, or a name.
        :param source: called with an object, gives declarations of events: a generator function,
            plain or asynchronous, or a function that gives a list, or a Deferred of one, or None.
        :param objects: all objects of the sender, as an iterable, plain or asynchronous, that can
            be gone through again, or as a function that gives one, or a Deferred of one.
        :param position: a function that gives where an object stands among all, as something that
            a store can keep, such as its id. ``objects`` is called then with the position behind
            which a sweep goes on, or with None. Without it, a sweep that goes on passes over as
            many objects as it had seen.
        :raises InvalidSource: when it cannot be one; nothing is registered then.
        """
        self.senders.add(sender, source, objects, position)

    # Streams

    def only_new_events(self, events: Items) -> NewEvents:
        """
        Give what is new of a stream: see `NewEvents`.

        :param events: declarations, in a plain or asynchronous iterable.
        :raises InvalidSource: when it cannot be iterated over.
        """
        return NewEvents(self.dispatcher, events)

    def process_events(
        self, events: Items, *, window: int = 1, timeout: float | None = None
    ) -> Deferred[SourceReport]:
        """
        Record what was not recorded before of a stream, and wait until all of it is handled.

        Events that were recorded before, and are not handled to their end, are waited for as well,
        except within a handler. A stream that comes from `only_new_events` is processed like the
        stream that it was made of.

        :param events: declarations, in a plain or asynchronous iterable.
        :param window: how many events may be under way at once. With 1, each is handled before the
            next one is made; with more, many are recorded by one commit.
        :param timeout: so many seconds an event can hold up the stream; it goes on by itself then.
            Without it an event is waited for as long as its handlers and their retries take.
        :return: a Deferred that fires with the report. What cannot be recorded is reported and
            logged, and the rest goes on. It fails with `NotRunning` or a `StoreError` when nothing
            can be recorded. Cancelling it ends the stream; what is recorded goes on.
        :raises InvalidSource, InvalidOptions: at once.
        """
        pace = Pace(window, timeout, waits_for_known=True)
        reading = stream_of(self.dispatcher, events)
        return Deferred.fromCoroutine(process(self.dispatcher, reading, pace, SourceReport()))

    def sweep(
        self,
        sender: Hashable = None,
        objects: Items | Callable[[], Any] | None = None,
        progress: Progress | None = None,
        *,
        name: str | None = None,
        resume: bool = False,
        wait: bool = True,
        window: int = 100,
        timeout: float | None = 60.0,
    ) -> Deferred[SweepReport]:
        """
        Run the sources on all their objects, and have what is new handled.

        Objects are taken one by one, so that it does not matter how many there are. Where a sweep
        stands is kept in the store; one that was stopped, or killed, can be resumed there.

        :param sender: whose objects, by itself or by its name; by default those of all senders. It
            may be left out where there is but one.
        :param objects: only these objects of the sender, or a function that gives them.
        :param progress: called with the report now and then, and when the objects of a sender are
            through. What it raises ends the sweep.
        :param name: under which name it is kept where the sweep stands. By default under that of
            the sender; not at all where only some objects are swept.
        :param resume: whether to go on where the last sweep of that name was stopped, if it was.
        :param wait: whether to wait until what is new has been handled; else until it is recorded.
        :param window: how many new events may be under way at once.
        :param timeout: so many seconds an event can hold up the sweep; it goes on by itself then.
        :return: a Deferred that fires with the report, as that of `process_events` does, and fails
            as that does. Cancelling it stops the sweep; it fails then when its place is kept.
        :raises UnknownSender, InvalidSource, InvalidOptions, StoreWithoutSweeps: at once.
        """
        pace = Pace(window, timeout, waits=wait)
        store = self.dispatcher.backstage.store
        ways = routes(self.senders, store, sender, objects, name, resume)
        return Sweeping(self.dispatcher, pace, progress).start(ways)
