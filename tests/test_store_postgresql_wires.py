"""PostgreSQL's connections on the reactor: what is sent by them, and what becomes of it."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.test_store_postgresql import PostgreSQLScene, wired
from tests.test_store_postgresql_lost import lose_connection
from twisted_dispatcher.errors import NotStorable
from twisted_dispatcher.records import DONE, RUNNING, Worker
from twisted_dispatcher.stores.postgresql.listening import Ear
from twisted_dispatcher.stores.postgresql.messages import text_array
from twisted_dispatcher.stores.postgresql.settling_one import SettleMessage
from twisted_dispatcher.stores.postgresql.wire import Wire
from twisted_dispatcher.stores.postgresql.wires import Wires
from twisted_dispatcher.testing.stores.scene import (
    NOW,
    OTHER,
    WORKER,
    new_event,
    settlement,
)

reactor = cast(Any, _reactor)

BEFORE_ACCEPTING, AFTER_ACCEPTING = "before sending accept", "after sending accept"
BEFORE_SETTLING, AFTER_SETTLING = "before sending settle", "after sending settle"
BY_WIRE = {BEFORE_ACCEPTING, AFTER_ACCEPTING, BEFORE_SETTLING, AFTER_SETTLING}


class WiredScene(PostgreSQLScene):
    """A store that has a connection on the reactor."""

    def setUp(self) -> Any:
        """Make the store, and wait until it has."""
        made = super().setUp()
        return made.addCallback(lambda _: Deferred.fromCoroutine(wired(self.store)))

    def points(self) -> list[str]:
        """Give a list of the crash points that are passed from now on."""
        passed: list[str] = []
        self.store.on_point = passed.append
        return passed


class SendingTests(WiredScene, TestCase):
    """What is done without a thread, and what is not."""

    async def test_accept_and_settle(self) -> None:
        """Events that come one by one are accepted and settled without a thread."""
        passed = self.points()
        accepted = await gatherResults(
            [self.store.accept([new_event(str(n), "a")], WORKER, NOW) for n in range(10)]
        )
        claims = [claim for (each,) in accepted for claim in each.claims]
        settled = await gatherResults(
            [self.store.settle([settlement(claim)], WORKER, NOW) for claim in claims]
        )

        self.assertEqual(
            [(claim.event_id,) for claim in claims], [each.finished for (each,) in settled]
        )
        self.assertEqual(BY_WIRE, set(passed))
        self.assertEqual({"a": DONE}, await self.statuses("3"))

    async def test_phases(self) -> None:
        """What is settled where another phase opens is settled by a thread."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        passed = self.points()
        settled = await self.settle(claims["a"])

        self.assertEqual(["b"], [each.handler for each in settled.opened])
        self.assertEqual([BEFORE_SETTLING, AFTER_SETTLING], passed[:2])
        self.assertIn("before commit", passed)

    async def test_nothing_to_do(self) -> None:
        """Where a message finds nothing to do it writes nothing: the disk is not waited for."""
        claims = await self.claims_of(new_event("k", "a", "b"))
        before = self.marks()
        message = SettleMessage([(settlement(claims["a"]), WORKER, NOW)])
        with self.store._connect_prepared() as connection:
            name, number = connection.next_mark()
            values = [name.encode(), str(number).encode(), *message.parameters]
            connection.pgconn.exec_prepared(message.name, values)

        self.assertEqual(before, self.marks())

    def marks(self) -> set[Any]:
        """Give the marks of all connections."""
        found = self.sql.execute("SELECT connection, number FROM twisted_dispatcher_commit")
        return {*found.fetchall()}

    async def test_fence(self) -> None:
        """Another worker, or another attempt, settles nothing."""
        claims = await self.claims_of(new_event("k", "a"))

        self.assertFalse((await self.settle(claims["a"], worker=OTHER)).held)
        self.assertTrue((await self.settle(claims["a"])).held)
        self.assertFalse((await self.settle(claims["a"])).held)

    async def test_workers_together(self) -> None:
        """What several workers settle in one turn is each one's own."""
        mine = await self.claims_of(new_event("1", "a"))
        others = await self.claims_of(new_event("2", "a"), OTHER)
        (first,), (second,), (third,) = await gatherResults(
            [
                self.store.settle([settlement(mine["a"])], OTHER, NOW),
                self.store.settle([settlement(mine["a"])], WORKER, NOW),
                self.store.settle([settlement(others["a"])], OTHER, NOW),
            ]
        )

        self.assertEqual((False, True, True), (first.held, second.held, third.held))

    async def test_known_keys(self) -> None:
        """Of events with a known key, also of the same turn, the first one's id is told."""
        first = await self.accept_one(new_event("known", "a"))
        accepted = await gatherResults(
            [
                self.store.accept([new_event(key, "a")], WORKER, NOW)
                for key in ("known", "new", "new", "b", "known")
            ]
        )
        found = [(each.acceptance, len(each.claims)) for (each,) in accepted]

        self.assertEqual([False, True, False, True, False], [each.new for each, _ in found])
        self.assertEqual([0, 1, 0, 1, 0], [claims for _, claims in found])
        self.assertEqual(first.acceptance.event_id, found[0][0].event_id)
        self.assertEqual(found[1][0].event_id, found[2][0].event_id)
        for _, claim in ((each, claim) for (each,) in accepted for claim in each.claims):
            self.assertEqual(claim.key, (await self.store.delivery(claim.delivery_id)).key)

    async def test_same_key_on_two_machines(self) -> None:
        """Of events that two machines accept at the same time by a key, one is new."""
        other = await self.second_store()
        await wired(other)
        for n in range(50):
            (mine,), (others,) = await gatherResults(
                [
                    self.store.accept([new_event(str(n), "a")], WORKER, NOW),
                    other.accept([new_event(str(n), "a")], OTHER, NOW),
                ]
            )
            self.assertEqual(1, mine.acceptance.new + others.acceptance.new)
            self.assertEqual(mine.acceptance.event_id, others.acceptance.event_id)

    async def test_not_storable(self) -> None:
        """What cannot be held harms nobody who asks in the same turn."""
        good = [self.store.accept([new_event(str(n), "a")], WORKER, NOW) for n in range(3)]
        bad = self.store.accept([new_event("bad", "a", body="\0")], WORKER, NOW)
        await self.failure_of(bad, NotStorable)

        for (each,) in await gatherResults(good):
            self.assertTrue(each.acceptance.new)

    async def test_key_that_is_held(self) -> None:
        """Who waits for somebody else's transaction keeps nobody else waiting."""
        self.sql.execute("BEGIN")
        self.sql.execute(
            "INSERT INTO twisted_dispatcher_event (id, key, details, accepted, due) "
            "VALUES (0, 'held', '{}', 0, 0)"
        )
        held = [self.store.accept([new_event("held", "a")], WORKER, NOW)]
        await self.until(lambda: not self.store._crew._call)
        held.append(self.store.accept([new_event("held", "a")], WORKER, NOW))
        await self.until(lambda: not self.store._crew._call)

        self.assertTrue((await self.accept_one(new_event("k", "a"))).acceptance.new)
        self.assertFalse(any(each.called for each in held))
        self.sql.execute("ROLLBACK")
        found = [each.acceptance.new for (each,) in await gatherResults(held)]
        self.assertEqual([False, True], sorted(found))

    async def test_odd_names(self) -> None:
        """The names of workers and handlers may have any characters."""
        worker = Worker('{"a\\b", NULL\'', frozenset({"a"}))
        claims = await self.claims_of(new_event("k", "a"), worker)

        self.assertTrue((await self.settle(claims["a"], worker=worker)).held)
        self.assertRaises(ValueError, text_array, ["\0"])

    async def test_unknown_worker(self) -> None:
        """What an unknown worker was given is given back as soon as somebody looks."""
        await self.accept_one(new_event("k", "a"), Worker("unknown", frozenset("a")))

        self.assertEqual(1, await self.store.release_dead(NOW + 1))

    async def test_cancelled(self) -> None:
        """What was cancelled in its turn is not done."""
        accepting = self.store.accept([new_event("k", "a")], WORKER, NOW)
        accepting.cancel()
        self.failureResultOf(accepting)
        await self.accept_one(new_event("2", "a"))

        self.assertEqual([], await self.store.events(keys=["k"]))

    async def test_large(self) -> None:
        """What does not fit into the connection at once is sent bit by bit."""
        body = '"' + "x" * 3_000_000 + '"'
        accepting = [
            self.store.accept([new_event(str(n), "a", body=body)], WORKER, NOW) for n in range(8)
        ]
        for (each,) in await gatherResults(accepting):
            self.assertEqual(body, each.claims[0].body)

    async def test_no_descriptors(self) -> None:
        """Where the reactor cannot watch connections, threads do everything."""
        wires = Wires(lambda *_: self.fail("no connection is wanted"), cast(Any, None))

        self.assertIsNone(wires.take(Clock()))


class LosingTests(WiredScene, TestCase):
    """Connections on the reactor that are lost."""

    async def test_while_idle(self) -> None:
        """One that is lost while it has nothing to do is made again when it is wanted."""
        self.assertLess(0, self.kill_connections())
        await self.until(lambda: not len(self.store._crew.wires))

        await self.accept_one(new_event("1", "a"))
        await self.until(lambda: len(self.store._crew.wires))
        passed = self.points()
        await self.accept_one(new_event("2", "a"))
        self.assertEqual([BEFORE_ACCEPTING, AFTER_ACCEPTING], passed)

    async def test_before_it_is_sent(self) -> None:
        """What is sent by a connection that is lost is done, and once."""
        for number, do in enumerate((self.kill_connections, lose_connection)):
            await self.until_wired()
            passed = self.at(BEFORE_ACCEPTING, do)
            accepted = await self.accept_one(new_event(str(number), "a"))

            self.assertEqual((True, 1), (accepted.acceptance.new, len(accepted.claims)))
            self.assertIn("before commit", passed)
            await self.until_wired()
            self.at(BEFORE_SETTLING, do)
            self.assertTrue((await self.settle(accepted.claims[0])).held)

    async def test_after_it_was_committed(self) -> None:
        """When the answer is lost, what was written is told as it is."""
        known = await self.accept_one(new_event("known", "a"))
        passed = self.at(AFTER_ACCEPTING, lose_connection)
        accepted = await gatherResults(
            [
                self.store.accept([new_event(key, "a", "b")], WORKER, NOW)
                for key in ("z", "known", "y", "y")
            ]
        )
        self.assertNotIn("before commit", passed)
        z, same, y, again = (each for (each,) in accepted)
        self.assertEqual(
            [True, False, True, False], [each.acceptance.new for each in (z, same, y, again)]
        )
        self.assertEqual(known.acceptance.event_id, same.acceptance.event_id)
        self.assertEqual(y.acceptance.event_id, again.acceptance.event_id)
        for each in (z, y):
            (claim,) = each.claims
            found = await self.store.delivery(claim.delivery_id)
            self.assertEqual(
                (each.acceptance.key, RUNNING, "a"), (found.key, found.status, found.handler)
            )

    async def test_after_it_was_settled(self) -> None:
        """When the answer is lost, what was settled is told as settled."""
        claims = await self.claims_of(new_event("k", "a"))
        passed = self.at(AFTER_SETTLING, lose_connection)
        settled = await self.settle(claims["a"])

        self.assertEqual((True, (claims["a"].event_id,)), (settled.held, settled.finished))
        self.assertNotIn("before commit", passed)

    async def test_too_late(self) -> None:
        """What was said not to have happened does not happen, when the server gets to it."""
        (wire,) = self.store._crew.wires._all
        mark = wire.next_mark()
        happened = await deferToThread(self.store._office.look_up, mark, lambda _: True)
        passed = self.points()
        accepted = await self.accept_one(new_event("k", "a"))

        self.assertIsNone(happened)
        self.assertEqual([BEFORE_ACCEPTING, AFTER_ACCEPTING], passed[:2])
        self.assertIn("before commit", passed)
        self.assertTrue(accepted.acceptance.new)

    async def test_killed_again_and_again(self) -> None:
        """However often connections are killed under load, nothing is lost or doubled."""
        self.done = 0

        async def call(name: str) -> None:
            for number in range(60):
                accepted = await self.accept_one(new_event(f"{name}/{number}", "a"))
                self.assertTrue(accepted.acceptance.new)
                settled = await self.settle(accepted.claims[0])
                self.assertTrue(settled.held)
                self.done += 1

        calling = [Deferred.fromCoroutine(call(str(n))) for n in range(20)]
        for enough in range(100, 1200, 100):
            await self.until(lambda enough=enough: self.done >= enough)
            self.kill_connections()
        await gatherResults(calling)

        found = await self.store.deliveries(status=DONE, limit=10_000)
        self.assertEqual(1200, len(found))

    async def until_wired(self) -> None:
        """Wait until there is a connection on the reactor again."""
        while not len(self.store._crew.wires):
            await self.store.accept([new_event("again", "a")], WORKER, NOW)
            await deferLater(reactor, 0.01)


class ClosingTests(WiredScene, TestCase):
    """What is left when a store is closed."""

    def ours(self) -> int:
        """Count the store's connections."""
        ((count,),) = self.sql.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (self.schema,)
        )
        return int(count)

    async def test_nothing_is_left(self) -> None:
        """Closing answers what was asked for, and leaves no connection and no descriptor."""
        told: list[str] = []
        self.store.listen(told.append)
        await self.until(lambda: told)
        watched = {each for each in self.readers() if isinstance(each, (Ear, Wire))}
        self.assertLess(1, len(watched))
        accepting = self.store.accept([new_event("k", "a")], WORKER, NOW)
        await self.store.close()

        self.assertTrue(self.successResultOf(accepting)[0].acceptance.new)
        self.assertFalse(watched & set(self.readers()))
        await self.until(lambda: self.ours() == 0)

    def readers(self) -> list[Any]:
        """Give what the reactor watches."""
        return [*reactor.getReaders(), *reactor.getWriters()]
