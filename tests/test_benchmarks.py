"""The benchmarks do what they claim; how fast anything is, no test asks."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.benchmarks import in_memory, many
from tests.benchmarks.contenders import Contender, MissingPeer, WrongCalls, prepare
from tests.benchmarks.goals import Goal, Verdict, goals
from tests.benchmarks.handlers import Handler
from tests.benchmarks.peers import bare_loop, pyee
from tests.benchmarks.report import Table, as_page, as_text, goals_table, misses, scenario_table
from tests.benchmarks.scenarios import Figures, Scale, Scenario, nanoseconds, run, scenarios
from tests.benchmarks.timing import Burst, Effort, fastest_turns

AT_ONCE = Effort(slice_seconds=0.0, scenario_seconds=0.0, least_rounds=1)
TINY = Scale(many=20, in_flight=5)


class Stopwatch:
    """A clock that work moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        """Gives the time."""
        return self.now

    def work(self, seconds: float, log: list[str] | None = None, name: str = "") -> Burst:
        """Gives a burst whose turns take so many seconds."""

        def burst(turns: int) -> None:
            self.now += turns * seconds
            if log is not None:
                log.append(name)

        return burst


def some_figures(**per_event: float) -> Figures:
    """Gives the figures of a scenario called "some"."""
    return Figures(Scenario("some", "Some", "ns", [], nanoseconds), per_event, ["who is missing"])


class ScenarioTests(SynchronousTestCase):
    """Every scenario, with tiny numbers."""

    def test_every_contender_is_measured(self) -> None:
        """A contender of any scenario has a figure above zero, or its library is missing."""
        for scenario in scenarios(TINY):
            figures = run(scenario, AT_ONCE)

            measured = [name for name, figure in figures.per_event.items() if figure > 0]
            self.assertEqual(
                len(measured) + len(figures.missing), len(scenario.contenders), scenario.name
            )
            self.assertTrue([name for name in measured if name.startswith("ours")])

    def test_goals_name_what_is_measured(self) -> None:
        """Every goal names a scenario and contenders that exist."""
        known = {
            scenario.name: {contender.name for contender in scenario.contenders}
            for scenario in scenarios(TINY)
        }

        for goal in goals(TINY.many):
            self.assertLessEqual({goal.over, goal.under} - {None}, known[goal.scenario])

    def test_memory_is_that_of_what_is_kept(self) -> None:
        """The memory of a registration is what one turn leaves allocated."""
        (memory,) = (scenario for scenario in scenarios(TINY) if scenario.name == "memory")

        kept = memory.measure({"keeps": lambda turns: bytes(9000)}, AT_ONCE, lambda done: None)

        self.assertIn(round(kept["keeps"], -3), (9000, 10_000))


class CheckTests(SynchronousTestCase):
    """The check of a contender before it is timed."""

    def test_right_number_of_calls(self) -> None:
        """A contender that calls all of its handlers passes."""
        burst = prepare(Contender("all", bare_loop, handlers=3, calls=3))

        self.assertTrue(callable(burst))

    def test_too_few_calls(self) -> None:
        """A contender that calls fewer handlers than it should is refused by name."""
        lazy = Contender("lazy", bare_loop, handlers=2, calls=3)

        error = self.assertRaises(WrongCalls, prepare, lazy)

        self.assertIn("lazy called 6 handlers instead of 9", str(error))

    def test_only_the_matching_handler_is_called(self) -> None:
        """Ours among many handlers calls exactly the one that each event is for."""
        called: list[int] = []

        def maker(number: int) -> Handler:
            return lambda event: called.append(number)

        names = many.users(4)
        many.ours([maker(number) for number in range(4)], names)([names[2], names[0]])

        self.assertEqual(called, [2, 0])

    def test_missing_library(self) -> None:
        """A contender whose library is not installed says how to install it."""
        with patch.dict(sys.modules, {"pyee.base": None, "pyee": None}):
            error = self.assertRaises(MissingPeer, prepare, Contender("pyee", pyee))

        self.assertIn("pip install -e .[benchmark]", str(error))

    def test_missing_library_harms_no_other(self) -> None:
        """A scenario lists whom it misses, and measures the others."""
        both = [Contender("bare", bare_loop), Contender("pyee", pyee)]

        with patch.dict(sys.modules, {"pyee.base": None, "pyee": None}):
            figures = run(Scenario("two", "Two", "ns", both, nanoseconds), AT_ONCE)

        self.assertEqual(list(figures.per_event), ["bare"])
        self.assertEqual(len(figures.missing), 1)


class TimingTests(SynchronousTestCase):
    """Measuring in turn, by a clock that only work moves."""

    def setUp(self) -> None:
        """Makes the clock."""
        self.watch = Stopwatch()

    def measure(self, bursts: dict[str, Burst], rounds: int = 4) -> dict[str, float]:
        """Measures by the clock, in slices of a second."""
        effort = Effort(slice_seconds=1.0, scenario_seconds=0.0, least_rounds=rounds)
        return fastest_turns(bursts, effort, clock=self.watch.read)

    def test_seconds_of_one_turn(self) -> None:
        """Each burst is given the seconds of one of its turns."""
        fastest = self.measure({"a": self.watch.work(0.25), "b": self.watch.work(2.0)})

        self.assertEqual(fastest, {"a": 0.25, "b": 2.0})

    def test_fastest_slice_counts(self) -> None:
        """A slice that is disturbed does not change the figure."""
        slow, fast = self.watch.work(3.0), self.watch.work(0.5)
        pace = iter([slow, slow, fast, slow, slow])

        fastest = self.measure({"a": lambda turns: next(pace)(turns)})

        self.assertEqual(fastest, {"a": 0.5})

    def test_interleaved(self) -> None:
        """In each round every burst has one slice."""
        log: list[str] = []
        bursts = {name: self.watch.work(1.0, log, name) for name in "abc"}

        self.measure(bursts, rounds=5)

        slices = [sorted(log[start : start + 3]) for start in range(0, len(log), 3)]
        self.assertEqual(slices, [["a", "b", "c"]] * 6)

    def test_goes_on_until_the_time_is_used(self) -> None:
        """Rounds are added as long as the scenario's time lasts."""
        log: list[str] = []
        effort = Effort(slice_seconds=1.0, scenario_seconds=5.0, least_rounds=1)

        fastest_turns({"a": self.watch.work(1.0, log, "a")}, effort, clock=self.watch.read)

        self.assertEqual(len(log), 1 + 5)


class GoalTests(SynchronousTestCase):
    """Holding a figure against its goal and its limit."""

    def verdict_of(self, figure: float, **words: bool) -> Verdict:
        """Gives the verdict on a cost with goal 2 and limit 3, or the other way round."""
        bounds = (3, 2) if words else (2, 3)
        goal = Goal("what", "some", "over", None, *bounds, **words)
        return goal.verdict(goal.figure({"some": {"over": figure}}))

    def test_less_is_better(self) -> None:
        """A cost reaches the goal, stays within the limit, or is worse."""
        verdicts = [self.verdict_of(figure) for figure in (2.0, 2.5, 3.5)]

        self.assertEqual(verdicts, [Verdict.REACHED, Verdict.WITHIN, Verdict.WORSE])

    def test_more_is_better(self) -> None:
        """A lead over a peer is held against lower bounds."""
        verdicts = [self.verdict_of(figure, more_is_better=True) for figure in (3.5, 2.5, 1.5)]

        self.assertEqual(verdicts, [Verdict.REACHED, Verdict.WITHIN, Verdict.WORSE])

    def test_not_measured(self) -> None:
        """Without one of its contenders a goal has no verdict."""
        goal = Goal("what", "some", "over", "gone", 1, 2)

        figure = goal.figure({"some": {"over": 1.0}})

        self.assertIs(goal.verdict(figure), Verdict.UNKNOWN)


class ReportTests(SynchronousTestCase):
    """What is printed, and written into the documentation."""

    goal = Goal("ours / bare", "some", "ours", "bare", 2, 3)

    def test_goals_beside_figures(self) -> None:
        """A row of the goals has the figure, both bounds and the verdict."""
        table = goals_table([self.goal], [some_figures(bare=10.0, ours=25.0)])

        self.assertEqual(table.rows[0], ("ours / bare", "2.50", "≤ 2", "≤ 3", "within limit"))

    def test_contenders_beside_the_first(self) -> None:
        """A row of a scenario has the figure and its ratio to the first contender's."""
        table = scenario_table(some_figures(bare=10.0, ours=25.0))

        self.assertEqual(table.rows, [("bare", "10", "1.00"), ("ours", "25", "2.50")])

    def test_misses_name_the_worst_first(self) -> None:
        """What is beyond its limit is listed before what only misses its goal."""
        bad = Goal("bad", "some", "ours", "bare", 1, 2)

        lines = misses([self.goal, bad], [some_figures(bare=10.0, ours=25.0)])

        self.assertEqual([line.split(":")[0] for line in lines], ["WORSE", "within limit"])

    def test_columns_are_aligned(self) -> None:
        """The rows of a table are equally wide on a terminal."""
        text = as_text([Table("Title", ("", "ns"), [("long name", "1"), ("x", "1,000")])], [])

        self.assertIn("  long name      1\n  x          1,000\n", text)

    def test_page_has_its_command(self) -> None:
        """The page of the documentation shows the command that makes it."""
        page = as_page([Table("Title", ("", "ns"), [("a", "1")])], ["a line"], "python -m this")

        self.assertIn("\n   python -m this\n", page)
        self.assertIn("\n   * -\n     - ns\n   * - a\n     - 1\n", page)


class CommandTests(SynchronousTestCase):
    """The command as a whole."""

    def command(self, *arguments: str) -> tuple[str, str]:
        """Runs the command with tiny numbers, and gives what it prints on stdout and stderr."""
        tiny = evolve(in_memory.BENCHMARK, quick=in_memory.Extent(TINY, AT_ONCE))
        with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as progress:
            in_memory.main(tiny, ["--quick", *arguments])
        return printed.getvalue(), progress.getvalue()

    def test_one_scenario(self) -> None:
        """With C{--scenario} that one alone is measured, and only its goals are judged."""
        printed, progress = self.command("--scenario", "phases")

        self.assertIn("async def by hand / ours, three phases", printed)
        self.assertNotIn("memory of a handler", printed)
        self.assertIn("[1/1]", progress)

    def test_page(self) -> None:
        """With C{--output} the page is written, and names the command as it was given."""
        page = Path(self.mktemp())

        self.command("--scenario", "phases", "--output", str(page))

        command = f"in_memory --quick --scenario phases --output {page.parts[-2]}/"
        self.assertIn(command, page.read_text(encoding="utf-8"))


class DocumentedTests(SynchronousTestCase):
    """What is said of the benchmarks elsewhere."""

    def test_every_one_is_named(self) -> None:
        """Each benchmark is named by the Makefile, and its page by the page about performance."""
        root = Path(__file__).parent.parent
        packages = (root / "tests" / "benchmarks").glob("*/__main__.py")
        names = ["in_memory", *(each.parent.name for each in packages)]
        make = (root / "Makefile").read_text("utf-8")
        performance = (root / "docs" / "benchmarks.rst").read_text("utf-8")

        for name in names:
            self.assertIn(name, make)
            page = f"benchmarks-{name.replace('_', '-')}"
            self.assertIn(f":doc:`{page}`", performance)
            self.assertTrue((root / "docs" / f"{page}.rst").exists(), page)
