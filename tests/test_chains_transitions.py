"""Which transition is made, and what it knows (C31 to C43, C57 to C59, C97, C99)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.chains import ChainTestCase, configured, refusing, transition
from twisted_dispatcher.chains import DONE, NEW, ChainDispatcher, Transition
from twisted_dispatcher.errors import InvalidTransition

GO = transition("Go", "gone")
NO = transition("No", "never", refusing("not today", "nor tomorrow"))
QUIET = transition("Quiet", "never", False)
ENDS: dict[str, list[type[Transition]]] = {"gone": [], "never": []}


class ChoosingTests(ChainTestCase):
    """The first valid transition of a state is made."""

    def test_first_valid(self) -> None:
        """Transitions are tried in their order, and after the first valid one none (C34)."""
        asked = []

        def ask(name: str, valid: bool) -> Any:
            def is_valid(self: Any) -> bool:
                asked.append(name)
                return valid

            return transition(name, name, is_valid)

        graph = {NEW: [ask("A", False), ask("B", True), ask("C", True)], "A": [], "B": [], "C": []}
        result = self.execute(self.chains(graph), callback=self.callback)

        self.assertEqual(["A", "B"], asked)
        self.assertEqual(("B", "B"), (result.state, result.final_state))

    def test_asked_once(self) -> None:
        """A transition is asked once whether it is valid (C99)."""
        asked: list[Any] = []
        chains = self.chains({NEW: [transition("A", DONE, lambda self: asked.append(1))]})
        self.execute(chains)

        self.assertEqual([1], asked)

    def test_errors(self) -> None:
        """What a refused transition says stands under its name, nothing as a list (C35, C37)."""
        result = self.execute(self.chains({NEW: [NO, QUIET], "never": []}))

        self.assertEqual({"<No>": ["not today", "nor tomorrow"], "<Quiet>": []}, result.errors)
        self.assertIsNone(result.transition)

    def test_errors_of_earlier(self) -> None:
        """Errors of refused ones are told also when a later one is made (C36)."""
        chains = self.chains({NEW: [NO, GO], **ENDS})
        result = self.execute(chains, callback=self.callback)

        self.assertEqual({"<No>": ["not today", "nor tomorrow"]}, result.errors)
        self.assertEqual("gone", result.state)

    def test_errors_are_fresh(self) -> None:
        """Errors are those of this run and this chain (C38, C97)."""
        chains = self.chains({NEW: [NO], "never": []})
        first = self.execute(chains)
        second = self.execute(chains)
        self.get(chains, [("customer", "1")])
        third = self.execute(chains)

        self.assertEqual(first.errors, second.errors)
        self.assertEqual(first.errors, third.errors)
        self.assertEqual(2, len(second.errors["<No>"]))

    def test_nothing_valid(self) -> None:
        """Without a valid transition nothing happens, and that is no error (C57)."""
        chains = self.chains({NEW: [NO, GO], **ENDS})
        self.execute(chains, callback=self.callback)
        del self.called[:]
        result = self.execute(chains, callback=self.callback)

        self.assertEqual(
            ("gone", None, None, False),
            (result.state, result.transition, result.final_state, result.moved),
        )
        self.assertEqual([], self.called)

    def test_unknown_state(self) -> None:
        """A state that is not configured any more has no transition (C57)."""
        old = self.chains({NEW: [transition("Old", "old")], "old": [GO], "gone": []})
        chain = self.get(old)
        self.execute(old, callback=self.callback)
        new = self.chains({NEW: [GO], "gone": []})
        result = self.execute(new, chain)

        self.assertEqual(("old", None), (result.state, result.transition))

    def test_result(self) -> None:
        """A result can be had as plain values, with the new state (C58)."""
        chains = self.chains({NEW: [NO, GO], **ENDS})
        chain = self.get(chains)
        result = self.execute(chains, initial_context={"a": 1}, callback=self.callback)

        self.assertEqual(
            {
                "errors": {"<No>": ["not today", "nor tomorrow"]},
                "dry_run": False,
                "transition": {"errors": [], "context": {"a": 1}, "final_state": "gone"},
                "chain": {"id": chain.id, "state": "gone"},
            },
            result.to_dict(),
        )

    def test_one_at_a_time(self) -> None:
        """Executing makes one transition at most (C59)."""
        chains = self.chains({NEW: [GO], "gone": [transition("On", "on")], "on": []})

        states = [self.execute(chains, callback=self.callback).state for _ in range(3)]
        self.assertEqual(["gone", "on", "on"], states)
        self.assertEqual(["Go", "On"], [name for name, _ in self.called])

    def test_waiting(self) -> None:
        """is_valid may be a coroutine, or give a Deferred."""
        waiting: Deferred[bool] = Deferred()

        async def is_valid(self: Any) -> bool:
            self.errors.append("asked")
            return await waiting

        graph = {
            NEW: [
                transition("A", "a", lambda self: succeed(False)),
                transition("B", "b", is_valid),
            ],
            "a": [],
            "b": [],
        }
        chains = self.chains(graph)
        self.get(chains)
        executing = chains.execute_chain(callback=self.callback)
        self.clock.advance(1)
        self.assertNoResult(executing)
        waiting.callback(True)
        result = self.wait(executing)

        self.assertEqual(("b", {"<A>": []}), (result.state, result.errors))


class TransitionTests(ChainTestCase):
    """What a transition is and knows."""

    def test_final_state(self) -> None:
        """Without a final state a transition is refused at once (C31, C32)."""
        nameless = type("Nameless", (Transition,), {"is_valid": lambda self: True})
        error = self.assertRaises(
            ValueError,
            ChainDispatcher,
            "cart",
            configured({NEW: [nameless]}),
            dispatcher=self.dispatcher,
        )

        self.assertIn("Nameless", str(error))

    def test_is_valid(self) -> None:
        """Without is_valid a transition cannot be judged (C33)."""
        chains = self.chains({NEW: [transition("Blank", DONE, None)]})
        error = self.assertRaises(NotImplementedError, self.execute, chains)

        self.assertIn("Blank", str(error))
        self.assertEqual(NEW, self.stored(chains).state)

    def test_knows(self) -> None:
        """A transition has its chain, the resources, and a list for its errors (C38, C41)."""
        seen: list[Any] = []
        chains = self.chains({NEW: [transition("Go", DONE, lambda self: seen.append(self))]})
        chain = self.get(chains)
        self.execute(chains)

        (made,) = seen
        self.assertIs(chain, made.chain)
        self.assertEqual({"online_booking": "123456", "customer": "57844"}, made.resources)
        self.assertEqual([], made.errors)

    def test_initial_context(self) -> None:
        """The given context and that of the class are merged, and the class wins (C39)."""
        go = transition("Go", "gone", initial_context={"a": "class", "b": "class"})
        chains = self.chains({NEW: [go], "gone": []})
        result = self.execute(
            chains, initial_context={"b": "given", "c": "given"}, callback=self.callback
        )

        self.assertEqual({"a": "class", "b": "class", "c": "given"}, result.transition.context)
        self.assertEqual({"a": "class", "b": "class"}, go.initial_context)

    def test_build_context(self) -> None:
        """build_context is called before the callback, and may wait (C40)."""
        seen = []

        async def build_context(self: Any) -> dict[str, str]:
            return {"booking_id": await succeed(self.resources["online_booking"])}

        go = transition("Go", "gone", build_context=build_context)
        chains = self.chains({NEW: [go], "gone": []})
        self.execute(chains, callback=lambda made: seen.append(made.context))

        self.assertEqual([{"booking_id": "123456"}], seen)

    def test_bad_context(self) -> None:
        """A context that is no dict is refused, and the chain stays where it is."""
        chains = self.chains(
            {NEW: [transition("Go", "gone", build_context=lambda self: 7)], "gone": []}
        )
        self.assertRaises(InvalidTransition, self.execute, chains, callback=self.callback)

        self.assertEqual((NEW, []), (self.stored(chains).state, self.called))

    def test_shown(self) -> None:
        """A transition shows its name, and its final state (C35, C42)."""
        made = GO(self.get(self.chains({NEW: [GO], "gone": []})))

        self.assertEqual(("<Go>", "<Go: gone>"), (str(made), repr(made)))
        self.assertEqual({"errors": [], "context": {}, "final_state": "gone"}, made.to_dict())

    def test_is_valid_raises(self) -> None:
        """What is_valid raises is told as it is, and the chain is free again (C43, C80)."""
        error = KeyError("boom")

        def is_valid(self: Any) -> bool:
            if raising:
                raise error
            return True

        raising = [True]
        chains = self.chains({NEW: [transition("Go", "gone", is_valid)], "gone": []})
        self.assertIs(error, self.assertRaises(KeyError, self.execute, chains))
        raising.clear()

        self.assertEqual("gone", self.execute(chains, callback=self.callback).state)
