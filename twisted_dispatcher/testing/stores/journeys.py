"""Journeys: a whole life of events, workers that come and go included, held against the rules."""

from __future__ import annotations

import random
from collections.abc import Sequence

from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    Claim,
    NewEvent,
    Settled,
    Worker,
)
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    Scene,
    new_event,
    planned,
    settlement,
    unplanned_event,
)

HANDLERS = "abcdef"


class JourneysContract(Scene):
    """What must hold whatever happens."""

    async def test_journeys(self) -> None:
        """Each delivery ends once, phases and lanes keep their order, and nothing is left over."""
        for seed in range(8):
            journey = _Journey(self, random.Random(seed), f"{seed}-")
            await journey.run()


class _Journey:
    """
    A random mix of everything that workers do.

    Some workers die, that is, they forget what they run and never renew their lease. An event is
    finished when all of its deliveries have ended; what began before its turn is an error.
    """

    def __init__(self, test: Scene, chance: random.Random, prefix: str) -> None:
        self.test = test
        self.store = test.store
        self.chance = chance
        self.prefix = prefix
        self.now = NOW
        self.count = 0
        self.workers: list[Worker] = []
        self.running: dict[str, list[Claim]] = {}
        self.lanes: dict[str, list[str]] = {}
        self.plans: dict[str, tuple[str, ...]] = {}
        self.ended: dict[str, list[str]] = {}
        self.finished: list[str] = []

    async def run(self) -> None:
        """Let it happen, then have a worker that sees everything to its end."""
        for _ in range(60):
            self.now += self.chance.random()
            await self.chance.choices(
                (self.accept, self.settle, self.claim, self.plan, self.come_with_few, self.die),
                (5, 8, 4, 3, 1, 0.5),
            )[0]()
        await self.come()
        while any(self.running.values()) or set(self.finished) != set(self.plans):
            self.now += 100
            await self.store.heartbeat(self.workers[-1], self.now + 50, self.now)
            del self.workers[:-1]
            self.running = {each.id: self.running[each.id] for each in self.workers}
            await self.store.release_dead(self.now)
            await self.claim()
            await self.plan()
            await self.settle()
        self.check()

    async def come(self, names: Sequence[str] = HANDLERS) -> None:
        """Have one more worker, which knows some handlers."""
        self.count += 1
        worker = Worker(f"{self.prefix}worker-{self.count}", frozenset(names))
        self.workers.append(worker)
        self.running[worker.id] = []
        await self.store.heartbeat(worker, self.now + 20, self.now)

    async def come_with_few(self) -> None:
        """Have one more worker, which knows half of the handlers."""
        await self.come(self.chance.sample(HANDLERS, 3))

    async def die(self) -> None:
        """Lose a worker, and what it was running."""
        if self.workers:
            worker = self.workers.pop(self.chance.randrange(len(self.workers)))
            lost = self.running.pop(worker.id)
            self.now += 30
            for each in self.workers:
                await self.store.heartbeat(each, self.now + 20, self.now)
            await self.store.release_dead(self.now)
            for claim in lost:
                (settled,) = await self.store.settle([settlement(claim)], worker, self.now)
                self.test.assertEqual(Settled(False), settled)

    async def accept(self) -> None:
        """Have a worker accept some events."""
        if not self.workers:
            return await self.come()
        worker = self.chance.choice(self.workers)
        events = [self.event() for _ in range(self.chance.randint(1, 4))]
        for event, accepted in zip(events, await self.store.accept(events, worker, self.now)):
            self.take(worker, accepted.claims)
            if event.deliveries == ():
                self.finished.append(event.key)
        return None

    def event(self) -> NewEvent:
        """Make an event."""
        self.count += 1
        key = f"{self.prefix}{self.count}"
        ranks = tuple(
            " ".join(self.chance.sample(HANDLERS, self.chance.randint(1, 2)))
            for _ in range(self.chance.randint(0, 3))
        )
        lane = self.chance.choice((None, self.prefix + "x", self.prefix + "y"))
        self.plans[key] = ranks
        self.ended[key] = []
        if lane is not None and ranks:
            self.lanes.setdefault(lane, []).append(key)
        if self.chance.random() < 0.2:
            return unplanned_event(key, lane, self.now)
        due = self.now + self.chance.choice((0, 0, 5))
        return new_event(key, *ranks, lane=lane, due=due)

    async def plan(self) -> None:
        """Have a worker plan some events."""
        if self.workers:
            worker = self.chance.choice(self.workers)
            for each in await self.store.unplanned(worker, self.now, 3):
                deliveries = planned(*self.plans[each.key])
                plan = await self.store.plan(each.event_id, deliveries, worker, self.now)
                assert plan is not None
                self.take(worker, plan.claims)
                if not deliveries:
                    self.finished.append(each.key)

    async def claim(self) -> None:
        """Have a worker claim something."""
        if self.workers:
            worker = self.chance.choice(self.workers)
            limit = self.chance.randint(1, 5)
            self.take(worker, await self.store.claim(worker, self.now, limit))

    def take(self, worker: Worker, claims: list[Claim] | tuple[Claim, ...]) -> None:
        """Begin to run what a worker was given; see that its turn has come."""
        for claim in claims:
            earlier = marks_of(self.plans[claim.key][: claim.rank])
            self.test.assertLessEqual(earlier, {*self.ended[claim.key]})
            for lane in self.lanes.values():
                if claim.key in lane:
                    self.test.assertLessEqual({*lane[: lane.index(claim.key)]}, {*self.finished})
            self.running[worker.id].append(claim)

    async def settle(self) -> None:
        """Have a worker settle all that it runs."""
        busy = [worker for worker in self.workers if self.running[worker.id]]
        if not busy:
            return
        worker = self.chance.choice(busy)
        claims, self.running[worker.id] = self.running[worker.id], []
        ends = [self.end_of(claim) for claim in claims]
        made = [settlement(claim, status, due=self.now) for claim, status in zip(claims, ends)]
        for claim, status in zip(claims, ends):
            if status in (DONE, DEAD):
                mark = f"{claim.handler}{claim.rank}"
                self.test.assertNotIn(mark, self.ended[claim.key])
                self.ended[claim.key].append(mark)
        settled = await self.store.settle(made, worker, self.now)
        for claim, each in zip(claims, settled):
            self.test.assertTrue(each.held)
            for _ in each.finished:
                self.finished.append(claim.key)
        for each in settled:
            self.take(worker, each.opened)

    def end_of(self, claim: Claim) -> str:
        """Choose what an attempt comes to."""
        if claim.attempt > 4:
            return DONE
        return self.chance.choice((DONE, DONE, DONE, DEAD, RETRYING, PENDING))

    def check(self) -> None:
        """See that everything came to its end, and once."""
        self.test.assertEqual(sorted(self.plans), sorted(self.finished))
        for key, ranks in self.plans.items():
            self.test.assertEqual(sorted(marks_of(ranks)), sorted(self.ended[key]))


def marks_of(ranks: Sequence[str]) -> set[str]:
    """Give what stands for the deliveries of the first ranks of an event."""
    return {f"{name}{rank}" for rank, names in enumerate(ranks) for name in names.split()}
