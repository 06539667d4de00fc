"""
Generators of events that are kept in the database: which source, which conditions, which group.

The project registers sources; whoever has the admin decides for which of their candidates there
are events::

    Generator.SOURCES["members"] = {
        "candidates": lambda: Member.objects.iterator(),
        "context": lambda member: {"member": member, "gifts": member.gifts.count()},
        "verbose_name": "members of the club",
    }

``context_description``, an attribute of the function of the context, tells in the admin which
variables there are. `events_from_generators` gives the events; whoever calls it records them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import connections, models

from twisted_dispatcher import sources
from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.containing import contained
from twisted_dispatcher.errors import UnknownGeneratorSource, UnknownOperator
from twisted_dispatcher.registration.handlers import callable_name

OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}


def events_from_generators(
    described: Iterable[Mapping[str, Any]] | None = None, on_error: Any = None
) -> Iterator[Any]:
    """
    Give the events of generators, one after another; nothing is recorded.

    :param described: by default the active generators of the database; also
        ``Generator.objects.as_generators()``, or descriptions of your own.
    What the database refuses to a generator is undone, so that a transaction that is open is not
    spoilt by it.

    :param on_error: see `twisted_dispatcher.sources.events_from_generators`.
    """
    if described is None:
        described = Generator.objects.active().as_generators()
    # Those that share their candidates go on to do so.
    sharing = lru_cache(maxsize=None)(_ContainedCandidates)
    return sources.events_from_generators(
        (_contained(each, sharing) for each in described), on_error
    )


def _contained(described: Any, sharing: Callable[[Any], Any]) -> Any:
    """Describe a generator with what it asks of the database contained, if that can be."""
    if not isinstance(described, Mapping):
        return described
    found = dict(described)
    candidates, conditions = found.get("candidates"), found.get("conditions")
    if callable(candidates) and isinstance(candidates, Hashable):
        found["candidates"] = sharing(candidates)
    if callable(found.get("context")):
        found["context"] = partial(_asked, found["context"])
    if isinstance(conditions, (list, tuple)):
        found["conditions"] = [_contained_condition(each) for each in conditions]
    return found


def _contained_condition(condition: Any) -> Any:
    if not (isinstance(condition, Mapping) and callable(condition.get("test"))):
        return condition
    return {**condition, "test": partial(_asked, condition["test"])}


def _asked(function: Callable[[Any], Any], about: Any) -> Any:
    """Call what a generator has to say of a candidate, or of a variable."""
    with contained(connections[conf().database], callable_name(function)):
        return function(about)


class _ContainedCandidates:
    """Gives candidates one by one; nothing is contained while others work on one of them."""

    def __init__(self, candidates: Callable[[], Iterable[Any]]) -> None:
        self._candidates = candidates
        self._what = callable_name(candidates)

    def __call__(self) -> Iterator[Any]:
        connection = connections[conf().database]
        with contained(connection, self._what):
            found = iter(self._candidates())
        while True:
            with contained(connection, self._what):
                try:
                    candidate = next(found)
                except StopIteration:
                    return
            yield candidate


class GeneratorQuerySet(models.QuerySet):
    """Some generators."""

    def active(self) -> Any:
        """Leave those that are switched on."""
        return self.filter(is_active=True)

    def as_generators(self) -> Iterator[dict[str, Any]]:
        """
        Describe each as `events_from_generators` wants it.

        A row that cannot be used is described as well. What is wrong with it is raised as soon as
        its candidates are asked for, so that it is reported with the group, and others go on.
        """
        for each in self.prefetch_related("conditions"):
            yield each.as_generator()


class Generator(models.Model):
    """For each candidate of a source that meets all conditions there is an event of a group."""

    SOURCES: Final[dict[str, dict[str, Any]]] = {}
    """By name, the sources: ``candidates``, ``context``, and perhaps a ``verbose_name``."""

    id = models.BigAutoField(primary_key=True)
    group = models.CharField(max_length=200)
    source = models.CharField(max_length=200)
    is_active = models.BooleanField("active", default=True)

    objects = GeneratorQuerySet.as_manager()

    class Meta:
        ordering = ("group", "id")

    def __str__(self) -> str:
        return f"{self.group} from {self.source}"

    def clean(self) -> None:
        """Refuse a source that nobody has registered."""
        super().clean()
        if self.source not in self.SOURCES:
            raise ValidationError({"source": f"No source is registered as {self.source!r}."})

    def as_generator(self) -> dict[str, Any]:
        """Describe it; see `GeneratorQuerySet.as_generators`."""
        described: dict[str, Any] = {"group": self.group, "conditions": []}
        try:
            source = self._source()
            conditions = [each.as_condition() for each in self.conditions.all()]
        except (UnknownGeneratorSource, UnknownOperator) as error:
            return {**described, "candidates": partial(_raise, error), "context": dict}
        described["conditions"] = conditions
        # What a source lacks is found by whoever reads the description.
        return {**described, **{name: source.get(name) for name in ("candidates", "context")}}

    def _source(self) -> Mapping[str, Any]:
        try:
            return self.SOURCES[self.source]
        except KeyError:
            raise UnknownGeneratorSource(self.source, self.SOURCES) from None


class Condition(models.Model):
    """What a variable of a candidate's context is compared with."""

    id = models.BigAutoField(primary_key=True)
    generator = models.ForeignKey(Generator, models.CASCADE, related_name="conditions")
    variable = models.CharField(max_length=200)
    operator = models.CharField(max_length=2, choices=[(each, each) for each in OPERATORS])
    value = models.IntegerField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.variable} {self.operator} {self.value}"

    def as_condition(self) -> dict[str, Any]:
        """
        Describe it.

        :raises UnknownOperator: when the row has one that there is not.
        """
        try:
            compare = OPERATORS[self.operator]
        except KeyError:
            raise UnknownOperator(self.operator, OPERATORS) from None
        return {"variable": self.variable, "test": partial(_swapped, compare, self.value)}


def _swapped(compare: Callable[[Any, Any], Any], value: int, variable: Any) -> bool:
    return bool(compare(variable, value))


def _raise(error: Exception) -> Iterable[Any]:
    raise error
