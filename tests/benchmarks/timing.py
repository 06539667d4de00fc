"""Measures several pieces of work in turn, so that what disturbs one disturbs all.

A machine's speed drifts by more than the differences of interest.  So no contender is measured
for long: each runs for a slice of a few milliseconds, then the next one, round after round, and
each round has another order.  What is kept of each is its fastest slice: a slice can
be disturbed in one direction only.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from time import perf_counter

from attrs import frozen

# Does its work so many times; what it returns is kept until the clock has been read, so that
# taking it apart again is not measured.
Burst = Callable[[int], object]
Clock = Callable[[], float]
Progress = Callable[[float], None]

SHORTEST = 1e-9  # seconds: no clock tells less


@frozen
class Effort:
    """Says how long to measure: a slice, a whole scenario, and how many rounds at least."""

    slice_seconds: float
    scenario_seconds: float
    least_rounds: int


def nobody(done: float) -> None:
    """Takes the progress (0 to 1) of a measurement that nobody watches."""


def fastest_turns(
    bursts: Mapping[str, Burst],
    effort: Effort,
    progress: Progress = nobody,
    clock: Clock = perf_counter,
    collecting: bool = False,
) -> dict[str, float]:
    """Gives the seconds per turn of each burst's fastest slice, all bursts interleaved.

    The garbage collector runs between the rounds; within a slice only if C{collecting}.
    """
    with steady_memory(collecting):
        fastest = {name: timed(burst, 1, clock) for name, burst in bursts.items()}
        for order in rounds(list(bursts), effort, progress, clock):
            gc.collect()
            for name in order:
                turns = turns_in_slice(fastest[name], effort)
                fastest[name] = min(fastest[name], timed(bursts[name], turns, clock) / turns)
    return fastest


def rounds(
    names: list[str], effort: Effort, progress: Progress, clock: Clock
) -> Iterator[list[str]]:
    """Gives the names in another order for each round, until the time is used up."""
    chance = Random(0)
    started = clock()
    done = 0
    while done < effort.least_rounds or clock() - started < effort.scenario_seconds:
        yield chance.sample(names, len(names))
        done += 1
        spent = (clock() - started) / effort.scenario_seconds if effort.scenario_seconds else 1.0
        progress(min(1.0, spent, done / max(1, effort.least_rounds)))


def turns_in_slice(seconds_per_turn: float, effort: Effort) -> int:
    """Gives how many turns fill a slice, as far as is known: it grows with what is learnt."""
    return max(1, int(effort.slice_seconds / max(seconds_per_turn, SHORTEST)))


def timed(burst: Burst, turns: int, clock: Clock) -> float:
    """Gives the seconds that so many turns take, without the end of what they leave behind."""
    started = clock()
    left = burst(turns)
    seconds = clock() - started
    del left
    return seconds


@contextmanager
def steady_memory(collecting: bool) -> Iterator[None]:
    """Hides what already exists from the garbage collector, and turns it on or off."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    turn_collector(collecting)
    try:
        yield
    finally:
        gc.unfreeze()
        turn_collector(was_enabled)


def turn_collector(on: bool) -> None:
    """Turns the garbage collector on or off."""
    if on:
        gc.enable()
    else:
        gc.disable()
