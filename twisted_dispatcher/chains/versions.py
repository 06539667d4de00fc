"""
What becomes of live chains when the configuration of their type changes; pure.

Every chain is under a *definition*, which stands for the states and transitions that it was made
by. States that come are no matter. Chains in a state that is gone could never go on, and nobody
would see it: they must be given another state before the new configuration is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import attrs

from twisted_dispatcher.errors import BadRenames, VanishedStates

Edges = Mapping[str, Sequence[tuple[str, str]]]


def definition_of(edges: Edges) -> str:
    """
    Give what stands for a graph: another one, but for the order of its states, has another.

    :param edges: by state, the names of its transitions with the states that they lead to, in the
        order in which they are tried.
    """
    text = json.dumps({state: list(map(list, edges[state])) for state in sorted(edges)})
    return blake2b(text.encode("ascii"), digest_size=8).hexdigest()


@attrs.frozen
class StatePlan:
    """
    What taking up a configuration would do to the chains that there are.

    :ivar renamed: old states with the new ones and the numbers of chains, where there are any.
    :ivar vanished: states that are gone and renamed to none, with the numbers of chains in them.
    """

    chain_type: str
    renamed: tuple[tuple[str, str, int], ...]
    vanished: tuple[tuple[str, int], ...]

    def check(self) -> None:
        """
        Refuse to go on where chains would be stranded.

        :raises VanishedStates: with the states and the numbers of chains.
        """
        if self.vanished:
            raise VanishedStates(self.chain_type, dict(self.vanished))


def plan_states(
    chain_type: str,
    states: Iterable[str],
    counts: Mapping[str, int],
    renamed: Mapping[str, str],
) -> StatePlan:
    """
    Tell what would become of the chains of a type.

    :param states: those of the new configuration, DONE among them.
    :param counts: how many chains there are, by state.
    :param renamed: by old state, the state to be in instead.
    :raises BadRenames: where a new state is not known, or an old one is.
    """
    known = frozenset(states)
    wrong = {old: new for old, new in renamed.items() if old in known or new not in known}
    if wrong:
        raise BadRenames(chain_type, wrong, known)
    live = {state: number for state, number in sorted(counts.items()) if number}
    return StatePlan(
        chain_type,
        tuple((old, renamed[old], live[old]) for old in live if old in renamed),
        tuple((old, live[old]) for old in live if old not in known and old not in renamed),
    )
