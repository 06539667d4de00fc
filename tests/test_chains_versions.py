"""Tests of what becomes of live chains when their configuration changes."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chains.versions import StatePlan, definition_of, plan_states
from twisted_dispatcher.errors import BadRenames, VanishedStates

STATES = ("new", "sent", "done")


def plan(counts: Mapping[str, int], **renamed: str) -> StatePlan:
    """Plan the change to the states above."""
    return plan_states("cart", STATES, counts, renamed)


class PlanTests(SynchronousTestCase):
    """Which chains can go on."""

    def test_nothing_vanished(self) -> None:
        """Where all chains are in states that are known there is nothing to do."""
        found = plan({"new": 3, "done": 7})

        self.assertEqual(StatePlan("cart", (), ()), found)
        found.check()

    def test_vanished(self) -> None:
        """States that are gone are refused, with the counts of their chains and the way out."""
        found = plan({"new": 3, "mailed": 1200, "called": 2})

        error = self.assertRaises(VanishedStates, found.check)

        self.assertEqual({"called": 2, "mailed": 1200}, error.counts)
        self.assertIn("'called' (2), 'mailed' (1,200)", str(error))
        self.assertIn("'renamed': {'called': 'new_state'}", str(error))

    def test_renamed(self) -> None:
        """A map from old states to new ones lets chains go on, and its effect is told before."""
        found = plan({"mailed": 1200, "called": 2}, mailed="sent", called="done", faxed="sent")

        self.assertEqual((("called", "done", 2), ("mailed", "sent", 1200)), found.renamed)
        found.check()

    def test_half_a_map(self) -> None:
        """A map that leaves out one of the states is refused for that one."""
        found = plan({"mailed": 1200, "called": 2}, mailed="sent")

        self.assertEqual((("called", 2),), found.vanished)

    def test_empty_states(self) -> None:
        """A state that no chain is in may go."""
        plan({"mailed": 0}).check()

    def test_bad_maps(self) -> None:
        """A map to a state that is not there, or from one that is, is refused."""
        error = self.assertRaises(BadRenames, plan, {}, mailed="nowhere")
        self.assertIn("'mailed' -> 'nowhere'", str(error))
        self.assertRaises(BadRenames, plan, {}, new="sent")


class DefinitionTests(SynchronousTestCase):
    """What stands for a graph."""

    def test_stays(self) -> None:
        """It is the same in every process and release: it is stored with chains."""
        self.assertEqual(
            "8432df5097bd08c5", definition_of({"new": [("Send", "sent")], "sent": []})
        )
