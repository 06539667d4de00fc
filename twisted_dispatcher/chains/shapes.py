"""Reading what was given as ``chain_configs``: its shape, with all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from twisted_dispatcher.chains.entries import BadEntry, Entries
from twisted_dispatcher.chains.soundness import faults_of
from twisted_dispatcher.chains.transition import Transition

CHAINS: Final = "chains"
CHAIN_TYPE: Final = "chain_type"
TRANSITIONS: Final = "transitions"
RENAMED: Final = "renamed"
_KEYS: Final = (CHAIN_TYPE, TRANSITIONS, RENAMED)


@attrs.frozen
class Shape:
    """One type of chain, as it was written down."""

    chain_type: str
    transitions: dict[str, tuple[type[Transition], ...]]
    renamed: dict[str, str]


class Reader:
    """
    Reads configurations, and goes on after a fault to find the others.

    :ivar faults: what was found to be wrong, each in a sentence that says where.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._entries = Entries()

    def read(self, configs: Any) -> list[Shape]:
        """Give the types of chains that can be made out, in the order in which they are given."""
        if not isinstance(configs, Mapping):
            self._complain("", f"it is a mapping with the key {CHAINS!r}, not {configs!r}")
            return []
        chains = configs.get(CHAINS)
        if not isinstance(chains, (list, tuple)):
            self._complain(
                "", f"it lists its types of chains under {CHAINS!r}, which is {chains!r}"
            )
            return []
        self._unknown_keys("", configs, (CHAINS,))
        return [shape for each in enumerate(chains) for shape in self._shape(*each)]

    def _shape(self, number: int, given: Any) -> Iterator[Shape]:
        where = f"{CHAINS}[{number}]"
        if not isinstance(given, Mapping):
            self._complain(where, f"it is a mapping with {', '.join(_KEYS[:2])}, not {given!r}")
            return
        self._unknown_keys(where, given, _KEYS)
        chain_type = given.get(CHAIN_TYPE)
        if not (isinstance(chain_type, str) and chain_type):
            self._complain(where, f"its {CHAIN_TYPE!r} is a text, not {chain_type!r}")
            return
        where = f"{where} ({chain_type})"
        before = len(self.faults)
        transitions = self._transitions(where, given.get(TRANSITIONS))
        renamed = self._renamed(where, given.get(RENAMED, {}))
        if len(self.faults) == before:
            for fault in faults_of(transitions, renamed):
                self._complain(where, fault)
        yield Shape(chain_type, transitions, renamed)

    def _transitions(self, where: str, given: Any) -> dict[str, tuple[type[Transition], ...]]:
        if not isinstance(given, Mapping) or not given:
            self._complain(
                where,
                f"Could not find transitions on chain: {TRANSITIONS!r} is a mapping of states to "
                f"lists of transitions, not {given!r}",
            )
            return {}
        return {
            str.__str__(state): self._listed(f"{where}, state {state!r}", own)
            for state, own in given.items()
            if self._is_state(where, state)
        }

    def _listed(self, where: str, given: Any) -> tuple[type[Transition], ...]:
        if not isinstance(given, (list, tuple)):
            self._complain(where, f"its transitions are a list, not {given!r}")
            return ()
        return tuple(found for entry in given for found in self._entry(where, entry))

    def _entry(self, where: str, entry: Any) -> Iterator[type[Transition]]:
        try:
            yield self._entries.transition_of(entry)
        except BadEntry as error:
            self._complain(where, str(error))

    def _renamed(self, where: str, given: Any) -> dict[str, str]:
        if not isinstance(given, Mapping):
            self._complain(where, f"{RENAMED!r} is a mapping of old states to new ones")
            return {}
        pairs = [(old, new) for old, new in given.items() if self._is_state(where, old)]
        return {old: str.__str__(new) for old, new in pairs if self._is_state(where, new)}

    def _is_state(self, where: str, state: Any) -> bool:
        if isinstance(state, str) and state:
            return True
        self._complain(where, f"the name of a state is a text, not {state!r}")
        return False

    def _unknown_keys(self, where: str, given: Mapping[Any, Any], known: tuple[str, ...]) -> None:
        for key in given:
            if key not in known:
                self._complain(where, f"unknown key {key!r}: known are {', '.join(known)}")

    def _complain(self, where: str, fault: str) -> None:
        self.faults.append(f"{where}: {fault}" if where else fault)
