"""Finding the transition that a chain makes next: the first of its state that is valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.chains.chain import Chain
from twisted_dispatcher.chains.configuration import Configuration
from twisted_dispatcher.chains.rules import NOTHING, Wait, judge
from twisted_dispatcher.chains.states import DONE
from twisted_dispatcher.chains.times import moment_after
from twisted_dispatcher.chains.transition import Transition
from twisted_dispatcher.errors import InvalidTransition
from twisted_dispatcher.firing.answers import DEFERRED, FAILURE, kind_of, settle


@attrs.define
class Choice:
    """
    What the transitions of a state came to.

    :ivar transition: the one to be made, or None.
    :ivar errors: those of the refused ones, by ``str(transition)``.
    :ivar looks: times at which it may be different, as far as they are known.
    """

    transition: Transition | None = None
    errors: dict[str, list[Any]] = attrs.field(factory=dict)
    looks: list[float] = attrs.field(factory=list)


async def answer_of(answer: Any) -> Any:
    """Give what a function has answered: a value, what a Deferred fires with, or a coroutine's."""
    answer = settle(answer)
    kind = kind_of(answer)
    if kind == DEFERRED:
        return await answer
    if kind == FAILURE:
        answer.raiseException()
    return answer


async def choose(
    configuration: Configuration,
    chain: Chain,
    context: Mapping[str, Any] | None,
    signals: Mapping[str, Any],
    now: float,
) -> Choice:
    """
    Choose the transition of a chain in the state in which it is.

    :param signals: the values of those that have arrived, by name.
    """
    if chain.state == DONE:
        final = configuration.final_transition()
        return Choice(None if final is None else final(chain, context, signals))
    choice = Choice()
    for cls in configuration.transitions_of(chain.state):
        for transition in _with_stand_ins(cls, chain, context, signals):
            if await _is_valid(transition, chain.stored, choice, now):
                choice.transition = transition
                return choice
            if not transition.gave_up:
                break
    return choice


def _with_stand_ins(
    cls: type[Transition],
    chain: Chain,
    context: Mapping[str, Any] | None,
    signals: Mapping[str, Any],
) -> Iterator[Transition]:
    """Give a transition, and the one that is taken when it is given up, and so on."""
    met: set[type[Transition]] = set()
    following: type[Transition] | None = cls
    while following is not None and following not in met:
        transition = following(chain, context, signals)
        transition.stands_in = bool(met)
        met.add(following)
        yield transition
        following = following.otherwise


async def _is_valid(
    transition: Transition, stored: StoredChain, choice: Choice, now: float
) -> bool:
    """Judge one transition, and take note of what speaks against it."""
    verdict = judge(wait_of(transition, stored.entered), transition.signals, now)
    transition.gave_up = verdict.gives_up
    if verdict.look is not None:
        choice.looks.append(verdict.look)
    if verdict.is_over and await answer_of(transition.is_valid()):
        return True
    if verdict.reason is not None:
        transition.errors.append(verdict.reason)
    choice.errors[str(transition)] = transition.errors
    return False


def wait_of(transition: Transition, entered: float) -> Wait:
    """
    Give what a transition waits for, in a state that was entered at some time.

    :raises InvalidTransition: when it says so in no way that is known.
    """
    not_before, give_up = transition.not_before, transition.give_up_after
    wait_for = transition.wait_for
    if wait_for == () and not_before is None and give_up is None:
        return NOTHING
    if not isinstance(wait_for, (str, tuple, list)):
        raise InvalidTransition(
            f"{transition.name}.wait_for is the name of a signal or a tuple of names, not "
            f"{wait_for!r}: write wait_for = ('approval',)"
        )
    return Wait(
        None
        if not_before is None
        else moment_after(not_before, entered, f"{transition.name}.not_before"),
        None
        if give_up is None
        else moment_after(give_up, entered, f"{transition.name}.give_up_after"),
        (wait_for,) if isinstance(wait_for, str) else tuple(wait_for),
    )
