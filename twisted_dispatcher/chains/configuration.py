"""Which transitions lead on from which states of a type of chain."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import attrs

from twisted_dispatcher.chains.states import DONE
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.errors import InvalidTransition, UnknownChainType

Transitions = Mapping[str, tuple[type[Transition], ...]]


@attrs.frozen
class Configuration:
    """
    The states and transitions of one type of chain.

    :ivar transitions: by state, the transitions that leave it, in the order of their trial.
    :ivar definition: stands for all of it.
    """

    chain_type: str
    transitions: Transitions
    definition: str

    @property
    def states(self) -> frozenset[str]:
        """All states that are listed, and DONE."""
        return frozenset(self.transitions) | {DONE}

    def transitions_of(self, state: str) -> tuple[type[Transition], ...]:
        """Give the transitions that leave a state; none for one that is unknown."""
        return self.transitions.get(state, ())

    def is_end(self, state: str) -> bool:
        """Tell whether there is no way on from a state."""
        return state == DONE or not self.transitions_of(state)

    def final_transition(self) -> type[Transition] | None:
        """Give the first transition that leads to DONE, whatever state it leaves."""
        for transitions in self.transitions.values():
            for each in transitions:
                if each.final_state == DONE:
                    return each
        return None


def configuration_of(chain_type: str, chain_configs: Any) -> Configuration:
    """
    Read the configuration of a type of chain.

    :raises UnknownChainType, InvalidTransition: when that cannot be.
    """
    chains = chain_configs["chains"]
    for each in chains:
        if each.get("chain_type") == chain_type:
            transitions = {state: tuple(own) for state, own in each["transitions"].items()}
            _check(transitions)
            return Configuration(chain_type, transitions, _hash(transitions))
    raise UnknownChainType(chain_type, [each.get("chain_type") for each in chains])


def _check(transitions: Transitions) -> None:
    for own in transitions.values():
        for each in own:
            if not isinstance(getattr(each, "final_state", None), str):
                raise InvalidTransition(f"{each.__name__} has no final_state: give it one")


def _hash(transitions: Transitions) -> str:
    text = repr(
        sorted(
            (state, [(t.__name__, t.final_state) for t in own])
            for state, own in transitions.items()
        )
    )
    return blake2b(text.encode(), digest_size=8).hexdigest()
