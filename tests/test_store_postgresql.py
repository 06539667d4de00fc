"""The PostgreSQL store: the contract, and what is its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.postgresql import PostgreSQL
from twisted_dispatcher import open_store
from twisted_dispatcher.errors import (
    NotStorable,
)
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DEAD, DONE, RETRYING, Claim, Settled, Worker
from twisted_dispatcher.testing.stores import AnsweringContract, SQLContract, StoreContract
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    Scene,
    keys,
    new_event,
    planned,
    settlement,
    unplanned_event,
)

PRODUCER = Worker("producer", frozenset())


class ContractTests(PostgreSQL, StoreContract, SQLContract, AnsweringContract, TestCase):
    """The contract."""

    def make_store(self) -> Any:
        return open_store(self.have_tables())

    def another_store(self) -> Any:
        return open_store(self.url)


class WiredContractTests(ContractTests):
    """The contract, where a connection on the reactor is there from the beginning."""

    def make_store(self) -> Any:
        return Deferred.fromCoroutine(wired(super().make_store()))


async def wired(store: Any) -> Any:
    """Wait until a store has a connection on the reactor, and give the store."""
    wire = store._crew.wires.take(reactor)
    if wire is not None:
        store._crew.wires.give_back(wire)
    while not len(store._crew.wires):
        await deferLater(reactor, 0.005)
    return store


class PostgreSQLScene(PostgreSQL, Scene):
    """A store in a schema of its own, and what happens to its connections."""

    store: Any

    def make_store(self) -> Any:
        return open_store(self.have_tables())

    def another_store(self) -> Any:
        return open_store(self.url)

    def by_threads(self, store: Any) -> None:
        """Have a store do everything in threads."""
        store._crew.wires.close()

    async def until(self, condition: Any) -> None:
        """Wait for what another thread or process brings about; trial's time limit ends it."""
        while not condition():
            await deferLater(reactor, 0.005)

    def at(self, point: str, do: Any) -> list[str]:
        """Have something done when the store comes to a crash point for the first time."""
        passed: list[str] = []

        def on_point(name: str) -> None:
            passed.append(name)
            if name == point and passed.count(name) == 1:
                do()

        self.store.on_point = on_point
        return passed


class SharingTests(PostgreSQLScene, TestCase):
    """Two stores on the same tables, as two machines have them."""

    async def test_claim_apart(self) -> None:
        """What two workers claim at the same time is never the same, and all of it is claimed."""
        other = await self.second_store()
        await self.accept(*(new_event(str(n), "a b") for n in range(300)), worker=PRODUCER)
        claimed: list[Claim] = []

        async def claim_all(store: IStore, worker: Worker) -> None:
            while claims := await store.claim(worker, NOW, 7):
                claimed.extend(claims)

        await both(claim_all(self.store, WORKER), claim_all(other, OTHER))
        while claims := await self.claim():
            claimed.extend(claims)

        self.assertEqual(600, len(claimed))
        self.assertEqual(600, len({each.delivery_id for each in claimed}))

    async def test_last_two_at_once_on_two_machines(self) -> None:
        """When two machines settle the last two deliveries of a phase, the next phase opens."""
        other = await self.second_store()
        accepted = await self.accept(*(new_event(str(n), "a b", "c") for n in range(100)))
        opened: list[Claim] = []

        async def settle(store: IStore, claims: list[Claim]) -> None:
            asked = [store.settle([settlement(each)], WORKER, NOW) for each in claims]
            for (settled,) in await gatherResults(asked):
                self.assertTrue(settled.held)
                opened.extend(settled.opened)

        for start in range(0, 100, 5):
            group = accepted[start : start + 5]
            await both(
                settle(self.store, [each.claims[0] for each in group]),
                settle(other, [each.claims[1] for each in reversed(group)]),
            )

        self.assertEqual(sorted(str(n) for n in range(100)), sorted(keys(opened)))
        self.assertEqual({"c"}, {each.handler for each in opened})

    async def test_same_key_on_two_machines(self) -> None:
        """Of events with the same key that two machines accept at the same time, one is stored."""
        other = await self.second_store()
        news: Counter[str] = Counter()

        async def accept(store: IStore, names: list[str]) -> None:
            for _ in range(5):
                events = [new_event(name, "a") for name in names]
                for each in await store.accept(events, PRODUCER, NOW):
                    news[each.acceptance.key] += each.acceptance.new

        names = [str(n) for n in range(50)]
        await both(accept(self.store, names), accept(other, names[::-1]))

        self.assertEqual(dict.fromkeys(names, 1), dict(news))
        self.assertEqual(50, len(await self.store.events()))

    async def test_lane_on_two_machines(self) -> None:
        """Of the events of one lane, accepted and run by two machines, one at most is going."""
        other = await self.second_store()
        running: list[str] = []
        order: list[str] = []

        async def run(store: IStore, worker: Worker, claims: tuple[Claim, ...]) -> None:
            while claims:
                (claim,) = claims
                running.append(claim.key)
                self.assertEqual([claim.key], running)
                order.append(claim.key)
                running.remove(claim.key)
                (settled,) = await store.settle([settlement(claim)], worker, NOW)
                self.assertTrue(settled.held)
                claims = settled.opened

        async def accept(store: IStore, worker: Worker) -> None:
            for n in range(30):
                event = new_event(f"{worker.id} {n}", "a", lane="lane")
                (accepted,) = await store.accept([event], worker, NOW)
                await run(store, worker, accepted.claims)

        await both(accept(self.store, WORKER), accept(other, OTHER))

        self.assertEqual(60, len(order))
        for worker in (WORKER, OTHER):
            own = [key for key in order if key.startswith(worker.id)]
            self.assertEqual([f"{worker.id} {n}" for n in range(30)], own)
        self.assertEqual(0, (await self.store.counts())["open"])

    async def test_many_lanes_at_once(self) -> None:
        """One call may take more lanes than the server has locks for."""
        accepted = await self.accept(
            *(new_event(str(n), "a", lane=f"lane {n}") for n in range(1500))
        )

        self.assertEqual(1500, sum(len(each.claims) for each in accepted))

    async def test_plan_on_two_machines(self) -> None:
        """Of two machines that plan an event at the same time, one does."""
        other = await self.second_store()
        events = [unplanned_event(str(n)) for n in range(20)]
        for each in await self.accept(*events):
            event_id = each.acceptance.event_id
            answers = await gatherResults(
                [
                    self.store.plan(event_id, planned("a"), WORKER, NOW),
                    other.plan(event_id, planned("a"), OTHER, NOW),
                ]
            )
            self.assertEqual(1, answers.count(None))

    async def test_release_while_given(self) -> None:
        """What a worker is given while it is forgotten is given back when it is dead."""
        other = await self.second_store()
        await self.store.heartbeat(WORKER, NOW + 10, NOW)
        events = [[new_event(str(n), "a")] for n in range(20)]
        for n, each in enumerate(events):
            await gatherResults(
                [
                    self.store.accept(each, WORKER, NOW + 20 + n),
                    other.release_dead(NOW + 20 + n),
                ]
            )
        await other.release_dead(NOW + 100)

        self.assertEqual((20, 0), await self.counted("pending", "running"))

    async def counted(self, *statuses: str) -> tuple[int, ...]:
        """Count deliveries."""
        counts = await self.store.counts()
        return tuple(counts[status] for status in statuses)


class NewsTests(PostgreSQLScene, TestCase):
    """What is told from store to store."""

    async def test_told_from_afar(self) -> None:
        """Who listens is told of what another store has committed."""
        other = await self.second_store()
        told: list[str] = []
        self.store.listen(told.append)
        await self.until(lambda: told)
        del told[:]

        (accepted,) = await other.accept([new_event("1", "a")], OTHER, NOW)
        await other.accept([new_event("2", "a")], PRODUCER, NOW)
        await self.until(lambda: "work" in told)
        await other.settle([settlement(accepted.claims[0])], OTHER, NOW)
        await self.until(lambda: "settled" in told)

    async def test_listens_again(self) -> None:
        """When the connection that listens is lost, another one listens, and all is looked at."""
        other = await self.second_store()
        told: list[str] = []
        self.store.listen(told.append)
        await self.until(lambda: told)
        del told[:]

        self.assertEqual(1, self.kill_connections("LISTEN"))
        await self.until(lambda: "work" in told and "settled" in told)
        del told[:]
        await other.accept([new_event("k", "a")], PRODUCER, NOW)
        await self.until(lambda: "work" in told)

    async def test_nobody_listens(self) -> None:
        """A store to which nobody listens has no connection that does."""
        told: list[str] = []
        stop = self.store.listen(told.append)
        await self.until(lambda: told)
        stop()
        await self.until(lambda: self.kill_connections("LISTEN") == 0)


class ValueTests(PostgreSQLScene, TestCase):
    """What a database of this kind can hold."""

    async def test_times(self) -> None:
        """Times come back as they were, to the last bit."""
        due = 1_700_000_000.123456
        accepted = await self.accept_one(new_event("k", "a", due=due), PRODUCER, NOW + 0.1)
        (event,) = await self.store.events(ids=[accepted.acceptance.event_id])

        self.assertEqual((due, NOW + 0.1), (event.due, event.accepted))
        self.assertEqual(due, await self.store.next_due(WORKER, NOW))

    async def test_text(self) -> None:
        """Text of any script comes back as it was; a null character is refused."""
        body = '"\\u0000 \\\\ \N{SNOWMAN} \N{PILE OF POO} %s %% \'"'
        claims = await self.claims_of(new_event("\N{SNOWMAN}", "a", body=body))
        self.assertEqual(body, claims["a"].body)

        bad = self.store.accept([new_event("k", "a", body="\0")], WORKER, NOW)
        await self.failure_of(bad, NotStorable)

    async def test_longest_key(self) -> None:
        """A key of 500 characters can be kept, whatever they are."""
        for letter in "x\N{PILE OF POO}":
            accepted = await self.accept_one(new_event(letter * 500, "a"))
            self.assertTrue(accepted.acceptance.new)

    async def test_error_of_a_retry(self) -> None:
        """The error of an attempt is kept while the next one is waited for."""
        claims = await self.claims_of(new_event("k", "a"))
        await self.settle(claims["a"], RETRYING, due=NOW + 1, error="first")
        self.assertEqual("first", (await self.of("k", "a")).error)
        (claim,) = await self.claim(now=NOW + 1)
        await self.settle(claim, DEAD, now=NOW + 1)

        self.assertEqual("first", (await self.of("k", "a")).error)

    async def test_same_attempt_twice(self) -> None:
        """Of two settlements of the same attempt the first counts."""
        claims = await self.claims_of(new_event("k", "a"))
        first, second = await self.store.settle(
            [settlement(claims["a"]), settlement(claims["a"], DEAD)], WORKER, NOW
        )

        self.assertEqual((True, Settled(False)), (first.held, second))
        self.assertEqual({"a": DONE}, await self.statuses("k"))


async def both(*lives: Coroutine[Any, Any, Any]) -> None:
    """Let coroutines run at the same time, and wait for all; the first failure is raised."""
    running = [Deferred.fromCoroutine(each) for each in lives]
    await DeferredList(running, fireOnOneErrback=True, consumeErrors=True)
