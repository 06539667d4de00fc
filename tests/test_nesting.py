"""Handlers that use the dispatcher: fire, add, remove, replace, and wait for it."""

from __future__ import annotations

from typing import Any

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, failing, noting
from twisted_dispatcher import DispatchResult


class UseFromHandlersTests(DispatcherTestCase):
    """Handlers that change their own dispatcher, and wait for it (E47, B-E9)."""

    def setUp(self) -> None:
        """Make a dispatcher."""
        super().setUp()
        self.dispatcher = self.make("user", "role")

    def test_fire(self) -> None:
        """A handler may fire an event and wait for it (E47)."""
        inner = Recorder("inner")
        self.add(self.dispatcher, inner, user="inner")
        self.add(
            self.dispatcher,
            lambda event: self.dispatcher.fire_event("inner", user="inner"),
            user="outer",
        )
        (result,) = self.fire(self.dispatcher, "outer", user="outer").values

        self.assertEqual(result.values, ["inner"])

    def test_add(self) -> None:
        """A handler may add a handler and wait for it (E47)."""
        late = Recorder()
        self.add(self.dispatcher, lambda event: self.dispatcher.add_event_handler(late, "after"))
        result = self.fire(self.dispatcher)

        self.assertIsInstance(result.values[0], int)
        self.assertEqual(late.events, [])

    def test_remove_itself(self) -> None:
        """A handler may remove itself and wait for it; it is not called again (E47)."""
        calls: list[Any] = []

        async def handler(event: Any) -> str:
            calls.append(event)
            await self.dispatcher.remove_event_handler(handler_id)
            return "removed"

        handler_id = self.add(self.dispatcher, handler)

        self.assertEqual(self.fire(self.dispatcher, 1).values, ["removed"])
        self.assertEqual(self.fire(self.dispatcher, 2).values, [])
        self.assertEqual(calls, [1])

    def test_remove_a_later_one(self) -> None:
        """A handler that another removes before its turn is not started (decision 5)."""
        removed = Recorder()
        ids: list[int] = []
        self.add(self.dispatcher, lambda event: self.dispatcher.remove_event_handler(ids.pop()))
        ids.append(self.add(self.dispatcher, removed))
        result = self.fire(self.dispatcher)

        self.assertEqual(removed.events, [])
        self.assertEqual(len(result.outcomes), 1)

    def test_remove_an_earlier_one(self) -> None:
        """A handler that has had its turn keeps its outcome when another removes it."""
        ids = [self.add(self.dispatcher, Recorder("early"))]
        self.add(self.dispatcher, lambda event: self.dispatcher.remove_event_handler(ids.pop()))
        result = self.fire(self.dispatcher)

        self.assertEqual(result.values, ["early", None])
        self.assertEqual(len(self.dispatcher.describe()), 1)

    def test_remove_all(self) -> None:
        """A handler may remove every handler there is."""
        log: list[str] = []
        ids: list[int] = []

        def clear(event: Any) -> None:
            while ids:
                self.successResultOf(self.dispatcher.remove_event_handler(ids.pop()))

        ids.append(self.add(self.dispatcher, noting(log, "before"), "before"))
        ids.append(self.add(self.dispatcher, clear))
        ids.append(self.add(self.dispatcher, noting(log, "during")))
        ids.append(self.add(self.dispatcher, noting(log, "after"), "after"))
        result = self.fire(self.dispatcher)

        self.assertEqual(log, ["before"])
        self.assertEqual(len(result.outcomes), 2)
        self.assertEqual(list(self.dispatcher.describe()), [])

    def test_remove_and_add_itself(self) -> None:
        """A handler that renews itself at each event is called once for each."""
        calls: list[Any] = []
        ids: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event)
            await self.dispatcher.remove_event_handler(ids.pop())
            ids.append(await self.dispatcher.add_event_handler(handler, "during", False))

        ids.append(self.add(self.dispatcher, handler))
        for number in range(5):
            self.fire(self.dispatcher, number)

        self.assertEqual(calls, [0, 1, 2, 3, 4])
        self.assertEqual(len(self.dispatcher.describe()), 1)

    def test_add_and_fire(self) -> None:
        """An event that a handler fires reaches a handler that it added just before."""
        late = Recorder()

        async def handler(event: Any) -> None:
            await self.dispatcher.add_event_handler(late, "during", user="inner")
            await self.dispatcher.fire_event("inner", user="inner")

        self.add(self.dispatcher, handler, user="outer")
        self.fire(self.dispatcher, "outer", user="outer")

        self.assertEqual(late.events, ["inner"])

    def test_remove_while_nested(self) -> None:
        """A handler that an inner event removes is not started by the outer one any more."""
        removed = Recorder()
        removed_id = self.add(self.dispatcher, removed, "after", user="outer")
        self.add(
            self.dispatcher,
            lambda event: self.dispatcher.remove_event_handler(removed_id),
            user="inner",
        )
        self.add(
            self.dispatcher,
            lambda event: self.dispatcher.fire_event("inner", user="inner"),
            user="outer",
        )
        self.fire(self.dispatcher, "outer", user="outer")

        self.assertEqual(removed.events, [])

    def test_everything_at_once(self) -> None:
        """A handler may do all of it, one after another, and wait for each."""
        inner = Recorder("inner")

        async def handler(event: Any) -> list[Any]:
            handler_id = await self.dispatcher.add_event_handler(inner, "during", user="inner")
            first = await self.dispatcher.fire_event("one", user="inner")
            (new_id,) = await self.dispatcher.replace_event_handlers(
                [handler_id], [((inner, "before"), {"user": "inner", "role": 1})]
            )
            second = await self.dispatcher.fire_event("two", user="inner", role=1)
            await self.dispatcher.remove_event_handler(new_id)
            third = await self.dispatcher.fire_event("three", user="inner", role=1)
            await self.dispatcher.stop()
            return [result.values for result in (first, second, third)]

        self.add(self.dispatcher, handler, user="outer")
        firing = self.dispatcher.fire_event("outer", user="outer")
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).values, [[["inner"], ["inner"], []]])
        self.assertEqual(inner.events, ["one", "two"])

    def test_misuse_within(self) -> None:
        """What is refused within a handler is that handler's failure, and nobody else's."""
        after = Recorder()
        self.add(self.dispatcher, lambda event: self.dispatcher.fire_event("inner", usr="bob"))
        self.add(self.dispatcher, after, "after")
        (failure,) = self.fire(self.dispatcher).failures
        self.flushLoggedErrors(ValueError)

        failure.trap(ValueError)
        self.assertEqual(after.events, ["event"])

    def test_inner_failure_is_not_the_outer_handlers(self) -> None:
        """An inner event's failing handler does not fail the handler that waits for the event."""
        self.add(self.dispatcher, failing(ValueError()), user="inner")
        self.add(
            self.dispatcher,
            lambda event: self.dispatcher.fire_event("inner", user="inner"),
            user="outer",
        )
        result = self.fire(self.dispatcher, "outer", user="outer")
        self.flushLoggedErrors(ValueError)

        self.assertEqual(result.failures, [])
        self.assertEqual(len(result.values[0].failures), 1)

    def test_inner_failure_raised(self) -> None:
        """A handler may make an inner event's failure its own."""

        async def handler(event: Any) -> None:
            result = await self.dispatcher.fire_event("inner", user="inner")
            result.raise_for_failures()

        self.add(self.dispatcher, failing(ValueError("inner")), user="inner")
        self.add(self.dispatcher, handler, user="outer")
        (failure,) = self.fire(self.dispatcher, "outer", user="outer").failures
        self.flushLoggedErrors(ValueError)

        failure.trap(ValueError)


class OrderedNestingTests(DispatcherTestCase):
    """Nesting where events are kept in order by a keyword."""

    def test_other_values(self) -> None:
        """A handler may wait for events of other values, though its own is ordered."""
        dispatcher = self.make("user", order_by=("user",))

        async def handler(event: int) -> int:
            if event:
                result = await dispatcher.fire_event(event - 1, user=event - 1)
                return 1 + int(result.values[0])
            return 0

        self.add(dispatcher, handler)
        firing = dispatcher.fire_event(200, user=200)
        self.clock.advance(0)

        self.assertEqual(self.successResultOf(firing).values, [200])

    def test_add_and_remove(self) -> None:
        """A handler may add and remove and wait for it, with all events in order (E47)."""
        dispatcher = self.make("user", order_by=())

        async def handler(event: Any) -> str:
            handler_id = await dispatcher.add_event_handler(handler, "after", user="nobody")
            await dispatcher.remove_event_handler(handler_id)
            return "done"

        self.add(dispatcher, handler)

        self.assertEqual(self.fire(dispatcher).values, ["done"])

    def test_unwaited_at_any_depth(self) -> None:
        """Events that handlers fire one after another without waiting are all handled (E46)."""
        dispatcher = self.make("user", order_by=())
        seen: list[int] = []

        def handler(event: int) -> None:
            seen.append(event)
            if event < 3000:
                dispatcher.fire_event(event + 1)

        self.add(dispatcher, handler)
        dispatcher.fire_event(0)
        self.clock.advance(0)

        self.assertEqual(seen, list(range(3001)))

    def test_fan_out(self) -> None:
        """Events that one handler fires for other values run together, and are waited for."""
        dispatcher = self.make("user", order_by=("user",))
        slow = Waiting()
        results: list[DispatchResult] = []

        async def handler(event: Any) -> None:
            fires = [dispatcher.fire_event(number, user=number % 3) for number in range(6)]
            for firing in fires:
                results.append(await firing)

        self.add(dispatcher, handler, user="outer")
        for user in range(3):
            self.add(dispatcher, slow, user=user)
        firing = dispatcher.fire_event("outer", user="outer")
        self.assertEqual(slow.events, [0, 1, 2])
        while slow.pending:
            slow.pending.pop(0).callback(None)
            self.clock.advance(0)

        self.successResultOf(firing)
        self.assertEqual(len(results), 6)
        self.assertEqual(slow.events, [0, 1, 2, 3, 4, 5])
