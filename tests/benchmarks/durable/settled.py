"""Fills stores: with events that are settled, or with deliveries that wait."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.durable.keys import Keys
from tests.benchmarks.durable.ours import HANDLER
from tests.benchmarks.durable.raw import BODY, DETAILS
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DONE, NewDelivery, NewEvent, Settlement, Worker

AT_ONCE = 1000
FILLER = Worker("filler", frozenset({HANDLER}))
PLAN = (NewDelivery(HANDLER, "during", 1),)


async def fill(store: IStore, count: int, keys: Keys) -> None:
    """Stores so many events, each of them delivered and done."""
    for some in batches(count):
        now = time.time()
        accepted = await store.accept(new_events(some, keys, now), FILLER, now)
        claims = [claim for each in accepted for claim in each.claims]
        settlements = [
            Settlement(claim.delivery_id, claim.event_id, claim.attempt, DONE) for claim in claims
        ]
        await store.settle(settlements, FILLER, now)


async def fill_waiting(store: IStore, count: int, keys: Keys, due: float) -> None:
    """Stores so many events, each with a delivery that waits for its time."""
    for some in batches(count):
        await store.accept(new_events(some, keys, due), FILLER, time.time())


def batches(count: int) -> Iterator[int]:
    """Gives the sizes in which to store so many events."""
    for start in range(0, count, AT_ONCE):
        yield min(AT_ONCE, count - start)


def new_events(count: int, keys: Keys, due: float) -> list[NewEvent]:
    """Gives events for the one handler."""
    return [NewEvent(keys(), BODY, DETAILS, None, due, PLAN) for _ in range(count)]
