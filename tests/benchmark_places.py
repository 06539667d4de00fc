"""What the tests of the benchmarks that run on stores have in common."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.benchmarks.command import Benchmark
from tests.benchmarks.on_stores.command import report
from tests.benchmarks.on_stores.opened import OnStore
from tests.benchmarks.on_stores.places import Directory
from tests.benchmarks.on_stores.scenarios import Kind

S = TypeVar("S")
Opened = TypeVar("Opened", bound=OnStore)


@frozen
class Said:
    """What a command printed, what it said on the way, and the page that it wrote."""

    printed: str
    progress: str
    page: str


class OnSQLite(TestCase):
    """Gives each test a place for SQLite files."""

    def setUp(self) -> None:
        """Makes a directory for the files."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.place = Directory(str(directory))
        self.addCleanup(self.place.remove)

    async def opened(self, kind: type[Opened]) -> Opened:
        """Opens a new store, which is closed after the test."""
        opened = await kind.open(self.place.new_url())
        self.closed_after(opened)
        return opened

    def closed_after(self, opened: OnStore) -> None:
        """Has a store closed after the test."""
        self.addCleanup(lambda: ensureDeferred(opened.close()))

    async def said(self, benchmark: Benchmark[Kind[S], S], tiny: S, *arguments: str) -> Said:
        """Runs a command with tiny numbers on SQLite."""
        page = Path(self.mktemp())
        benchmark = evolve(benchmark, quick=tiny)
        given = ["--quick", *arguments, "--store", "sqlite", "--output", str(page)]
        options = benchmark.parser().parse_args(given)
        with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as progress:
            await report(benchmark, options)
        return Said(printed.getvalue(), progress.getvalue(), page.read_text(encoding="utf-8"))
