"""Measures a benchmark's scenarios on one kind of store after the other, and reports."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from tests.benchmarks.command import Benchmark
from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.on_stores.places import Place, place_of
from tests.benchmarks.on_stores.report import figures_table
from tests.benchmarks.on_stores.scenarios import Figures, Kind, run

S = TypeVar("S")


def main(benchmark: Benchmark[Kind[S], S], arguments: Sequence[str]) -> None:
    """Measures what the arguments ask for, prints it, and writes the page if one is wanted."""
    options = benchmark.parser().parse_args(arguments)
    react(lambda reactor: ensureDeferred(report(benchmark, options)))


async def report(benchmark: Benchmark[Kind[S], S], options: Namespace) -> None:
    """Measures and reports."""
    figures, absent = await measure_all(benchmark, options)
    tables = [figures_table(each) for each in figures if each.per_event]
    benchmark.publish(options, figures, tables, absent)


async def measure_all(
    benchmark: Benchmark[Kind[S], S], options: Namespace
) -> tuple[list[Figures], list[str]]:
    """Measures on one kind of store after the other; gives as well which of them is missing."""
    figures: list[Figures] = []
    absent = []
    for store in benchmark.stores:
        if options.store in (None, store):
            try:
                place = place_of(store, options.postgresql)
            except MissingPeer as error:
                absent.append(str(error))
                continue
            try:
                figures += await measure_on(place, benchmark, options)
            finally:
                place.remove()
    return figures, absent


async def measure_on(
    place: Place, benchmark: Benchmark[Kind[S], S], options: Namespace
) -> list[Figures]:
    """Measures one scenario after the other on one kind of store."""
    scale = benchmark.scale(options)
    in_turn = benchmark.in_turn(options, f"{place.title} ")
    return [await run(kind, place, scale, progress) for kind, progress in in_turn]
