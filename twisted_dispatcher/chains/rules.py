"""
What a chain does next, as pure functions: they know no store, no clock and no reactor.

A chain may be executed unless somebody has it, it is disabled, or its `next_update` is to come.
Its transitions are judged in the order in which they are listed: by what they wait for first,
here; then by their own `is_valid`, elsewhere. What comes of that says when the schedule looks
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

import attrs

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.chains.chain import utc
from twisted_dispatcher.errors import ChainDisabled, ChainLocked, ChainNotScheduled

# In one run a chain may enter a state so often; more is taken for going round and round.
MOST_LAPS: Final = 25
# After a failure the schedule tries again after these seconds, twice as long each time.
FIRST_RETRY: Final = 60.0


# Whether it may be executed


def obstacle(chain: StoredChain, now: float) -> Exception | None:
    """Give the error with which executing a chain is refused now, or None."""
    if chain.locked_until > now:
        return ChainLocked(chain.id)
    if chain.disabled:
        return ChainDisabled(chain.id)
    if chain.is_early(now):
        return ChainNotScheduled(chain.id, utc(chain.next_update))
    return None


# What a transition waits for


@attrs.frozen
class Wait:
    """
    What a transition waits for.

    :ivar not_before: a time, or None.
    :ivar give_up: the time from which another one is taken instead, or None.
    :ivar signals: the names of what has to arrive.
    """

    not_before: float | None = None
    give_up: float | None = None
    signals: tuple[str, ...] = ()


# For a transition that waits for nothing, as most do.
NOTHING: Final = Wait()


@attrs.frozen
class Verdict:
    """
    What waiting comes to.

    :ivar is_over: whether the transition may be asked whether it is valid.
    :ivar gives_up: whether the transition that stands in for it is judged instead.
    :ivar reason: why neither is so.
    :ivar look: when that will be different, if it is known.
    """

    is_over: bool = False
    gives_up: bool = False
    reason: str | None = None
    look: float | None = None


GO: Final = Verdict(is_over=True)


def judge(wait: Wait, arrived: Collection[str], now: float) -> Verdict:
    """Tell whether what a transition waits for is there."""
    if wait is NOTHING:
        return GO
    if wait.give_up is not None and wait.give_up <= now:
        return Verdict(gives_up=True, reason=f"was given up at {utc(wait.give_up)}")
    looks = [each for each in (wait.not_before, wait.give_up) if each is not None and each > now]
    look = min(looks, default=None)
    if wait.not_before is not None and wait.not_before > now:
        return Verdict(reason=f"not before {utc(wait.not_before)}", look=look)
    missing = [name for name in wait.signals if name not in arrived]
    if missing:
        return Verdict(reason=f"waits for {', '.join(map(repr, missing))}", look=look)
    return GO if look is None else Verdict(is_over=True, look=look)


# When the schedule looks again


def due_after_move(is_end: bool, next_update: float | None, now: float) -> float | None:
    """Tell when the schedule looks at a chain that has just entered a state."""
    if is_end:
        return None
    return now if next_update is None else max(now, next_update)


def due_after_refusal(
    is_end: bool,
    looks: Iterable[float],
    next_update: float | None,
    now: float,
    every: float,
) -> float | None:
    """
    Tell when the schedule looks at a chain again whose transitions were all refused.

    :param looks: when a wait of one of them will have ended.
    :param next_update: if that is to come, it decides, whatever else there is.
    :param every: so many seconds later at the latest.
    """
    if is_end:
        return None
    if next_update is not None and next_update > now:
        return next_update
    return min([*looks, now + every])


@attrs.frozen
class Setback:
    """What a failure comes to: how many there were, and when it is tried again, if it is."""

    failures: int
    due: float | None
    parked: bool


def after_failure(failures: int, most: int | None, now: float, every: float) -> Setback:
    """
    Tell how a chain goes on after executing it has failed.

    :param failures: how often it had failed before, one time after another.
    :param most: so many failures park it, until somebody resumes it; None never does.
    """
    failures += 1
    if most is not None and failures >= most:
        return Setback(failures, None, True)
    # Larger exponents make no difference, but for numbers that no float can hold.
    delay = min(every, FIRST_RETRY * 2 ** min(failures - 1, 30))
    return Setback(failures, now + delay, False)


class Laps:
    """Notices within one run that a chain goes round and gets nowhere."""

    def __init__(self) -> None:
        self._entered: Counter[str] = Counter()
        self._path: list[str] = []

    def enter(self, state: str) -> bool:
        """Take note of a state that is entered; tell whether it has been too often."""
        self._entered[state] += 1
        self._path.append(state)
        return self._entered[state] > MOST_LAPS

    def circle(self) -> tuple[str, ...]:
        """Give the states of the last round."""
        last = self._path[-1]
        earlier = len(self._path) - 2
        while earlier > 0 and self._path[earlier] != last:
            earlier -= 1
        return tuple(self._path[max(earlier, 0) :])
