"""Which of the events that a feed has accepted are still on their way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from twisted.internet.defer import Deferred

from twisted_dispatcher.feeding import Tally
from twisted_dispatcher.firing.deferreds import fired
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import Acceptance

# So many events it is asked about at once.
MOST_ASKED: Final = 1000


class StoredTally(Tally):
    """
    Counts what becomes of events that are stored.

    :ivar new: events that the store did not know.
    :ivar known: events that it knew already.
    :ivar refused: events that cannot be stored.
    :ivar delivered: deliveries that are done.
    :ivar dead: deliveries that have died.
    :ivar left: events that are not settled yet.
    """

    new = known = refused = delivered = dead = left = 0

    @property
    def settled(self) -> int:
        """How many events have nothing left to do."""
        return self.events - self.left


class Following:
    """Knows which of the events that were accepted are not settled yet."""

    def __init__(self, store: IStore, tally: StoredTally) -> None:
        self._store = store
        self._tally = tally
        self._end: Deferred[None] | None = None
        # Who waits for an event that is on its way; None for one that nobody waits for now.
        self._open: dict[int, Deferred[None] | None] = {}

    def __iter__(self) -> Iterator[int]:
        """Give the ids of the events that are not settled yet."""
        return iter(self._open)

    def follow(self, acceptance: Acceptance) -> Deferred[None]:
        """
        Know an event from now on.

        :return: a Deferred that fires when nothing of it is being run here: when it is settled,
            or has to wait for another attempt, or was known already.
        """
        event_id = acceptance.event_id
        if not acceptance.new:
            self._open.setdefault(event_id, None)
            self._count()
            return fired(None)
        waiting: Deferred[None] = Deferred(lambda _: self._open.__setitem__(event_id, None))
        self._open[event_id] = waiting
        self._count()
        return waiting

    def settled(self, event_ids: Iterable[int]) -> None:
        """Know that events have nothing left to do."""
        for event_id in event_ids:
            waiting = self._open.pop(event_id, None)
            if waiting is not None:
                waiting.callback(None)
        self._count()

    def postponed(self, event_id: int) -> None:
        """Know that an event has to wait: it keeps no other one from setting out."""
        waiting = self._open.get(event_id)
        if waiting is not None:
            self._open[event_id] = None
            waiting.callback(None)

    async def ask(self) -> None:
        """Ask the store which events others have settled."""
        ids = list(self._open)
        for start in range(0, len(ids), MOST_ASKED):
            self.settled(await self._store.settled(ids[start : start + MOST_ASKED]))

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits until all events are settled."""
        return self._end is not None

    def all_settled(self) -> Deferred[None]:
        """
        Give a Deferred that fires when all events are settled.

        Nothing limits that: a handler may be retried for days. Whoever waits can be interrupted,
        and may be told by `give_up`.
        """
        self._end = Deferred(self._not_awaited)
        end = self._end
        self._count()
        return end

    def give_up(self, error: Exception) -> None:
        """Fail who waits until all events are settled."""
        end, self._end = self._end, None
        if end is not None:
            end.errback(error)

    def _not_awaited(self, end: Deferred[None]) -> None:
        self._end = None

    def _count(self) -> None:
        self._tally.left = len(self._open)
        if not self._open and self._end is not None:
            end, self._end = self._end, None
            end.callback(None)
