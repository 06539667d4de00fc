"""`Status`: asks a store, and tells how everything in it stands. It changes nothing."""

from __future__ import annotations

import math
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import (
    DEAD,
    PENDING,
    RETRYING,
    RUNNING,
    Delivery,
    StoredEvent,
    check_status,
)
from twisted_dispatcher.status.reasons import Reason, Surroundings, reason_of, reason_of_event

T = TypeVar("T")

# For the event that comes first in a lane so many events before are looked at, in such steps.
LOOK_BACK: Final = 20_000
STEP: Final = 1000
MOST_ORPHANS: Final = 1000


@attrs.frozen
class Counts:
    """How much of what there is: events that are open, and deliveries by status."""

    open: int
    pending: int
    running: int
    retrying: int
    dead: int
    skipped: int


@attrs.frozen
class Explained:
    """A delivery, and how it stands."""

    delivery: Delivery
    reason: Reason


@attrs.frozen
class Story:
    """One event, how it stands, and its deliveries in the order of their phases."""

    event: StoredEvent
    reason: Reason
    deliveries: tuple[Explained, ...]


class Status:
    """
    Tells what is in a store. Every Deferred may fail with a `StoreError`.

    What is asked for together is not read at one moment: between two answers things go on.
    """

    def __init__(self, store: IStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock

    def counts(self) -> Deferred[Counts]:
        """Count what needs attention, or will go on."""
        return _begun(self._counts())

    async def _counts(self) -> Counts:
        counted = await self._store.counts()
        return Counts(**{each.name: counted.get(each.name, 0) for each in attrs.fields(Counts)})

    def events(self, *, open: bool | None = None, limit: int = 100) -> Deferred[list[StoredEvent]]:
        """List events, the newest first: all, those that are open, or those that are not."""
        return self._store.events(open=open, limit=limit)

    def deliveries(
        self,
        status: str | None = None,
        *,
        key: str | None = None,
        handler: str | None = None,
        limit: int = 100,
    ) -> Deferred[list[Delivery]]:
        """
        List deliveries, the newest first; see `IStore.deliveries`.

        :raises InvalidOptions: at once, for a status that is none.
        """
        check_status(status)
        return self._store.deliveries(status=status, key=key, handler=handler, limit=limit)

    def dead(self, *, handler: str | None = None, limit: int = 100) -> Deferred[list[Explained]]:
        """List what is dead, the newest first, and why."""
        return _begun(self._listed((DEAD,), handler, limit))

    def waiting(
        self, *, handler: str | None = None, limit: int = 100
    ) -> Deferred[list[Explained]]:
        """List what waits, what is due first in front, and what for, or until when."""
        return _begun(self._waiting(handler, limit))

    async def _waiting(self, handler: str | None, limit: int) -> list[Explained]:
        found = await self._listed((PENDING, RETRYING), handler, limit)
        found.sort(key=lambda each: (_due(each.delivery), each.delivery.id))
        return found[:limit]

    async def _listed(
        self, statuses: Iterable[str], handler: str | None, limit: int
    ) -> list[Explained]:
        found: list[Delivery] = []
        for status in statuses:
            found += await self._store.deliveries(status=status, handler=handler, limit=limit)
        return await self._explain(found)

    def why(self, delivery_id: int) -> Deferred[Explained]:
        """
        Tell what keeps a delivery from going on, or what has become of it.

        The Deferred fails with `UnknownDelivery`.
        """
        return _begun(self._why(delivery_id))

    async def _why(self, delivery_id: int) -> Explained:
        (explained,) = await self._explain([await self._store.delivery(delivery_id)])
        return explained

    def story(
        self, *, key: str | None = None, event_id: int | None = None
    ) -> Deferred[Story | None]:
        """Tell all of one event, by its key or its id; None where there is none."""
        keys = None if key is None else [key]
        ids = None if event_id is None else [event_id]
        return _begun(self._story(ids, keys))

    async def _story(self, ids: list[int] | None, keys: list[str] | None) -> Story | None:
        found = await self._store.events(ids=ids, keys=keys, limit=1)
        if not found:
            return None
        around = await self._around(found[0], await self._orphaned())
        explained = (Explained(each, reason_of(each, around)) for each in around.siblings)
        return Story(found[0], reason_of_event(around), tuple(explained))

    # What bears upon it

    async def _explain(self, deliveries: Sequence[Delivery]) -> list[Explained]:
        ids = {each.event_id for each in deliveries}
        events = await self._store.events(ids=ids, limit=len(ids)) if ids else []
        orphaned = await self._orphaned() if ids else frozenset[str]()
        around = {event.id: await self._around(event, orphaned) for event in events}
        return [
            Explained(each, reason_of(each, around[each.event_id]))
            for each in deliveries
            if each.event_id in around
        ]

    async def _around(self, event: StoredEvent, orphaned: frozenset[str]) -> Surroundings:
        siblings = await self._store.deliveries_of(event.id)
        waits_in_lane = event.lane is not None and event.settled is None and _is_closed(siblings)
        ahead = await self._ahead_of(event) if waits_in_lane else None
        return Surroundings(event, siblings, orphaned, ahead, self._clock.seconds())

    async def _orphaned(self) -> frozenset[str]:
        """Give the handlers that are waited for, since whenever, and that no live worker has."""
        now = self._clock.seconds()
        found = await self._store.orphans(math.inf, now, MOST_ORPHANS)
        return frozenset(each.handler for each in found)

    async def _ahead_of(self, event: StoredEvent) -> StoredEvent | None:
        """Find the open event that is next before this one in its lane, if it is not far away."""
        for end in range(event.id, max(event.id - LOOK_BACK, 1), -STEP):
            ids = range(max(end - STEP, 1), end)
            still_open = set(ids) - await self._store.settled(list(ids))
            if still_open:
                found = await self._store.events(ids=still_open, limit=STEP)
                for each in found:
                    if each.lane == event.lane:
                        return each
        return None


def _is_closed(deliveries: Iterable[Delivery]) -> bool:
    """Tell whether nothing of an event runs, or is due at some time."""
    return all(each.due is None and each.status != RUNNING for each in deliveries)


def _due(delivery: Delivery) -> float:
    return math.inf if delivery.due is None else delivery.due


def _begun(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    return Deferred.fromCoroutine(work)
