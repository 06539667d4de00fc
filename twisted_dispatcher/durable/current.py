"""What a durable handler can know of the delivery that it is called for."""

from __future__ import annotations

import contextvars

import attrs

from twisted_dispatcher.errors import NoCurrentDelivery
from twisted_dispatcher.records import Claim

_claim: contextvars.ContextVar[Claim] = contextvars.ContextVar("twisted_dispatcher.claim")


@attrs.frozen
class CurrentDelivery:
    """
    The delivery that is being run.

    :ivar attempt: counts from 1.
    :ivar idempotency_key: the same for every attempt of this delivery, and for no other one.
    """

    id: int
    event_id: int
    key: str
    handler: str
    attempt: int
    idempotency_key: str


def current_delivery() -> CurrentDelivery:
    """
    Give the delivery for which the calling handler runs.

    It is known in the handler's own code, across its awaits, and in its thread.

    :raises NoCurrentDelivery: outside a durable handler.
    """
    claim = _claim.get(None)
    if claim is None:
        raise NoCurrentDelivery
    return CurrentDelivery(
        claim.delivery_id,
        claim.event_id,
        claim.key,
        claim.handler,
        claim.attempt,
        claim.idempotency_key,
    )


set_claim = _claim.set
reset_claim = _claim.reset
