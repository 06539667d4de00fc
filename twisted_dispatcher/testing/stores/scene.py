"""What the tests of the contract have in common: a store, two workers, and short ways to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SkipTest

from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import (
    DONE,
    Accepted,
    Claim,
    Delivery,
    NewDelivery,
    NewEvent,
    Settled,
    Settlement,
    Worker,
)

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    # What is imported into a module of tests must not be run there by itself.
    TestCase = object

NOW = 1_700_000_000.0

# Runs whatever is called by a single small letter.
WORKER = Worker("worker-1", frozenset("abcdefgh"))
OTHER = Worker("worker-2", frozenset("abcdefgh"))


def new_event(
    key: str, *ranks: str, lane: str | None = None, due: float = NOW, body: str = '"body"'
) -> NewEvent:
    """
    Make an event.

    :param ranks: the handlers of each phase, as words: ``"a b", "c"`` is two phases.
    """
    deliveries = tuple(
        NewDelivery(handler, f"phase-{rank}", rank)
        for rank, handlers in enumerate(ranks)
        for handler in handlers.split()
    )
    return NewEvent(key, body, '{"n":1}', lane, due, deliveries)


def unplanned_event(key: str, lane: str | None = None, due: float = NOW) -> NewEvent:
    """Make an event of which a worker has to find out to whom it goes."""
    return NewEvent(key, '"body"', '{"n":1}', lane, due, None)


def planned(*ranks: str) -> tuple[NewDelivery, ...]:
    """Make the deliveries of an event, given as `new_event` takes them."""
    return new_event("", *ranks).deliveries or ()


def settlement(claim: Claim, status: str = DONE, **values: Any) -> Settlement:
    """Make the settlement of what a worker was given to run."""
    return Settlement(claim.delivery_id, claim.event_id, claim.attempt, status, **values)


class Scene(TestCase):
    """
    A store for each test.

    Override `make_store`; override `another_store` where the same data can be opened twice.
    """

    store: IStore

    def make_store(self) -> Any:
        """Give the store of this test, new and empty, or a Deferred of it."""
        raise NotImplementedError

    def another_store(self) -> Any:
        """Open the data of `store` once more, as another process would, or a Deferred of it."""
        raise SkipTest("the data of this store cannot be opened twice")

    def setUp(self) -> Any:
        """Make the store."""
        return maybeDeferred(self.make_store).addCallback(self._made)

    def _made(self, store: IStore) -> None:
        self.store = store
        self.addCleanup(store.close)

    async def second_store(self) -> IStore:
        """Give the same data, opened once more; it is closed after the test."""
        store: IStore = await maybeDeferred(self.another_store)
        self.addCleanup(store.close)
        return store

    async def accept(
        self, *events: NewEvent, worker: Worker = WORKER, now: float = NOW
    ) -> list[Accepted]:
        """Accept events in one call."""
        return await self.store.accept(events, worker, now)

    async def accept_one(
        self, event: NewEvent, worker: Worker = WORKER, now: float = NOW
    ) -> Accepted:
        """Accept an event."""
        (accepted,) = await self.store.accept([event], worker, now)
        return accepted

    async def claims_of(self, event: NewEvent, worker: Worker = WORKER) -> dict[str, Claim]:
        """Accept an event, and give by handler what the worker is to run of it."""
        accepted = await self.accept_one(event, worker)
        return {claim.handler: claim for claim in accepted.claims}

    async def settle(
        self,
        claim: Claim,
        status: str = DONE,
        worker: Worker = WORKER,
        now: float = NOW,
        **values: Any,
    ) -> Settled:
        """Settle one delivery."""
        (settled,) = await self.store.settle([settlement(claim, status, **values)], worker, now)
        return settled

    async def claim(
        self, worker: Worker = WORKER, now: float = NOW, limit: int = 1000
    ) -> list[Claim]:
        """Claim what is due."""
        return await self.store.claim(worker, now, limit)

    async def statuses(self, key: str) -> dict[str, str]:
        """Give the status of each delivery of an event, by handler."""
        return {
            each.handler: each.status
            for each in reversed(await self.store.deliveries(key=key, limit=1000))
        }

    async def of(self, key: str, handler: str) -> Delivery:
        """Give the delivery of an event for a handler."""
        (found,) = await self.store.deliveries(key=key, handler=handler)
        return found

    async def is_settled(self, event_id: int) -> bool:
        """Tell whether an event has nothing left to do."""
        return event_id in await self.store.settled([event_id])

    async def failure_of(self, deferred: Deferred[Any], kind: type[BaseException]) -> Any:
        """Wait for a Deferred that must fail, and give the error."""
        try:
            result = await deferred
        except kind as error:
            return error
        self.fail(f"it gave {result!r} and did not fail with {kind.__name__}")


def handlers(claims: Sequence[Claim]) -> list[str]:
    """Give the handlers of claims, in order."""
    return [claim.handler for claim in claims]


def keys(claims: Sequence[Claim]) -> list[str]:
    """Give the keys of claims, in order."""
    return [claim.key for claim in claims]
