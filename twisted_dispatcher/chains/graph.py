"""Drawing the states and transitions of a type of chain, as Mermaid text; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from twisted_dispatcher.chains.configuration import Configuration
from twisted_dispatcher.chains.soundness import ways_on
from twisted_dispatcher.chains.states import NEW
from twisted_dispatcher.chains.transition import Transition

# What Mermaid takes for a name of its own, or for syntax, is given another name and a label.
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE | re.ASCII)
_WORDS = frozenset(
    {"as", "class", "classdef", "direction", "end", "note", "state", "statediagram", "style"}
)
_UNSAFE = re.compile(r"[^\w ().,/+-]")


def mermaid(configuration: Configuration, counts: Mapping[str, int] | None = None) -> str:
    """
    Draw a state diagram.

    :param counts: how many chains are in which state. Given, every state shows its number, and
        states that chains are in and that the configuration does not know are drawn as well.
    """
    targets = [each.final_state for _, each in _edges(configuration)]
    states = list(dict.fromkeys([*configuration.transitions, *targets, *(counts or ())]))
    names = {state: _name(number, state) for number, state in enumerate(states)}
    lines = [
        "stateDiagram-v2",
        *_labels(names, configuration, counts),
        f"    [*] --> {names[NEW]}",
        *(
            f"    {names[state]} --> {names[each.final_state]} : {_text(_told(each))}"
            for state, each in _edges(configuration)
        ),
        *(f"    {names[state]} --> [*]" for state in _ends(states, configuration)),
    ]
    return "\n".join(lines) + "\n"


def _labels(
    names: Mapping[str, str], configuration: Configuration, counts: Mapping[str, int] | None
) -> Iterator[str]:
    for state, name in names.items():
        label = state
        if counts is not None:
            label += f" ({counts.get(state, 0):,})"
            if state not in configuration.states:
                label += " not in the configuration"
        if label != name:
            yield f'    state "{_text(label)}" as {name}'


def _edges(configuration: Configuration) -> Iterator[tuple[str, type[Transition]]]:
    for state, own in configuration.transitions.items():
        for each in dict.fromkeys(ways_on(own)):
            yield state, each


def _told(transition: type[Transition]) -> str:
    """Say how a transition is called, and what it waits for from outside."""
    signals = transition.wait_for
    if not isinstance(signals, (str, tuple, list)) or not signals:
        return transition.__name__
    named = (signals,) if isinstance(signals, str) else signals
    return f"{transition.__name__} (waits for {', '.join(named)})"


def _ends(states: Iterable[str], configuration: Configuration) -> Iterator[str]:
    for state in states:
        if configuration.is_end(state):
            yield state


def _name(number: int, state: str) -> str:
    if _PLAIN.fullmatch(state) and state.lower() not in _WORDS:
        return state
    return f"state{number}_"


def _text(label: str) -> str:
    """Write a label so that nothing of it is syntax: by the numbers of its characters."""
    return _UNSAFE.sub(lambda found: f"#{ord(found.group())};", label)
