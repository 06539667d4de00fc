"""Which transitions lead on from which states of a type of chain."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from twisted_dispatcher.chains.files import read_chain_configs
from twisted_dispatcher.chains.shapes import Reader, Shape
from twisted_dispatcher.chains.soundness import ways_on
from twisted_dispatcher.chains.states import DONE
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.chains.versions import definition_of
from twisted_dispatcher.errors import (
    DuplicateChainType,
    InvalidChainConfiguration,
    UnknownChainType,
)


@attrs.frozen
class Configuration:
    """
    The states and transitions of one type of chain; it has been found to be sound.

    :ivar transitions: by state, the transitions that leave it, in the order of their trial.
    :ivar renamed: by states that are no more, those that live chains are to be in instead.
    :ivar definition: stands for all states and transitions: another one, another definition.
    """

    chain_type: str
    transitions: Mapping[str, tuple[type[Transition], ...]]
    renamed: Mapping[str, str]
    definition: str

    @property
    def states(self) -> frozenset[str]:
        """All states that are listed, and DONE."""
        return frozenset(self.transitions) | {DONE}

    @property
    def going(self) -> tuple[str, ...]:
        """The states that have a way on, as they are listed."""
        return tuple(state for state in self.transitions if not self.is_end(state))

    def transitions_of(self, state: str) -> tuple[type[Transition], ...]:
        """Give the transitions that leave a state; none for one that is unknown."""
        return self.transitions.get(state, ())

    def is_end(self, state: str) -> bool:
        """
        Tell whether there is no way on from a state.

        One that is not known is no end: whoever has another configuration may know a way.
        """
        return state == DONE or (state in self.transitions and not self.transitions[state])

    def final_transition(self) -> type[Transition] | None:
        """Give the first transition that leads to DONE, whatever state it leaves."""
        for own in self.transitions.values():
            for each in own:
                if each.final_state == DONE:
                    return each
        return None


def configuration_of(chain_type: str, chain_configs: Any) -> Configuration:
    """
    Give the configuration of one type of chain, once all of them are found to be sound.

    :param chain_configs: ``{"chains": [{"chain_type": ..., "transitions": {state: [...]}}]}``, or
        the path of a TOML or JSON file that says the same.
    :raises InvalidChainConfiguration: with all faults, also those of the other types.
    :raises UnknownChainType, UnreadableChainConfiguration: where there is nothing to judge.
    """
    found = configurations(chain_configs)
    if chain_type not in found:
        raise UnknownChainType(chain_type, found)
    return found[chain_type]


def configurations(chain_configs: Any) -> dict[str, Configuration]:
    """
    Give the configurations of all types of chains by their types.

    Of several of one type the first is used, with a `DuplicateChainType` warning.

    :raises InvalidChainConfiguration, UnreadableChainConfiguration: see `configuration_of`.
    """
    if isinstance(chain_configs, (str, os.PathLike)):
        chain_configs = read_chain_configs(chain_configs)
    reader = Reader()
    shapes = reader.read(chain_configs)
    if reader.faults:
        raise InvalidChainConfiguration(reader.faults)
    _warn_of_duplicates(shapes)
    found: dict[str, Configuration] = {}
    for each in shapes:
        found.setdefault(each.chain_type, _configuration(each))
    return found


def _configuration(shape: Shape) -> Configuration:
    edges = {
        state: [(each.__name__, each.final_state) for each in ways_on(own)]
        for state, own in shape.transitions.items()
    }
    return Configuration(shape.chain_type, shape.transitions, shape.renamed, definition_of(edges))


def _warn_of_duplicates(shapes: Sequence[Shape]) -> None:
    for chain_type, number in Counter(each.chain_type for each in shapes).items():
        if number > 1:
            warnings.warn(
                f"chain_type {chain_type!r} is configured {number} times; the first one is used: "
                "remove the others",
                DuplicateChainType,
                stacklevel=4,
            )
