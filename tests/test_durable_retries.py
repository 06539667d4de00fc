"""Tests of what becomes of deliveries that fail: attempts, backoff, dead letters, replay, skip."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from tests.dispatching import Problem, Recorder, Waiting, answering, failing, noting
from tests.durable import EPOCH, ONCE, DurableTests, attempts, on_stores
from twisted_dispatcher import (
    Delivery,
    DurableDispatcher,
    Event,
    RetryPolicy,
    current_delivery,
    errors,
)


class RetryTests(DurableTests):
    """Attempts that fail, and those that follow them."""

    async def test_retried(self) -> None:
        """A handler that fails is called again, and has succeeded when it does."""
        dispatcher = await self.started()
        self.add(dispatcher, answering([Problem(), Problem(), "at last"]), name="handler")

        result = await self.fire(dispatcher)

        self.assertEqual(["at last"], result.values)
        delivery = await self.delivery(dispatcher)
        self.assertEqual(("done", 3, None), (delivery.status, delivery.attempts, delivery.error))

    async def test_backoff(self) -> None:
        """The delay before each attempt is a multiple of the one before, up to a maximum."""
        dispatcher, times = await self.started(), list[float]()
        policy = RetryPolicy(max_attempts=6, initial=2, factor=3, maximum=20, jitter=0)

        def handler(event: Any) -> None:
            times.append(self.clock.seconds() - EPOCH)
            raise Problem

        self.add(dispatcher, handler, retry=policy)
        await self.result(dispatcher.accept_event("event"))
        await self.pass_time(100, 0.5)

        self.assertEqual([0, 2, 8, 26, 46, 66], times)
        self.flushLoggedErrors(Problem)

    async def test_default_policy(self) -> None:
        """By default there are five attempts, within some twenty seconds."""
        dispatcher, handler = await self.started(), Recorder(Problem())
        self.add(dispatcher, failing_after(handler), name="handler")

        await self.fire(dispatcher)

        self.assertEqual(5, len(handler.events))
        self.assertTrue(12 < self.clock.seconds() - EPOCH < 20)
        self.flushLoggedErrors(Problem)

    async def test_jitter(self) -> None:
        """Deliveries that fail together are not all retried together."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem()), name="handler", retry=RetryPolicy(jitter=0.5))
        for number in range(20):
            await self.result(dispatcher.accept_event(number))
        await self.quiet()

        dues = {each.due for each in await self.result(dispatcher.deliveries("retrying"))}

        self.assertEqual(20, len(dues))
        self.assertTrue(all(EPOCH + 0.5 <= due <= EPOCH + 1.5 for due in dues if due), dues)
        await self.result(dispatcher.stop())

    async def test_while_it_is_retried(self) -> None:
        """A delivery that waits for its next attempt says why, and until when."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem("no luck")), name="handler", retry=attempts(2, 30))
        await self.result(dispatcher.accept_event("event"))
        await self.quiet()

        delivery = await self.delivery(dispatcher)

        self.assertEqual(("retrying", 1), (delivery.status, delivery.attempts))
        self.assertEqual(EPOCH + 30, delivery.due)
        assert delivery.error is not None
        self.assertIn("Problem: no luck", delivery.error)
        self.assertIn("in fail", delivery.error)

    async def test_others_are_not_repeated(self) -> None:
        """Only the handler that failed is called again."""
        dispatcher, good = await self.started(), Recorder()
        self.add(dispatcher, good, name="good")
        self.add(dispatcher, answering([Problem(), Problem(), None]), name="bad")

        await self.fire(dispatcher)

        self.assertEqual(["event"], good.events)

    async def test_next_phase_waits(self) -> None:
        """A phase does not begin while a delivery of the one before it is to be retried."""
        dispatcher, later = await self.started(), Recorder()
        self.add(
            dispatcher, answering([Problem(), None]), "before", name="bad", retry=attempts(2, 30)
        )
        self.add(dispatcher, later, "during", name="later")
        await self.result(dispatcher.accept_event("event"))

        await self.pass_time(29)
        self.assertEqual([], later.events)
        await self.pass_time(3)
        self.assertEqual(["event"], later.events)

    async def test_attempts_are_numbered(self) -> None:
        """A handler knows which attempt it is, and every attempt has one idempotency key."""
        dispatcher, seen = await self.started(), list[tuple[int, str]]()

        def handler(event: Any) -> None:
            current = current_delivery()
            seen.append((current.attempt, current.idempotency_key))
            raise Problem

        self.add(dispatcher, handler, retry=attempts(3))
        await self.fire(dispatcher)

        self.assertEqual([1, 2, 3], [number for number, _ in seen])
        self.assertEqual(1, len({key for _, key in seen}))
        self.flushLoggedErrors(Problem)

    async def test_reports(self) -> None:
        """Every failed attempt is in the log: as a warning, and the last one as an error."""
        dispatcher, log = await self.started(), self.log_from_now()
        self.add(dispatcher, failing(Problem("no")), name="handler", retry=attempts(3))

        await self.fire(dispatcher, key="order 7")

        told = [each for each in log if each.get("handler") == "handler"]
        self.assertEqual(["warn", "warn", "error"], [each["log_level"].name for each in told])
        self.assertTrue(all("order 7" in each["event_label"] for each in told))
        self.assertEqual(1, len(self.flushLoggedErrors(Problem)))

    async def test_asynchronous_failures(self) -> None:
        """A Deferred that fails, and a coroutine that raises, are failed attempts as well."""
        dispatcher, slow, tries = await self.started(), Waiting(), list[int]()

        async def act(event: Any) -> None:
            await deferLater(self.clock, 1)
            tries.append(1)
            if len(tries) < 3:
                raise Problem

        self.add(dispatcher, slow, name="slow", retry=attempts(2))
        self.add(dispatcher, act)
        firing = dispatcher.fire_event("event")
        await self.quiet()
        slow.pending[0].errback(Problem())
        await self.pass_time(2)
        slow.pending[1].callback("value")

        self.assertEqual(["value", None], (await self.result(firing)).values)

    async def test_foreign_answers(self) -> None:
        """An answer that cannot be waited for is a failed attempt."""
        dispatcher = await self.started()

        def handler(event: Any) -> Any:
            yield None

        self.add(dispatcher, handler, retry=ONCE)
        result = await self.fire(dispatcher)

        self.assertRaises(errors.ForgottenDecorator, result.raise_for_failures)
        self.flushLoggedErrors(errors.ForgottenDecorator)

    async def test_cancelled_from_within(self) -> None:
        """A handler whose own work was cancelled has failed, as long as the dispatcher runs."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow", retry=attempts(2))
        firing = dispatcher.fire_event("event")
        await self.quiet()

        slow.pending[0].cancel()
        await self.pass_time(2)
        slow.pending[1].cancel()

        self.assertRaises(CancelledError, (await self.result(firing)).raise_for_failures)
        self.flushLoggedErrors(CancelledError)


class LimitTests(DurableTests):
    """Time limits, and how many run at once."""

    async def test_timeout(self) -> None:
        """A handler that takes too long is cancelled, and is tried again."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow", timeout=10, retry=attempts(2, 5))
        firing = dispatcher.fire_event("event")

        await self.pass_time(11)
        self.assertEqual(slow.pending[:1], slow.cancelled)
        delivery = await self.delivery(dispatcher)
        self.assertEqual("retrying", delivery.status)
        assert delivery.error is not None
        self.assertIn("HandlerTimeout", delivery.error)
        await self.pass_time(5)
        slow.pending[1].callback("in time")
        self.assertEqual(["in time"], (await self.result(firing)).values)

    async def test_timeout_for_each_attempt(self) -> None:
        """Every attempt has the whole of its time, and the last one is dead when it is over."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow", timeout=10, retry=attempts(3))

        result = await self.fire(dispatcher)

        self.assertEqual(3, len(slow.cancelled))
        self.assertRaises(errors.HandlerTimeout, result.raise_for_failures)
        self.flushLoggedErrors(errors.HandlerTimeout)

    async def test_concurrency(self) -> None:
        """At most so many calls of a handler run at once, and the others wait in order."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow", concurrency=2)
        for number in range(5):
            await self.result(dispatcher.accept_event(number))
        self.assertEqual([0, 1], slow.events)

        slow.pending[1].callback(None)
        await self.quiet()
        self.assertEqual([0, 1, 2], slow.events)
        for pending in (0, 2, 3, 4):
            slow.pending[pending].callback(None)
            await self.quiet()
        await self.until_settled(dispatcher)
        self.assertEqual([0, 1, 2, 3, 4], slow.events)

    async def test_waiting_for_a_slot_outlives_the_lease(self) -> None:
        """A delivery that waits for its slot for longer than a lease is not run twice."""
        dispatcher, slow = await self.started(lease=20), Waiting()
        self.add(dispatcher, slow, name="slow", concurrency=1)
        for number in range(2):
            await self.result(dispatcher.accept_event(number))
        await self.pass_time(100)

        slow.pending[0].callback(None)
        await self.pass_time(100)
        slow.pending[1].callback(None)
        await self.until_settled(dispatcher)

        self.assertEqual([0, 1], slow.events)

    async def test_runner(self) -> None:
        """A handler may run where a runner calls it, and fail there."""
        dispatcher = await self.started()
        self.add(dispatcher, answering([Problem(), "value"]), name="handler", runner="thread")

        self.assertEqual(["value"], (await self.fire(dispatcher)).values)


class DeadLetterTests(DurableTests):
    """Deliveries that have failed for good: listing them, and having them run again."""

    async def dead(
        self, dispatcher: DurableDispatcher, event: Any = "event", **given: Any
    ) -> Delivery:
        """Fire an event of which one delivery dies, and give that."""
        await self.fire(dispatcher, event, **given)
        self.flushLoggedErrors(Problem)
        return (await self.result(dispatcher.deliveries("dead", key=given.get("key"))))[0]

    async def test_dead(self) -> None:
        """A delivery whose attempts are used up is dead, with the last traceback."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem("no luck")), name="bad", retry=attempts(2))

        delivery = await self.dead(dispatcher, key="k")

        self.assertEqual(("k", "bad", "during"), (delivery.key, delivery.handler, delivery.phase))
        self.assertEqual(("dead", 2, None), (delivery.status, delivery.attempts, delivery.due))
        assert delivery.error is not None
        self.assertTrue(delivery.error.startswith("Traceback"), delivery.error)
        self.assertIn("Problem: no luck", delivery.error)

    async def test_long_traceback(self) -> None:
        """Of a very long traceback the end is kept."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem("x" * 100_000 + " the end")), name="bad", retry=ONCE)

        delivery = await self.dead(dispatcher)

        assert delivery.error is not None
        self.assertIn("the end", delivery.error[-20:])
        self.assertTrue(len(delivery.error) <= 10_000)

    async def test_odd_errors(self) -> None:
        """An error whose text cannot be stored, or made, does not keep a delivery from dying."""

        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise Problem

        dispatcher = await self.started("n")
        odd = (Problem("half a pair \ud800"), Problem("nothing \x00"), Unspeakable())
        for number, error in enumerate(odd):
            name = f"handler {number}"
            self.add(dispatcher, failing(error), spec={"n": number}, name=name, retry=ONCE)
            await self.fire(dispatcher, n=number)

        expected = {f"handler {number}": "dead" for number in range(3)}
        self.assertEqual(expected, await self.statuses(dispatcher))
        self.flushLoggedErrors()

    async def test_lists(self) -> None:
        """Deliveries can be listed by status, key and handler, the newest first."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem()), name="bad", retry=ONCE)
        self.add(dispatcher, Recorder(), name="good")
        for number in range(3):
            await self.dead(dispatcher, number, key=f"key {number}")

        async def keys(*args: Any, **by: Any) -> list[str]:
            return [each.key for each in await self.result(dispatcher.deliveries(*args, **by))]

        newest_first = ["key 2", "key 1", "key 0"]
        self.assertEqual(newest_first, await keys("dead"))
        self.assertEqual(newest_first, await keys(handler="good"))
        self.assertEqual(["key 1", "key 1"], await keys(key="key 1"))
        self.assertEqual(["key 1"], await keys("done", key="key 1"))
        self.assertEqual([], await keys("dead", handler="good"))
        self.assertEqual(newest_first[:2], await keys("dead", limit=2))

    async def test_unknown_status(self) -> None:
        """A status that is none is refused at once, and those that there are are named."""
        dispatcher = await self.started()

        error = self.assertRaises(errors.InvalidOptions, dispatcher.deliveries, "deaad")

        self.assertEqual(
            "status is one of pending, running, done, retrying, dead, skipped, not 'deaad'",
            str(error),
        )

    async def test_replay(self) -> None:
        """A dead delivery can be run again, and it alone."""
        dispatcher, good = await self.started(), Recorder()
        self.add(dispatcher, answering([Problem(), "well"]), name="bad", retry=ONCE)
        self.add(dispatcher, good, name="good")
        delivery = await self.dead(dispatcher)

        await self.result(dispatcher.replay(delivery.id))
        await self.until_settled(dispatcher)

        self.assertEqual({"bad": "done", "good": "done"}, await self.statuses(dispatcher))
        self.assertEqual(["event"], good.events)
        (replayed,) = await self.result(dispatcher.deliveries(handler="bad"))
        self.assertEqual((delivery.id, None), (replayed.id, replayed.error))

    async def test_replay_fails_again(self) -> None:
        """A delivery that was replayed and fails again is dead again, and not forgotten."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, failing_after(handler), name="bad", retry=ONCE)
        delivery = await self.dead(dispatcher)

        await self.result(dispatcher.replay(delivery.id))
        await self.until_settled(dispatcher)

        self.assertEqual({"bad": "dead"}, await self.statuses(dispatcher))
        self.assertEqual(2, len(handler.events))
        self.flushLoggedErrors(Problem)

    async def test_replay_what_was_done(self) -> None:
        """A delivery that is done can be run again as well."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.fire(dispatcher)

        await self.result(dispatcher.replay((await self.delivery(dispatcher)).id))
        await self.until_settled(dispatcher)

        self.assertEqual(["event"] * 2, handler.events)

    async def test_replay_with_changed_context(self) -> None:
        """A dead delivery can be run again with the context mended, all else as it was."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, refusing(handler, "price"), name="bad", retry=ONCE)
        event = Event("order", key="order 1", source="shop", context={"prise": 7})
        delivery = await self.dead(dispatcher, event)

        await self.result(dispatcher.replay(delivery.id, {"price": 7}))
        await self.until_settled(dispatcher)

        mended = Event("order", key="order 1", source="shop", context={"price": 7})
        self.assertEqual([mended], handler.events)

    async def test_replay_with_changed_context_on_the_way(self) -> None:
        """The changed context counts also while the event's other deliveries are on their way."""
        dispatcher, handler, slow = await self.started(), Recorder(), Waiting()
        self.add(dispatcher, refusing(handler, "price"), name="bad", retry=ONCE)
        self.add(dispatcher, slow, name="slow")
        await self.result(dispatcher.accept_event(Event("order", context={"prise": 7})))
        (dead,) = await self.result(dispatcher.deliveries("dead"))

        await self.result(dispatcher.replay(dead.id, {"price": 7}))
        await self.pass_time(3)

        self.assertEqual([{"price": 7}], [each.context for each in handler.events])
        self.flushLoggedErrors(Problem, KeyError)

    async def test_refused_replay_with_changed_context(self) -> None:
        """A replay that is refused changes nothing for the handlers that are still to come."""
        dispatcher, slow, last = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, name="slow")
        self.add(dispatcher, last, phase="after", name="last")
        await self.result(dispatcher.accept_event(Event("order", context={"price": 7})))
        (running,) = await self.result(dispatcher.deliveries("running"))

        with self.assertRaises(errors.WrongStatus):
            await self.result(dispatcher.replay(running.id, {"price": 9}))
        slow.pending[0].callback(None)
        await self.until_settled(dispatcher)

        self.assertEqual([{"price": 7}], [each.context for each in last.events])

    async def test_replay_of_what_stopped_an_event(self) -> None:
        """When what stopped an event is replayed well, its later phases follow after all."""
        dispatcher, log = await self.started(on_failure="stop"), list[str]()
        self.add(dispatcher, answering([Problem(), None]), "before", name="bad", retry=ONCE)
        for phase in ("during", "after"):
            self.add(dispatcher, noting(log, phase), phase, name=phase)
        delivery = await self.dead(dispatcher)
        self.assertEqual([], log)

        await self.result(dispatcher.replay(delivery.id))
        await self.until_settled(dispatcher)

        self.assertEqual(["during", "after"], log)

    async def test_replay_context_of_no_event(self) -> None:
        """Only an Event has a context that could be changed."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem()), name="bad", retry=ONCE)
        delivery = await self.dead(dispatcher, {"not": "an Event"})

        with self.assertRaises(errors.InvalidReplay):
            await self.result(dispatcher.replay(delivery.id, {"price": 7}))

        self.assertEqual({"bad": "dead"}, await self.statuses(dispatcher))

    async def test_replay_context_not_encodable(self) -> None:
        """A context that cannot be written is refused, and nothing is changed."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem()), name="bad", retry=ONCE)
        delivery = await self.dead(dispatcher, Event("order"))

        with self.assertRaises(errors.NotEncodable):
            await self.result(dispatcher.replay(delivery.id, {"price": object()}))

        self.assertEqual({"bad": "dead"}, await self.statuses(dispatcher))

    async def test_unknown_delivery(self) -> None:
        """A delivery that is not there can be neither replayed nor skipped."""
        dispatcher = await self.started()

        for asked in (dispatcher.replay(7), dispatcher.skip(7), dispatcher.replay(7, {"a": 1})):
            with self.assertRaisesRegex(errors.UnknownDelivery, "7: check the id; or it has been"):
                await self.result(asked)

    async def test_replay_what_waits(self) -> None:
        """A delivery that has yet to run cannot be replayed."""
        dispatcher = await self.started()
        self.add(dispatcher, Recorder(), name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 100))

        with self.assertRaises(errors.WrongStatus):
            await self.result(dispatcher.replay((await self.delivery(dispatcher)).id))


class SkipTests(DurableTests):
    """Deliveries that are given up."""

    async def test_skip_dead(self) -> None:
        """A dead delivery that is skipped is no dead letter any more."""
        dispatcher = await self.started()
        self.add(dispatcher, failing(Problem()), name="bad", retry=ONCE)
        await self.fire(dispatcher)

        await self.result(dispatcher.skip((await self.delivery(dispatcher)).id))

        self.assertEqual({"bad": "skipped"}, await self.statuses(dispatcher))
        self.flushLoggedErrors(Problem)

    async def test_skip_what_is_retried(self) -> None:
        """When a delivery that waits for its next attempt is skipped, its event goes on."""
        dispatcher, later = await self.started(), Recorder()
        self.add(dispatcher, failing(Problem()), "before", name="bad", retry=attempts(2, 1000))
        self.add(dispatcher, later, "during", name="later")
        firing = dispatcher.fire_event("event")
        await self.quiet()
        (delivery,) = await self.result(dispatcher.deliveries("retrying"))

        await self.result(dispatcher.skip(delivery.id))
        await self.result(firing, limit=10)

        self.assertEqual(["event"], later.events)

    async def test_skip_what_stopped_an_event(self) -> None:
        """When what stopped an event is skipped, its later phases follow after all."""
        dispatcher, later = await self.started(on_failure="stop"), Recorder()
        self.add(dispatcher, failing(Problem()), "before", name="bad", retry=ONCE)
        self.add(dispatcher, later, "during", name="later")
        await self.fire(dispatcher)
        (delivery,) = await self.result(dispatcher.deliveries("dead"))

        await self.result(dispatcher.skip(delivery.id))
        await self.until_settled(dispatcher)

        self.assertEqual(["event"], later.events)
        self.flushLoggedErrors(Problem)

    async def test_skip_what_runs(self) -> None:
        """When a delivery is skipped while it runs, what it comes to counts for nothing."""
        dispatcher, slow, later = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        self.add(dispatcher, later, "during", name="later")
        await self.result(dispatcher.accept_event("event"))
        (delivery,) = await self.result(dispatcher.deliveries("running"))

        await self.result(dispatcher.skip(delivery.id))
        await self.pass_time(2)
        self.assertEqual(["event"], later.events)
        slow.pending[0].callback(None)
        await self.pass_time(2)

        self.assertEqual({"slow": "skipped", "later": "done"}, await self.statuses(dispatcher))
        self.assertEqual(["event"], later.events)

    async def test_skip_before_its_time(self) -> None:
        """A delivery that is skipped before its time never runs."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 10))

        await self.result(dispatcher.skip((await self.delivery(dispatcher)).id))
        await self.pass_time(20)

        self.assertEqual([], handler.events)

    async def test_skip_what_is_done(self) -> None:
        """What is done cannot be skipped."""
        dispatcher = await self.started()
        self.add(dispatcher, Recorder(), name="handler")
        await self.fire(dispatcher)

        with self.assertRaises(errors.WrongStatus):
            await self.result(dispatcher.skip((await self.delivery(dispatcher)).id))

    async def test_skip_frees_the_lane(self) -> None:
        """When the only delivery of an event is skipped, the next event of its lane goes on."""
        dispatcher, handler = await self.started(order_by=()), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("first", key="first", at=EPOCH + 1000))
        await self.result(dispatcher.accept_event("second"))
        delivery = await self.delivery(dispatcher, key="first")

        await self.result(dispatcher.skip(delivery.id))
        await self.pass_time(3)

        self.assertEqual(["second"], handler.events)


def failing_after(record: Recorder) -> Any:
    """Give a handler that lets another one take the event, and fails."""

    def handler(event: Any) -> Deferred[None]:
        record(event)
        raise Problem

    return handler


def refusing(record: Recorder, needed: str) -> Any:
    """Give a handler that fails if the context of its event lacks something."""

    def handler(event: Event) -> None:
        if needed not in event.context:
            raise Problem(needed)
        record(event)

    return handler


for _tests in (RetryTests, LimitTests, DeadLetterTests, SkipTests):
    globals().update(on_stores(_tests))
