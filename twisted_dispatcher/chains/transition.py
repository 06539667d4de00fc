"""`Transition`: the base class of the ways on from a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, TypeVar

from twisted_dispatcher.chains.chain import Chain
from twisted_dispatcher.options import EXACTLY_ONCE

Function = TypeVar("Function", bound=Callable[..., Any])
# A point in time, or how long after something else it is; a number is seconds since the epoch.
Moment = datetime | date | float
Span = timedelta | float
# The attribute by which a function says how often it is called.
GUARANTEE: Final = "guarantee"


class Transition:
    """
    A way on from a state; subclass it, and list the subclass under the states that it leaves.

    One object is made for each attempt. `is_valid`, `build_context` and the callback may be plain,
    ``async def``, or give a Deferred. ``str(transition)`` is ``<ClassName>``.

    :cvar final_state: the state that it leads to.
    :cvar initial_context: wins over the context that is given to `execute_chain`.
    :cvar guarantee: ``"exactly-once"`` calls the callback within the transaction that stores the
        transition: as ``callback(transaction)``, and a plain function then.
    :cvar not_before: so long after the state was entered it is not valid before (a timedelta, or
        seconds), or not before this time (an aware datetime, or a date).
    :cvar give_up_after: from then on `otherwise` is taken instead, given as `not_before` is.
    :cvar otherwise: the transition that is taken when this one is given up.
    :cvar wait_for: the name, or a tuple of the names, of signals without which it is not valid.
    :cvar next_update: before this time the new state is not executed; `date_next_update` too.
    :ivar chain: the chain.
    :ivar resources: the ids of what the chain is about, by type; several of a type are a tuple.
    :ivar context: what `build_context` has given, upon the initial context.
    :ivar errors: the reasons that `is_valid` gives for a refusal.
    :ivar signals: the values of what has arrived for the chain, by name.
    :ivar gave_up: whether its time was over, so that `otherwise` was judged in its place.
    :ivar stands_in: whether it is judged in the place of one that was given up.
    """

    final_state: ClassVar[str]
    initial_context: ClassVar[Mapping[str, Any]] = {}
    guarantee: ClassVar[str | None] = None
    not_before: ClassVar[Moment | timedelta | None] = None
    give_up_after: ClassVar[Moment | timedelta | None] = None
    otherwise: ClassVar[type[Transition] | None] = None
    wait_for: ClassVar[str | tuple[str, ...]] = ()
    # A class may have a method ``callback``, which is called in the place of one that is given.
    callback: Any = None
    next_update: Any = None
    date_next_update: Any = None

    def __init__(
        self,
        chain: Chain,
        context: Mapping[str, Any] | None = None,
        signals: Mapping[str, Any] | None = None,
    ) -> None:
        """:param context: the initial one; what the class has wins over it."""
        self.chain = chain
        self.resources = dict(chain.resources)
        self.context: dict[str, Any] = {**(context or {}), **self.initial_context}
        self.errors: list[Any] = []
        self.signals = dict(signals or {})
        self.gave_up = False
        self.stands_in = False

    @property
    def name(self) -> str:
        """How it is called in results, in the history and in logs."""
        return type(self).__name__

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt to make this transition, and for no other one."""
        return f"chain/{self.chain.id}/{self.chain.version}/{self.name}"

    def is_valid(self) -> Any:
        """
        Tell whether the transition can be made now; give reasons in `errors` where it cannot.

        A transition that waits for something is valid when that is there, unless it says more;
        so is one that stands in for another.
        """
        waits = self.wait_for or self.not_before is not None or self.give_up_after is not None
        if waits or self.stands_in:
            return True
        raise NotImplementedError(
            f"{self.name} has no is_valid(): define it, and return True where the chain may go on"
        )

    def build_context(self) -> Any:
        """Give the context for the callback, as a dict."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Give its errors, context and final state."""
        return {
            "errors": self.errors,
            "context": self.context,
            "final_state": self.final_state,
        }

    def __str__(self) -> str:
        return f"<{self.name}>"

    def __repr__(self) -> str:
        return f"<{self.name}: {getattr(self, 'final_state', None)}>"


def exactly_once(function: Function) -> Function:
    """
    Mark a callback that is to be called within the transaction that stores the transition.

    It is a plain function, ``callback(transition, transaction, **callback_args)``.
    """
    setattr(function, GUARANTEE, EXACTLY_ONCE)
    return function
