"""The scenarios, and how one is measured: who takes part, in which unit, and why it matters."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from tests.benchmarks import in_flight, many, ours, peers, waiting
from tests.benchmarks.contenders import Contender, MissingPeer, prepare
from tests.benchmarks.timing import Burst, Effort, Progress, fastest_turns, nobody

Measure = Callable[[Mapping[str, Burst], Effort, Progress], Mapping[str, float]]
NANOSECONDS = 1e9


@frozen
class Scale:
    """Says how large the large scenarios are."""

    many: int
    in_flight: int
    million: bool = False


@frozen
class Scenario:
    """Contenders that are measured in turn, and compared with the first one that could run."""

    name: str
    title: str
    unit: str
    contenders: Sequence[Contender]
    measure: Measure


@frozen
class Figures:
    """What a scenario came to: a figure per event and contender, in the scenario's unit."""

    scenario: Scenario
    per_event: Mapping[str, float]
    missing: Sequence[str]


def run(scenario: Scenario, effort: Effort, progress: Progress = nobody) -> Figures:
    """Checks, builds and measures all contenders of a scenario that are installed.

    Raises WrongCalls, and measures nothing, if one of them does not call its handlers.
    """
    bursts: dict[str, Burst] = {}
    missing = []
    for contender in scenario.contenders:
        try:
            bursts[contender.name] = prepare(contender)
        except MissingPeer as error:
            missing.append(str(error))
    per_turn = scenario.measure(bursts, effort, progress)
    events = {contender.name: contender.events for contender in scenario.contenders}
    return Figures(
        scenario, {name: figure / events[name] for name, figure in per_turn.items()}, missing
    )


def nanoseconds(
    bursts: Mapping[str, Burst], effort: Effort, progress: Progress
) -> Mapping[str, float]:
    """Measures the time of one turn of each, interleaved."""
    return in_nanoseconds(fastest_turns(bursts, effort, progress))


def nanoseconds_with_collector(
    bursts: Mapping[str, Burst], effort: Effort, progress: Progress
) -> Mapping[str, float]:
    """Measures the same where much is made that stays, which costs the collector's walks too."""
    return in_nanoseconds(fastest_turns(bursts, effort, progress, collecting=True))


def in_nanoseconds(fastest: Mapping[str, float]) -> Mapping[str, float]:
    """Converts seconds."""
    return {name: seconds * NANOSECONDS for name, seconds in fastest.items()}


def traced_bytes(
    bursts: Mapping[str, Burst], effort: Effort, progress: Progress
) -> Mapping[str, float]:
    """Measures what one turn of each leaves allocated, as C{tracemalloc} counts it."""
    per_turn = {}
    for done, (name, burst) in enumerate(bursts.items(), 1):
        gc.collect()
        tracemalloc.start()
        left = burst(1)
        gc.collect()
        per_turn[name] = float(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del left
        progress(done / len(bursts))
    return per_turn


def scenarios(scale: Scale) -> list[Scenario]:
    """Gives all scenarios, in the order of the report."""
    number, flying = scale.many, scale.in_flight

    def timed(name: str, title: str, contenders: Sequence[Contender]) -> Scenario:
        return Scenario(name, title, "ns", contenders, nanoseconds)

    return [
        timed("one", "One handler", few(1)),
        timed("ten", "Ten handlers", few(10)),
        timed(
            "fixed",
            "One of very many handlers matches, the same event every time",
            many.fixed_contenders(number, scale.million),
        ),
        timed(
            "random",
            "One of very many handlers matches, each event another one",
            many.random_contenders(number),
        ),
        timed(
            "phases",
            "Three phases, one handler each, whose Deferred has already fired",
            waiting.three_phases(),
        ),
        timed(
            "in-flight",
            f"{flying:,} events in flight, each handler answers by callLater(0)",
            in_flight.deferreds(flying),
        ),
        timed(
            "coroutines",
            "One coroutine handler",
            [*waiting.coroutines(), *in_flight.coroutines(flying)],
        ),
        Scenario(
            "registration",
            f"Registering {number:,} handlers, each for a value of its own",
            "ns",
            many.registration_contenders(number),
            nanoseconds_with_collector,
        ),
        Scenario(
            "memory",
            f"Memory of {number:,} registered handlers",
            "bytes",
            many.registration_contenders(number),
            traced_bytes,
        ),
    ]


def few(handlers: int) -> list[Contender]:
    """Gives all peers and ours with a few handlers, all called by each event."""
    return [*peers.contenders(handlers), *ours.contenders(handlers)]
