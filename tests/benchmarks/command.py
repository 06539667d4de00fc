"""The command that every benchmark has: its options, its progress, what it prints and writes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen

from tests.benchmarks.goals import Goal
from tests.benchmarks.report import About, Measured, Table, as_page, as_text, goals_table, summary
from tests.benchmarks.timing import Progress


class Titled(Protocol):
    """A scenario that can be asked for by its name."""

    @property
    def name(self) -> str:
        """Tells by which name it is asked for."""

    @property
    def title(self) -> str:
        """Tells what the heading of its table says."""


K = TypeVar("K", bound=Titled)
S = TypeVar("S")


@frozen(kw_only=True)
class Benchmark(Generic[K, S]):
    """
    What one command measures, and what it says of it.

    :ivar name: of the module below ``tests.benchmarks``.
    :ivar about: what the page says before its tables.
    :ivar hurry: how long it takes when it is quick, in words.
    :ivar thorough: how much is measured for a page of the documentation.
    :ivar quick: how much is measured in a hurry.
    :ivar kinds: gives the scenarios, in the order of the report.
    :ivar goals: gives what is wanted.
    :ivar million: makes much of it a million, if that can be asked for.
    :ivar of_a_million: says what there are a million of.
    :ivar stores: the kinds of store that it runs on, if it runs on several.
    """

    name: str
    about: About
    hurry: str
    thorough: S
    quick: S
    kinds: Callable[[S], Sequence[K]]
    goals: Callable[[S], Sequence[Goal]]
    million: Callable[[S], S] | None = None
    of_a_million: str = ""
    stores: Sequence[str] = ()

    @property
    def command(self) -> str:
        """Gives the command without its options."""
        return f"python -m tests.benchmarks.{self.name}"

    def parser(self) -> ArgumentParser:
        """Gives the options of the command."""
        options = ArgumentParser(
            prog=self.command,
            description="Measures, and prints figures and goals. The exit status says only whether"
            " all contenders did their work: a figure is never an error.",
        )
        add = options.add_argument
        names = [kind.name for kind in self.kinds(self.quick)]
        add("--quick", action="store_true", help=f"rough figures, in {self.hurry}")
        add("--scenario", choices=names, help="measure this one only")
        if self.stores:
            add("--store", choices=self.stores, help="on this kind of store only")
            add("--postgresql", metavar="URL", help="a database, as who may create others")
        if self.million is not None:
            add("--million", action="store_true", help=self.of_a_million)
        add("--output", type=Path, help="write this reStructuredText file as well")
        return options

    def scale(self, options: Namespace) -> S:
        """Gives how much is measured."""
        scale = self.quick if options.quick else self.thorough
        return scale if self.million is None or not options.million else self.million(scale)

    def in_turn(self, options: Namespace, where: str = "") -> Iterator[tuple[K, Progress]]:
        """Gives one wanted scenario after the other, and says on stderr how far it is."""
        kinds = self.kinds(self.scale(options))
        wanted = [kind for kind in kinds if options.scenario in (None, kind.name)]
        began = monotonic()
        for number, kind in enumerate(wanted, 1):
            heading = f"{where}[{number}/{len(wanted)}] {kind.title}"
            yield kind, progress_of(heading)
            say(f"{heading}: {monotonic() - began:.0f} s", end="\n")

    def publish(
        self,
        options: Namespace,
        figures: Sequence[Measured],
        tables: Sequence[Table],
        absent: Sequence[str] = (),
    ) -> None:
        """Prints tables and how figures stand to their goals; writes the page if one is wanted.

        The page begins with the goals.  C{absent} says what could not be measured at all.
        """
        known = {each.scenario.name for each in figures}
        goals = [goal for goal in self.goals(self.scale(options)) if goal.scenario in known]
        verdicts = goals_table(goals, figures)
        lines = [*summary(goals, figures), *absent]
        print(as_text([*tables, verdicts], lines, self.about.packages))
        if options.output is not None:
            page = as_page([verdicts, *tables], lines, self.command_of(options), self.about)
            options.output.write_text(page, encoding="utf-8")

    def command_of(self, options: Namespace) -> str:
        """Gives the command as it is typed in the project's directory."""
        chosen = vars(options)
        words = [self.command]
        words += ["--quick"] * options.quick
        words += [f"--{name} {chosen[name]}" for name in ("scenario", "store") if chosen.get(name)]
        words += ["--million"] * chosen.get("million", False)
        words += [f"--output {PurePath(*options.output.parts[-2:]).as_posix()}"]
        return " ".join(words)


def progress_of(heading: str) -> Progress:
    """Gives what shows a scenario's progress on a terminal, and nothing where there is none."""

    def show(done: float) -> None:
        if sys.stderr.isatty():
            say(f"{heading}: {done:.0%}", end="   \r")

    return show


def say(text: str, **words: Any) -> None:
    """Says something to who waits."""
    print(text, file=sys.stderr, flush=True, **words)
