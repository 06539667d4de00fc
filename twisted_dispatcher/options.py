"""
How one handler is to be called: the values `HandlerOptions` and `RetryPolicy`.

They are frozen and check themselves when they are made, so that a mistake is reported
where it is written and not when the first event comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import attrs

from twisted_dispatcher.errors import InvalidOptions

AT_LEAST_ONCE: Final = "at-least-once"
AT_MOST_ONCE: Final = "at-most-once"
EXACTLY_ONCE: Final = "exactly-once"
GUARANTEES = (AT_LEAST_ONCE, AT_MOST_ONCE, EXACTLY_ONCE)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _positive_seconds(instance: object, attribute: Any, value: Any) -> None:
    if value is not None and not (_number(value) and value > 0):
        raise InvalidOptions(
            f"{attribute.name} must be a number of seconds above 0, not {value!r}"
        )


def _positive_count(instance: object, attribute: Any, value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise InvalidOptions(f"{attribute.name} must be a whole number from 1, not {value!r}")


@attrs.frozen
class RetryPolicy:
    """
    When a failed call is made again: exponential backoff with jitter.

    `max_attempts` counts the first call too, and of a durable handler also the calls during which
    the process died: with 1, a single death is the end. The delay before attempt *n* + 1 is
    ``initial * factor ** (n - 1)`` seconds, at most `maximum`, then moved by up to ``± jitter`` of
    itself at random, so that what failed together is not retried together.

    :raises InvalidOptions: for a number outside its range.
    """

    max_attempts: int = attrs.field(default=5, validator=_positive_count)
    initial: float = attrs.field(default=1.0)
    factor: float = attrs.field(default=2.0)
    maximum: float = attrs.field(default=3600.0)
    jitter: float = attrs.field(default=0.1)

    def __attrs_post_init__(self) -> None:
        if self.max_attempts is None:
            raise InvalidOptions("max_attempts must be a whole number from 1, not None")
        for name, least in (("initial", 0), ("factor", 1), ("maximum", 0), ("jitter", 0)):
            value = getattr(self, name)
            if not _number(value) or value < least:
                raise InvalidOptions(f"{name} must be a number from {least}, not {value!r}")
        if self.jitter > 1:
            raise InvalidOptions(f"jitter is a share of the delay, at most 1, not {self.jitter!r}")

    def delay(self, failed_attempts: int, chance: Callable[[], float] = random.random) -> float:
        """
        Give the seconds to wait after so many failed attempts (from 1).

        :param chance: gives a number from 0 up to 1; a test passes its own.
        """
        try:
            planned = min(self.initial * self.factor ** (failed_attempts - 1), self.maximum)
        except OverflowError:
            planned = self.maximum if self.initial else 0.0
        return planned * (1 + self.jitter * (2 * chance() - 1))


@attrs.frozen
class HandlerOptions:
    """
    How a handler is called.

    :param name: what it is called in results, logs and stores; by default the module and
        qualified name of the function.
    :param times: after so many calls it is removed. A call counts once, with its retries.
    :param timeout: seconds that one attempt may take; then it is cancelled and fails with
        `HandlerTimeout`.
    :param retry: a failed attempt is repeated as this policy says.
    :param concurrency: at most so many attempts run at once; further ones wait in order.
    :param runner: where the code runs: ``"reactor"``, ``"thread"``, or an `IRunner`.
    :param guarantee: what a durable dispatcher promises for it: ``"at-least-once"``,
        ``"at-most-once"`` or ``"exactly-once"``. In memory nothing survives a crash: only
        ``"at-most-once"`` can be asked for.
    :param durable: whether its calls are recorded in the dispatcher's store.
    :raises InvalidOptions: for a value that an option cannot have.
    """

    name: str | None = None
    times: int | None = attrs.field(default=None, validator=_positive_count)
    timeout: float | None = attrs.field(default=None, validator=_positive_seconds)
    retry: RetryPolicy | None = None
    concurrency: int | None = attrs.field(default=None, validator=_positive_count)
    runner: object = "reactor"
    guarantee: str | None = None
    durable: bool | None = None

    def __attrs_post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise InvalidOptions(f"name must be a string that is not empty, not {self.name!r}")
        if self.retry is not None and not isinstance(self.retry, RetryPolicy):
            raise InvalidOptions(f"retry must be a RetryPolicy, not {self.retry!r}")
        if self.guarantee is not None and self.guarantee not in GUARANTEES:
            raise InvalidOptions(
                f"guarantee must be one of {', '.join(GUARANTEES)}, not {self.guarantee!r}"
            )
        if self.guarantee == AT_MOST_ONCE and self.retry is not None:
            raise InvalidOptions(
                "guarantee='at-most-once' and retry exclude each other: leave one of them out"
            )
        if self.durable is not None and not isinstance(self.durable, bool):
            raise InvalidOptions(f"durable must be True, False or None, not {self.durable!r}")


DEFAULT_OPTIONS = HandlerOptions()
