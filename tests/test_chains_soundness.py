"""Tests of what is found to be wrong with graphs, on graphs of any shape."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.chains.soundness import faults_of
from twisted_dispatcher.chains.states import DONE, NEW
from twisted_dispatcher.chains.transition import Transition

# Machines may be slow: no example is judged by its time.
SETTINGS = PATIENT
STATES = (NEW, "a", "b", "c", "d")
edges = st.dictionaries(
    st.sampled_from(STATES), st.lists(st.sampled_from([*STATES, DONE]), unique=True)
)


def transitions_of(graph: dict[str, list[str]]) -> dict[str, tuple[type[Transition], ...]]:
    """Give a transition for each edge, each with a name of its own."""
    return {
        state: tuple(
            type(f"From{state}To{target}", (Transition,), {"final_state": target})
            for target in graph.get(state, [])
        )
        for state in STATES
    }


def closure(graph: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Give all pairs of states of which the second can be reached from the first (Warshall)."""
    reached = {(state, target) for state, targets in graph.items() for target in targets}
    for middle, first, last in product(STATES, STATES, STATES):
        if (first, middle) in reached and (middle, last) in reached:
            reached.add((first, last))
    return reached


class SoundnessTests(SynchronousTestCase):
    """Graphs of any shape."""

    @SETTINGS
    @given(edges)
    def test_unreachable(self, graph: dict[str, list[str]]) -> None:
        """Exactly those states are complained of that cannot be reached from the first one."""
        reached = closure(graph)
        lost = {each for each in STATES if each != NEW and (NEW, each) not in reached}

        faults = list(faults_of(transitions_of(graph), {}))

        self.assertEqual(len(lost), len(faults))
        for state in lost:
            self.assertTrue(any(f"state {state!r} cannot" in fault for fault in faults), faults)

    @SETTINGS
    @given(edges, st.sampled_from(STATES[1:]))
    def test_unknown(self, graph: dict[str, list[str]], left_out: str) -> None:
        """Every transition to a state that is left out is complained of."""
        transitions = transitions_of(graph)
        del transitions[left_out]
        into = [state for state in transitions if left_out in graph.get(state, [])]

        faults = [each for each in faults_of(transitions, {}) if "the unknown state" in each]

        self.assertEqual(len(into), len(faults))
