"""What is called when a transition is made, and how: at least once, or exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.logger import Logger

from twisted_dispatcher.chains.choosing import answer_of
from twisted_dispatcher.chains.states import DONE
from twisted_dispatcher.chains.transition import GUARANTEE, Transition
from twisted_dispatcher.errors import AwaitableFromRunner, InvalidCallback, InvalidTransition
from twisted_dispatcher.firing.answers import COROUTINE, FAILURE, kind_of
from twisted_dispatcher.options import EXACTLY_ONCE

_log = Logger()


@attrs.frozen
class Order:
    """
    What somebody wants of a chain.

    :ivar callback: is called as ``callback(transition, **arguments)``, or None.
    :ivar context: the initial one.
    """

    callback: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    context: Mapping[str, Any] = attrs.field(factory=dict)
    requested_by: str | None = None


def order_of(
    callback: Any, arguments: Any, context: Any = None, requested_by: object = None
) -> Order:
    """
    Check what a caller wants.

    :raises InvalidCallback: when the callback cannot be called, or its arguments are not named.
    """
    if callback is not None and not callable(callback):
        raise InvalidCallback(
            f"callback={callback!r} cannot be called: give a function of a transition"
        )
    for name, given in (("callback_args", arguments), ("initial_context", context)):
        if given is not None and not (
            isinstance(given, Mapping) and all(isinstance(each, str) for each in given)
        ):
            raise InvalidCallback(f"{name} is a dict with texts as its keys, not {given!r}")
    who = None if requested_by is None else str(requested_by)
    return Order(callback, dict(arguments or {}), dict(context or {}), who)


async def give_context(transition: Transition) -> None:
    """
    Have a transition build its context.

    :raises InvalidTransition: when that is no dict.
    """
    built = await answer_of(transition.build_context())
    if built is None:
        return
    if not isinstance(built, Mapping):
        raise InvalidTransition(
            f"{transition.name}.build_context() has given {built!r}, which is no dict: return one"
        )
    transition.context.update(built)


def is_exactly_once(transition: Transition, order: Order) -> bool:
    """Tell whether the callback is called within the transaction that stores the transition."""
    if transition.final_state == DONE:
        return False
    if transition.guarantee == EXACTLY_ONCE:
        return True
    callback = order.callback if transition.callback is None else transition.callback
    return getattr(callback, GUARANTEE, None) == EXACTLY_ONCE


async def call(transition: Transition, order: Order) -> None:
    """Call the callback of a transition, which may wait; moving to DONE calls none."""
    if transition.final_state == DONE:
        return
    bound = _bound(transition, order)
    if bound is not None:
        await answer_of(bound(**order.arguments))


def call_within(transition: Transition, order: Order, transaction: Any) -> None:
    """
    Call the callback of a transition within a transaction.

    :raises AwaitableFromRunner: when it wants to be waited for.
    """
    bound = _bound(transition, order)
    if bound is not None:
        value = bound(transaction, **order.arguments)
        if kind_of(value) > FAILURE:
            if kind_of(value) == COROUTINE:
                value.close()
            raise AwaitableFromRunner(value)


def _bound(transition: Transition, order: Order) -> Callable[..., Any] | None:
    """Give the transition's own callback, or the one that was given, ready to be called."""
    own, given = transition.callback, order.callback
    if own is not None:
        if not callable(own):
            raise InvalidCallback(f"{transition.name}.callback cannot be called: make it a method")
        return own  # type: ignore[no-any-return]
    if given is None:
        _log.warn(
            "Nothing is called for {transition} of chain {chain}: it has no callback, and none "
            "was given",
            transition=transition.name,
            chain=transition.chain.id,
        )
        return None
    callback = given

    def bound(*positional: Any, **named: Any) -> Any:
        return callback(transition, *positional, **named)

    return bound
