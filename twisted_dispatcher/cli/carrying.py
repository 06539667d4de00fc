"""
Handing the events of a feed over to a store, and seeing what becomes of them.

`WatchedStore` stands before the store and sees what this process makes durable; that is how a
feed knows at once that an event is settled. What other processes settle is found by asking now and
then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred

from twisted_dispatcher.cli.following import Following, StoredTally
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import NotEncodable, NotStorable, UnhashableValue
from twisted_dispatcher.events import Event
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    RETRYING,
    Accepted,
    Claim,
    NewEvent,
    Settled,
    Settlement,
    Worker,
)

_UNSTORABLE: Final = (NotEncodable, NotStorable, UnhashableValue)

# Is told of an event that cannot be stored; what it raises ends the feed.
Refuse = Callable[[Event, Exception], object]


class WatchedStore:
    """
    A store, of which a feed is told what passes.

    It provides all of `IStore`.

    :ivar accepting: the keys that the feed is about to accept, each with whether it was found to
        be settled at once.
    """

    def __init__(self, store: IStore, following: Following, tally: StoredTally) -> None:
        self._store = store
        self._following = following
        self._tally = tally
        self.accepting: dict[str, bool] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def accept(
        self, events: Sequence[NewEvent], worker: Worker, now: float
    ) -> Deferred[list[Accepted]]:
        return self._store.accept(events, worker, now).addCallback(self._accepted, events)

    def _accepted(self, accepted: list[Accepted], events: Sequence[NewEvent]) -> list[Accepted]:
        for each, event in zip(accepted, events):
            if event.key in self.accepting:
                goes_nowhere = event.deliveries is not None and not event.deliveries
                self.accepting[event.key] = each.acceptance.new and goes_nowhere
        return accepted

    def settle(
        self, settlements: Sequence[Settlement], worker: Worker, now: float
    ) -> Deferred[list[Settled]]:
        settling = self._store.settle(settlements, worker, now)
        return settling.addCallback(self._settled, settlements)

    def _settled(self, settled: list[Settled], settlements: Sequence[Settlement]) -> list[Settled]:
        for each, settlement in zip(settled, settlements):
            if each.held:
                self._tally.delivered += settlement.status == DONE
                self._tally.dead += settlement.status == DEAD
                if settlement.status == RETRYING:
                    self._following.postponed(settlement.event_id)
            self._following.settled(each.finished)
        return settled

    def transact(
        self, claim: Claim, work: Callable[[Any], Any], worker: Worker, now: float
    ) -> Deferred[tuple[Any, Settled]]:
        transacting = self._store.transact(claim, work, worker, now)
        return transacting.addCallback(self._transacted)

    def _transacted(self, done: tuple[Any, Settled]) -> tuple[Any, Settled]:
        self._tally.delivered += done[1].held
        self._following.settled(done[1].finished)
        return done


class Carrier:
    """
    Stands in for the dispatcher where events are fed: it accepts each, and waits for it.

    One that waits for another attempt is not waited for.
    """

    def __init__(
        self,
        dispatcher: DurableDispatcher,
        watched: WatchedStore,
        following: Following,
        tally: StoredTally,
        refuse: Refuse,
    ) -> None:
        self._dispatcher = dispatcher
        self._watched = watched
        self._following = following
        self._tally = tally
        self._refuse = refuse

    @property
    def allowed_keywords(self) -> tuple[str, ...]:
        """The keywords of the dispatcher."""
        return self._dispatcher.allowed_keywords

    def fire_event(self, event: Event, **details: Any) -> Deferred[None]:
        """Make an event durable; give what fires when it is out of the way."""
        return Deferred.fromCoroutine(self._carry(event, details))

    async def _carry(self, event: Event, details: dict[str, Any]) -> None:
        key, accepting = str(event.key), self._watched.accepting
        accepting[key] = False
        try:
            acceptance = await self._dispatcher.accept_event(event, **details)
        except _UNSTORABLE as error:
            self._tally.refused += 1
            self._refuse(event, error)
            return
        finally:
            is_settled = accepting.pop(key, False)
        self._tally.new += acceptance.new
        self._tally.known += not acceptance.new
        if not is_settled:
            await self._following.follow(acceptance)
