"""Transitions that wait: for a time, until a deadline, or for something from outside."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.internet.defer import Deferred

from tests.chains import RESOURCES, ChainTestCase, refusing, transition
from tests.durable import EPOCH
from twisted_dispatcher.chains import DONE, NEW
from twisted_dispatcher.errors import (
    InvalidCallback,
    InvalidResources,
    InvalidTransition,
    NotEncodable,
    UnknownChain,
)

NOW = datetime.fromtimestamp(EPOCH, timezone.utc)


class NotBeforeTests(ChainTestCase):
    """A transition that is not made before some time."""

    def test_span(self) -> None:
        """So long after the state was entered it is made, by the schedule to the second."""
        remind = transition("Remind", "reminded", None, not_before=timedelta(days=2))
        again = transition("Again", "reminded again", None, not_before=3600)
        chains = self.chains({NEW: [remind], "reminded": [again], "reminded again": []})
        self.get(chains)
        result = self.execute(chains)
        self.assertEqual({"<Remind>": [f"not before {NOW + timedelta(days=2)}"]}, result.errors)

        def callback(made: Any) -> None:
            self.called.append((made.name, self.clock.seconds() - EPOCH))

        chains.start(callback)
        self.clock.pump([1800] * 100)

        self.assertEqual(["Remind", "Again"], [name for name, _ in self.called])
        at = [when for _, when in self.called]
        self.assertEqual(2 * 86_400, at[0])
        self.assertEqual(at[0] + 3600, at[1])

    def test_moment(self) -> None:
        """A time is a time, also where the transition works it out."""
        at = NOW + timedelta(hours=5)
        for n, given in enumerate((at, property(lambda self: at))):
            chains = self.chains(
                {NEW: [transition("Go", DONE, not_before=given)]}, chain_type=f"type {n}"
            )
            self.get(chains)
            self.assertFalse(self.execute(chains).moved)
            self.clock.advance(5 * 3600)
            self.assertTrue(self.execute(chains).moved)
            self.clock.rightNow -= 5 * 3600

    def test_not_asked(self) -> None:
        """Before its time a transition is not asked whether it is valid."""
        asked: list[Any] = []
        go = transition("Go", DONE, lambda self: asked.append(1), not_before=60)
        chains = self.chains({NEW: [go]})
        self.execute(chains)

        self.assertEqual([], asked)

    def test_nonsense(self) -> None:
        """What is no time is refused."""
        go = transition("Go", DONE, not_before=property(lambda self: "tomorrow"))

        self.assertRaises(InvalidTransition, self.execute, self.chains({NEW: [go]}))


class DeadlineTests(ChainTestCase):
    """A transition that is given up, and another one that is taken then."""

    def setUp(self) -> None:
        """Make an approval that is escalated after three days."""
        super().setUp()
        self.escalate = transition("Escalate", "escalated", None)
        approve = transition(
            "Approve",
            "approved",
            None,
            wait_for="approval",
            give_up_after=timedelta(days=3),
            otherwise=self.escalate,
        )
        self.graph: Any = {NEW: [approve], "approved": [], "escalated": []}

    def test_in_time(self) -> None:
        """What arrives in time is used."""
        chains = self.chains(self.graph)
        chain = self.get(chains)
        self.clock.advance(2 * 86_400)
        self.wait(chains.signal(chain, "approval"))

        self.assertEqual("approved", self.execute(chains, callback=self.callback).state)

    def test_too_late(self) -> None:
        """When it is over the other one is taken, by the schedule too."""
        chains = self.chains(self.graph)
        chain = self.get(chains)
        chains.start(self.callback)
        self.clock.pump([3600] * 71)
        self.assertEqual([], self.called)
        self.clock.pump([3600] * 2)
        self.wait(chains.signal(chain, "approval"))

        self.assertEqual([("Escalate", {})], self.called)

    def test_errors(self) -> None:
        """What was given up says so."""
        chains = self.chains(self.graph)
        self.get(chains)
        self.clock.advance(3 * 86_400)
        result = self.execute(chains, callback=self.callback)

        self.assertEqual(
            {"<Approve>": [f"was given up at {NOW + timedelta(days=3)}"]}, result.errors
        )

    def test_nothing_instead(self) -> None:
        """Where nothing stands in, the next transition is tried."""
        stale = transition("Stale", "a", give_up_after=60)
        chains = self.chains({NEW: [stale, transition("Go", "b")], "a": [], "b": []})
        self.get(chains)
        self.clock.advance(60)

        self.assertEqual("b", self.execute(chains, callback=self.callback).state)

    def test_other_refuses(self) -> None:
        """The one that stands in may refuse."""
        other = transition("Other", "b", refusing("not even that"))
        stale = transition("Stale", "a", give_up_after=60, otherwise=other)
        chains = self.chains({NEW: [stale], "a": [], "b": []})
        self.get(chains)
        self.clock.advance(60)
        result = self.execute(chains)

        self.assertEqual(["not even that"], result.errors["<Other>"])


class SignalTests(ChainTestCase):
    """A transition that waits for something from outside."""

    def setUp(self) -> None:
        """Make a chain that waits for two things, one after another."""
        super().setUp()
        self.chains_ = self.chains(
            {
                NEW: [transition("Pay", "paid", None, wait_for="payment")],
                "paid": [transition("Pack", "packed", None, wait_for=("packer", "box"))],
                "packed": [],
            }
        )
        self.chain = self.get(self.chains_)

    def test_waits(self) -> None:
        """Without it, it is refused, and says for what it waits."""
        result = self.execute(self.chains_)

        self.assertEqual({"<Pay>": ["waits for 'payment'"]}, result.errors)

    def test_arrives(self) -> None:
        """What arrives wakes the schedule, and its value is in the transition."""

        def callback(made: Any) -> None:
            self.called.append((made.name, made.signals))

        self.chains_.start(callback)
        self.clock.pump([60] * 10)
        self.assertEqual([], self.called)
        self.wait(self.chains_.signal(self.chain, "payment", {"amount": 17}))
        self.clock.advance(1)

        self.assertEqual([("Pay", {"payment": {"amount": 17}})], self.called)

    def test_early(self) -> None:
        """What came early is remembered, and used up once."""
        for name in ("box", "payment", "packer"):
            self.wait(self.chains_.signal(self.chain.id, name, name))
        result = self.wait(self.chains_.run_chain(callback=self.callback))
        self.assertEqual("packed", result.state)

        self.assertEqual({}, self.wait(self.chains_.why()).signals)

    def test_all(self) -> None:
        """Of several things all are waited for."""
        self.wait(self.chains_.signal(self.chain, "payment"))
        self.wait(self.chains_.signal(self.chain, "packer"))
        result = self.wait(self.chains_.run_chain(callback=self.callback))

        self.assertEqual(("paid", {"<Pack>": ["waits for 'box'"]}), (result.state, result.errors))
        self.assertEqual({"packer": None}, self.wait(self.chains_.why()).signals)

    def test_by_resources(self) -> None:
        """A chain is told by what it is about, and made where there is none yet."""
        told = self.wait(self.chains_.signal(RESOURCES[:1], "payment", 1))
        made = self.wait(self.chains_.signal([("customer", "1")], "payment", 2))
        self.get(self.chains_, [("customer", "1")])

        self.assertEqual(self.chain.id, told.id)
        self.assertEqual(made.id, self.chains_.chain and self.chains_.chain.id)
        self.assertEqual("paid", self.execute(self.chains_, callback=self.callback).state)

    def test_while_executed(self) -> None:
        """What arrives while a chain is executed is not overlooked."""
        waiting: Deferred[bool] = Deferred()
        both = transition("Both", "b", lambda self: waiting)
        chains = self.chains(
            {NEW: [both, transition("Go", DONE, None, wait_for="go")], "b": []}, "other"
        )
        chain = self.get(chains)
        chains.start(self.callback)
        self.clock.advance(1)
        self.wait(chains.signal(chain, "go"))
        waiting.callback(False)
        self.clock.advance(2)

        self.assertEqual(DONE, self.stored(chains).state)

    def test_bad(self) -> None:
        """What cannot be told is refused, and nothing is kept."""
        signal = self.chains_.signal
        self.assertRaises(InvalidCallback, signal, self.chain, "")
        self.assertRaises(InvalidCallback, signal, self.chain, 7)
        self.assertRaises(InvalidResources, signal, [], "payment")
        self.assertRaises(NotEncodable, self.wait, signal(self.chain, "payment", object()))
        self.assertRaises(NotEncodable, self.wait, signal([("a", "b")], "payment", object()))
        self.assertRaises(UnknownChain, self.wait, signal("unknown", "payment"))

        self.assertEqual({}, self.wait(self.chains_.why()).signals)
        self.assertEqual({NEW: 1}, self.wait(self.chains_.counts()))
