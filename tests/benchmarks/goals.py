"""What is wanted of the dispatcher in memory: a table, and how a figure is held against it.

A figure is what one contender costs divided by what another one costs in the same run, or what
it costs by itself, in units of the scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

PerEvent = Mapping[str, float]


class Verdict(Enum):
    """How a figure stands to its goal and to its limit."""

    REACHED = "goal reached"
    WITHIN = "within limit"
    WORSE = "WORSE"
    UNKNOWN = "not measured"


@frozen
class Goal:
    """One line of what is wanted.

    C{over} is divided by C{under}, unless that is None.  If C{more_is_better}, the goal and the
    limit are lower bounds, otherwise upper bounds.
    """

    what: str
    scenario: str
    over: str
    under: str | None
    goal: float
    limit: float
    more_is_better: bool = False

    def figure(self, measured: Mapping[str, PerEvent]) -> float | None:
        """Gives the figure, or None if one of its contenders was not measured."""
        per_event = measured.get(self.scenario, {})
        over = per_event.get(self.over)
        under = 1.0 if self.under is None else per_event.get(self.under)
        return None if over is None or under is None else over / under

    def verdict(self, figure: float | None) -> Verdict:
        """Holds a figure against the goal and the limit."""
        if figure is None:
            return Verdict.UNKNOWN
        if self.reaches(figure, self.goal):
            return Verdict.REACHED
        return Verdict.WITHIN if self.reaches(figure, self.limit) else Verdict.WORSE

    def reaches(self, figure: float, bound: float) -> bool:
        """Tells whether a figure is as good as a bound."""
        return figure >= bound if self.more_is_better else figure <= bound


def goals(many: int) -> list[Goal]:
    """Gives all that is wanted, where very many handlers are so many."""
    bare = "bare loop"
    return [
        Goal("ours / bare loop, 1 handler", "one", "ours", bare, 5, 9),
        Goal("the same, it returns a value", "one", "ours, values", bare, 5, 9),
        Goal("ours / bare loop, 10 handlers", "ten", "ours", bare, 2.2, 3.5),
        Goal("the same, they return values", "ten", "ours, values", bare, 2.2, 3.5),
        slower("blinker / ours, 1 handler", "one", "blinker, by sender", 3.5, 2),
        slower("blinker / ours, 10 handlers", "ten", "blinker, by sender", 7, 4),
        slower("pydispatcher / ours, 1 handler", "one", "pydispatcher", 9, 5),
        slower("pydispatcher / ours, 10 handlers", "ten", "pydispatcher", 9, 5),
        slower("pyee / ours, 1 handler", "one", "pyee", 2, 1.05),
        Goal(
            f"a fire at {many:,} handlers / at 10",
            "fixed",
            f"ours, {many:,}",
            "ours, 10",
            1.1,
            1.25,
        ),
        Goal("ours / bare, three phases of fired Deferreds", "phases", "ours", "bare", 2.5, 4),
        slower("async def by hand / ours, three phases", "phases", "async def by hand", 2, 1.2),
        Goal("memory of a handler, bytes", "memory", "ours", None, 320, 500),
        Goal("registration of a handler, ns", "registration", "ours", None, 2500, 5000),
    ]


def slower(what: str, scenario: str, peer: str, goal: float, limit: float) -> Goal:
    """Wants a peer to be so many times slower than ours."""
    return Goal(what, scenario, peer, "ours", goal, limit, more_is_better=True)
