"""Where a log is fed: to a dispatcher in memory, or to one that keeps the events in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.cli.carrying import Carrier, Refuse, WatchedStore
from twisted_dispatcher.cli.following import Following, StoredTally
from twisted_dispatcher.cli.keys import keyed
from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.feeding import Item, Tally
from twisted_dispatcher.interfaces import IEventDispatcher, IStore
from twisted_dispatcher.records import Worker
from twisted_dispatcher.status import Status
from twisted_dispatcher.status.reasons import NO_WORKER

DEFAULT_LEASE: Final = 10.0
# So often, in seconds, the store is asked what others have settled.
POLL: Final = 0.5
# So many seconds handlers may take to end when a feed is interrupted; then they are cancelled.
DRAIN: Final = 10.0
# So many events are looked at to see whether anything can still become of what is left.
MOST_EXAMINED: Final = 20
# For so many seconds a feed lets what an earlier run has left begin first, looking so often.
HEAD_START: Final = 10.0
GLANCE: Final = 0.02

_log = Logger()


class StuckFeed(DispatcherError):
    """Events are left, and nothing will become of them as things are."""


class Venue(Protocol):
    """
    A dispatcher, and what a feed to it needs besides.

    :ivar concurrency: how many events are on their way at once, by default.
    """

    concurrency: int

    @property
    def tally(self) -> Tally:
        """What is counted."""

    @property
    def dispatcher(self) -> IEventDispatcher:
        """The dispatcher with which handlers are registered."""

    def fed(self, items: Iterable[Item], log_name: str) -> Iterable[Item]:
        """Give the items of a log as they are to be fired."""

    @property
    def target(self) -> IEventDispatcher:
        """What the events are fired at."""

    async def open(self) -> None:
        """Begin to dispatch; handlers are registered."""

    async def settle(self) -> None:
        """Wait until all that was fired has come to its end."""

    async def close(self) -> None:
        """Wait for what runs, and end."""


class InMemory:
    """Fires events at a dispatcher in memory."""

    concurrency = 1

    def __init__(self, phases: Sequence[str]) -> None:
        self.tally = Tally()
        self._dispatcher = EventDispatcher((), phases, observers=(self.tally,))
        self.dispatcher = self.target = cast(IEventDispatcher, self._dispatcher)

    def fed(self, items: Iterable[Item], log_name: str) -> Iterable[Item]:
        return items

    async def open(self) -> None:
        self._dispatcher.start()

    async def settle(self) -> None:
        """Nothing: what was fired is waited for by who feeds."""

    async def close(self) -> None:
        await self._dispatcher.stop()


class InStore:
    """Makes events durable, and has a worker deliver them."""

    concurrency = 100

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        phases: Sequence[str],
        refuse: Refuse,
        on_progress: Callable[[], object],
        lease: float = DEFAULT_LEASE,
    ) -> None:
        """
        :param refuse: is told of an event that cannot be stored; what it raises ends the feed.
        :param on_progress: is called now and then.
        :param lease: seconds after which another run goes on with what this one was running, when
            this one was killed.
        """
        self.tally = StoredTally()
        self._store = store
        self._reactor = reactor
        self._on_progress = on_progress
        self._poll = LoopingCall(self._look_around)
        self._poll.clock = reactor
        self._following = Following(store, self.tally)
        watched = WatchedStore(store, self._following, self.tally)
        self._dispatcher = DurableDispatcher(
            cast(IStore, watched),
            (),
            phases,
            clock=reactor,
            observers=(self.tally,),
            lease=lease,
            drain=DRAIN,
        )
        self.dispatcher = cast(IEventDispatcher, self._dispatcher)
        carrier = Carrier(self._dispatcher, watched, self._following, self.tally, refuse)
        self.target = cast(IEventDispatcher, carrier)

    def fed(self, items: Iterable[Item], log_name: str) -> Iterable[Item]:
        return keyed(items, log_name)

    async def open(self) -> None:
        """
        Start, and have what an earlier run has left begin before anything new.

        While the store is away this waits; whoever waits can be interrupted.
        """
        self._poll.start(POLL, now=False)
        self._dispatcher.start()
        await self._dispatcher.when_ready()
        names = frozenset(each.name for each in self._dispatcher.describe())
        worker, began = Worker("feed", names), self._reactor.seconds()
        while await self._is_due_before(worker, began):
            if self._reactor.seconds() > began + HEAD_START:
                return
            await deferLater(self._reactor, GLANCE)

    async def _is_due_before(self, worker: Worker, time: float) -> bool:
        due = await self._store.next_due(worker, time)
        return due is not None and due <= time

    async def settle(self) -> None:
        await self._following.all_settled()
        self.tally.end()

    def _look_around(self) -> Deferred[None]:
        """See what others have settled, show it, and that what is left goes on."""
        return Deferred.fromCoroutine(self._ask()).addErrback(self._not_asked)

    async def _ask(self) -> None:
        await self._following.ask()
        self._on_progress()
        if self._following.is_awaited:
            await self._see_that_it_goes_on()

    def _not_asked(self, failure: Failure) -> None:
        if self._poll.running:
            _log.failure("The store could not be asked which events are settled", failure)

    async def _see_that_it_goes_on(self) -> None:
        """Give up when nobody has the handlers that the events which are left wait for."""
        status = Status(self._store, self._reactor)
        first = None
        for event_id in list(self._following)[:MOST_EXAMINED]:
            story = await status.story(event_id=event_id)
            if story is None or story.reason.code != NO_WORKER:
                return
            first = first or story
        if first is not None:
            self._following.give_up(
                StuckFeed(
                    f"{self.tally.left:,} events are left, and nothing will become of them as "
                    f"things are. The first is {first.event.key}: {first.reason.text}"
                )
            )

    async def close(self) -> None:
        if self._poll.running:
            self._poll.stop()
        await self._dispatcher.stop()
        await self._store.close()
