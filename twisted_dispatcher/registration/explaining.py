"""
What is registered, and why an event would or would not reach it: for people who ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from twisted_dispatcher.matching import MISSING, Exactly, OneOf, Where, matches
from twisted_dispatcher.options import HandlerOptions
from twisted_dispatcher.registration.handlers import Handler


@attrs.frozen
class HandlerDescription:
    """One registration, as it stands. `registered_at` is ``"file:line"``."""

    id: int
    name: str
    phase: str
    spec: Mapping[str, Any]
    options: HandlerOptions
    registered_at: str


@attrs.frozen
class Verdict:
    """
    Whether an event would reach a handler, and if not, every reason that stands against it.

    Of a handler that is not registered, for which deliveries wait, id and phase are None.
    """

    handler_id: int | None
    name: str
    phase: str | None
    runs: bool
    reason: str

    def __str__(self) -> str:
        phase = "" if self.phase is None else f" ({self.phase})"
        return f"{self.name}{phase}: {self.reason}"


def description_of(handler: Handler) -> HandlerDescription:
    """Describe one registration."""
    return HandlerDescription(
        handler.id,
        handler.name,
        handler.phase,
        handler.spec,
        handler.options,
        handler.registered_at,
    )


def verdict_on(
    handler: Handler, details: Mapping[str, Any], refusals: Sequence[str] = ()
) -> Verdict:
    """
    Say whether an event with these details would reach the handler.

    :param refusals: why it would reach no handler at all, if so.
    """
    against = list(refusals)
    for keyword, value in handler.spec.items():
        objection = _objection(keyword, value, details.get(keyword, MISSING))
        if objection:
            against.append(objection)
    reason = "; ".join(against) or "runs"
    return Verdict(handler.id, handler.name, handler.phase, not against, reason)


def verdict_on_missing(name: str, since: str) -> Verdict:
    """
    Say that deliveries wait for a handler which no worker has registered.

    :param since: when the first of them was due.
    """
    reason = (
        f"deliveries wait for it since {since}, and no worker has registered it: register it "
        "under this name again, or skip them"
    )
    return Verdict(None, name, None, False, reason)


def _objection(keyword: str, value: Any, detail: Any) -> str | None:
    """Say what keeps one detail from being what one match value wants."""
    if detail is MISSING:
        return f"the event leaves out {keyword!r}, which must be {_wish(value)}"
    try:
        if matches(value, detail):
            return None
    except Exception as error:
        return f"the predicate for {keyword!r} raised {error!r} for {detail!r}"
    return f"{keyword!r} is {detail!r}, which is not {_wish(value)}"


def _wish(value: Any) -> str:
    if isinstance(value, Exactly):
        return repr(value.value)
    if isinstance(value, OneOf):
        return f"one of {', '.join(map(repr, value.values))}"
    if isinstance(value, re.Pattern):
        return f"a match of {value.pattern!r}"
    if isinstance(value, Where):
        return f"accepted by {value!r}"
    return repr(value)
