"""Tests of what is promised: at least once, at most once, exactly once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from tests.dispatching import Problem, Recorder, Waiting, noting
from tests.durable import EPOCH, ONCE, DurableTests, attempts, on_stores
from twisted_dispatcher import DurableDispatcher, HandlerOptions, current_delivery, errors


class AtLeastOnceTests(DurableTests):
    """Handlers that are called until they have succeeded, as is the default."""

    async def test_settled_afterwards(self) -> None:
        """A delivery is running as long as its handler is, and done after that."""
        dispatcher, slow = await self.started(), Waiting()
        self.add(dispatcher, slow, name="slow", guarantee="at-least-once")
        await self.result(dispatcher.accept_event("event"))

        self.assertEqual({"slow": "running"}, await self.statuses(dispatcher))
        slow.pending[0].callback(None)
        await self.quiet()
        self.assertEqual({"slow": "done"}, await self.statuses(dispatcher))

    async def test_result_after_it_is_settled(self) -> None:
        """Who fires an event has the result when everything of it is settled."""
        link = self.connect()
        dispatcher = await self.started(link=link)
        self.add(dispatcher, Recorder(), name="handler")
        link.hold("settle")
        firing = dispatcher.fire_event("event")
        await self.pass_time(3)
        self.assertNoResult(firing)

        link.release()
        await self.result(firing)

        self.assertEqual({"handler": "done"}, await self.statuses(dispatcher))


class AtLeastOnceKilledTests(DurableTests):
    """What a kill does to a handler that is to be called at least once."""

    async def test_killed_while_it_runs(self) -> None:
        """A handler whose process was killed is called again elsewhere, with the same key."""
        slow, keys = Waiting(), list[tuple[int, str]]()

        def first(dispatcher: DurableDispatcher) -> None:
            dispatcher.on(options=HandlerOptions(name="handler"))(slow)

        def second(dispatcher: DurableDispatcher) -> None:
            @dispatcher.on(options=HandlerOptions(name="handler"))
            def handler(event: Any) -> None:
                keys.append((current_delivery().attempt, current_delivery().idempotency_key))

        process = await self.process(first)
        await self.result(process.dispatcher.accept_event("event", key="k"))
        self.kill(process)
        await self.pass_time(61)
        after = await self.process(second)
        await self.until_settled(after.dispatcher)

        self.assertEqual(["event"], slow.events)
        self.assertEqual([2], [attempt for attempt, _ in keys])
        self.assertIn("k", keys[0][1])

    async def test_killed_before_it_was_settled(self) -> None:
        """A handler that is done, but was not settled when the process died, is called again."""
        first, second = Recorder(), Recorder()
        process = await self.process(lambda each: self.add(each, first, name="handler"))
        process.link.hold("settle")
        await self.result(process.dispatcher.accept_event("event"))
        self.kill(process)
        await self.pass_time(61)
        after = await self.process(lambda each: self.add(each, second, name="handler"))
        await self.until_settled(after.dispatcher)

        self.assertEqual((["event"], ["event"]), (first.events, second.events))

    async def test_killed_after_it_was_settled(self) -> None:
        """A handler that was settled is not called again."""
        first, second = Recorder(), Recorder()
        process = await self.process(lambda each: self.add(each, first, name="handler"))
        await self.fire(process.dispatcher)
        self.kill(process)
        await self.pass_time(61)
        await self.process(lambda each: self.add(each, second, name="handler"))
        await self.pass_time(10)

        self.assertEqual((["event"], []), (first.events, second.events))


class AtMostOnceTests(DurableTests):
    """Handlers that are never called a second time, whatever happens."""

    def once(self, dispatcher: DurableDispatcher, handler: Any, phase: str = "during") -> None:
        """Register a handler that is called at most once."""
        self.add(dispatcher, handler, phase, name="once", guarantee="at-most-once")

    async def test_settled_first(self) -> None:
        """The delivery is done before the handler is called."""
        dispatcher, slow = await self.started(), Waiting()
        self.once(dispatcher, slow)
        await self.result(dispatcher.accept_event("event"))
        await self.quiet()

        self.assertEqual(["event"], slow.events)
        self.assertEqual({"once": "done"}, await self.statuses(dispatcher))

    async def test_not_retried(self) -> None:
        """A handler that fails is not called again, and its failure is told."""
        dispatcher, events = await self.started(), Recorder()

        def handler(event: Any) -> None:
            events(event)
            raise Problem

        self.once(dispatcher, handler)
        result = await self.fire(dispatcher)
        await self.pass_time(60)

        self.assertEqual(["event"], events.events)
        self.assertRaises(Problem, result.raise_for_failures)
        self.assertEqual(1, len(self.flushLoggedErrors(Problem)))

    async def test_value(self) -> None:
        """Its value is in the result, though it takes its time."""
        dispatcher, slow = await self.started(), Waiting()
        self.once(dispatcher, slow)
        firing = dispatcher.fire_event("event")
        await self.pass_time(5)

        self.assertNoResult(firing)
        slow.pending[0].callback("value")
        self.assertEqual(["value"], (await self.result(firing)).values)

    async def test_next_phase_waits(self) -> None:
        """The next phase begins when it is done, as long as its process lives."""
        dispatcher, slow, log = await self.started(), Waiting(), list[str]()
        self.once(dispatcher, slow, "before")
        self.add(dispatcher, noting(log, "later"), "during", name="later")
        firing = dispatcher.fire_event("event")
        await self.pass_time(5)

        self.assertEqual(([], ["event"]), (log, slow.events))
        slow.pending[0].callback(None)
        await self.result(firing)
        self.assertEqual(["later"], log)

    async def test_beside_others(self) -> None:
        """Handlers of the same phase are held up by it no more than by any other."""
        dispatcher, slow, log = await self.started(), Waiting(), list[str]()
        self.once(dispatcher, slow)
        self.add(dispatcher, noting(log, "beside"), name="beside")

        await self.result(dispatcher.accept_event("event"))
        await self.quiet()

        self.assertEqual(["beside"], log)

    def test_retry_is_refused(self) -> None:
        """A handler cannot be both retried and called at most once."""
        self.assertRaises(
            errors.InvalidOptions, HandlerOptions, guarantee="at-most-once", retry=attempts(2)
        )


class AtMostOnceKilledTests(DurableTests):
    """What a kill does to a handler that is to be called at most once."""

    async def killed(self, first: Any, hold_at: str) -> list[Any]:
        """Kill a process that can ask for no more than so much; give the events of the next."""
        options = HandlerOptions(name="once", guarantee="at-most-once")
        second = Recorder()
        process = await self.process(lambda each: each.on(options=options)(first))
        process.link.hold(hold_at)
        await self.result(process.dispatcher.accept_event("event"))
        await self.quiet()
        self.kill(process)
        await self.pass_time(61)
        after = await self.process(lambda each: each.on(options=options)(second))
        await self.until_settled(after.dispatcher)
        return second.events

    async def test_killed_while_it_runs(self) -> None:
        """A handler whose process was killed while it ran is never called again."""
        slow = Waiting()

        self.assertEqual([], await self.killed(slow, "nothing"))
        self.assertEqual(["event"], slow.events)

    async def test_killed_before_it_was_called(self) -> None:
        """A handler that was never called is called elsewhere."""
        first = Recorder()

        self.assertEqual(["event"], await self.killed(first, "settle"))
        self.assertEqual([], first.events)


class BookingTests(DurableTests):
    """A store in which handlers keep a table of their own."""

    async def booking(self, *keywords: str, **options: Any) -> DurableDispatcher:
        """Give a dispatcher in whose store there is a table for bookings."""
        dispatcher = await self.started("read", *keywords, **options)
        self.exactly(dispatcher, self.read, spec={"read": True})
        await self.fire(dispatcher, read=True)
        return dispatcher

    @staticmethod
    def read(event: Any, transaction: Any) -> list[Any]:
        """Give all that is booked, as an exactly-once handler."""
        transaction.execute("CREATE TABLE IF NOT EXISTS booked (what TEXT)")
        found = transaction.execute("SELECT what FROM booked ORDER BY what").fetchall()
        return [what for (what,) in found]

    async def booked(self, dispatcher: DurableDispatcher) -> list[str]:
        """Give all that is booked."""
        (found,) = (await self.fire(dispatcher, read=True)).values
        return list(found)

    def exactly(
        self, dispatcher: DurableDispatcher, handler: Any, phase: str = "during", **options: Any
    ) -> int:
        """Register an exactly-once handler."""
        return self.add(dispatcher, handler, phase, guarantee="exactly-once", **options)

    def book(self, event: Any, transaction: Any) -> str:
        """Book an event, as an exactly-once handler."""
        sql = f"INSERT INTO booked (what) VALUES ({self.backend.parameter})"
        transaction.execute(sql, (str(event),))
        return f"booked {event}"


class ExactlyOnceTests(BookingTests):
    """Handlers whose effects are written with the settling of their delivery, or not at all."""

    async def test_effect(self) -> None:
        """What the handler writes is there when its delivery is done, and its value is known."""
        dispatcher = await self.booking("kind")
        self.exactly(dispatcher, self.book, spec={"kind": "book"})

        result = await self.fire(dispatcher, "order 1", kind="book")

        self.assertEqual(["booked order 1"], result.values)
        self.assertEqual(["order 1"], await self.booked(dispatcher))

    async def test_nothing_of_a_failure(self) -> None:
        """Of an attempt that fails nothing is kept, and the next one is free to succeed."""
        dispatcher, tries = await self.booking("kind"), list[int]()

        def handler(event: Any, transaction: Any) -> None:
            self.book(f"try {len(tries)}", transaction)
            tries.append(1)
            if len(tries) < 3:
                raise Problem

        self.exactly(dispatcher, handler, spec={"kind": "book"})
        await self.fire(dispatcher, kind="book")

        self.assertEqual(["try 2"], await self.booked(dispatcher))

    async def test_dead(self) -> None:
        """A handler that fails for good has no effect, and its delivery is dead."""
        dispatcher = await self.booking("kind")

        def handler(event: Any, transaction: Any) -> None:
            self.book(event, transaction)
            raise Problem("no luck")

        self.exactly(dispatcher, handler, spec={"kind": "book"}, retry=attempts(2))
        result = await self.fire(dispatcher, kind="book")

        self.assertRaises(Problem, result.raise_for_failures)
        self.assertEqual([], await self.booked(dispatcher))
        (dead,) = await self.result(dispatcher.deliveries("dead"))
        assert dead.error is not None
        self.assertIn("no luck", dead.error)
        self.flushLoggedErrors(Problem)

    async def test_neighbours(self) -> None:
        """What fails does no harm to those that are committed together with it."""
        dispatcher, calls = await self.booking("kind"), list[int]()

        def handler(event: int, transaction: Any) -> None:
            calls.append(event)
            self.book(event, transaction)
            if event % 3 == 0:
                raise Problem

        self.exactly(dispatcher, handler, spec={"kind": "book"}, retry=ONCE)
        fires = [dispatcher.fire_event(number, kind="book") for number in range(10)]
        for each in fires:
            await self.result(each)

        self.assertEqual([str(n) for n in range(10) if n % 3], await self.booked(dispatcher))
        self.assertEqual(list(range(10)), sorted(calls))
        self.flushLoggedErrors(Problem)

    async def test_broken_statement(self) -> None:
        """A statement that the database refuses is a failed attempt, and keeps its error."""
        dispatcher = await self.booking("kind")

        def handler(event: Any, transaction: Any) -> None:
            self.book(event, transaction)
            transaction.execute("INSERT INTO nowhere VALUES (1)")

        self.exactly(dispatcher, handler, spec={"kind": "book"}, retry=ONCE)
        result = await self.fire(dispatcher, kind="book")

        self.assertEqual(1, len(result.failures))
        self.assertIn("nowhere", result.failures[0].getErrorMessage())
        self.assertEqual([], await self.booked(dispatcher))
        self.flushLoggedErrors()

    async def test_next_phases(self) -> None:
        """Exactly-once handlers of several phases are called in order."""
        dispatcher, log = await self.booking("kind"), list[str]()
        for phase in ("after", "before", "during"):
            self.exactly(dispatcher, self.noting(log, phase), phase, spec={"kind": 1}, name=phase)

        await self.fire(dispatcher, kind=1)

        self.assertEqual(["before", "during", "after"], log)

    @staticmethod
    def noting(log: list[str], name: str) -> Any:
        """Give an exactly-once handler that writes its name into a log."""
        return lambda event, transaction: log.append(name)

    async def test_in_order(self) -> None:
        """Exactly-once handlers keep to the lanes of their events."""
        dispatcher, log = await self.booking("user", order_by=("user",)), list[Any]()
        self.exactly(
            dispatcher,
            lambda event, transaction: log.append(event),
            spec={"user": "bob"},
            name="handler",
        )

        fires = [dispatcher.fire_event(number, user="bob") for number in range(50)]
        for each in fires:
            await self.result(each)

        self.assertEqual(list(range(50)), log)

    async def test_commit_is_refused(self) -> None:
        """A handler cannot commit on its own: it has failed, and nothing of it is kept."""
        dispatcher = await self.booking("kind")

        def handler(event: Any, transaction: Any) -> None:
            self.book(event, transaction)
            transaction.connection.commit()

        self.exactly(dispatcher, handler, spec={"kind": "book"}, retry=ONCE)
        result = await self.fire(dispatcher, kind="book")

        self.assertRaises(errors.TransactionMisused, result.raise_for_failures)
        self.assertEqual([], await self.booked(dispatcher))
        self.flushLoggedErrors(errors.TransactionMisused)

    async def test_transaction_ends_with_the_handler(self) -> None:
        """A transaction that a handler keeps cannot be used afterwards."""
        dispatcher, kept = await self.booking("kind"), list[Any]()
        self.exactly(
            dispatcher,
            lambda event, transaction: kept.append(transaction),
            spec={"kind": "keep"},
            name="handler",
        )

        await self.fire(dispatcher, kind="keep")

        (transaction,) = kept
        self.assertRaises(errors.TransactionMisused, transaction.execute, "SELECT 1")
        self.assertRaises(errors.TransactionMisused, transaction.accept_event, "event")
        self.assertRaises(errors.TransactionMisused, lambda: transaction.connection)

    async def test_answers_that_would_have_to_wait(self) -> None:
        """A handler that gives what must be waited for has failed, and nothing is kept."""
        dispatcher = await self.booking("kind")

        async def coroutine() -> None:
            """Do nothing."""

        answers: dict[str, Any] = {"deferred": lambda: succeed(None), "coroutine": coroutine}
        for name, answer in answers.items():

            def handler(event: Any, transaction: Any, answer: Any = answer) -> Any:
                self.book(event, transaction)
                return answer()

            self.exactly(dispatcher, handler, spec={"kind": name}, name=name, retry=ONCE)
            result = await self.fire(dispatcher, kind=name)
            self.assertEqual(1, len(result.failures), name)

        self.assertEqual([], await self.booked(dispatcher))
        self.flushLoggedErrors()

    async def test_a_handler_held_weakly(self) -> None:
        """A bound method may be an exactly-once handler, held weakly."""
        dispatcher = await self.booking("kind")
        options = HandlerOptions(guarantee="exactly-once", name="book")
        book: Any = self.book
        self.successResultOf(
            dispatcher.add_event_handler(book, "during", options=options, kind="book")
        )

        await self.fire(dispatcher, "order 1", kind="book")

        self.assertEqual(["order 1"], await self.booked(dispatcher))


class AcceptWithinTests(BookingTests):
    """Events that are accepted within the transaction of an exactly-once handler."""

    async def test_accepted(self) -> None:
        """An event that is accepted within a transaction is handled when that is committed."""
        dispatcher, handler = await self.booking("kind"), Recorder()
        self.add(dispatcher, handler, spec={"kind": "next"}, name="next")
        self.exactly(
            dispatcher,
            lambda event, transaction: transaction.accept_event("next", key="k", kind="next"),
            spec={"kind": "first"},
            name="first",
        )

        (acceptance,) = (await self.fire(dispatcher, kind="first")).values
        await self.until_settled(dispatcher)

        self.assertEqual(("k", True), (acceptance.key, acceptance.new))
        self.assertEqual(["next"], handler.events)
        self.assertEqual(acceptance.event_id, (await self.delivery(dispatcher, key="k")).event_id)

    async def test_not_accepted_by_a_failure(self) -> None:
        """An event that is accepted by an attempt that fails is not there."""
        dispatcher, handler, tries = await self.booking("kind"), Recorder(), list[int]()

        def first(event: Any, transaction: Any) -> None:
            tries.append(1)
            transaction.accept_event(len(tries), kind="next")
            if len(tries) < 3:
                raise Problem

        self.exactly(dispatcher, first, spec={"kind": "first"})
        self.add(dispatcher, handler, spec={"kind": "next"}, name="next")
        await self.fire(dispatcher, kind="first")
        await self.until_settled(dispatcher)

        self.assertEqual([3], handler.events)

    async def test_known_key(self) -> None:
        """A key that is known, from before or from the same transaction, is not accepted again."""
        dispatcher, handler = await self.booking("kind"), Recorder()
        self.add(dispatcher, handler, spec={"kind": "next"}, name="next")
        await self.result(dispatcher.accept_event("before", key="old", kind="next"))

        def first(event: Any, transaction: Any) -> list[bool]:
            keys = ("old", "new", "new")
            return [transaction.accept_event(key, key=key, kind="next").new for key in keys]

        self.exactly(dispatcher, first, spec={"kind": "first"})
        result = await self.fire(dispatcher, kind="first")
        await self.until_settled(dispatcher)

        self.assertEqual([[False, True, False]], result.values)
        self.assertEqual(["before", "new"], handler.events)

    async def test_at(self) -> None:
        """An event that is accepted within a transaction may be for later."""
        dispatcher, handler = await self.booking("kind"), Recorder()
        self.add(dispatcher, handler, spec={"kind": "next"}, name="next")
        self.exactly(
            dispatcher,
            lambda event, transaction: transaction.accept_event("x", at=EPOCH + 100, kind="next"),
            spec={"kind": "first"},
            name="first",
        )
        await self.fire(dispatcher, kind="first")

        await self.pass_time(90)
        self.assertEqual([], handler.events)
        await self.pass_time(20)
        self.assertEqual(["x"], handler.events)

    async def test_misuse(self) -> None:
        """What cannot be accepted raises in the handler, which has failed and left nothing."""
        dispatcher = await self.booking("kind")
        wrong: dict[str, dict[str, Any]] = {
            "keyword": {"event": "x", "nobody": 1},
            "key": {"event": "x", "key": ""},
            "time": {"event": "x", "at": "soon"},
            "event": {"event": object()},
        }
        for name, given in wrong.items():

            def handler(event: Any, transaction: Any, given: Any = given) -> None:
                self.book(event, transaction)
                transaction.accept_event(**given)

            self.exactly(dispatcher, handler, spec={"kind": name}, name=name, retry=ONCE)
            result = await self.fire(dispatcher, kind=name)
            self.assertRaises(errors.DispatcherError, result.raise_for_failures)

        self.assertEqual([], await self.booked(dispatcher))
        self.flushLoggedErrors()

    async def test_misuse_that_is_caught(self) -> None:
        """A handler may catch what accepting raised, and go on."""
        dispatcher = await self.booking("kind")

        def handler(event: Any, transaction: Any) -> None:
            self.assertRaises(errors.InvalidKey, transaction.accept_event, "x", key="")
            self.book(event, transaction)

        self.exactly(dispatcher, handler, spec={"kind": "book"}, retry=ONCE)
        await self.fire(dispatcher, "order 1", kind="book")

        self.assertEqual(["order 1"], await self.booked(dispatcher))

    async def test_chain(self) -> None:
        """Thousands of events, each accepted by the one before it, are handled one by one."""
        dispatcher, log = await self.booking("kind"), list[int]()

        def step(event: int, transaction: Any) -> None:
            log.append(event)
            if event:
                transaction.accept_event(event - 1, key=f"step {event - 1}", kind="step")

        self.exactly(dispatcher, step, spec={"kind": "step"})
        await self.result(dispatcher.accept_event(1500, kind="step"))
        await self.until_settled(dispatcher)

        self.assertEqual(list(range(1500, -1, -1)), log)

    async def test_within_a_producer(self) -> None:
        """An event that is accepted within a transaction is planned with the worker's handlers."""
        link, handler = self.connect(), Recorder()
        producer = await self.started("kind", link=link, worker=False)
        worker = await self.started("kind", link=link)
        self.exactly(
            worker,
            lambda event, transaction: transaction.accept_event("next", kind="next"),
            spec={"kind": "first"},
            name="first",
        )
        self.add(worker, handler, spec={"kind": "next"}, name="next")

        await self.result(producer.accept_event("event", kind="first"))
        await self.until_settled(worker)

        self.assertEqual(["next"], handler.events)


class ExactlyOnceKilledTests(BookingTests):
    """What a kill does to a handler that is to have its effect exactly once."""

    async def killed(self, hold_at: str) -> list[str]:
        """Kill a process before or after it has called the handler; give what is booked."""

        def setup(dispatcher: DurableDispatcher) -> None:
            self.exactly(dispatcher, self.read, spec={"kind": "read"}, name="read")
            self.exactly(dispatcher, self.book, spec={"kind": "book"}, name="book")

        process = await self.process(setup, "kind")
        await self.fire(process.dispatcher, kind="read")
        process.link.hold(hold_at)
        await self.result(process.dispatcher.accept_event("order 1", kind="book"))
        await self.quiet()
        self.kill(process)
        await self.pass_time(61)
        after = await self.process(setup, "kind")
        await self.until_settled(after.dispatcher)
        (found,) = (await self.fire(after.dispatcher, kind="read")).values
        return list(found)

    async def test_killed_before(self) -> None:
        """A handler that was not called is called elsewhere."""
        self.assertEqual(["order 1"], await self.killed("transact"))

    async def test_killed_after(self) -> None:
        """A handler whose effect was committed is not called again."""
        self.assertEqual(["order 1"], await self.killed("nothing"))


for _tests in (AtLeastOnceTests, AtMostOnceTests, ExactlyOnceTests, AcceptWithinTests):
    globals().update(on_stores(_tests))
for _killed in (AtLeastOnceKilledTests, AtMostOnceKilledTests, ExactlyOnceKilledTests):
    globals().update(on_stores(_killed, that_outlive=True))
