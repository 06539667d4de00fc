"""Tests of dispatching durably: phases, results, keys, times, order, and who runs what."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import partial, wraps
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from tests.dispatching import Problem, Recorder, Waiting, failing, noting
from tests.durable import EPOCH, ONCE, DurableTests, on_stores
from twisted_dispatcher import (
    Acceptance,
    DurableDispatcher,
    Event,
    HandlerOptions,
    IBackgroundUtility,
    IEventDispatcher,
    OneOf,
    Where,
    current_delivery,
    errors,
)
from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.testing import result_of

IN_MEMORY = HandlerOptions(durable=False)


class DurablePhaseTests(DurableTests):
    """What happens when an event is fired, and what is told of it."""

    def test_interfaces(self) -> None:
        """A durable dispatcher is an event dispatcher and a background utility."""
        dispatcher = self.make("user")

        self.assertTrue(verifyObject(IEventDispatcher, dispatcher))
        self.assertTrue(verifyObject(IBackgroundUtility, dispatcher))

    async def test_phases_in_order(self) -> None:
        """The handlers of a phase are called when those of the phase before it are done."""
        dispatcher, log = await self.started(), list[str]()
        for phase in ("after", "during", "before"):
            self.add(dispatcher, noting(log, phase), phase, name=phase)

        await self.fire(dispatcher)

        self.assertEqual(["before", "during", "after"], log)

    async def test_next_phase_waits(self) -> None:
        """A phase does not begin while a handler of the phase before it is waited for."""
        dispatcher, slow, later = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        self.add(dispatcher, Recorder(), "before", name="quick")
        self.add(dispatcher, later, "during", name="later")
        firing = dispatcher.fire_event("event")
        await self.pass_time(30)

        self.assertEqual([], later.events)
        slow.pending[0].callback(None)
        await self.result(firing)
        self.assertEqual(["event"], later.events)

    async def test_result(self) -> None:
        """The result has the value of every handler, by phase and then by registration."""
        dispatcher = await self.started()
        for name, phase in (("c", "after"), ("a", "during"), ("b", "during")):
            self.add(dispatcher, Recorder(name.upper()), phase, name=name)

        result = await self.fire(dispatcher)

        self.assertTrue(result.dispatched)
        self.assertEqual(["A", "B", "C"], result.values)
        told = [(each.name, each.phase, each.value) for each in result.outcomes]
        self.assertEqual([("a", "during", "A"), ("b", "during", "B"), ("c", "after", "C")], told)

    async def test_result_of_coroutine(self) -> None:
        """What a coroutine function gives in the end is its handler's value."""
        dispatcher = await self.started()

        async def act(event: Any) -> str:
            await deferLater(self.clock, 5)
            return f"did {event}"

        self.add(dispatcher, act)

        self.assertEqual(["did event"], (await self.fire(dispatcher)).values)

    async def test_failure_in_result(self) -> None:
        """A handler that failed for the last time has its original failure in the result."""
        dispatcher, error = await self.started(), Problem("no")
        self.add(dispatcher, failing(error), name="bad", retry=ONCE)

        result = await self.fire(dispatcher)

        (outcome,) = result.outcomes
        assert outcome.failure is not None
        self.assertIs(error, outcome.failure.value)
        self.assertRaises(Problem, result.raise_for_failures)
        self.assertEqual(1, len(self.flushLoggedErrors(Problem)))

    async def test_nobody_to_handle_it(self) -> None:
        """An event that nobody handles is dispatched, with an empty result."""
        dispatcher = await self.started()

        result = await self.fire(dispatcher)

        self.assertEqual((True, ()), (result.dispatched, result.outcomes))

    async def test_match_specs(self) -> None:
        """Only the handlers whose match specs fit the details are called."""
        dispatcher, log = await self.started("user", "size"), list[str]()
        specs: dict[str, dict[str, Any]] = {
            "all": {},
            "bob": {"user": "bob"},
            "eve": {"user": "eve"},
            "either": {"user": OneOf("bob", "eve")},
            "large": {"size": Where(lambda size: size > 10)},
        }
        for name, spec in specs.items():
            self.add(dispatcher, noting(log, name), spec=spec, name=name)

        await self.fire(dispatcher, user="bob", size=7)

        self.assertEqual(["all", "bob", "either"], sorted(log))

    async def test_event_comes_as_it_was_fired(self) -> None:
        """A handler in the process that accepted an event gets that very object."""
        dispatcher, handler, event = await self.started(), Recorder(), {"n": [1, 2]}
        self.add(dispatcher, handler, name="handler")

        await self.fire(dispatcher, event)

        self.assertIs(event, handler.events[0])

    async def test_continues_after_failure(self) -> None:
        """By default a failed handler keeps nobody else from being called."""
        dispatcher, log = await self.started(), list[str]()
        self.add(dispatcher, failing(Problem()), "before", name="bad", retry=ONCE)
        self.add(dispatcher, noting(log, "good"), "before", name="good")
        self.add(dispatcher, noting(log, "later"), "after", name="later")

        await self.fire(dispatcher)

        self.assertEqual(["good", "later"], log)
        self.flushLoggedErrors(Problem)

    async def test_stops_after_failure(self) -> None:
        """With on_failure="stop", what comes after the phase of a dead delivery is skipped."""
        dispatcher, log = await self.started(on_failure="stop"), list[str]()
        self.add(dispatcher, failing(Problem()), "before", name="bad", retry=ONCE)
        self.add(dispatcher, noting(log, "good"), "before", name="good")
        self.add(dispatcher, noting(log, "later"), "during", name="later")

        result = await self.fire(dispatcher)

        self.assertEqual(["good"], log)
        self.assertEqual(["bad", "good"], [each.name for each in result.outcomes])
        expected = {"bad": "dead", "good": "done", "later": "skipped"}
        self.assertEqual(expected, await self.statuses(dispatcher))
        self.flushLoggedErrors(Problem)

    async def test_stops_by_phase(self) -> None:
        """on_failure may say for each phase whether a failure in it ends the dispatch."""
        dispatcher = await self.started(on_failure={"during": "stop"})
        for phase in dispatcher.phases:
            self.add(dispatcher, failing(Problem()), phase, name=phase, retry=ONCE)

        await self.fire(dispatcher)

        expected = {"before": "dead", "during": "dead", "after": "skipped"}
        self.assertEqual(expected, await self.statuses(dispatcher))
        self.assertEqual(2, len(self.flushLoggedErrors(Problem)))

    async def test_broken_predicate(self) -> None:
        """A handler whose predicate raises is not called, and its failure is in the result."""
        dispatcher, handler = await self.started("size"), Recorder()
        self.add(
            dispatcher, handler, spec={"size": Where(lambda size: 1 / size)}, name="h", retry=ONCE
        )

        result = await self.fire(dispatcher, size=0)

        self.assertEqual([], handler.events)
        self.assertEqual([ZeroDivisionError], [each.type for each in result.failures])
        self.flushLoggedErrors(ZeroDivisionError)

    async def test_fire_within_a_handler(self) -> None:
        """A handler may fire an event and wait for its result."""
        dispatcher = await self.started("kind")

        async def outer(event: Any) -> Any:
            return (await dispatcher.fire_event("inner event", kind="inner")).values

        self.add(dispatcher, outer, spec={"kind": "outer"})
        self.add(dispatcher, Recorder("inner value"), spec={"kind": "inner"}, name="inner")

        self.assertEqual([["inner value"]], (await self.fire(dispatcher, kind="outer")).values)

    async def test_cancelled_fire_goes_on(self) -> None:
        """Cancelling a fire ends the wait for its result, and the dispatch goes on."""
        dispatcher, slow, later = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        self.add(dispatcher, later, "after", name="later")
        firing = dispatcher.fire_event("event")
        await self.quiet()

        firing.cancel()

        self.assertRaises(CancelledError, result_of, firing)
        self.assertEqual([], slow.cancelled)
        slow.pending[0].callback(None)
        await self.quiet()
        self.assertEqual(["event"], later.events)

    async def test_many_at_once(self) -> None:
        """Events that are fired in one turn all get to their handlers, in the order of firing."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")

        fires = [dispatcher.fire_event(number) for number in range(2500)]
        for firing in fires:
            await self.result(firing)

        self.assertEqual(list(range(2500)), sorted(handler.events))

    async def test_deep_chain(self) -> None:
        """An event may be the last of thousands, each of which was fired by a handler before."""
        dispatcher, depth = await self.started(), list[int]()

        def down(event: int) -> Any:
            depth.append(event)
            return dispatcher.accept_event(event - 1) if event else None

        self.add(dispatcher, down)
        await self.fire(dispatcher, 3000)
        await self.until_settled(dispatcher)

        self.assertEqual(list(range(3000, -1, -1)), depth)


class AcceptanceTests(DurableTests):
    """What it means that an event is accepted, once by its key."""

    async def test_acceptance(self) -> None:
        """An event that is accepted has an id, a key and is new."""
        dispatcher = await self.started()

        acceptance = await self.result(dispatcher.accept_event("event", key="order 1"))

        self.assertIsInstance(acceptance, Acceptance)
        self.assertEqual(("order 1", True), (acceptance.key, acceptance.new))

    async def test_accepting_does_not_wait(self) -> None:
        """The acceptance is given while handlers are still running."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow")

        await self.result(dispatcher.accept_event("event"), limit=0)

        self.assertEqual(["event"], slow.events)

    async def test_known_key(self) -> None:
        """An event whose key is known is not accepted again, whatever else it is."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        first = await self.result(dispatcher.accept_event("first", key="k"))

        again = await self.result(dispatcher.accept_event("second", key="k"))

        self.assertEqual(Acceptance(first.event_id, "k", False), again)
        self.assertEqual(["first"], handler.events)

    async def test_known_key_in_one_turn(self) -> None:
        """Of events with one key that are accepted in one turn, one is handled."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")

        accepting = [dispatcher.accept_event(number, key="k") for number in range(3)]
        accepted = [await self.result(each) for each in accepting]

        self.assertEqual([True, False, False], [each.new for each in accepted])
        self.assertEqual(1, len({each.event_id for each in accepted}))
        self.assertEqual([0], handler.events)

    async def test_key_of_the_event(self) -> None:
        """An Event is accepted under its own key, unless another one is given."""
        dispatcher, event = await self.started(), Event("order", key="order 1")

        own = await self.result(dispatcher.accept_event(event))
        other = await self.result(dispatcher.accept_event(event, key="order 2"))

        self.assertEqual(("order 1", "order 2"), (own.key, other.key))

    async def test_new_keys(self) -> None:
        """Events without a key get keys that differ, and that ascend with time."""
        dispatcher, keys = await self.started(), list[str]()
        for _ in range(20):
            keys.append((await self.result(dispatcher.accept_event("event"))).key)
            await self.pass_time(0.01, 0.01)

        self.assertEqual(sorted(set(keys)), keys)

    async def test_fire_known_key_while_it_runs(self) -> None:
        """A fire with the key of an event that is on its way gets that event's result."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow")
        fires = [dispatcher.fire_event(number, key="k") for number in range(2)]
        await self.pass_time(10)

        slow.pending[0].callback("value")

        self.assertEqual([["value"]] * 2, [(await self.result(each)).values for each in fires])
        self.assertEqual([0], slow.events)

    async def test_fire_known_key_of_the_past(self) -> None:
        """A fire with the key of an event that is settled gets the outcomes that are stored."""
        dispatcher = await self.started()
        self.add(dispatcher, Recorder("value"), name="good")
        self.add(dispatcher, failing(Problem("no")), name="bad", retry=ONCE)
        await self.fire(dispatcher, key="k")

        result = await self.fire(dispatcher, key="k")

        told = [(each.name, each.failure is None) for each in result.outcomes]
        self.assertEqual([("good", True), ("bad", False)], told)
        self.assertRaisesRegex(errors.DeliveryDied, "Problem: no", result.raise_for_failures)
        self.flushLoggedErrors(Problem)

    async def test_not_running(self) -> None:
        """What is not running accepts nothing, and fires nothing."""
        dispatcher, handler = self.make(), Recorder()
        self.add(dispatcher, handler, name="handler")

        self.failureResultOf(dispatcher.accept_event("event"), errors.NotRunning)
        self.assertFalse((await self.fire(dispatcher)).dispatched)
        await self.start(dispatcher)
        await self.quiet()
        self.assertEqual([], handler.events)

    async def test_not_encodable(self) -> None:
        """An event that could not be read back is refused, and nothing is stored."""
        dispatcher, handler = await self.started("user"), Recorder()
        self.add(dispatcher, handler, name="handler")

        for accept in (dispatcher.accept_event, dispatcher.fire_event):
            with self.assertRaises(errors.NotEncodable):
                await self.result(accept(object()))
            with self.assertRaises(errors.NotEncodable):
                await self.result(accept("event", user=object()))

        self.assertEqual([], await self.result(dispatcher.deliveries()))
        self.assertEqual([], handler.events)

    async def test_unhashable_detail(self) -> None:
        """A detail that cannot be looked up is refused, and nothing is stored."""
        dispatcher = await self.started("user")
        self.add(dispatcher, Recorder(), spec={"user": "bob"}, name="handler")

        with self.assertRaises(errors.UnhashableValue):
            await self.result(dispatcher.accept_event("event", user=["bob"]))

        self.assertEqual([], await self.result(dispatcher.deliveries()))

    async def test_bad_neighbours(self) -> None:
        """An event that is refused does not harm those that are accepted in the same turn."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")

        good = [dispatcher.accept_event(1), dispatcher.accept_event(2)]
        bad = [dispatcher.accept_event(object()), dispatcher.accept_event("x", key="\ud800")]
        for each in good:
            await self.result(each)
        for each in bad:
            with self.assertRaises((errors.NotEncodable, errors.NotStorable, errors.InvalidKey)):
                await self.result(each)

        self.assertEqual([1, 2], handler.events)

    def test_misuse(self) -> None:
        """What could never be accepted is refused at once, and whether it is running or not."""
        dispatcher = self.make("user")

        for accept in (dispatcher.accept_event, dispatcher.fire_event):
            self.assertRaises(errors.UnknownKeyword, accept, "event", nobody=1)
            self.assertRaises(errors.InvalidKey, accept, "event", key="")
            self.assertRaises(errors.InvalidKey, accept, "event", key="x" * 501)
            self.assertRaises(errors.InvalidKey, accept, "event", key=7)
            self.assertRaises(errors.InvalidTime, accept, "event", at=datetime(2030, 1, 1))
            self.assertRaises(errors.InvalidTime, accept, "event", at="tomorrow")
            self.assertRaises(errors.InvalidTime, accept, "event", at=float("nan"))
            self.assertRaises(errors.InvalidTime, accept, "event", at=True)
        error = self.assertRaises(errors.UnknownKeyword, dispatcher.on, key="x", at=1)
        self.assertNotIn("allow_keyword", str(error))

    async def test_key_that_is_no_text(self) -> None:
        """A key that is no text is refused with how it is written as one."""
        accept = self.make().accept_event
        keys: list[Any] = [5, ("order", 1)]
        for key in keys:
            for refused in (
                self.assertRaises(errors.InvalidKey, accept, "event", key=key),
                self.assertRaises(errors.InvalidKey, accept, Event("order", key=key)),
            ):
                self.assertIn(f"write it as text, for example str({key!r})", str(refused))

        error = self.assertRaises(errors.InvalidKey, accept, "event", key="x" * 501)
        self.assertIn("shorten it", str(error))

    async def test_time_that_is_no_datetime(self) -> None:
        """What is no time is refused with how to give one, and only a datetime lacks its zone."""
        accept = self.make().accept_event
        times: list[Any] = ["tomorrow", timedelta(1), float("nan"), True]
        for at in times:
            error = self.assertRaises(errors.InvalidTime, accept, "event", at=at)
            self.assertIn("give a datetime, as datetime.now(timezone.utc) + timedelta", str(error))

        error = self.assertRaises(errors.InvalidTime, accept, "event", at=datetime(2030, 1, 1))
        self.assertIn("give it its zone", str(error))

    async def test_longest_key(self) -> None:
        """A key of 500 characters, of whatever script, is a key."""
        dispatcher = await self.started()
        key = "\U0001f40d" * 500

        self.assertEqual(key, (await self.result(dispatcher.accept_event("event", key=key))).key)
        self.assertFalse((await self.result(dispatcher.accept_event("event", key=key))).new)

    def test_reserved_keywords(self) -> None:
        """The names of the parameters of accept_event cannot be keywords."""
        for keyword in ("key", "at", "event", "options"):
            self.assertRaises(errors.ReservedKeyword, self.make, keyword)


class DelayTests(DurableTests):
    """Events that are to be dispatched at a later time."""

    async def test_not_before_its_time(self) -> None:
        """An event is handled when its time has come, and not before."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 100))

        await self.pass_time(EPOCH + 99.5 - self.clock.seconds(), 0.5)
        self.assertEqual([], handler.events)
        await self.pass_time(1.5, 0.5)
        self.assertEqual(["event"], handler.events)

    async def test_datetime(self) -> None:
        """A time may be an aware datetime of any zone."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        zone = timezone(timedelta(hours=5))
        at = datetime.fromtimestamp(EPOCH + 10, zone)
        await self.result(dispatcher.accept_event("event", at=at))

        delivery = await self.delivery(dispatcher)
        self.assertEqual(("pending", EPOCH + 10), (delivery.status, delivery.due))
        await self.pass_time(11)
        self.assertEqual(["event"], handler.events)

    async def test_time_in_the_past(self) -> None:
        """An event whose time has passed is handled at once."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")

        await self.result(dispatcher.accept_event("event", at=0), limit=0)

        self.assertEqual(["event"], handler.events)

    async def test_earliest_first(self) -> None:
        """Events are handled in the order of their times, whenever they were accepted."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        for at in (30, 10, 20):
            await self.result(dispatcher.accept_event(at, at=EPOCH + at))

        await self.pass_time(40)

        self.assertEqual([10, 20, 30], handler.events)

    async def test_result(self) -> None:
        """A fire that waits for its time has the values of the handlers all the same."""
        dispatcher = await self.started()
        self.add(dispatcher, Recorder("value"), name="handler")

        result = await self.fire(dispatcher, at=EPOCH + 100)

        self.assertEqual(["value"], result.values)
        self.assertEqual(["handler"], [each.name for each in result.outcomes])

    async def test_in_memory_handlers_wait_as_well(self) -> None:
        """A handler that is called in memory only is not called before the time of the event."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler", durable=False)
        await self.result(dispatcher.accept_event("event", at=EPOCH + 100))

        await self.pass_time(50)

        self.assertEqual([], handler.events)

    async def test_a_year(self) -> None:
        """An event may wait for longer than any timer, over a clock that makes a leap."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 366 * 86400))

        await self.pass_time(367 * 86400)

        self.assertEqual(["event"], handler.events)


class OrderTests(DurableTests):
    """Events that are ordered among one another."""

    async def slow(self, **options: Any) -> tuple[DurableDispatcher, Waiting]:
        """Give a dispatcher that orders events by user, with a handler that waits."""
        dispatcher, handler = (
            await self.started("user", **{"order_by": ("user",), **options}),
            Waiting(),
        )
        self.add(dispatcher, handler, name="handler")
        return dispatcher, handler

    async def test_one_after_another(self) -> None:
        """An event is not handled before those are settled that come first in its lane."""
        dispatcher, handler = await self.slow()
        for number in range(3):
            await self.result(dispatcher.accept_event(number, user="bob"))
        self.assertEqual([0], handler.events)

        for number in range(3):
            handler.pending[number].callback(None)
            await self.quiet()

        self.assertEqual([0, 1, 2], handler.events)

    async def test_lanes_are_independent(self) -> None:
        """Events with other values are not held up."""
        dispatcher, handler = await self.slow()
        for user in ("bob", "eve", "bob"):
            await self.result(dispatcher.accept_event(user, user=user))
        await self.result(dispatcher.accept_event("nobody"))

        self.assertEqual(["bob", "eve", "nobody"], handler.events)

    async def test_all_in_order(self) -> None:
        """With order_by=() all events are handled one after another."""
        dispatcher, handler = await self.slow(order_by=())
        await self.result(dispatcher.accept_event("first", user="bob"))
        await self.result(dispatcher.accept_event("second", user="eve"))

        self.assertEqual(["first"], handler.events)
        handler.pending[0].callback(None)
        await self.quiet()
        self.assertEqual(["first", "second"], handler.events)

    async def test_results(self) -> None:
        """Who fires an event that has to wait in its lane gets the values of its handlers."""
        dispatcher, handler = await self.slow()
        fires = [dispatcher.fire_event(number, user="bob") for number in range(3)]
        for number in range(3):
            await self.quiet()
            handler.pending[number].callback(f"value {number}")

        results = [(await self.result(each)).values for each in fires]

        self.assertEqual([["value 0"], ["value 1"], ["value 2"]], results)

    async def test_retries_hold_the_lane(self) -> None:
        """While a delivery waits for its next attempt, the next event of its lane waits."""
        dispatcher, log = await self.started("user", order_by=("user",)), list[int]()

        def handler(event: int) -> None:
            log.append(event)
            if log == [1]:
                raise Problem

        self.add(dispatcher, handler)
        for number in (1, 2):
            await self.result(dispatcher.accept_event(number, user="bob"))
        await self.pass_time(5)

        self.assertEqual([1, 1, 2], log)

    async def test_delayed_event_holds_the_lane(self) -> None:
        """The first event of a lane is handled first, though it is due last."""
        dispatcher, log = await self.started("user", order_by=("user",)), Recorder()
        self.add(dispatcher, log, name="handler")
        await self.result(dispatcher.accept_event("late", user="bob", at=EPOCH + 50))
        await self.result(dispatcher.accept_event("early", user="bob"))

        await self.pass_time(40)
        self.assertEqual([], log.events)
        await self.pass_time(20)
        self.assertEqual(["late", "early"], log.events)

    async def test_dead_event_frees_the_lane(self) -> None:
        """When an event has come to a bad end, the next one of its lane is handled."""
        dispatcher, log = await self.started("user", order_by=("user",)), list[str]()
        self.add(dispatcher, failing(Problem()), spec={"user": "bob"}, name="bad", retry=ONCE)
        self.add(dispatcher, noting(log, "later"), "after", name="later")

        for number in range(3):
            await self.result(dispatcher.accept_event(number, user="bob"))
        await self.quiet()

        self.assertEqual(["later"] * 3, log)
        self.flushLoggedErrors(Problem)

    async def test_in_memory_handlers_keep_the_order(self) -> None:
        """Handlers that are called in memory only are called for events that waited, too."""
        dispatcher, slow = await self.slow()
        beside = Recorder()
        self.add(dispatcher, beside, "after", name="beside", durable=False)
        for number in range(2):
            await self.result(dispatcher.accept_event(number, user="bob"))
        for number in range(2):
            await self.quiet()
            slow.pending[number].callback(None)
        await self.quiet()

        self.assertEqual([0, 1], beside.events)

    async def test_waiting_for_what_waits_behind(self) -> None:
        """A handler that waits for an event in its own lane is refused, and does not hang."""
        dispatcher = await self.started("user", order_by=("user",))

        async def handler(event: str) -> None:
            if event == "outer":
                await dispatcher.fire_event("inner", user="bob")

        self.add(dispatcher, handler, retry=ONCE)

        result = await self.fire(dispatcher, "outer", user="bob")

        self.assertRaises(errors.WouldDeadlock, result.raise_for_failures)
        self.flushLoggedErrors(errors.WouldDeadlock)


class InMemoryHandlerTests(DurableTests):
    """Handlers with durable=False, beside the deliveries of an event."""

    async def test_called_and_in_the_result(self) -> None:
        """A handler in memory is called in its phase, leaves no delivery, and has its outcome."""
        dispatcher, log = await self.started(), list[str]()
        for phase in dispatcher.phases:
            self.add(dispatcher, noting(log, f"stored {phase}"), phase, name=f"stored {phase}")
            self.add(dispatcher, noting(log, phase), phase, name=phase, durable=False)

        result = await self.fire(dispatcher)

        self.assertEqual(6, len(result.values))
        self.assertEqual(["before", "during", "after"], [each for each in log if " " not in each])
        phases = [each.removeprefix("stored ") for each in log]
        self.assertEqual(["before"] * 2 + ["during"] * 2 + ["after"] * 2, phases)
        self.assertEqual(3, len(await self.result(dispatcher.deliveries())))

    async def test_only_in_memory(self) -> None:
        """An event may have no handlers but those in memory."""
        dispatcher, handler = await self.started(), Recorder("value")
        self.add(dispatcher, handler, durable=False, name="handler")

        self.assertEqual(["value"], (await self.fire(dispatcher)).values)
        await self.result(dispatcher.accept_event("accepted"))
        self.assertEqual(["event", "accepted"], handler.events)

    async def test_deliveries_wait_for_them(self) -> None:
        """A delivery of the next phase waits for a handler in memory that takes its time."""
        dispatcher, slow, later = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow", durable=False)
        self.add(dispatcher, later, "during", name="later")
        firing = dispatcher.fire_event("event")
        await self.pass_time(3)

        self.assertEqual([], later.events)
        slow.pending[0].callback(None)
        await self.result(firing)
        self.assertEqual(["event"], later.events)

    async def test_they_wait_for_deliveries(self) -> None:
        """A handler in memory waits for the deliveries of the phase before its own."""
        dispatcher, slow, later = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        self.add(dispatcher, later, "during", name="later", durable=False)
        firing = dispatcher.fire_event("event")
        await self.pass_time(3)

        self.assertEqual([], later.events)
        slow.pending[0].callback(None)
        await self.result(firing)
        self.assertEqual(["event"], later.events)

    async def test_failure(self) -> None:
        """A handler in memory that fails is not tried again, and its failure is told."""
        dispatcher, log = await self.started(), list[str]()
        self.add(dispatcher, failing(Problem()), name="bad", durable=False)
        self.add(dispatcher, noting(log, "later"), "after", name="later")

        result = await self.fire(dispatcher)

        self.assertEqual([Problem], [each.type for each in result.failures])
        self.assertEqual(["later"], log)
        self.assertEqual(1, len(self.flushLoggedErrors(Problem)))

    async def test_times(self) -> None:
        """A handler in memory may be called a limited number of times."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, durable=False, times=2, name="handler")

        for number in range(3):
            await self.fire(dispatcher, number)

        self.assertEqual([0, 1], handler.events)

    async def test_no_name_needed(self) -> None:
        """A lambda, and several handlers of one name, may be called in memory."""
        dispatcher, events = await self.started(), list[Any]()
        for _ in range(2):
            dispatcher.on(options=IN_MEMORY)(lambda event: events.append(event))

        await self.fire(dispatcher)

        self.assertEqual(["event"] * 2, events)


class NamesAndRefusalTests(DurableTests):
    """By what name handlers are known, and which of them are refused."""

    async def test_name_of_a_function(self) -> None:
        """By default a handler has the name of its module and function."""
        dispatcher = await self.started()
        dispatcher.on()(handle_by_name)

        await self.fire(dispatcher)

        self.assertEqual(f"{__name__}.handle_by_name", (await self.delivery(dispatcher)).handler)

    def test_lambda(self) -> None:
        """A lambda needs a name."""
        dispatcher = self.make()

        with self.assertRaisesRegex(errors.InvalidOptions, "name"):
            dispatcher.on()(lambda event: None)
        dispatcher.on(options=HandlerOptions(name="named"))(lambda event: None)

    def test_name_taken(self) -> None:
        """Two handlers cannot have one name, by which deliveries find them."""
        dispatcher = self.make()
        dispatcher.on()(handle_by_name)

        self.assertRaises(errors.InvalidOptions, dispatcher.on("after"), handle_by_name)
        self.assertEqual(1, len(dispatcher.describe()))

    def test_name_taken_in_one_replacement(self) -> None:
        """Two handlers of one name cannot be brought in together either."""
        dispatcher = self.make()
        twice: list[Any] = [
            ((handle_by_name, "during", False), {}),
            ((handle_by_name, "after", False), {}),
        ]

        with self.assertRaises(errors.InvalidOptions):
            self.successResultOf(dispatcher.replace_event_handlers([], twice))
        self.assertEqual([], dispatcher.describe())

    def test_name_is_free_after_removal(self) -> None:
        """The name of a handler that was removed may be given again."""
        dispatcher = self.make()
        handler_id = self.add(dispatcher, handle_by_name)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.add(dispatcher, handle_by_name)

        self.assertEqual(1, len(dispatcher.describe()))

    def test_times(self) -> None:
        """A durable handler cannot be called a limited number of times."""
        with self.assertRaisesRegex(errors.InvalidOptions, "times"):
            self.add(self.make(), handle_by_name, times=1)

    def test_guarantee_in_memory(self) -> None:
        """What is called in memory only is promised nothing but at most once."""
        dispatcher = self.make()
        for guarantee in ("at-least-once", "exactly-once"):
            with self.assertRaises(errors.InvalidOptions):
                self.add(dispatcher, handle_by_name, durable=False, guarantee=guarantee)

        self.add(dispatcher, handle_by_name, durable=False, guarantee="at-most-once")

    def test_exactly_once_options(self) -> None:
        """An exactly-once handler runs where the store commits, so that some options are moot."""
        options: tuple[dict[str, Any], ...] = (
            {"timeout": 1},
            {"concurrency": 1},
            {"runner": "thread"},
        )
        for each in options:
            with self.assertRaisesRegex(errors.InvalidOptions, next(iter(each))):
                self.add(self.make(), write_by_name, guarantee="exactly-once", **each)

    def test_exactly_once_coroutine(self) -> None:
        """An exactly-once handler cannot be an async def, of which nothing would run in time."""

        async def act(event: Any, transaction: Any) -> None:
            """Do nothing."""

        self.assertRaises(
            errors.InvalidOptions, self.add, self.make(), act, guarantee="exactly-once"
        )

    def test_exactly_once_parameters(self) -> None:
        """An exactly-once handler that cannot take event and transaction is refused at once."""
        dispatcher = self.make()

        def nothing() -> None:
            """Take nothing."""

        def three(event: Any, transaction: Any, other: Any) -> None:
            """Take too much."""

        def named(event: Any, *, transaction: Any) -> None:
            """Take the transaction by its name alone."""

        for function in (handle_by_name, nothing, three, named):
            with self.assertRaisesRegex(errors.InvalidOptions, "an event and a transaction"):
                self.add(dispatcher, function, guarantee="exactly-once")
        self.assertEqual([], dispatcher.describe())

    def test_exactly_once_wrapped(self) -> None:
        """A wrapper, and what does not tell its parameters, may take event and transaction."""
        dispatcher = self.make()

        @wraps(handle_by_name)
        def wrapper(*given: Any) -> None:
            """Take what comes."""

        takers: tuple[Any, ...] = (wrapper, max, partial(write_by_name))
        for number, function in enumerate(takers):
            self.add(dispatcher, function, name=f"handler {number}", guarantee="exactly-once")

        self.assertEqual(len(takers), len(dispatcher.describe()))

    def test_refused_handlers_leave_no_trace(self) -> None:
        """What was refused is not registered, and its name is free."""
        dispatcher = self.make("user")
        specs: tuple[dict[str, Any], ...] = ({"nobody": 1}, {"user": []})
        for spec in specs:
            with self.assertRaises((errors.UnknownKeyword, errors.UnhashableValue)):
                self.add(dispatcher, handle_by_name, spec=spec)

        self.add(dispatcher, handle_by_name)

        self.assertEqual(1, len(dispatcher.describe()))


class WaitForTests(DurableTests):
    """Waiting for the next event that matches."""

    async def test_wait_for(self) -> None:
        """The next event that matches is given to who waits for it."""
        dispatcher = await self.started("user")
        waiting = dispatcher.wait_for(user="bob")
        await self.fire(dispatcher, "for eve", user="eve")
        self.assertNoResult(waiting)

        await self.fire(dispatcher, "for bob", user="bob")

        self.assertEqual("for bob", result_of(waiting))

    async def test_many_wait(self) -> None:
        """Any number of callers may wait at once."""
        dispatcher = await self.started()
        waiting = [dispatcher.wait_for() for _ in range(3)]

        await self.fire(dispatcher)

        self.assertEqual(["event"] * 3, [result_of(each) for each in waiting])

    async def test_nothing_is_stored(self) -> None:
        """Who waits for an event leaves nothing in the store that would outlive the wait."""
        dispatcher = await self.started()
        dispatcher.wait_for()

        await self.fire(dispatcher)

        self.assertEqual([], await self.result(dispatcher.deliveries()))

    async def test_timeout(self) -> None:
        """A wait may be limited."""
        dispatcher = await self.started()
        waiting = dispatcher.wait_for(timeout=10)
        self.assertNoResult(waiting)

        await self.pass_time(11)

        self.failureResultOf(waiting, errors.WaitTimeout)
        self.assertEqual([], dispatcher.describe())

    async def test_beside_deliveries(self) -> None:
        """Who waits is told of an event that has deliveries as well."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, "after", name="handler")
        waiting = dispatcher.wait_for(check=lambda event: event == "second")

        for event in ("first", "second"):
            await self.fire(dispatcher, event)

        self.assertEqual("second", result_of(waiting))
        self.assertEqual(["first", "second"], handler.events)


class ChangingHandlersTests(DurableTests):
    """Handlers that come and go while events are on their way."""

    async def test_removed_handler(self) -> None:
        """An event does not go to a handler that was removed before it was fired."""
        dispatcher, handler = await self.started(), Recorder()
        handler_id = self.add(dispatcher, handler, name="handler")
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        result = await self.fire(dispatcher)

        self.assertEqual(((), []), (result.outcomes, handler.events))

    async def test_added_too_late(self) -> None:
        """An event goes to those who were registered when it was accepted, and to nobody else."""
        dispatcher, slow, late = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        firing = dispatcher.fire_event("event")
        await self.quiet()

        self.add(dispatcher, late, "after", name="late")
        slow.pending[0].callback(None)
        await self.result(firing)

        self.assertEqual([], late.events)

    async def test_removed_on_the_way(self) -> None:
        """A delivery whose handler was removed waits until one of that name is there again."""
        dispatcher, slow, handler = await self.started(), Waiting(), Recorder()
        self.add(dispatcher, slow, "before", name="slow")
        handler_id = self.add(dispatcher, Recorder(), "after", name="later")
        firing = dispatcher.fire_event("event")
        await self.quiet()
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        slow.pending[0].callback(None)
        await self.pass_time(10)
        self.assertNoResult(firing)

        self.add(dispatcher, handler, "after", name="later")
        await self.result(firing)

        self.assertEqual(["event"], handler.events)

    async def test_replace_by_name(self) -> None:
        """A handler can be replaced by another one of the same name, which gets what waits."""
        dispatcher, old, new = await self.started(), Recorder(), Recorder()
        handler_id = self.add(dispatcher, old, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 10))
        named = {"options": HandlerOptions(name="handler")}

        replacing = dispatcher.replace_event_handlers(
            [handler_id], [((new, "during", False), named)]
        )
        await self.result(replacing)
        await self.pass_time(20)

        self.assertEqual(([], ["event"]), (old.events, new.events))

    async def test_collected_handler(self) -> None:
        """A handler that was held weakly and is gone is not called, and its name is free."""
        dispatcher = await self.started()

        def act(event: Any) -> None:
            """Do nothing."""

        options = HandlerOptions(name="handler")
        self.successResultOf(dispatcher.add_event_handler(act, "during", options=options))
        del act

        self.assertEqual((), (await self.fire(dispatcher)).outcomes)
        self.add(dispatcher, Recorder(), name="handler")

    async def test_why(self) -> None:
        """A dispatcher can be asked whom an event would reach."""
        dispatcher = await self.started("user")
        self.add(dispatcher, Recorder(), spec={"user": "bob"}, name="bob")

        self.assertEqual([True], [each.runs for each in dispatcher.why(user="bob")])
        self.assertEqual([False], [each.runs for each in dispatcher.why(user="eve")])


class CurrentDeliveryTests(DurableTests):
    """What a handler can know of its delivery."""

    async def test_in_a_function(self) -> None:
        """A handler knows the delivery that it is called for."""
        dispatcher = await self.started()
        self.add(dispatcher, lambda event: current_delivery(), name="handler")

        (current,) = (await self.fire(dispatcher, key="k")).values

        stored = await self.delivery(dispatcher)
        self.assertEqual((stored.id, stored.event_id), (current.id, current.event_id))
        self.assertEqual(("k", "handler", 1), (current.key, current.handler, current.attempt))

    async def test_across_awaits(self) -> None:
        """A coroutine knows its own delivery after each await, whatever else runs meanwhile."""
        dispatcher = await self.started()

        async def act(event: int) -> bool:
            before = current_delivery()
            await deferLater(self.clock, event)
            return current_delivery() == before and before.key == f"key {event}"

        self.add(dispatcher, act)
        fires = [dispatcher.fire_event(number, key=f"key {number}") for number in (3, 1, 2)]

        self.assertEqual([[True]] * 3, [(await self.result(each)).values for each in fires])

    async def test_in_an_exactly_once_handler(self) -> None:
        """An exactly-once handler knows its delivery."""
        dispatcher = await self.started()
        self.add(
            dispatcher,
            lambda event, transaction: current_delivery().key,
            name="handler",
            guarantee="exactly-once",
        )

        self.assertEqual(["k"], (await self.fire(dispatcher, key="k")).values)

    async def test_outside(self) -> None:
        """Outside of a durable handler there is none."""
        dispatcher = await self.started()
        self.add(dispatcher, lambda event: current_delivery(), name="handler", durable=False)
        self.add(dispatcher, Recorder(), name="durable")

        result = await self.fire(dispatcher)

        self.assertRaises(errors.NoCurrentDelivery, current_delivery)
        self.assertRaises(errors.NoCurrentDelivery, result.raise_for_failures)
        self.flushLoggedErrors(errors.NoCurrentDelivery)

    async def test_idempotency_keys_differ(self) -> None:
        """No two deliveries have the same idempotency key, whatever keys and names they have."""
        dispatcher, found = await self.started("n"), set[str]()
        for number, name in ((1, "b/c"), (2, "c")):
            self.add(
                dispatcher,
                lambda event: found.add(current_delivery().idempotency_key),
                spec={"n": number},
                name=name,
            )

        await self.fire(dispatcher, key="a", n=1)
        await self.fire(dispatcher, key="a/b", n=2)

        self.assertEqual(2, len(found), found)


class ProducerTests(DurableTests):
    """A dispatcher that only accepts, and a worker elsewhere."""

    async def test_producer_runs_nothing(self) -> None:
        """A dispatcher that is no worker runs no handlers, its own ones neither."""
        producer, handler = await self.started(worker=False), Recorder()
        self.add(producer, handler, name="handler")

        await self.result(producer.accept_event("event"))
        await self.pass_time(10)

        self.assertEqual([], handler.events)

    async def test_worker_plans_and_runs(self) -> None:
        """The worker finds out who handles an event, phase after phase."""
        link, log = self.connect(), list[str]()
        producer = await self.started("user", link=link, worker=False)
        worker = await self.started("user", link=link)
        for phase in worker.phases:
            self.add(worker, noting(log, phase), phase, spec={"user": "bob"}, name=phase)
        self.add(worker, noting(log, "eve"), spec={"user": "eve"}, name="eve")

        await self.result(producer.accept_event("event", user="bob"))
        await self.until_settled(worker)

        self.assertEqual(["before", "during", "after"], log)

    async def test_result_from_elsewhere(self) -> None:
        """Who fires where nothing runs learns who handled the event, and who failed."""
        link = self.connect()
        producer = await self.started(link=link, worker=False)
        worker = await self.started(link=link)
        self.add(worker, Recorder("value"), name="good")
        self.add(worker, failing(Problem("no")), name="bad", retry=ONCE)

        result = await self.fire(producer)

        told = [(each.name, each.value, each.failure is None) for each in result.outcomes]
        self.assertEqual([("good", None, True), ("bad", None, False)], told)
        self.assertRaises(errors.DeliveryDied, result.raise_for_failures)
        self.flushLoggedErrors(Problem)

    async def test_nobody_to_handle_it(self) -> None:
        """An event for which the worker has no handlers is settled."""
        link = self.connect()
        producer = await self.started(link=link, worker=False)
        await self.started(link=link)

        self.assertEqual((), (await self.fire(producer)).outcomes)

    async def test_order(self) -> None:
        """Events that a producer has accepted keep to their lanes."""
        link, handler = self.connect(), Waiting()
        producer = await self.started("user", link=link, worker=False, order_by=("user",))
        worker = await self.started("user", link=link, order_by=("user",))
        self.add(worker, handler, name="handler")
        for number in range(3):
            await self.result(producer.accept_event(number, user="bob"))

        for number in range(3):
            await self.pass_time(2)
            self.assertEqual(list(range(number + 1)), handler.events)
            handler.pending[number].callback(None)

    async def test_not_before_its_time(self) -> None:
        """An event that a producer has accepted for later is planned and handled then."""
        link, handler = self.connect(), Recorder()
        producer = await self.started(link=link, worker=False)
        worker = await self.started(link=link)
        await self.result(producer.accept_event("event", at=EPOCH + 100))
        await self.pass_time(90)

        self.add(worker, handler, name="handler")
        self.assertEqual([], handler.events)
        await self.pass_time(20)
        self.assertEqual(["event"], handler.events)

    async def test_event_that_cannot_be_planned(self) -> None:
        """An event whose details the worker cannot read does not hold up those behind it."""
        link, handler = self.connect(), Recorder()
        codec = Codec()
        codec.register_class(Strange, "a.Strange")
        producer = await self.started("what", link=link, worker=False, codec=codec)
        worker = await self.started("what", link=link, codec=Codec())
        self.add(worker, handler, name="handler")

        await self.result(producer.accept_event("strange", what=Strange.VALUE))
        await self.pass_time(2)
        await self.result(producer.accept_event("plain"))
        await self.pass_time(5)

        self.assertIn("plain", handler.events)
        self.flushLoggedErrors(errors.NotDecodable)

    async def test_key_known_elsewhere(self) -> None:
        """A key is known in all processes that share a store."""
        link = self.connect()
        producer = await self.started(link=link, worker=False)
        worker = await self.started(link=link)

        accepted = [
            (await self.result(each.accept_event("event", key="k"))).new
            for each in (producer, worker, producer)
        ]

        self.assertEqual([True, False, False], accepted)


class StartStopTests(DurableTests):
    """Starting, being ready, and stopping."""

    async def test_ready(self) -> None:
        """A dispatcher is running when it was started, and ready a moment later."""
        dispatcher = self.make()
        ready = dispatcher.when_ready()
        dispatcher.start()
        self.assertTrue(dispatcher.running)
        self.assertNoResult(ready)

        await self.quiet()

        self.assertIsNone(result_of(ready))

    async def test_stopped(self) -> None:
        """A dispatcher that was stopped accepts nothing and runs nothing."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 10))

        await self.result(dispatcher.stop())
        await self.pass_time(20)

        self.assertFalse(dispatcher.running)
        self.failureResultOf(dispatcher.accept_event("event"), errors.NotRunning)
        self.assertEqual([], handler.events)

    async def test_started_again(self) -> None:
        """A dispatcher that was stopped can be started again, and goes on with what waits."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        await self.result(dispatcher.accept_event("event", at=EPOCH + 10))
        await self.result(dispatcher.stop())
        await self.pass_time(20)

        await self.start(dispatcher)
        await self.quiet()

        self.assertEqual(["event"], handler.events)

    async def test_stopping_twice(self) -> None:
        """Starting what runs, and stopping what is stopped, is harmless."""
        dispatcher, handler = await self.started(), Recorder()
        self.add(dispatcher, handler, name="handler")
        dispatcher.start()
        await self.fire(dispatcher)

        for _ in range(2):
            await self.result(dispatcher.stop())

        self.assertEqual(["event"], handler.events)

    async def test_stopped_while_it_starts(self) -> None:
        """A dispatcher that is stopped before it was ready runs nothing afterwards."""
        link, handler = self.connect(), Recorder()
        first = await self.started(link=link)
        self.add(first, handler, name="handler")
        await self.result(first.accept_event("event", at=EPOCH + 1))
        await self.result(first.stop())
        second = self.make(link=link)
        self.add(second, handler, name="handler")

        second.start()
        stopping = second.stop()
        await self.pass_time(10)

        self.assertIsNone(result_of(stopping))
        self.assertEqual([], handler.events)

    async def test_closed_store(self) -> None:
        """On a store that was closed nothing starts; whoever waits is told so, now and later."""
        link = self.connect()
        await self.result(link.close())
        dispatcher = self.make(link=link)

        dispatcher.start()
        ready = dispatcher.when_ready()
        await self.pass_time(10)

        self.failureResultOf(ready, errors.StoreClosed)
        self.failureResultOf(dispatcher.when_ready(), errors.StoreClosed)
        self.assertFalse(dispatcher.running)
        self.assertEqual(["heartbeat"], link.asked)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(1, len(self.flushLoggedErrors(errors.StoreClosed)))

    async def test_no_timers_left(self) -> None:
        """What was stopped leaves nothing on the clock, and asks the store for nothing more."""
        link = self.connect()
        dispatcher = await self.started(link=link)
        self.add(dispatcher, Recorder(), name="handler")
        await self.fire(dispatcher)
        await self.result(dispatcher.stop())
        link.asked.clear()

        await self.pass_time(200, 5)

        self.assertEqual([], link.asked)
        self.assertEqual([], self.clock.getDelayedCalls())

    async def test_no_timers_left_when_stopped_while_it_renews(self) -> None:
        """Stopping while the lease is being renewed leaves nothing on the clock either."""
        link = self.connect()
        dispatcher = await self.started(link=link, lease=40)
        link.hold()
        self.clock.advance(11)
        stopping = dispatcher.stop()
        link.release()
        await self.pass_time(5)
        self.assertIsNone(result_of(stopping))
        link.asked.clear()

        await self.pass_time(200, 5)

        self.assertEqual([], link.asked)

    async def test_waiting_fires_are_told(self) -> None:
        """Who waits for the result of an event that goes on later is told so by a stop."""
        dispatcher = await self.started()
        self.add(dispatcher, Recorder(), name="handler")
        firing = dispatcher.fire_event("event", at=EPOCH + 1000)
        await self.quiet()

        await self.result(dispatcher.stop())

        self.failureResultOf(firing, errors.EventGoesOn)

    async def test_fire_that_is_accepted_after_the_stop(self) -> None:
        """Who fires just before a stop is told what became of the event, and does not hang."""
        link = self.connect()
        dispatcher = await self.started(link=link)
        self.add(dispatcher, Recorder("value"), name="handler")
        link.hold()
        firing = dispatcher.fire_event("event")
        stopping = dispatcher.stop()
        link.release()

        await self.result(stopping)
        try:
            result = await self.result(firing, limit=60)
        except errors.EventGoesOn:
            return
        self.assertEqual(["value"], result.values)


class Strange(Enum):
    """What only a producer knows."""

    VALUE = "value"


def handle_by_name(event: Any) -> None:
    """Do nothing, as a function of a module."""


def write_by_name(event: Any, transaction: Any) -> None:
    """Do nothing, as an exactly-once handler."""


for _tests in (
    DurablePhaseTests,
    AcceptanceTests,
    DelayTests,
    OrderTests,
    InMemoryHandlerTests,
    NamesAndRefusalTests,
    WaitForTests,
    ChangingHandlersTests,
    CurrentDeliveryTests,
    ProducerTests,
    StartStopTests,
):
    globals().update(on_stores(_tests))
