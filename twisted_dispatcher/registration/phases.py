"""The phases of a dispatcher, and what a failure in one of them does to those after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twisted_dispatcher.errors import InvalidOptions, InvalidPhases, UnknownPhase

CONTINUE = "continue"
STOP = "stop"


def check_phases(phases: Iterable[str]) -> tuple[str, ...]:
    """
    Give the phases as a tuple.

    :raises InvalidPhases: when they are not distinct names, at least one.
    """
    if isinstance(phases, (str, bytes)):
        raise InvalidPhases(
            f"the phases are a series of names, not the one string {phases!r}: write ({phases!r},)"
        )
    names = tuple(phases)
    if not names:
        raise InvalidPhases("a dispatcher needs at least one phase")
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidPhases(f"a phase is a name, not {name!r}")
        if names.count(name) > 1:
            raise InvalidPhases(f"phase {name!r} is given twice: name each once, in their order")
    return names


def check_phase(phase: object, phases: tuple[str, ...]) -> str:
    """
    Give the dispatcher's own string of a phase's name.

    :raises UnknownPhase: when it has no such phase.
    """
    try:
        return phases[phases.index(phase)]
    except ValueError:
        raise UnknownPhase(phase, phases) from None


def stopping_phases(
    on_failure: str | Mapping[str, str], phases: tuple[str, ...]
) -> frozenset[str]:
    """
    Give the phases after which a failure ends the dispatch.

    :param on_failure: ``"continue"`` or ``"stop"`` for all phases, or one of them for each phase
        that is named; the others continue.
    :raises InvalidOptions, UnknownPhase: for anything else.
    """
    policies = (
        {check_phase(phase, phases): policy for phase, policy in on_failure.items()}
        if isinstance(on_failure, Mapping)
        else dict.fromkeys(phases, on_failure)
    )
    check_policies(policies)
    return frozenset(phase for phase, policy in policies.items() if policy == STOP)


def check_policies(on_failure: str | Mapping[str, str]) -> None:
    """
    Refuse what is no policy, for whatever phase it is given.

    :raises InvalidOptions: naming those that there are.
    """
    for policy in on_failure.values() if isinstance(on_failure, Mapping) else (on_failure,):
        if policy not in (CONTINUE, STOP):
            raise InvalidOptions(
                f"on_failure is {CONTINUE!r}, {STOP!r}, or a dict of one of these by phase, "
                f"not {policy!r}"
            )
