"""Tests of the drawing of chains."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chains.configuration import configuration_of
from twisted_dispatcher.chains.graph import mermaid
from twisted_dispatcher.chains.states import DONE, NEW
from twisted_dispatcher.chains.transition import Transition


class Remind(Transition):
    """Leads to ``reminded``."""

    final_state = "reminded"


class Close(Transition):
    """Leads to the end, when somebody says so."""

    final_state = DONE
    wait_for = ("approval", "payment")


def drawn(transitions: Any, counts: Any = None) -> str:
    """Draw a graph."""
    configs = {"chains": [{"chain_type": "cart", "transitions": transitions}]}
    return mermaid(configuration_of("cart", configs), counts)


class GraphTests(SynchronousTestCase):
    """What is drawn."""

    def test_states_and_transitions(self) -> None:
        """Every transition is an arrow, with the name and what it waits for from outside."""
        self.assertEqual(
            "stateDiagram-v2\n"
            "    [*] --> new\n"
            "    new --> reminded : Remind\n"
            "    reminded --> done : Close (waits for approval, payment)\n"
            "    done --> [*]\n",
            drawn({NEW: [Remind], "reminded": [Close]}),
        )

    def test_counts(self) -> None:
        """With counts each state shows how many chains are in it."""
        text = drawn({NEW: [Remind], "reminded": []}, {"new": 1234})

        self.assertIn('state "new (1,234)" as new\n', text)
        self.assertIn('state "reminded (0)" as reminded\n', text)

    def test_vanished_states(self) -> None:
        """Chains in states that are gone are drawn apart."""
        text = drawn({NEW: [Close]}, {"lost": 3})

        self.assertIn('state "lost (3) not in the configuration" as lost\n', text)
        self.assertNotIn("lost -->", text)

    def test_stand_ins(self) -> None:
        """What stands in for a transition is an arrow, too."""
        urge = type("Urge", (Close,), {"give_up_after": 1, "otherwise": Remind})

        text = drawn({NEW: [urge], "reminded": []})

        self.assertIn("new --> reminded : Remind\n", text)

    def test_names_of_any_kind(self) -> None:
        """States may be named as they like: nothing of it is read as syntax."""
        wild = 'a "b"; --> c\n#x'
        transition = type("Wild", (Remind,), {"final_state": wild})
        end = type("End", (Remind,), {"final_state": "end"})

        text = drawn({NEW: [transition, end], wild: [], "end": []})

        self.assertIn('state "a #34;b#34;#59; --#62; c#10;#35;x" as state1_\n', text)
        self.assertIn("new --> state1_ : Wild\n", text)
        self.assertIn('state "end" as state2_\n', text)
