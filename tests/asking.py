"""Asks a store everything that can be asked, so that each of its statements is executed."""

from __future__ import annotations

from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DEAD, DONE, PENDING, RETRYING, Claim, Worker
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    new_event,
    planned,
    settlement,
    unplanned_event,
)


async def ask_everything(store: IStore) -> None:
    """Ask an empty store everything."""
    claims = await write(store)
    await mend_and_forget(store, claims)
    await read(store)


async def write(store: IStore) -> list[Claim]:
    """Do everything that writes; give what was claimed first."""
    events = [new_event(str(n), "a b", "c", lane="lane" if n % 2 else None) for n in range(20)]
    accepted = await store.accept(events, WORKER, NOW)
    await store.accept([new_event("1", "a"), new_event("late", "x")], WORKER, NOW)
    unplanned = await store.accept([unplanned_event("u")], WORKER, NOW)
    event_id = unplanned[0].acceptance.event_id
    await store.plan(event_id, planned("x", "y"), WORKER, NOW)
    claims = [claim for each in accepted for claim in each.claims]
    made = [settlement(claim) for claim in claims[::3]]
    made += [settlement(claim, DEAD, stops=True) for claim in claims[1::3]]
    made += [settlement(claim, RETRYING, due=NOW) for claim in claims[2::3]]
    await store.settle(made, WORKER, NOW)
    await store.settle(made, WORKER, NOW)
    for claim in await store.claim(OTHER, NOW, 5):
        await store.transact(claim, lambda transaction: None, OTHER, NOW)
    await store.heartbeat(WORKER, NOW, NOW)
    await store.release_dead(NOW + 1)
    return claims


async def mend_and_forget(store: IStore, claims: list[Claim]) -> None:
    """Do what is asked for rarely."""
    await store.replay(claims[0].delivery_id, "1", NOW)
    await store.replay(claims[1].delivery_id, None, NOW)
    await store.skip(claims[1].delivery_id, NOW)
    await store.purge(NOW + 9, NOW + 9, 5)


async def read(store: IStore) -> None:
    """Ask everything."""
    for status in (None, DONE, DEAD, PENDING):
        for handler in (None, "a"):
            await store.deliveries(status=status, handler=handler)
            await store.deliveries(status=status, handler=handler, key="1")
    for ids, keys, opened in ((None, None, None), ([1], None, True), (None, ["1"], False)):
        await store.events(ids=ids, keys=keys, open=opened)
        await store.events(open=opened)
    await store.delivery(1)
    await store.body_of(1)
    await store.deliveries_of(1)
    await store.settled([1, 2])
    await store.counts()
    await store.unplanned(WORKER, NOW, 5)
    await store.next_due(Worker("w", frozenset("abx")), NOW)
    await store.orphans(NOW + 1, NOW)
