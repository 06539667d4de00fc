"""
Generators: declared conditions that turn candidates into events.

A generator is described by a mapping::

    {"group": "shop_waiting", "candidates": open_orders, "context": facts_of_order,
     "conditions": [{"variable": "days", "test": lambda days: days > 3}]}

``candidates()`` gives objects with a ``pk`` (or an ``id``), ``context(candidate)`` a mapping. For
each candidate whose context meets all conditions there is an event of the group. One generator, or
one candidate, that is bad is reported and stands in nobody's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.errors import InvalidGenerator
from twisted_dispatcher.sources.declarations import event

# So many problems of one generator are logged one by one; the others are counted.
MOST_TOLD: Final = 10

_log = Logger()


@attrs.frozen
class GeneratorProblem:
    """
    Something that has kept an event from being made.

    :ivar group: that of the generator, as far as it has one.
    :ivar candidate: the id of the candidate, or None where the generator itself is bad.
    """

    group: str | None
    candidate: Any
    error: Exception


Report = Callable[[GeneratorProblem], object]


def events_from_generators(
    generators: Iterable[Mapping[str, Any]], on_error: Report | None = None
) -> Iterator[dict[str, Any]]:
    """
    Give the events of generators, one after another. Nothing is recorded: the caller does that.

    ``candidates()`` is called once for all generators that share it, and gone through once;
    ``context()`` is called for each generator and candidate. A candidate whose context does not
    have the variable of a condition is passed over.

    :param generators: their descriptions.
    :param on_error: called with each problem; by default the first ones of each generator are
        logged, and the others are counted.
    """
    problems = Problems() if on_error is None else None
    report: Report = on_error if problems is None else problems.add  # type: ignore[assignment]
    types: dict[str, type] = {}
    for candidates, sharing in _by_candidates(generators, report):
        for candidate in _each(candidates, sharing, report):
            for each in sharing:
                made = _event_of(each, candidate, types, report)
                if made is not None:
                    yield made
    if problems is not None:
        problems.finish()


# One generator


@attrs.frozen
class Generator:
    """A description that was checked."""

    group: str
    candidates: Callable[[], Iterable[Any]]
    context: Callable[[Any], Mapping[str, Any]]
    conditions: tuple[tuple[str, Callable[[Any], object]], ...]

    def meets(self, context: Mapping[str, Any]) -> bool:
        """Tell whether a context meets all conditions."""
        return all(name in context and test(context[name]) for name, test in self.conditions)


def _checked(described: Mapping[str, Any]) -> Generator:
    """
    Read a description.

    :raises InvalidGenerator: when something is missing, or is not what it should be.
    """
    try:
        conditions = tuple(
            (each["variable"], each["test"]) for each in described.get("conditions") or ()
        )
        found = Generator(
            described["group"], described["candidates"], described["context"], conditions
        )
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InvalidGenerator(f"its description cannot be read ({what})") from error
    if not (isinstance(found.group, str) and found.group):
        raise InvalidGenerator(f"its group is a text, not {found.group!r}")
    if not (callable(found.candidates) and callable(found.context)):
        raise InvalidGenerator("its candidates and its context are functions")
    return found


def _by_candidates(
    generators: Iterable[Mapping[str, Any]], report: Report
) -> Iterator[tuple[Callable[[], Iterable[Any]], Sequence[Generator]]]:
    """Give the functions of candidates, each with the generators that share it."""
    sharing: dict[Callable[[], Iterable[Any]], list[Generator]] = {}
    for described in generators:
        try:
            generator = _checked(described)
            sharing.setdefault(generator.candidates, []).append(generator)
        except Exception as error:
            report(GeneratorProblem(_group_of(described), None, error))
    yield from sharing.items()


def _group_of(described: Any) -> str | None:
    group = described.get("group") if isinstance(described, Mapping) else None
    return group if isinstance(group, str) else None


def _each(
    candidates: Callable[[], Iterable[Any]], sharing: Sequence[Generator], report: Report
) -> Iterator[Any]:
    """Give candidates as long as there are any; where that breaks, say so for each generator."""
    try:
        found = iter(candidates())
        while True:
            try:
                candidate = next(found)
            except StopIteration:
                return
            yield candidate
    except Exception as error:
        for each in sharing:
            report(GeneratorProblem(each.group, None, error))


# One candidate


def _event_of(
    generator: Generator, candidate: Any, types: dict[str, type], report: Report
) -> dict[str, Any] | None:
    """Give the event of a candidate, if it meets the conditions."""
    number: Any = None
    try:
        number = id_of(candidate)
        context = generator.context(candidate)
        if not generator.meets(context):
            return None
        _require_same_type(generator.group, candidate, types)
        return event(generator.group, number, context)
    except Exception as error:
        report(GeneratorProblem(generator.group, number, error))
        return None


def id_of(candidate: Any) -> Any:
    """
    Give the id by which the event of a candidate is known.

    :raises InvalidGenerator: when it has none.
    """
    for name in ("pk", "id"):
        found = getattr(candidate, name, None)
        if found is not None:
            return found
    raise InvalidGenerator(f"a candidate of type {type(candidate).__name__} has neither pk nor id")


def _require_same_type(group: str, candidate: Any, types: dict[str, type]) -> None:
    """
    Refuse candidates of two kinds for one group.

    Two things of different kinds may have the same id; the key of their events would be the same,
    and that of the second would be taken for known.
    """
    kind = types.setdefault(group, type(candidate))
    if not (isinstance(candidate, kind) or issubclass(kind, type(candidate))):
        raise InvalidGenerator(
            f"the group {group!r} already has events of {kind.__name__}, whose ids may be the "
            f"same as those of {type(candidate).__name__}: give these a group of their own"
        )


# Problems


class Problems:
    """Logs the first problems of each generator, and counts the others."""

    def __init__(self) -> None:
        self._counts: dict[str | None, int] = {}

    def add(self, problem: GeneratorProblem) -> None:
        """Take note of a problem."""
        count = self._counts[problem.group] = self._counts.get(problem.group, 0) + 1
        if count <= MOST_TOLD:
            _log.failure(
                "The generator of {group} makes no event for {candidate}; the rest goes on",
                Failure(problem.error),
                group=problem.group,
                candidate="any" if problem.candidate is None else problem.candidate,
            )

    def finish(self) -> None:
        """Say how many were not logged."""
        for group, count in self._counts.items():
            if count > MOST_TOLD:
                _log.error(
                    "The generator of {group} has failed {count} times more, which is not logged",
                    group=group,
                    count=count - MOST_TOLD,
                )
