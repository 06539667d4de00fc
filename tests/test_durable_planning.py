"""Tests of the plans that a durable dispatcher keeps, and when it drops them."""

from __future__ import annotations

import gc
import re
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import DurableDispatcher, HandlerOptions, Where, open_store
from twisted_dispatcher.durable.planning import LONGEST_KEPT, MOST_KEPT
from twisted_dispatcher.errors import NotEncodable, UnknownKeyword
from twisted_dispatcher.testing import pump


class Text(str):
    """Equals a text, and is none that is written as one."""


class PlanningTests(SynchronousTestCase):
    """A dispatcher, and the handlers that its events meet."""

    def setUp(self) -> None:
        """Start a dispatcher."""
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = open_store("sqlite://", reactor=self.clock)
        self.addCleanup(self.store.close)
        self.dispatcher = DurableDispatcher(self.store, ("kind", "size"), clock=self.clock)
        self.called: list[str] = []
        self.dispatcher.start()
        pump(self.clock, self.dispatcher.when_ready())
        self.addCleanup(lambda: pump(self.clock, self.dispatcher.stop()))

    def add(self, name: str, **spec: Any) -> int:
        """Register a handler that notes its name; give the id."""
        adding = self.dispatcher.add_event_handler(
            lambda event: self.called.append(name),
            "during",
            False,
            options=HandlerOptions(name=name),
            **spec,
        )
        return int(self.successResultOf(adding))

    def fire(self, **details: Any) -> list[str]:
        """Fire an event, and give the names of the handlers that were called."""
        self.called.clear()
        pump(self.clock, self.dispatcher.fire_event("an event", **details))
        return sorted(self.called)

    def kept(self) -> int:
        """Count the plans that are kept."""
        return len(self.dispatcher._planner._kept)

    def test_kept(self) -> None:
        """Events with the same texts share a plan."""
        self.add("a", kind="order")
        for _ in range(3):
            self.assertEqual(["a"], self.fire(kind="order"))

        self.assertEqual(1, self.kept())

    def test_changes(self) -> None:
        """After any change of what is registered or allowed the plan is a new one."""
        first = self.add("a", kind="order")
        self.fire(kind="order")
        self.add("b", kind="order")
        self.assertEqual(["a", "b"], self.fire(kind="order"))

        self.dispatcher.remove_event_handler(first)
        self.assertEqual(["b"], self.fire(kind="order"))

        self.fire(kind="order", size="small")
        self.dispatcher.forbid_keyword("size")
        self.assertRaises(UnknownKeyword, self.fire, kind="order", size="small")

    def test_collected(self) -> None:
        """A handler that was collected is in no plan any more."""

        class Owner:
            def handle(self, event: object) -> None:
                called.append("weak")

        called = self.called
        owner = Owner()
        options = HandlerOptions(name="weak")
        self.dispatcher.add_event_handler(owner.handle, "during", options=options, kind="order")
        self.assertEqual(["weak"], self.fire(kind="order"))
        del owner
        gc.collect()

        self.assertEqual([], self.fire(kind="order"))

    def test_planned_together(self) -> None:
        """Events that were accepted where nobody knew the handlers are planned by one commit."""
        self.add("a", kind="order")
        elsewhere = DurableDispatcher(self.store, ("kind",), clock=self.clock, worker=False)
        elsewhere.start()
        asked: list[int] = []
        all_asked: list[int] = []
        plan = self.store.plan

        def answered(accepted: Any) -> Any:
            all_asked.append(len(asked))
            return accepted

        def note(event_id: int, *rest: Any) -> Any:
            asked.append(event_id)
            return plan(event_id, *rest).addCallback(answered)

        self.patch(self.store, "plan", note)
        for _ in range(3):
            elsewhere.accept_event("an event", kind="order")
        while len(self.called) < 3:
            self.clock.advance(1)

        self.assertEqual([3, 3, 3], all_asked)

    def test_what_equals_a_text(self) -> None:
        """What merely equals a text is refused, also where the text is known."""
        self.add("a", kind="order")
        self.fire(kind="order")
        accepting = self.dispatcher.accept_event("an event", kind=Text("order"))

        self.failureResultOf(accepting, NotEncodable)

    def test_other_values(self) -> None:
        """Values that are equal and not the same are each planned, and written, for themselves."""
        self.add("a", size=1)
        for size in (1, True, 1.0):
            self.assertEqual(["a"], self.fire(size=size))

        self.assertEqual(0, self.kept())

    def test_patterns(self) -> None:
        """Where only patterns were asked, the same texts share a plan: they fit or they do not."""
        self.add("fits", kind=re.compile("ord"))
        self.add("does not", kind=re.compile("^rd"))
        for _ in range(3):
            self.assertEqual(["fits"], self.fire(kind="order"))

        self.assertEqual(1, self.kept())
        self.assertEqual([], self.fire(kind="other"))

    def test_predicates(self) -> None:
        """Where a predicate was asked, it is asked every time, and patterns beside it are."""
        answers = iter([True, False])
        self.add("pattern", kind=re.compile("ord"))
        self.add("predicate", kind=Where(lambda kind: next(answers)))

        self.assertEqual(["pattern", "predicate"], self.fire(kind="order"))
        self.assertEqual(["pattern"], self.fire(kind="order"))
        self.assertEqual(0, self.kept())

    def test_bounds(self) -> None:
        """However many different details are fired, few plans are kept, and none of long ones."""
        for number in range(MOST_KEPT + 10):
            self.dispatcher.accept_event("an event", kind=str(number))
        self.assertLessEqual(self.kept(), MOST_KEPT)
        before = self.kept()
        self.dispatcher.accept_event("an event", kind="x" * LONGEST_KEPT)

        self.assertEqual(before, self.kept())

    def test_order_of_details(self) -> None:
        """The same details in another order, and other names for the same texts, are no mix-up."""
        self.add("a", kind="x", size="y")

        self.assertEqual(["a"], self.fire(kind="x", size="y"))
        self.assertEqual([], self.fire(size="x", kind="y"))
        self.assertEqual(["a"], self.fire(size="y", kind="x"))
