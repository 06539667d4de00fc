"""Tests of what happens to live chains when their configuration changes."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chains import (
    DONE,
    NEW,
    ChainDispatcher,
    Transition,
    VanishedStates,
)
from twisted_dispatcher.errors import BadRenames
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump


class Mail(Transition):
    """Leads to a state that goes away later."""

    final_state = "mailed"

    def is_valid(self) -> bool:
        return True


class Remind(Mail):
    """Leads to the state that comes instead."""

    final_state = "reminded"


class Close(Mail):
    """Leads to the end."""

    final_state = DONE


OLD = {NEW: [Mail], "mailed": []}
CHANGED = {NEW: [Remind], "reminded": [Close]}


class ChangingTests(SynchronousTestCase):
    """A chain in a state that a new configuration does not have."""

    def setUp(self) -> None:
        """Have a chain that is in the state ``mailed``."""
        self.durable, self.clock = clocked_durable_dispatcher()
        self.addCleanup(lambda: self.wait(self.durable.stop()))
        old = self.dispatcher(OLD)
        self.chain = self.wait(old.get_or_create_chain({"cart": "1"}))
        self.wait(old.execute_chain(self.chain, callback=lambda transition: None))

    def wait(self, deferred: Any) -> Any:
        """Let time pass until a Deferred has fired."""
        return pump(self.clock, deferred)

    def dispatcher(self, transitions: Any, **more: Any) -> ChainDispatcher:
        """Give a dispatcher of chains by a configuration."""
        entry = {"chain_type": "cart", "transitions": transitions, **more}
        return ChainDispatcher("cart", {"chains": [entry]}, dispatcher=self.durable)

    def start(self, chains: ChainDispatcher, **options: Any) -> None:
        """Start a schedule, wait until it works, and stop it after the test."""
        chains.start(callback=lambda transition: None, **options)
        self.addCleanup(lambda: self.wait(chains.stop()))
        self.wait(chains.when_ready())

    def state(self) -> str:
        """Give the state that is stored."""
        chains = self.dispatcher(CHANGED)
        return str(self.wait(chains.get_chain(self.chain.id)).state)

    def test_refused(self) -> None:
        """A schedule does not start where chains would be left behind, and nothing is changed."""
        chains = self.dispatcher(CHANGED)

        error = self.assertRaises(VanishedStates, self.start, chains)

        self.flushLoggedErrors(VanishedStates)
        self.assertEqual({"mailed": 1}, error.counts)
        self.assertFalse(chains.running)
        self.assertEqual("mailed", self.state())

    def test_waiting_for_the_start(self) -> None:
        """Whoever waits for the start is told that it was refused, before and after."""
        chains = self.dispatcher(CHANGED)
        chains.start()
        waiting = chains.when_ready()

        self.assertRaises(VanishedStates, self.wait, waiting)
        self.assertRaises(VanishedStates, self.wait, chains.when_ready())
        self.flushLoggedErrors(VanishedStates)

    def test_dry(self) -> None:
        """What a map would do is told before, and nothing is changed."""
        plan = self.wait(self.dispatcher(CHANGED).plan_states({"mailed": "reminded"}))

        self.assertEqual((("mailed", "reminded", 1),), plan.renamed)
        self.assertEqual("mailed", self.state())

    def test_renamed_at_the_start(self) -> None:
        """With a map chains are in the new states, and go on from there."""
        self.start(self.dispatcher(CHANGED), renamed={"mailed": "reminded"})
        self.wait(deferLater(self.clock, 1))

        self.assertEqual("done", self.state())

    def test_renamed_in_the_configuration(self) -> None:
        """The map may stand in the configuration."""
        self.start(self.dispatcher(CHANGED, renamed={"mailed": "reminded"}))
        self.wait(deferLater(self.clock, 1))

        self.assertEqual("done", self.state())

    def test_bad_map(self) -> None:
        """A map to a state that is not there is refused, and nothing is changed."""
        chains = self.dispatcher(CHANGED)
        self.assertRaises(BadRenames, self.wait, chains.plan_states({"mailed": "nowhere"}))

        self.assertRaises(BadRenames, self.start, chains, renamed={"mailed": "nowhere"})

        self.flushLoggedErrors(BadRenames)
        self.assertEqual("mailed", self.state())

    def test_started_again(self) -> None:
        """After it was refused, a schedule can be started with a map."""
        chains = self.dispatcher(CHANGED)
        self.assertRaises(VanishedStates, self.start, chains)
        self.flushLoggedErrors(VanishedStates)

        self.start(chains, renamed={"mailed": "reminded"})

        self.assertTrue(chains.running)

    def test_older_process(self) -> None:
        """A process with the old configuration leaves chains alone whose state it cannot know."""
        older = self.dispatcher(OLD)
        self.wait(older.store.adopt("cart", "x", {"mailed": "elsewhere"}, ["elsewhere"], 0.0))

        result = self.wait(older.execute_chain(self.chain))

        self.assertFalse(result.moved)
        self.assertEqual("elsewhere", result.state)
        self.assertIsNotNone(self.wait(older.why(self.chain)).next_try)

    def test_way_on_for_an_end(self) -> None:
        """Where a state that was an end has a way on, its chains go on."""
        self.start(self.dispatcher({NEW: [Mail], "mailed": [Close]}))
        self.wait(deferLater(self.clock, 1))

        self.assertEqual("done", self.state())
