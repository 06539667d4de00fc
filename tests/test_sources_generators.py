"""Events from generators: declared conditions, and what happens to bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import gt
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import InvalidGenerator
from twisted_dispatcher.sources import GeneratorProblem, event, events_from_generators
from twisted_dispatcher.sources.generators import MOST_TOLD


class Order:
    """A candidate."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    days: Any
    pk: Any


class RushOrder(Order):
    """A candidate of a kind that is also the other one."""


def orders(*days: Any) -> Callable[[], list[Order]]:
    """Give a function of candidates that wait for so many days."""
    found = [Order(pk=number, days=each) for number, each in enumerate(days, 1)]
    return lambda: found


def context(order: Any) -> dict[str, Any]:
    """Give what conditions ask for."""
    return {"days": order.days}


def more_than(least: int, variable: str = "days") -> dict[str, Any]:
    """Give a condition."""
    return {"variable": variable, "test": lambda value: gt(value, least)}


def generator(candidates: Any, *conditions: Any, group: str = "waiting", **values: Any) -> Any:
    """Give a description."""
    described = {"group": group, "candidates": candidates, "context": context}
    return {**described, "conditions": conditions, **values}


class EventsFromGeneratorsTests(SynchronousTestCase):
    """`events_from_generators`."""

    def made(self, *generators: Any) -> list[str]:
        """Give the keys of the events; keep the problems."""
        self.problems: list[GeneratorProblem] = []
        found = events_from_generators(generators, self.problems.append)
        return [each["key"] for each in found]

    def test_all_conditions(self) -> None:
        """A candidate that meets all conditions has an event with its context (S60, S66)."""
        described = generator(orders(1, 5, 9), more_than(3), more_than(7))

        found = list(events_from_generators([described]))

        self.assertEqual(found, [event("waiting", 3, {"days": 9})])

    def test_missing_variable(self) -> None:
        """A candidate whose context lacks the variable is passed over, without error (S61)."""
        self.assertEqual([], self.made(generator(orders(5), more_than(3, "weight"))))
        self.assertEqual([], self.problems)

    def test_no_conditions(self) -> None:
        """Without conditions every candidate has an event (S62)."""
        self.assertEqual(["waiting_1", "waiting_2"], self.made(generator(orders(1, 2))))

    def test_shared_candidates(self) -> None:
        """Candidates are asked for once a run, contexts for each generator (S64)."""
        called: list[Any] = []

        def candidates() -> Iterator[Any]:
            called.append("candidates")
            yield from orders(1, 2)()

        def noted(order: Any) -> dict[str, Any]:
            called.append(order.pk)
            return context(order)

        made = self.made(
            generator(candidates, group="a", context=noted),
            generator(candidates, group="b", context=noted),
        )

        self.assertEqual(["a_1", "b_1", "a_2", "b_2"], made)
        self.assertEqual(["candidates", 1, 1, 2, 2], called)

    def test_lazy(self) -> None:
        """No candidate is asked for before the events until then were taken (S67)."""
        called: list[int] = []

        def candidates() -> Iterator[Any]:
            for each in orders(1, 2)():
                called.append(each.pk)
                yield each

        found = events_from_generators([generator(candidates)])

        self.assertEqual([], called)
        next(found)
        self.assertEqual([1], called)

    def test_not_comparable(self) -> None:
        """A value that cannot be compared is reported, and stops nothing (S68)."""
        described = generator(orders(5, None, 6), more_than(3))

        self.assertEqual(["waiting_1", "waiting_3"], self.made(described))
        (problem,) = self.problems
        self.assertEqual(("waiting", 2), (problem.group, problem.candidate))
        self.assertIsInstance(problem.error, TypeError)

    def test_candidates_break(self) -> None:
        """Candidates that raise, at once or in the middle, stop their generators alone (S69)."""

        def breaking() -> Iterator[Any]:
            yield from orders(1)()
            raise LookupError("gone")

        def raising() -> Any:
            raise LookupError("never there")

        made = self.made(
            generator(raising, group="a"),
            generator(breaking, group="b"),
            generator(orders(1), group="c"),
        )

        self.assertEqual(["b_1", "c_1"], made)
        self.assertEqual(["a", "b"], [each.group for each in self.problems])

    def test_descriptions_that_are_none(self) -> None:
        """A description that cannot be one is reported, and the others go on."""
        made = self.made(
            {"group": "a"},
            None,
            generator(orders(1), group=""),
            generator(None, group="b"),
            generator(orders(1), {"variable": "days"}, group="c"),
            generator([].copy, group="d", conditions=5),
            generator(orders(1)),
        )

        self.assertEqual(["waiting_1"], made)
        self.assertEqual(["a", None, "", "b", "c", "d"], [each.group for each in self.problems])
        for each in self.problems:
            self.assertIsInstance(each.error, InvalidGenerator)

    def test_no_id(self) -> None:
        """A candidate without pk and id is reported; an id will do."""
        found = self.made(generator(lambda: [Order(days=1), Order(id=7, days=1)]))

        self.assertEqual(["waiting_7"], found)
        self.assertIn("neither pk nor id", str(self.problems[0].error))

    def test_two_kinds_in_one_group(self) -> None:
        """Candidates of another kind in the same group are reported, and not lost (S70)."""
        invoices = SimpleNamespace(pk=1, days=1)

        made = self.made(generator(orders(1)), generator(lambda: [invoices]))

        self.assertEqual(["waiting_1"], made)
        self.assertIn("a group of their own", str(self.problems[0].error))

    def test_one_kind_from_two_sources(self) -> None:
        """Two sources may have the same things, also where some are of a narrower kind."""
        rush = [RushOrder(pk=2, days=1)]

        made = self.made(generator(orders(1)), generator(orders(1)), generator(lambda: rush))

        self.assertEqual(["waiting_1", "waiting_1", "waiting_2"], made)
        self.assertEqual([], self.problems)

    def test_log(self) -> None:
        """Problems are logged with the group, so many of each generator, and then counted."""
        described = generator(orders(*[None] * (MOST_TOLD + 5)), more_than(3))

        self.assertEqual([], list(events_from_generators([described])))

        self.assertEqual(MOST_TOLD, len(self.flushLoggedErrors(TypeError)))
