"""The command C{python -m tests.benchmarks.blocking}: calls into the reactor's thread."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from tests.benchmarks.blocking import contenders
from tests.benchmarks.blocking.contenders import THREADS
from tests.benchmarks.command import Benchmark
from tests.benchmarks.goals import Goal
from tests.benchmarks.report import About, scenario_table
from tests.benchmarks.scenarios import Scenario, run
from tests.benchmarks.timing import Burst, Effort, Progress, fastest_turns

MICROSECONDS = 1e6
CROCHET = "crochet, run_in_reactor"
HOW = (
    "A synchronous program calls into the reactor's thread and waits for the answer. All "
    "contenders of a scenario use the same reactor in the same process and are measured in one "
    "run, in turn, each for a slice of some milliseconds, round after round; what counts is the "
    "fastest slice of each. Machines differ and drift: compare the ratios, not the microseconds. "
    "Before it is timed, each contender is checked to call what it should."
)
WHO = (
    "Ours is a connection's own method: it takes the context variables along, has a time limit "
    "that cancels, looks whether the process was forked, and gives what the dispatcher gives. "
    "crochet's run_in_reactor is followed by a wait with a time limit; its wait_for cancels, too. "
    "Twisted's blockingCallFromThread has no limit."
)


def microseconds(
    bursts: Mapping[str, Burst], effort: Effort, progress: Progress
) -> Mapping[str, float]:
    """Measures the time of one turn of each, interleaved."""
    fastest = fastest_turns(bursts, effort, progress)
    return {name: seconds * MICROSECONDS for name, seconds in fastest.items()}


def scenarios() -> list[Scenario]:
    """Gives all scenarios, in the order of the report."""
    at_once = f"A function that gives a value at once, from {THREADS} threads"
    return [
        Scenario(
            "call", "A function that gives a value", "µs", contenders.calling(), microseconds
        ),
        Scenario(
            "wait",
            "A function that gives a Deferred, which fires in the next turn",
            "µs",
            contenders.calling(maker=contenders.later),
            microseconds,
        ),
        Scenario("threads", at_once, "µs", contenders.calling_at_once(), microseconds),
        Scenario(
            "fire", "An event in memory, with a handler", "µs", contenders.firing(), microseconds
        ),
        Scenario(
            "store", "An event in SQLite, to its end", "µs", contenders.storing(), microseconds
        ),
    ]


def goals() -> list[Goal]:
    """Gives what is wanted: no call costs much more than crochet's own."""
    return [
        Goal(f"ours / crochet's own, {what}", scenario, "ours", CROCHET, 1.1, 1.3)
        for scenario, what in (
            ("call", "a value"),
            ("wait", "a Deferred"),
            ("threads", f"{THREADS} threads"),
            ("fire", "an event in memory"),
            ("store", "an event in SQLite"),
        )
    ]


BENCHMARK: Benchmark[Scenario, Effort] = Benchmark(
    name="blocking",
    about=About("Benchmarks: blocking calls", (HOW, WHO), ("Twisted", "crochet")),
    hurry="seconds",
    thorough=Effort(slice_seconds=0.03, scenario_seconds=12.0, least_rounds=5),
    quick=Effort(slice_seconds=0.01, scenario_seconds=0.6, least_rounds=3),
    kinds=lambda effort: scenarios(),
    goals=lambda effort: goals(),
)


def main(benchmark: Benchmark[Scenario, Effort], arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = benchmark.parser().parse_args(arguments)
    effort = benchmark.scale(options)
    in_turn = benchmark.in_turn(options)
    figures = [run(scenario, effort, progress) for scenario, progress in in_turn]
    benchmark.publish(options, figures, [*map(scenario_table, figures)])


if __name__ == "__main__":
    main(BENCHMARK, sys.argv[1:])
