"""
What follows from an attempt: pure rules, without a clock, a store or a reactor.

::

    pending --claimed--> running --well--> done
       ^                    |--badly, attempts left--> retrying --claimed--> running
       |                    |--badly, none left------> dead
       |--given back--------|
       +--its worker died---+

Every attempt counts but those that were given back. One in which the worker died does: a handler
that ends its own process would be tried for ever otherwise. Nobody was there to settle it, so that
it is seen at the next claim whether attempts are left.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from twisted_dispatcher.options import RetryPolicy
from twisted_dispatcher.records import DEAD, DONE, PENDING, RETRYING, Claim, Settlement

# A traceback is kept with its delivery up to so many characters, the end of it being what counts.
LONGEST_ERROR = 10_000


def after_success(claim: Claim) -> Settlement:
    """Settle a delivery whose handler is done."""
    return Settlement(claim.delivery_id, claim.event_id, claim.attempt, DONE)


def after_failure(
    claim: Claim,
    failure: Failure,
    policy: RetryPolicy,
    now: float,
    stops: bool,
    chance: Callable[[], float],
) -> Settlement:
    """
    Settle a delivery whose handler has failed: it is retried, or it is dead.

    :param stops: whether a dead delivery of its phase ends the dispatch.
    :param chance: see `RetryPolicy.delay`.
    """
    error = traceback_of(failure)
    if claim.counted < policy.max_attempts:
        due = now + policy.delay(claim.counted, chance)
        return Settlement(claim.delivery_id, claim.event_id, claim.attempt, RETRYING, due, error)
    return Settlement(claim.delivery_id, claim.event_id, claim.attempt, DEAD, None, error, stops)


def is_exhausted(claim: Claim, policy: RetryPolicy) -> bool:
    """
    Tell whether a delivery has no attempt left, before its handler is called.

    So it is when the worker died in the last one, which nobody has settled.
    """
    return claim.counted > policy.max_attempts


def is_suspect(claim: Claim, policy: RetryPolicy) -> bool:
    """
    Tell whether a delivery may be what its workers died of, so that it is to run by itself.

    After one death, which may have any reason, it runs as always, unless this attempt is its last.
    """
    return claim.died and (claim.counted > 2 or claim.counted == policy.max_attempts > 1)


def after_exhaustion(claim: Claim, stops: bool) -> Settlement:
    """
    Settle a delivery that has no attempt left: it is dead, of the last error that is known.

    :param stops: whether a dead delivery of its phase ends the dispatch.
    """
    return Settlement(claim.delivery_id, claim.event_id, claim.attempt, DEAD, stops=stops)


def given_back(claim: Claim, now: float) -> Settlement:
    """Give a delivery back that was not run to its end, for anybody to run it again."""
    return Settlement(claim.delivery_id, claim.event_id, claim.attempt, PENDING, now)


def traceback_of(failure: Failure) -> str:
    """Give the traceback of a failure, as it is kept with a delivery."""
    try:
        text = failure.getTraceback()
    except Exception:
        text = f"{failure.type} (its traceback could not be made)"
    # Some databases take no NUL, and none takes half of a surrogate pair.
    text = text.replace("\0", "\\0")
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= LONGEST_ERROR else "..." + text[3 - LONGEST_ERROR :]
