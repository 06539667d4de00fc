"""Callbacks, DONE, locks and dry runs (C50 to C61, C65 to C67, C80 to C91)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed

from tests.chains import ChainTestCase, refusing, transition
from twisted_dispatcher import Event, HandlerOptions
from twisted_dispatcher.chains import (
    DONE,
    NEW,
    ChainDisabled,
    ChainLocked,
    ChainLoop,
    ChainNotScheduled,
    calling,
)
from twisted_dispatcher.errors import InvalidCallback, NoChain, StoreUnavailable

GO = transition("Go", "gone")
GRAPH: Any = {NEW: [GO], "gone": [transition("On", "on")], "on": []}


class CallbackTests(ChainTestCase):
    """What is called when a transition is made."""

    def test_given(self) -> None:
        """A given callback is called once with the transition and its arguments (C53, C100)."""
        result = self.execute(
            self.chains(GRAPH), callback=self.callback, callback_args={"to": "ada", "n": 2}
        )

        self.assertEqual([("Go", {"to": "ada", "n": 2})], self.called)
        self.assertTrue(result.moved)

    def test_own(self) -> None:
        """A transition's own callback is called with the arguments alone, and wins (C52)."""

        def own(self: Any, **arguments: Any) -> None:
            called.append((self.name, arguments))

        called: list[Any] = []
        go = transition("Go", "gone", callback=own)
        chains = self.chains({NEW: [go], "gone": []})
        self.execute(chains, callback=self.callback, callback_args={"n": 1})

        self.assertEqual(([("Go", {"n": 1})], []), (called, self.called))

    def test_none(self) -> None:
        """Without any callback a warning is logged, and the chain moves on (C54)."""
        warned: list[Any] = []
        self.patch(
            calling, "_log", type("Log", (), {"warn": lambda s, *a, **k: warned.append(k)})()
        )
        result = self.execute(self.chains(GRAPH))

        self.assertEqual("gone", result.state)
        self.assertEqual("Go", warned[0]["transition"])

    def test_stored_after(self) -> None:
        """The state is stored after the callback is done, and the history with it (C55, C90)."""
        waiting: Deferred[None] = Deferred()
        chains = self.chains(GRAPH, requests_by="scripts")
        self.get(chains)
        executing = chains.execute_chain(callback=lambda made: waiting)
        self.clock.advance(1)
        self.assertEqual((NEW, []), (self.stored(chains).state, self.history(chains)))
        waiting.callback(None)
        self.wait(executing)

        self.assertEqual("gone", self.stored(chains).state)
        (entry,) = self.wait(chains.history())
        self.assertEqual(
            ("state_transition", "gone", NEW, "Go", "scripts", 1),
            (*(entry.action, entry.value, entry.previous, entry.transition),
             *(entry.requested_by, entry.version)),
        )  # fmt: skip

    def test_raises(self) -> None:
        """What a callback raises is told as it is, and nothing has changed (C56)."""
        error = OSError("no mail")

        async def callback(made: Any) -> None:
            await succeed(None)
            raise error

        chains = self.chains(GRAPH)
        self.assertIs(error, self.assertRaises(OSError, self.execute, chains, callback=callback))

        self.assertEqual((NEW, []), (self.stored(chains).state, self.history(chains)))
        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)

    def test_requested_by(self) -> None:
        """Who wants it stands in the history; it may be said for each (C90)."""
        chains = self.chains(GRAPH, requests_by="scripts")
        self.execute(chains, callback=self.callback)
        self.execute(chains, callback=self.callback, requested_by="ada")

        self.assertEqual([("gone", "scripts"), ("on", "ada")], self.history(chains))

    def test_nobody(self) -> None:
        """Without a requester the history names none (C90)."""
        chains = self.chains(GRAPH)
        self.execute(chains, callback=self.callback)

        self.assertEqual([("gone", None)], self.history(chains))

    def test_bad_callbacks(self) -> None:
        """What cannot be called so is refused at once (C50)."""
        chains = self.chains(GRAPH)
        self.get(chains)
        bad: list[dict[str, Any]] = [
            {"callback": 7},
            {"callback": self.callback, "callback_args": [1]},
            {"callback": self.callback, "callback_args": {1: 2}},
            {"initial_context": "x"},
        ]
        for named in bad:
            self.assertRaises(InvalidCallback, chains.execute_chain, **named)
        self.assertRaises(TypeError, chains.execute_chain, callback_kwargs={})
        self.assertRaises(InvalidCallback, chains.start, 7)

        self.assertEqual((NEW, False), (self.stored(chains).state, chains.running))

    def test_no_chain(self) -> None:
        """Without a chain there is nothing to execute."""
        self.assertRaises(NoChain, self.chains(GRAPH).execute_chain)

    def test_store_fails(self) -> None:
        """When a transition cannot be stored, the chain is where it was, and free (C60)."""
        chains = self.chains(GRAPH)
        store = self.dispatcher.backstage.store

        def fail(point: str) -> None:
            if point == "before move chain":
                raise StoreUnavailable("away")

        store.on_point = fail  # type: ignore[attr-defined]
        self.assertRaises(StoreUnavailable, self.execute, chains, callback=self.callback)
        store.on_point = None  # type: ignore[attr-defined]

        self.assertEqual(NEW, self.stored(chains).state)
        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)

    def test_idempotency_key(self) -> None:
        """Every attempt at a transition has the same key, and every transition its own (C61)."""
        keys = []

        def callback(made: Any) -> None:
            keys.append(made.idempotency_key)
            if len(keys) == 1:
                raise OSError

        chains = self.chains(GRAPH)
        self.assertRaises(OSError, self.execute, chains, callback=callback)
        self.execute(chains, callback=callback)
        self.execute(chains, callback=callback)

        self.assertEqual(keys[0], keys[1])
        self.assertNotEqual(keys[1], keys[2])
        assert chains.chain is not None
        self.assertEqual(f"chain/{chains.chain.id}/0/Go", keys[0])

    def test_cancel(self) -> None:
        """Executing can be cancelled while the callback waits; the chain is free then."""
        chains = self.chains(GRAPH)
        self.get(chains)
        executing = chains.execute_chain(callback=lambda made: Deferred())
        self.clock.advance(1)
        executing.cancel()

        self.assertRaises(CancelledError, self.wait, executing)
        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)

    def test_cancel_before(self) -> None:
        """Cancelled before the store has answered, nothing is executed, and the chain is free."""
        chains = self.chains(GRAPH)
        self.get(chains)
        executing = chains.execute_chain(callback=self.callback)
        executing.cancel()

        self.assertRaises(CancelledError, self.wait, executing)
        self.assertEqual((NEW, []), (self.stored(chains).state, self.called))
        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)

    def test_cancel_while_stored(self) -> None:
        """Cancelled while the transition is stored, that is made, and its event dispatched."""
        chains = self.chains(GRAPH)
        self.dispatcher.on(state="gone", options=HandlerOptions(name="watch"))(self.called.append)
        self.get(chains)

        move = chains.store.move
        asked: list[tuple[Deferred[Any], Deferred[Any]]] = []

        def answer_late(*given: Any) -> Deferred[Any]:
            asked.append((move(*given), Deferred()))
            return asked[-1][1]

        self.patch(chains.store, "move", answer_late)
        executing = chains.run_chain(callback=lambda made: None)
        for _ in range(100):
            if not asked:
                self.clock.advance(0)
        ((moved, answer),) = asked
        executing.cancel()
        moved.chainDeferred(answer)
        self.assertRaises(CancelledError, self.wait, executing)
        self.patch(chains.store, "move", move)
        self.clock.advance(1)

        self.assertEqual(("gone", 1), (self.stored(chains).state, len(self.called)))
        self.assertEqual("on", self.execute(chains, callback=lambda made: None).state)


class DoneTests(ChainTestCase):
    """The end of a chain."""

    def test_move(self) -> None:
        """A move to DONE calls nothing, and stands in the history (C65)."""

        def own(self: Any, **arguments: Any) -> None:
            raise AssertionError

        close = transition("Close", DONE, callback=own, next_update=1.0)
        chains = self.chains({NEW: [close]})
        before = self.get(chains).next_update
        result = self.execute(chains, callback=self.callback)

        self.assertEqual((DONE, []), (result.state, self.called))
        self.assertEqual([(DONE, None)], self.history(chains))
        self.assertEqual(before, self.stored(chains).next_update)

    def test_at_done(self) -> None:
        """At DONE nothing is asked or called, and the result names the last transition (C66)."""
        asked: list[Any] = []

        def is_valid(self: Any) -> bool:
            asked.append(self)
            return True

        close = transition("Close", DONE, is_valid)
        chains = self.chains({NEW: [close]})
        self.execute(chains)
        del asked[:]
        result = self.execute(chains, callback=self.callback)

        self.assertEqual(([], []), (asked, self.called))
        self.assertIsInstance(result.transition, close)
        self.assertEqual((DONE, False), (result.state, result.moved))
        self.assertEqual(1, len(self.history(chains)))

    def test_checks(self) -> None:
        """At DONE too, the schedule comes first (C67)."""
        on = transition("On", "on", next_update=2_000_000_000.0)
        chains = self.chains({NEW: [on], "on": [transition("Close", DONE)]})
        self.execute(chains, callback=self.callback)

        self.assertRaises(ChainNotScheduled, self.execute, chains)


class LockTests(ChainTestCase):
    """A chain is executed by one at a time."""

    def test_locked(self) -> None:
        """A chain that is being executed is locked for others (C80, C81, C88)."""
        waiting: Deferred[None] = Deferred()
        chains = self.chains(GRAPH)
        chain = self.get(chains)
        executing = chains.execute_chain(callback=lambda made: waiting)
        self.clock.advance(1)
        other = self.chains(GRAPH)
        error = self.assertRaises(ChainLocked, self.execute, other, chain)
        self.assertIsInstance(error, ValueError)
        self.assertIn("Chain is locked, exiting early", str(error))
        waiting.callback(None)
        self.wait(executing)

        self.assertEqual("on", self.execute(other, chain, callback=self.callback).state)

    def test_locked_elsewhere(self) -> None:
        """So it is for other processes."""
        store = self.dispatcher.backstage.store
        second = self.new_dispatcher(store)
        chains, others = self.chains(GRAPH), self.chains(GRAPH, dispatcher=second)
        self.get(chains)
        self.get(others)
        executing = chains.execute_chain(callback=lambda made: Deferred())
        self.clock.advance(1)

        self.assertRaises(ChainLocked, self.execute, others)
        self.assertNoResult(executing)

    def test_within(self) -> None:
        """A callback that executes its own chain is told that it is locked (C88)."""
        chains = self.chains(GRAPH)

        def callback(made: Any) -> Any:
            return chains.execute_chain(made.chain)

        self.assertRaises(ChainLocked, self.execute, chains, callback=callback)

    def test_eight(self) -> None:
        """Of eight who execute a chain at once, one makes the transition (C85)."""
        second = self.new_dispatcher(self.dispatcher.backstage.store)
        many = [self.chains(GRAPH, dispatcher=d) for d in (self.dispatcher, second) * 4]
        for each in many:
            self.get(each)
        asked = [each.execute_chain(callback=self.callback) for each in many]
        results = self.wait(DeferredList(asked, consumeErrors=True))

        self.assertEqual([("Go", {})], self.called)
        self.assertEqual(7, sum(not is_made for is_made, _ in results))
        for is_made, result in results:
            self.assertTrue(is_made or result.check(ChainLocked))  # type: ignore[attr-defined]
        self.assertEqual([("gone", None)], self.history(many[0]))

    def test_stale(self) -> None:
        """A chain is executed as it is stored, not as its copy is (C85)."""
        first, second = self.chains(GRAPH), self.chains(GRAPH)
        self.get(first)
        self.get(second)
        self.execute(first, callback=self.callback)
        result = self.execute(second, callback=self.callback)

        self.assertEqual("on", result.state)
        self.assertEqual(["Go", "On"], [name for name, _ in self.called])

    def test_death(self) -> None:
        """When the lease of a dead process has ended, others take the chain over (C86)."""
        store = self.dispatcher.backstage.store
        second = self.new_dispatcher(store)
        chains = self.chains(GRAPH, dispatcher=second)
        chain = self.get(chains)
        self.wait(store.chains.lock(chain.id, self.clock.seconds() + 60, self.clock.seconds()))  # type: ignore[attr-defined]
        self.clock.advance(59)
        self.assertRaises(ChainLocked, self.execute, chains)
        self.clock.advance(1)

        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)

    def test_long(self) -> None:
        """As long as a chain is executed nobody takes it over, however long it takes."""
        waiting: Deferred[None] = Deferred()
        second = self.new_dispatcher(self.dispatcher.backstage.store)
        chains, others = self.chains(GRAPH), self.chains(GRAPH, dispatcher=second)
        self.get(chains)
        self.get(others)
        executing = chains.execute_chain(callback=lambda made: waiting)
        for _ in range(30):
            self.clock.advance(10)
            self.assertRaises(ChainLocked, self.execute, others)
        waiting.callback(None)

        self.assertEqual("gone", self.wait(executing).state)

    def test_disabled(self) -> None:
        """A disabled chain is not executed, until it is enabled (C28)."""
        chains = self.chains(GRAPH)
        chain = self.get(chains)
        self.assertTrue(self.wait(chains.disable(chain)).disabled)
        for dry_run in (False, True):
            self.assertRaises(ChainDisabled, self.execute, chains, dry_run=dry_run)
        self.assertTrue(self.get(chains).disabled)
        self.assertFalse(self.wait(chains.enable(chain)).disabled)

        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)


class DryRunTests(ChainTestCase):
    """What would be done."""

    def test_dry_run(self) -> None:
        """A dry run finds the transition, and changes and calls nothing (C83, C84, C91)."""
        no = transition("No", "on", refusing("no"))
        chains = self.chains({**GRAPH, NEW: [no, GO]})
        result = self.execute(chains, callback=self.callback, dry_run=True)

        self.assertIsInstance(result.transition, GO)
        self.assertEqual(
            (NEW, "gone", {"<No>": ["no"]}, True, False),
            (result.state, result.final_state, result.errors, result.dry_run, result.moved),
        )
        self.assertEqual([], self.called)
        self.assertEqual(([], NEW), (self.history(chains), self.stored(chains).state))
        self.assertEqual(0, self.stored(chains).stored.fence)

    def test_locked(self) -> None:
        """A dry run does not mind who has the chain locked (C82)."""
        chains = self.chains(GRAPH)
        self.get(chains)
        chains.execute_chain(callback=lambda made: Deferred())
        self.clock.advance(1)

        self.assertEqual("gone", self.execute(chains, dry_run=True).final_state)

    def test_schedule(self) -> None:
        """A dry run goes by the schedule (C72)."""
        on = transition("On", "on", next_update=2_000_000_000.0)
        chains = self.chains({NEW: [on], "on": [transition("Close", DONE)]})
        self.execute(chains, callback=self.callback)

        self.assertRaises(ChainNotScheduled, self.execute, chains, dry_run=True)


class RunTests(ChainTestCase):
    """Going on until there is no way on."""

    def test_run(self) -> None:
        """run_chain makes transitions until none is valid."""
        last = transition("Last", DONE, refusing("not yet"))
        chains = self.chains({**GRAPH, "on": [last]})
        self.get(chains)
        result = self.wait(chains.run_chain(callback=self.callback))

        self.assertEqual(("on", {"<Last>": ["not yet"]}), (result.state, result.errors))
        self.assertEqual(["Go", "On"], [each.name for each in result.transitions])
        self.assertEqual("On", result.transition.name)
        self.assertEqual([("gone", None), ("on", None)], self.history(chains))

    def test_to_the_end(self) -> None:
        """At its end a chain is free."""
        chains = self.chains({**GRAPH, "on": [transition("Last", DONE)]})
        self.get(chains)
        self.assertEqual(DONE, self.wait(chains.run_chain(callback=self.callback)).state)

        self.assertEqual(0.0, self.stored(chains).stored.locked_until)

    def test_nothing(self) -> None:
        """Where no transition is valid, nothing is made."""
        chains = self.chains({NEW: [transition("No", DONE, False)]})
        self.get(chains)
        result = self.wait(chains.run_chain())

        self.assertEqual((NEW, False, None), (result.state, result.moved, result.transition))

    def test_locked(self) -> None:
        """It has the chain for itself from the first transition to the last."""
        waiting: list[Deferred[None]] = []

        def callback(made: Any) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        chains, others = self.chains(GRAPH), self.chains(GRAPH)
        self.get(chains)
        self.get(others)
        running = chains.run_chain(callback=callback)
        for n in range(2):
            self.clock.advance(1)
            self.assertEqual(n + 1, len(waiting))
            self.assertRaises(ChainLocked, self.execute, others)
            waiting[-1].callback(None)

        self.assertEqual("on", self.wait(running).state)

    def test_loop(self) -> None:
        """A chain that goes round and round is cut off, and says where."""
        graph: Any = {
            NEW: [transition("A", "a")],
            "a": [transition("B", "b")],
            "b": [transition("C", "a")],
        }
        chains = self.chains(graph)
        self.get(chains)
        error = self.assertRaises(ChainLoop, self.wait, chains.run_chain(callback=self.callback))

        self.assertEqual(("a", "b", "a"), error.states)
        self.assertLess(len(self.called), 100)
        self.assertIn(self.execute(chains, callback=self.callback).state, "ab")

    def test_round_trips(self) -> None:
        """A loop that ends is none."""

        def is_valid(self: Any) -> Any:
            return self.chain.version < 10

        graph: Any = {NEW: [transition("A", "a")], "a": [transition("B", "a", is_valid)]}
        chains = self.chains(graph)
        self.get(chains)

        self.assertEqual("a", self.wait(chains.run_chain(callback=self.callback)).state)
        self.assertEqual(10, len(self.called))

    def test_fails(self) -> None:
        """What was made stays made when a later transition fails."""

        def callback(made: Any) -> None:
            if made.name == "On":
                raise OSError

        chains = self.chains(GRAPH)
        self.get(chains)
        self.assertRaises(OSError, self.wait, chains.run_chain(callback=callback))

        self.assertEqual("gone", self.stored(chains).state)
        self.assertEqual("on", self.execute(chains, callback=self.callback).state)


class WatchingTests(ChainTestCase):
    """Handlers of the dispatcher are told of every state."""

    def test_events(self) -> None:
        """A transition fires an event of the new state, whose key names it, DONE too."""
        events: list[Event] = []
        chains = self.chains({NEW: [GO], "gone": [transition("Close", DONE)]}, requests_by="me")
        memory = HandlerOptions(durable=False)
        self.dispatcher.on(chain_type="cart", options=memory)(events.append)
        self.dispatcher.on(chain_type="order", options=memory)(self.called.append)
        chain = self.get(chains)
        self.wait(chains.run_chain(callback=lambda made: None))
        self.clock.advance(1)

        self.assertEqual(
            [("gone", f"chain/{chain.id}/1"), ("done", f"chain/{chain.id}/2")],
            [(event.group, event.key) for event in events],
        )
        self.assertEqual([], self.called)
        self.assertEqual(
            {
                "chain_id": chain.id,
                "chain_type": "cart",
                "state": "gone",
                "previous": NEW,
                "transition": "Go",
                "version": 1,
                "resources": {"online_booking": "123456", "customer": "57844"},
                "requested_by": "me",
            },
            events[0].context,
        )

    def test_durable(self) -> None:
        """Durable handlers are called, each once, and may execute the chain."""
        chains = self.chains(GRAPH)

        async def go_on(event: Event) -> None:
            self.called.append(event["state"])
            await chains.execute_chain(event["chain_id"], callback=lambda made: None)

        self.dispatcher.on(state="gone", options=HandlerOptions(name="go on"))(go_on)
        self.execute(chains, callback=lambda made: None)
        self.clock.advance(1)

        self.assertEqual(["gone"], self.called)
        self.assertEqual("on", self.stored(chains).state)

    def test_nothing_happens(self) -> None:
        """Where nothing is made nothing is told (C91)."""
        chains = self.chains({NEW: [transition("No", DONE, False)]})
        self.dispatcher.on(chain_type="cart", options=HandlerOptions(durable=False))(
            self.called.append
        )
        self.execute(chains)
        self.execute(chains, dry_run=True)
        self.clock.advance(1)

        self.assertEqual(([], []), (self.called, self.history(chains)))
