"""Tests of what goes on when a process, the store, or the clock fails."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from tests.dispatching import Problem, Recorder, Waiting, answering, failing, noting
from tests.durable import EPOCH, ONCE, DurableTests, Process, attempts, on_stores
from twisted_dispatcher import DurableDispatcher, current_delivery, errors
from twisted_dispatcher.testing import result_of

LEASE = 60.0


class RestartTests(DurableTests):
    """What the next process finds when the one before it was killed."""

    async def restarted(self, process: Process, *keywords: str, **options: Any) -> Process:
        """Kill a process, and start another one when its lease has run out."""
        self.kill(process)
        await self.pass_time(LEASE + 1)
        return await self.process(self.setup, *keywords, **options)

    def setUp(self) -> None:
        """Make a log of what handlers do, and something to wait for."""
        super().setUp()
        self.log: list[str] = []
        self.slow = Waiting()

    def setup(self, dispatcher: DurableDispatcher) -> None:
        """Register a handler for each phase, the second of which waits."""
        self.add(dispatcher, noting(self.log, "before"), "before", name="before")
        self.add(dispatcher, self.slow, "during", name="slow", retry=attempts(11))
        self.add(dispatcher, noting(self.log, "during"), "during", name="during")
        self.add(dispatcher, noting(self.log, "after"), "after", name="after")

    async def test_phases(self) -> None:
        """The phases go on where they were: what is done stays so, what is not follows."""
        first = await self.process(self.setup)
        await self.result(first.dispatcher.accept_event("event"))
        await self.quiet()
        second = await self.restarted(first)
        await self.quiet()
        self.assertEqual(["before", "during"], self.log)

        self.slow.pending[1].callback(None)
        await self.until_settled(second.dispatcher)

        self.assertEqual(["before", "during", "after"], self.log)
        self.assertEqual(["event", "event"], self.slow.events)

    async def test_order(self) -> None:
        """Lanes are kept over a restart."""
        first = await self.process(self.setup, order_by=())
        for number in range(3):
            await self.result(first.dispatcher.accept_event(number))
        second = await self.restarted(first, order_by=())

        for number in range(3):
            await self.quiet()
            self.assertEqual([0, *range(number + 1)], self.slow.events)
            self.slow.pending[number + 1].callback(None)
        await self.until_settled(second.dispatcher)

    async def test_delayed(self) -> None:
        """An event that was accepted for later is handled at its time by whoever is there."""
        first = await self.process(self.setup)
        await self.result(first.dispatcher.accept_event("event", at=EPOCH + 500))
        await self.restarted(first)
        await self.pass_time(EPOCH + 499 - self.clock.seconds())
        self.assertEqual([], self.slow.events)

        await self.pass_time(2)

        self.assertEqual(["event"], self.slow.events)

    async def test_key(self) -> None:
        """A key that was accepted before a kill is known after it."""
        first = await self.process(self.setup)
        accepted = await self.result(first.dispatcher.accept_event("event", key="k"))
        second = await self.restarted(first)

        again = await self.result(second.dispatcher.accept_event("event", key="k"))

        self.assertEqual((accepted.event_id, False), (again.event_id, again.new))

    async def test_attempts_count_on(self) -> None:
        """Attempts and backoff go on over a restart, and a kill uses up an attempt."""
        seen: list[int] = []

        def setup(dispatcher: DurableDispatcher) -> None:
            def handler(event: Any) -> None:
                seen.append(current_delivery().attempt)
                raise Problem

            self.add(dispatcher, handler, retry=attempts(4, 100))

        self.setup = setup  # type: ignore[method-assign]
        first = await self.process(setup)
        await self.result(first.dispatcher.accept_event("event"))
        await self.pass_time(20)
        second = await self.restarted(first)
        await self.pass_time(EPOCH + 99 - self.clock.seconds())
        self.assertEqual([1], seen)

        await self.pass_time(1000)

        self.assertEqual([1, 2, 3, 4], seen)
        self.assertEqual({"handler": "dead"}, await self.statuses(second.dispatcher))
        self.flushLoggedErrors(Problem)

    async def test_killed_again_and_again(self) -> None:
        """An event gets to its end over any number of kills, if its attempts are as many."""
        process = await self.process(self.setup)
        await self.result(process.dispatcher.accept_event("event"))
        for _ in range(10):
            process = await self.restarted(process)
            await self.quiet()

        self.slow.pending[-1].callback(None)
        await self.until_settled(process.dispatcher)

        self.assertEqual(["before", "during", "after"], self.log)
        self.assertEqual(11, len(self.slow.events))


class PoisonTests(DurableTests):
    """Handlers in whose attempts the worker dies."""

    async def kills(self, slow: Waiting, count: int, **options: Any) -> Process:
        """Accept an event, and kill so many processes while its handler runs."""

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, slow, "before", name="slow", **options)
            self.add(dispatcher, Recorder(), "after", name="later")

        process = await self.process(setup)
        await self.result(process.dispatcher.accept_event("event"))
        for _ in range(count):
            self.kill(process)
            await self.pass_time(LEASE + 1)
            process = await self.process(setup)
            await self.quiet()
        return process

    async def test_dead(self) -> None:
        """When the worker died in every attempt, the delivery is dead, and the event goes on."""
        slow = Waiting()
        process = await self.kills(slow, 3, retry=attempts(3))
        await self.until_settled(process.dispatcher)

        self.assertEqual(3, len(slow.events))
        delivery = await self.delivery(process.dispatcher, status="dead")
        self.assertEqual("its worker died in attempt 3 (exit unknown)", delivery.error)
        self.assertEqual(
            {"slow": "dead", "later": "done"}, await self.statuses(process.dispatcher)
        )
        (failure,) = self.flushLoggedErrors(errors.DeliveryDied)
        self.assertIn("its worker died in attempt 3", str(failure.value))

    async def test_once(self) -> None:
        """With one attempt, the first death is the end."""
        slow = Waiting()
        process = await self.kills(slow, 1, retry=ONCE)
        await self.until_settled(process.dispatcher)

        self.assertEqual(1, len(slow.events))
        delivery = await self.delivery(process.dispatcher, handler="slow")
        self.assertEqual("dead", delivery.status)
        self.flushLoggedErrors(errors.DeliveryDied)

    async def test_last_attempt(self) -> None:
        """The last attempt is made, and may go well."""
        slow = Waiting()
        process = await self.kills(slow, 2, retry=attempts(3))
        slow.pending[-1].callback(None)
        await self.until_settled(process.dispatcher)

        delivery = await self.delivery(process.dispatcher, handler="slow")
        self.assertEqual(("done", None), (delivery.status, delivery.error))

    async def test_neighbours(self) -> None:
        """What stood beside a deadly handler is run again by itself, and comes to its end."""
        calls: list[str] = []
        running: list[Process] = []

        def deadly(event: Any) -> None:
            calls.append("deadly")
            self.kill(running[-1])

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, deadly, name="deadly", spec={"kind": 3}, retry=attempts(3))
            for name in "abc":
                self.add(dispatcher, noting(calls, name), name=name, retry=attempts(4))

        async def born() -> None:
            link = self.connect()
            dispatcher = self.make("kind", link=link)
            running.append(Process(dispatcher, link))
            setup(dispatcher)
            dispatcher.start()
            await self.pass_time(LEASE + 1)

        producer = await self.process(lambda dispatcher: None, "kind", worker=False)
        for kind in range(6):
            await self.result(producer.dispatcher.accept_event(kind, kind=kind))
        for _ in range(4):
            await born()
        await self.until_settled(running[-1].dispatcher)

        self.assertEqual(3, calls.count("deadly"))
        found = await self.result(running[-1].dispatcher.deliveries(status="dead"))
        self.assertEqual(["deadly"], [each.handler for each in found])
        self.flushLoggedErrors(errors.DeliveryDied)

    async def test_replayed(self) -> None:
        """A delivery that is replayed has all of its attempts again."""
        slow = Waiting()
        process = await self.kills(slow, 2, retry=attempts(2))
        await self.until_settled(process.dispatcher)
        dead = await self.delivery(process.dispatcher, status="dead")
        self.flushLoggedErrors(errors.DeliveryDied)
        await self.result(process.dispatcher.replay(dead.id))
        await self.quiet()
        slow.pending[-1].errback(Problem())
        await self.pass_time(2)
        slow.pending[-1].callback(None)
        await self.until_settled(process.dispatcher)

        self.assertEqual(4, len(slow.events))
        self.assertEqual("done", (await self.delivery(process.dispatcher, handler="slow")).status)
        self.flushLoggedErrors(Problem)

    async def test_stopped(self) -> None:
        """What stop() gave back has used up no attempt."""
        slow = Waiting()

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, slow, name="slow", retry=attempts(2))

        process = await self.process(setup, drain=1.0)
        await self.result(process.dispatcher.accept_event("event"))
        for _ in range(5):
            await self.result(process.dispatcher.stop())
            process = await self.process(setup, drain=1.0)
            await self.quiet()
        slow.pending[-1].errback(Problem())
        await self.pass_time(2)
        slow.pending[-1].callback(None)
        await self.until_settled(process.dispatcher)

        delivery = await self.delivery(process.dispatcher)
        self.assertEqual(("done", 7), (delivery.status, delivery.attempts))
        self.flushLoggedErrors(Problem)

    async def test_store_away(self) -> None:
        """That a delivery is dead is stored when the store is back, if it was away."""
        slow = Waiting()
        process = await self.kills(slow, 2, retry=attempts(3))
        self.kill(process)
        await self.pass_time(LEASE + 1)
        link = self.connect()
        link.hold("delivery")
        dispatcher = self.make(link=link)
        self.add(dispatcher, slow, "before", name="slow", retry=attempts(3))
        self.add(dispatcher, Recorder(), "after", name="later")
        await self.start(dispatcher)
        await self.quiet()
        link.away = errors.StoreUnavailable("away")
        link.release()
        await self.pass_time(3)
        link.away = None
        await self.until_settled(dispatcher)

        self.assertEqual({"slow": "dead", "later": "done"}, await self.statuses(dispatcher))
        self.flushLoggedErrors(errors.DeliveryDied, errors.StoreUnavailable)


class LeaseTests(DurableTests):
    """Two processes on one store: who runs what, and for how long."""

    async def two(self, first: Any, second: Any, **options: Any) -> tuple[Process, Process]:
        """Start two processes, each with a handler of the same name."""
        processes = [
            await self.process(partial(self.add, function=handler, name="handler", **options))
            for handler in (first, second)
        ]
        return processes[0], processes[1]

    async def test_taken_over(self) -> None:
        """When a process dies, the other one takes over what it ran, once its lease is over."""
        slow, other = Waiting(), Recorder()
        first, second = await self.two(slow, other)
        await self.result(first.dispatcher.accept_event("event"))
        self.kill(first)

        await self.pass_time(LEASE - 1)
        self.assertEqual([], other.events)
        await self.pass_time(LEASE / 2)
        self.assertEqual(["event"], other.events)
        self.assertEqual({"handler": "done"}, await self.statuses(second.dispatcher))

    async def test_lease_is_renewed(self) -> None:
        """As long as a process lives nobody takes over what it runs, however long that takes."""
        slow, other = Waiting(), Recorder()
        first, _ = await self.two(slow, other)
        firing = first.dispatcher.fire_event("event")
        await self.pass_time(20 * LEASE)

        slow.pending[0].callback("value")

        self.assertEqual(["value"], (await self.result(firing)).values)
        self.assertEqual([], other.events)

    async def test_fence(self) -> None:
        """A process that comes back late cannot settle what another one has taken over."""
        slow, other, log = Waiting(), Waiting(), self.log_from_now()
        first, second = await self.two(slow, other)
        await self.result(first.dispatcher.accept_event("event"))
        first.link.hold()
        await self.pass_time(2 * LEASE)
        self.assertEqual(["event"], other.events)

        slow.pending[0].callback("late")
        first.link.release()
        await self.pass_time(LEASE)

        delivery = await self.delivery(second.dispatcher)
        self.assertEqual(("running", 2), (delivery.status, delivery.attempts))
        warnings = [each for each in log if each["log_level"].name == "warn"]
        self.assertTrue(any("lease" in each["log_format"] for each in warnings))
        other.pending[0].callback(None)
        await self.pass_time(2)
        self.assertEqual({"handler": "done"}, await self.statuses(second.dispatcher))

    async def test_late_failure(self) -> None:
        """A failure that comes late changes nothing either."""
        slow, other = Waiting(), Recorder()
        first, second = await self.two(slow, other, retry=attempts(2))
        await self.result(first.dispatcher.accept_event("event"))
        first.link.hold()
        await self.pass_time(2 * LEASE)

        slow.pending[0].errback(Problem())
        first.link.release()
        await self.pass_time(LEASE)

        self.assertEqual({"handler": "done"}, await self.statuses(second.dispatcher))
        self.assertEqual(["event"], other.events)
        self.flushLoggedErrors(Problem)

    async def test_late_exactly_once(self) -> None:
        """An exactly-once handler is not called by who has lost the lease."""
        calls: list[str] = []

        def calling(name: str) -> Any:
            return lambda event, transaction: calls.append(name)

        first, second = await self.two(
            calling("first"), calling("second"), guarantee="exactly-once"
        )
        first.link.hold("transact")
        await self.result(first.dispatcher.accept_event("event"))
        await self.pass_time(2 * LEASE)
        self.assertEqual(["second"], calls)

        first.link.release()
        await self.pass_time(LEASE)

        self.assertEqual(["second"], calls)
        self.assertEqual({"handler": "done"}, await self.statuses(second.dispatcher))

    async def test_late_at_most_once(self) -> None:
        """An at-most-once handler is not called by who has lost the lease."""
        first_events, second_events = Recorder(), Recorder()
        first, _ = await self.two(first_events, second_events, guarantee="at-most-once")
        first.link.hold("settle")
        await self.result(first.dispatcher.accept_event("event"))
        await self.pass_time(2 * LEASE)

        first.link.release()
        await self.pass_time(LEASE)

        self.assertEqual(([], ["event"]), (first_events.events, second_events.events))

    async def test_late_process_goes_on(self) -> None:
        """A process that was taken for dead works on when it is back, and renews its lease."""
        handler, other = Recorder(), Recorder()
        first, second = await self.two(handler, other)
        first.link.hold()
        await self.pass_time(2 * LEASE)
        first.link.release()
        await self.pass_time(LEASE)
        await self.result(second.dispatcher.stop())

        await self.fire(first.dispatcher)

        self.assertEqual(["event"], handler.events)

    async def test_both_work(self) -> None:
        """What waits in the store is run once, by one of the two."""
        first_events, second_events = Recorder(), Recorder()
        first, _ = await self.two(first_events, second_events)
        for number in range(100):
            await self.result(first.dispatcher.accept_event(number, at=EPOCH + 10 + number % 7))

        await self.until_settled(first.dispatcher)

        self.assertEqual(list(range(100)), sorted(first_events.events + second_events.events))

    async def test_result_from_the_other(self) -> None:
        """Who fires an event that another process finishes learns its result."""
        first = await self.process(lambda each: self.add(each, Recorder(), "before", name="here"))

        def elsewhere(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, failing(Problem("no")), "during", name="there", retry=ONCE)

        await self.process(elsewhere, worker=True)
        first.dispatcher.on("during")(only_elsewhere)
        firing = first.dispatcher.fire_event("event", at=EPOCH + 1)
        handler_id = first.dispatcher.describe()[-1].id
        await self.result(first.dispatcher.remove_event_handler(handler_id))
        await self.process(lambda each: each.on("during")(only_elsewhere))

        result = await self.result(firing)

        names = [each.name for each in result.outcomes]
        self.assertEqual(["here", f"{__name__}.only_elsewhere"], names)


class StopTests(DurableTests):
    """Stopping drains what runs, within a limit, and gives back the rest."""

    async def slow(self, **options: Any) -> tuple[Process, Waiting]:
        """Start a process with a handler that waits, and one in the phase after."""
        slow = Waiting()
        process = await self.process(lambda each: self.add(each, slow, name="slow"), **options)
        return process, slow

    async def test_drains(self) -> None:
        """A stop waits for the handlers that run, and what they came to is settled."""
        process, slow = await self.slow()
        firing = process.dispatcher.fire_event("event")
        await self.quiet()
        stopping = process.dispatcher.stop()
        await self.pass_time(20)
        self.assertNoResult(stopping)

        slow.pending[0].callback("value")
        await self.result(stopping)

        self.assertEqual(["value"], result_of(firing).values)
        self.assertEqual({"slow": "done"}, await self.statuses(process.dispatcher))

    async def test_parks(self) -> None:
        """What does not end in time is cancelled and given back, to be run again elsewhere."""
        process, slow = await self.slow(drain=30)
        await self.result(process.dispatcher.accept_event("event"))

        await self.result(process.dispatcher.stop(), limit=32)

        self.assertEqual(slow.pending, slow.cancelled)
        delivery = await self.delivery(process.dispatcher)
        self.assertEqual(("pending", None), (delivery.status, delivery.error))
        other = Recorder()
        await self.process(lambda each: self.add(each, other, name="slow"))
        await self.pass_time(2)
        self.assertEqual(["event"], other.events)

    async def test_next_phases_wait(self) -> None:
        """No further phase is begun while a stop drains; it is for the next process."""
        slow, later, other = Waiting(), Recorder(), Recorder()

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, slow, "before", name="slow")
            self.add(dispatcher, later, "after", name="later")

        process = await self.process(setup)
        firing = process.dispatcher.fire_event("event")
        await self.quiet()
        stopping = process.dispatcher.stop()
        slow.pending[0].callback(None)
        await self.result(stopping)

        self.failureResultOf(firing, errors.EventGoesOn)
        self.assertEqual([], later.events)
        await self.process(lambda each: self.add(each, other, "after", name="later"))
        await self.pass_time(2)
        self.assertEqual(["event"], other.events)

    async def test_nothing_is_claimed(self) -> None:
        """What becomes due while a stop drains is left to others."""
        process, slow = await self.slow()
        await self.result(process.dispatcher.accept_event("first"))
        await self.result(process.dispatcher.accept_event("second", at=EPOCH + 5))
        stopping = process.dispatcher.stop()
        await self.pass_time(10)
        slow.pending[0].callback(None)
        await self.result(stopping)

        self.assertEqual(["first"], slow.events)

    async def test_lease_is_renewed_while_it_drains(self) -> None:
        """What drains for longer than a lease is not taken over by others."""
        process, slow = await self.slow(drain=10 * LEASE)
        other = Recorder()
        await self.process(lambda each: self.add(each, other, name="slow"))
        await self.result(process.dispatcher.accept_event("event"))
        stopping = process.dispatcher.stop()
        await self.pass_time(5 * LEASE)

        slow.pending[0].callback(None)
        await self.result(stopping)

        self.assertEqual([], other.events)

    async def test_handler_that_will_not_end(self) -> None:
        """A handler that does not heed its cancellation cannot hold up a stop."""

        async def stubborn(event: Any) -> None:
            while True:
                try:
                    await Deferred()
                except CancelledError:
                    continue

        process = await self.process(lambda each: self.add(each, stubborn), drain=30)
        await self.result(process.dispatcher.accept_event("event"))

        await self.result(process.dispatcher.stop(), limit=60)

        other = Recorder()
        await self.process(lambda each: self.add(each, other, name="stubborn"))
        await self.pass_time(2 * LEASE)
        self.assertEqual(["event"], other.events)

    async def test_store_is_away(self) -> None:
        """A stop does not wait for ever for a store that is away."""
        self.addCleanup(self.flushLoggedErrors, errors.StoreUnavailable)
        process, slow = await self.slow(drain=30)
        await self.result(process.dispatcher.accept_event("event"))
        process.link.away = errors.StoreUnavailable("gone fishing")
        slow.pending[0].callback(None)

        await self.result(process.dispatcher.stop(), limit=120)

        process.link.asked.clear()
        await self.pass_time(2 * LEASE)
        self.assertEqual([], process.link.asked)


class OrphanTests(DurableTests):
    """Deliveries to handlers that nobody has registered."""

    async def orphaned(self, **options: Any) -> Process:
        """Give a process in whose store a delivery waits for a handler that is missing."""

        def before(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, Recorder(), "before", name="missing")
            self.add(dispatcher, Recorder(), "after", name="later")

        first = await self.process(before)
        await self.result(first.dispatcher.accept_event("event", at=EPOCH + 1))
        await self.result(first.dispatcher.stop())
        self.kill(first)
        self.later = Recorder()
        return await self.process(
            lambda each: self.add(each, self.later, "after", name="later"), **options
        )

    async def test_told(self) -> None:
        """It is in the log, once, that deliveries wait for a handler, which is named."""
        log = self.log_from_now()
        await self.orphaned()

        await self.pass_time(10 * LEASE)

        told = [each for each in log if each.get("handler") == "missing"]
        self.assertEqual(["warn"], [each["log_level"].name for each in told])

    async def test_waits(self) -> None:
        """The delivery waits, and is run when the handler is there again."""
        process, handler = await self.orphaned(), Recorder()
        await self.pass_time(10 * LEASE)

        self.add(process.dispatcher, handler, "before", name="missing")
        await self.pass_time(2)

        self.assertEqual((["event"], ["event"]), (handler.events, self.later.events))

    async def test_buried(self) -> None:
        """A delivery that has waited for too long is dead and says why, and its event goes on."""
        process = await self.orphaned(bury_after=1000)
        await self.pass_time(950)
        self.assertEqual([], self.later.events)

        await self.pass_time(100)

        self.assertEqual(["event"], self.later.events)
        (dead,) = await self.result(process.dispatcher.deliveries("dead"))
        assert dead.error is not None
        self.assertIn("missing", dead.error)

    async def test_buried_by_default(self) -> None:
        """By default a week is too long."""
        process = await self.orphaned()
        await self.pass_time(6.9 * 86400)
        self.assertEqual([], await self.result(process.dispatcher.deliveries("dead")))

        await self.pass_time(0.2 * 86400)

        self.assertEqual(1, len(await self.result(process.dispatcher.deliveries("dead"))))

    async def test_buried_ones_stop_their_event(self) -> None:
        """Where a failure ends the dispatch, so does a delivery that was buried."""
        process = await self.orphaned(bury_after=1000, on_failure="stop")

        await self.pass_time(1100)

        expected = {"missing": "dead", "later": "skipped"}
        self.assertEqual(expected, await self.statuses(process.dispatcher))

    async def test_never_buried(self) -> None:
        """With bury_after=None it waits for ever."""
        process = await self.orphaned(bury_after=None)

        await self.pass_time(100 * 86400)

        self.assertEqual([], await self.result(process.dispatcher.deliveries("dead")))

    async def test_buried_and_replayed(self) -> None:
        """What was buried can be replayed when the handler is there again."""
        process, handler = await self.orphaned(bury_after=1000), Recorder()
        await self.pass_time(1100)
        (dead,) = await self.result(process.dispatcher.deliveries("dead"))

        self.add(process.dispatcher, handler, "before", name="missing")
        await self.result(process.dispatcher.replay(dead.id))
        await self.pass_time(2)

        self.assertEqual(["event"], handler.events)

    async def test_known_elsewhere(self) -> None:
        """A handler that another process has is not missing, though it has no time for it."""
        process = await self.orphaned(bury_after=1000)
        slow, log = Waiting(), self.log_from_now()

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, slow, "before", name="missing", concurrency=1)

        await self.process(setup)
        await self.pass_time(1100)

        self.assertEqual(["event"], slow.events)
        self.assertEqual([], [each for each in log if each.get("handler") == "missing"])
        self.assertEqual([], await self.result(process.dispatcher.deliveries("dead")))


class WhyTests(DurableTests):
    """What a dispatcher knows of handlers that are not registered."""

    async def test_missing(self) -> None:
        """Deliveries that wait for a handler nobody has registered are told of, since when."""
        first = await self.process(partial(self.add, function=only_elsewhere, name="elsewhere"))
        await self.result(first.dispatcher.accept_event("event", at=EPOCH + 30))
        await self.result(first.dispatcher.stop())
        other = await self.process(lambda dispatcher: None)
        await self.pass_time(2 * LEASE)

        (verdict,) = other.dispatcher.why()
        self.assertEqual(("elsewhere", False), (verdict.name, verdict.runs))
        self.assertIn("deliveries wait for it since 2027-01-15T08:00:30+00:00", str(verdict))

        self.add(other.dispatcher, Recorder(), name="elsewhere")
        self.assertEqual([True], [each.runs for each in other.dispatcher.why()])
        await self.until_settled(other.dispatcher)
        await self.pass_time(LEASE)
        self.assertEqual([True], [each.runs for each in other.dispatcher.why()])


class StoreAwayTests(DurableTests):
    """A store that is away for a while, and back."""

    gone = errors.StoreUnavailable("gone fishing")

    def setUp(self) -> None:
        """See that what is logged of the store meanwhile is no reason to fail."""
        super().setUp()
        self.addCleanup(self.flushLoggedErrors, errors.StoreUnavailable)

    async def away(self, process: Process, seconds: float = 30) -> None:
        """Let the store of a process be away for so long, and come back."""
        process.link.away = self.gone
        await self.pass_time(seconds)
        process.link.away = None
        await self.pass_time(5)

    async def test_accepting_fails(self) -> None:
        """Accepting and firing fail clearly, and nothing of that is stored."""
        handler = Recorder()
        process = await self.process(lambda each: self.add(each, handler, name="handler"))
        process.link.away = self.gone

        for accept in (process.dispatcher.accept_event, process.dispatcher.fire_event):
            with self.assertRaises(errors.StoreUnavailable):
                await self.result(accept("event"))

        await self.away(process)
        self.assertEqual([], handler.events)
        await self.fire(process.dispatcher, "later")
        self.assertEqual(["later"], handler.events)

    async def test_what_is_done_is_settled_later(self) -> None:
        """What a handler came to meanwhile is settled later, and it is not called again."""
        slow, later = Waiting(), Recorder()

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, slow, "before", name="slow")
            self.add(dispatcher, later, "after", name="later")

        process = await self.process(setup)
        firing = process.dispatcher.fire_event("event")
        await self.quiet()
        process.link.away = self.gone
        slow.pending[0].callback("value")

        await self.away(process)

        self.assertEqual(["value", None], (await self.result(firing)).values)
        self.assertEqual((["event"], ["event"]), (slow.events, later.events))

    async def test_longer_than_the_lease(self) -> None:
        """A store that was away for longer than a lease costs no event."""
        slow = Waiting()
        process = await self.process(lambda each: self.add(each, slow, name="slow"))
        await self.result(process.dispatcher.accept_event("event"))

        await self.away(process, 5 * LEASE)
        for pending in slow.pending:
            pending.callback(None)
        await self.pass_time(2 * LEASE)

        self.assertEqual({"slow": "done"}, await self.statuses(process.dispatcher))

    async def test_exactly_once(self) -> None:
        """That the store is away is no failed attempt of an exactly-once handler."""
        calls: list[Any] = []

        def handler(event: Any, transaction: Any) -> None:
            calls.append(event)

        process = await self.process(
            lambda each: self.add(each, handler, guarantee="exactly-once", retry=ONCE)
        )
        await self.result(process.dispatcher.accept_event("event", at=EPOCH + 5))
        process.link.hold("transact")
        while "transact" not in process.link.asked:
            await self.pass_time(1)
        process.link.away = self.gone
        process.link.release()

        await self.away(process)
        await self.pass_time(2 * LEASE)

        self.assertEqual(["event"], calls)
        self.assertEqual({"handler": "done"}, await self.statuses(process.dispatcher))

    async def test_at_most_once(self) -> None:
        """An at-most-once handler is called when the store is back, once."""
        handler = Recorder()
        process = await self.process(
            lambda each: self.add(each, handler, name="handler", guarantee="at-most-once")
        )
        await self.result(process.dispatcher.accept_event("event", at=EPOCH + 5))
        process.link.hold("settle")
        while "settle" not in process.link.asked:
            await self.pass_time(1)
        process.link.away = self.gone
        process.link.release()
        await self.pass_time(10)
        self.assertEqual([], handler.events)

        await self.away(process)

        self.assertEqual(["event"], handler.events)

    async def test_what_is_due(self) -> None:
        """What became due meanwhile is run when the store is back."""
        handler = Recorder()
        process = await self.process(lambda each: self.add(each, handler, name="handler"))
        await self.result(process.dispatcher.accept_event("event", at=EPOCH + 15))

        await self.away(process)

        self.assertEqual(["event"], handler.events)

    async def test_unplanned(self) -> None:
        """What a producer has accepted meanwhile is planned and run when the store is back."""
        handler = Recorder()
        worker = await self.process(lambda each: self.add(each, handler, name="handler"))
        producer = await self.process(lambda each: None, worker=False)
        worker.link.away = self.gone
        await self.result(producer.dispatcher.accept_event("event"))

        await self.away(worker)

        self.assertEqual(["event"], handler.events)

    async def test_while_it_starts(self) -> None:
        """A dispatcher that starts while the store is away is ready when it is back."""
        link, handler = self.connect(), Recorder()
        link.away = self.gone
        dispatcher = self.make(link=link)
        self.add(dispatcher, handler, name="handler")
        dispatcher.start()
        ready = dispatcher.when_ready()
        await self.pass_time(20)
        self.assertNoResult(ready)

        link.away = None
        await self.result(ready, limit=10)
        await self.fire(dispatcher)

        self.assertEqual(["event"], handler.events)

    async def test_result_from_elsewhere(self) -> None:
        """Who waits for a result from another process has it when the store is back."""
        producer = await self.process(lambda each: None, worker=False)
        await self.process(lambda each: self.add(each, Recorder(), name="handler"))
        firing = producer.dispatcher.fire_event("event")
        await self.quiet()

        await self.away(producer)

        outcomes = (await self.result(firing)).outcomes
        self.assertEqual(["handler"], [each.name for each in outcomes])

    async def test_in_and_out(self) -> None:
        """A store that comes and goes at random loses nothing, and doubles no effect."""
        chance, counted, called = random.Random(7), list[int](), list[int]()

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, called.append, "before", name="called")
            self.add(
                dispatcher,
                lambda event, transaction: counted.append(event),
                "after",
                name="counted",
                guarantee="exactly-once",
            )

        process = await self.process(setup)
        accepted = []
        for number in range(150):
            process.link.away = self.gone if chance.random() < 0.4 else None
            accepting = process.dispatcher.accept_event(number, at=EPOCH + chance.randrange(40))
            await self.pass_time(chance.random(), 0.2)
            try:
                result_of(accepting)
                accepted.append(number)
            except errors.StoreUnavailable:
                continue
        process.link.away = None
        await self.until_settled(process.dispatcher)

        self.assertEqual(accepted, sorted(called))
        self.assertEqual(accepted, sorted(counted))
        self.assertTrue(30 < len(accepted) < 120, len(accepted))


@implementer(IReactorTime)
class LeapingClock:
    """A clock whose time of day is set again and again, while timers run as they do."""

    def __init__(self, clock: Clock) -> None:
        """:param clock: says how much time really passes."""
        self._clock = clock
        self.leap = 0.0

    def seconds(self) -> float:
        """Give the time of day."""
        return self._clock.seconds() + self.leap

    def callLater(  # noqa: N802
        self, delay: float, callable: Any, *args: object, **kw: object
    ) -> IDelayedCall:
        """Call after so much time has really passed."""
        return self._clock.callLater(delay, callable, *args, **kw)

    def getDelayedCalls(self) -> Any:  # noqa: N802
        """Give what is to be called."""
        return self._clock.getDelayedCalls()


class ClockTests(DurableTests):
    """A time of day that jumps."""

    def setUp(self) -> None:
        """Make the clock that jumps."""
        super().setUp()
        self.day = LeapingClock(self.clock)

    async def test_forth(self) -> None:
        """When the clock jumps forth, what runs is not started a second time beside itself."""
        slow = Waiting()
        process = await self.process(
            lambda each: self.add(each, slow, name="slow"), clock=self.day
        )
        firing = process.dispatcher.fire_event("event")
        await self.quiet()

        self.day.leap += 86400
        await self.pass_time(3 * LEASE)

        slow.pending[0].callback("value")
        self.assertEqual(["value"], (await self.result(firing)).values)
        self.assertEqual(["event"], slow.events)

    async def test_forth_makes_due(self) -> None:
        """What is due by a clock that jumped forth is handled."""
        handler = Recorder()
        process = await self.process(
            lambda each: self.add(each, handler, name="handler"), clock=self.day
        )
        await self.result(process.dispatcher.accept_event("event", at=EPOCH + 5000))

        self.day.leap += 5000
        await self.pass_time(3)

        self.assertEqual(["event"], handler.events)

    async def test_back(self) -> None:
        """When the clock jumps back, new events are handled at once, and leases renewed."""
        handler, other = Waiting(), Recorder()
        process = await self.process(
            lambda each: self.add(each, handler, name="handler"), clock=self.day
        )
        await self.process(lambda each: self.add(each, other, name="handler"), clock=self.day)
        self.day.leap -= 86400

        firing = process.dispatcher.fire_event("event")
        await self.pass_time(3 * LEASE)
        handler.pending[0].callback("value")

        self.assertEqual(["value"], (await self.result(firing)).values)
        self.assertEqual([], other.events)

    async def test_back_keeps_what_waits(self) -> None:
        """A retry that a jump back has moved far away is made when its time comes."""
        process = await self.process(
            lambda each: self.add(each, answering([Problem(), "well"]), name="handler"),
            clock=self.day,
        )
        firing = process.dispatcher.fire_event("event")
        await self.quiet()

        self.day.leap -= 3000
        await self.pass_time(3100)

        self.assertEqual(["well"], result_of(firing).values)

    async def test_back_and_order(self) -> None:
        """The order of a lane is that of accepting, whatever the clock said then."""
        handler = Recorder()
        process = await self.process(
            lambda each: self.add(each, handler, name="handler"), clock=self.day, order_by=()
        )
        for number in range(6):
            await self.result(process.dispatcher.accept_event(number))
            self.day.leap += 100 if number % 2 else -150
        await self.until_settled(process.dispatcher)

        self.assertEqual(list(range(6)), handler.events)

    async def test_back_and_forth(self) -> None:
        """Over random jumps and two processes nothing is lost, and no effect is doubled."""
        chance, counted, called = random.Random(11), list[int](), list[int]()

        async def handler(event: int) -> None:
            await deferLater(self.clock, 3)
            called.append(event)

        def setup(dispatcher: DurableDispatcher) -> None:
            self.add(dispatcher, handler, "before", concurrency=3)
            self.add(
                dispatcher,
                lambda event, transaction: counted.append(event),
                "after",
                name="counted",
                guarantee="exactly-once",
            )

        processes = [await self.process(setup, clock=self.day) for _ in range(2)]
        for number in range(60):
            self.day.leap += chance.choice((0, 0, 0, -4000, -70, 70, 4000))
            accepting = chance.choice(processes).dispatcher
            await self.result(accepting.accept_event(number))
            await self.pass_time(chance.random() * 5)
        self.day.leap = 20_000
        await self.until_settled(processes[0].dispatcher, limit=2000)

        self.assertEqual(set(range(60)), set(called))
        self.assertEqual(list(range(60)), sorted(counted))


def only_elsewhere(event: Any) -> None:
    """Do nothing, in another process."""


for _tests in (
    *(
        RestartTests,
        PoisonTests,
        LeaseTests,
        StopTests,
        OrphanTests,
        WhyTests,
        StoreAwayTests,
        ClockTests,
    ),
):
    globals().update(on_stores(_tests, that_outlive=True))
