"""What can be wrong with the graph of one type of chain; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from twisted_dispatcher.chains.states import DONE, NEW
from twisted_dispatcher.chains.times import moment_after, next_update_of
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.errors import InvalidTransition
from twisted_dispatcher.options import AT_LEAST_ONCE, EXACTLY_ONCE

Transitions = Mapping[str, tuple[type[Transition], ...]]

_GUARANTEES: Final = (None, AT_LEAST_ONCE, EXACTLY_ONCE)
# What a class says of times, and what refuses that where it is none.
_TIMES: Final[Mapping[str, Callable[[Any, float, str], object]]] = {
    "not_before": moment_after,
    "give_up_after": moment_after,
    "next_update": next_update_of,
    "date_next_update": next_update_of,
}


def ways_on(listed: Iterable[type[Transition]]) -> Iterator[type[Transition]]:
    """Give the transitions of a state, each followed by what stands in when it is given up."""
    for each in listed:
        met: list[Any] = []
        following: Any = each
        while _is_transition(following) and following not in met:
            met.append(following)
            yield following
            following = following.otherwise


def target_of(transition: type[Transition]) -> str | None:
    """Give the state that a transition leads to, or None where it names none."""
    state = getattr(transition, "final_state", None)
    return state if isinstance(state, str) and state else None


def faults_of(transitions: Transitions, renamed: Mapping[str, str]) -> Iterator[str]:
    """Say all that is wrong with a graph, and with a map of states that it has no more."""
    every = list(dict.fromkeys(each for own in transitions.values() for each in ways_on(own)))
    for each in every:
        yield from _faults_of_one(each)
    yield from _shared_names(every)
    yield from _unknown_states(transitions)
    yield from _ends_that_go_on(transitions)
    yield from _unreachable(transitions)
    yield from _bad_renames(transitions, renamed)


def _faults_of_one(transition: type[Transition]) -> Iterator[str]:
    name = transition.__name__
    if target_of(transition) is None:
        yield f"transition {name} has no final_state: give the class one, as a text"
    otherwise = transition.otherwise
    if otherwise is not None and not _is_transition(otherwise):
        yield f"{name}.otherwise is no subclass of Transition: {otherwise!r}"
    if otherwise is not None and transition.give_up_after is None:
        yield f"{name}.otherwise is never taken: say with {name}.give_up_after when it is"
    if transition.guarantee not in _GUARANTEES:
        yield (
            f"{name}.guarantee is {AT_LEAST_ONCE!r} or {EXACTLY_ONCE!r}, not "
            f"{transition.guarantee!r}"
        )
    yield from _faults_of_waits(transition)


def _faults_of_waits(transition: type[Transition]) -> Iterator[str]:
    name = transition.__name__
    for what, check in _TIMES.items():
        value = getattr(transition, what)
        if value is not None and not _is_property(value):
            try:
                check(value, 0.0, f"{name}.{what}")
            except InvalidTransition as error:
                yield str(error)
    if not _names_signals(transition.wait_for):
        yield (
            f"{name}.wait_for is the name of a signal or a tuple of names, not "
            f"{transition.wait_for!r}"
        )


def _names_signals(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(isinstance(each, str) and each for each in value)
    return isinstance(value, str) or _is_property(value)


def _shared_names(transitions: Iterable[type[Transition]]) -> Iterator[str]:
    homes: dict[str, list[str]] = {}
    for each in transitions:
        homes.setdefault(each.__name__, []).append(each.__module__)
    for name, modules in homes.items():
        if len(modules) > 1:
            yield (
                f"{len(modules)} transitions are named {name} (in {', '.join(modules)}): the "
                "history tells them apart by their names, so rename all but one"
            )


def _unknown_states(transitions: Transitions) -> Iterator[str]:
    known = {*transitions, DONE}
    for state, own in transitions.items():
        for each in ways_on(own):
            target = target_of(each)
            if target is not None and target not in known:
                yield (
                    f"transition {each.__name__} leads from {state!r} to the unknown state "
                    f"{target!r}: list it, with [] where there is no way on, or mend the name"
                )


def _ends_that_go_on(transitions: Transitions) -> Iterator[str]:
    if transitions.get(DONE):
        names = ", ".join(each.__name__ for each in transitions[DONE])
        yield f"chains end in {DONE!r}, so that {names} would never be made: list it elsewhere"


def _unreachable(transitions: Transitions) -> Iterator[str]:
    if NEW not in transitions:
        yield f"the state {NEW!r} is not listed, in which every chain begins: list its transitions"
        return
    reached, ahead = {NEW, DONE}, [NEW]
    while ahead:
        targets = map(target_of, ways_on(transitions[ahead.pop()]))
        found = {each for each in targets if each is not None and each in transitions} - reached
        reached |= found
        ahead += sorted(found)
    for state in transitions:
        if state not in reached:
            yield (
                f"state {state!r} cannot be reached from {NEW!r}: let a transition lead to it, "
                "or leave it out"
            )


def _bad_renames(transitions: Transitions, renamed: Mapping[str, str]) -> Iterator[str]:
    known = {*transitions, DONE}
    for old, new in renamed.items():
        if old in known:
            yield f"state {old!r} is renamed and listed as well: do one of the two"
        if new not in known:
            yield f"state {old!r} is renamed to {new!r}, which is not listed: mend the name"


def _is_transition(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, Transition)


def _is_property(value: Any) -> bool:
    """Tell whether a value is known only when there is a chain to ask it of."""
    return hasattr(value, "__get__")
