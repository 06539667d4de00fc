"""
How match specs are held against event details: match values, and an index over specs.

**The theory.** A spec is a set of keywords with a wanted value each; an event with details
matches when each of these details equals what is wanted. That is the problem of a packet
classifier, and `MatchIndex` is a *tuple space search* (Srinivasan, Suri and Varghese, "Packet
Classification using Tuple Space Search", SIGCOMM 1999): entries are grouped by the set of
keywords that they name, and each group is one dict from the tuple of wanted values to the
entries that want them. A search costs one look-up for every distinct set of keywords in use,
however many entries there are. Open vSwitch classifies its flows this way, with caches in front
of it; the caches of ours are `MatchIndex._merged` and the plans of the dispatcher.

Values that cannot be looked up (patterns, predicates) do not take part in the grouping: their
entries stand in the group of their other keywords and are tested one by one, after the look-up.

Nothing here knows a reactor, a clock or a dispatcher.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar, Union

from twisted_dispatcher.errors import InvalidMatchValue, UnhashableValue


class _Missing:
    """Stands in the details for a keyword that the event left out. It matches no spec."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<left out>"


MISSING: Final = _Missing()

# A spec of several OneOf values is indexed under every combination, up to this many.
MOST_COMBINATIONS = 1024
# Searches that met the same groups' entries share one merged answer; at most so many are kept.
MOST_MERGED = 1024

# Values of these types are what most specs consist of: hashable, and nothing but themselves.
_SIMPLE: Final = frozenset({str, int, bool, bytes, float})


class Exactly:
    """Match what equals the value, and nothing else: ``Exactly(None)`` is a literal None."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Exactly({self.value!r})"


class OneOf:
    """
    Match what equals one of the values: ``OneOf("admin", "owner")``.

    One list, set or tuple of the values is taken as well. None among them is a literal None.

    :raises InvalidMatchValue: without a value, or with a pattern or match value among them.
    """

    __slots__ = ("values",)

    def __init__(self, *values: Any) -> None:
        if len(values) == 1 and isinstance(values[0], (list, tuple, set, frozenset)):
            values = tuple(values[0])
        if not values:
            raise InvalidMatchValue("OneOf needs at least one value: it could never match")
        for value in values:
            if isinstance(value, (Exactly, OneOf, Where, re.Pattern)):
                raise InvalidMatchValue(
                    f"OneOf takes plain values, not {value!r}: use one Where for all of it, or "
                    "register the handler once for each"
                )
        self.values = values

    def __repr__(self) -> str:
        return f"OneOf({', '.join(map(repr, self.values))})"


class Where:
    """
    Match what the predicate says yes to: ``Where(lambda size: size > 1000)``.

    The predicate is called with the detail's value at every fire that comes so far, so keep it
    quick; it is not called for an event that leaves the keyword out. When it raises, the handler
    is not called and fails with what was raised.

    :raises InvalidMatchValue: when the predicate is not callable.
    """

    __slots__ = ("predicate",)

    def __init__(self, predicate: Callable[[Any], object]) -> None:
        if not callable(predicate):
            raise InvalidMatchValue(
                f"Where takes a function of the value, not {predicate!r}: for a plain value give "
                "the value itself, or Exactly(value)"
            )
        self.predicate = predicate

    def __repr__(self) -> str:
        name = getattr(self.predicate, "__qualname__", None) or repr(self.predicate)
        return f"Where({name})"


def wanted_values(value: Any) -> tuple[Any, ...] | None:
    """Give the plain values that a match value stands for, or None where it must be tested."""
    if isinstance(value, Exactly):
        return (value.value,)
    if isinstance(value, OneOf):
        return tuple(dict.fromkeys(value.values))
    if isinstance(value, (Where, re.Pattern)):
        return None
    return (value,)


def matches(value: Any, detail: Any) -> bool:
    """
    Tell whether one detail is what one match value of a spec wants.

    :raises: what the predicate of a `Where` raises.
    """
    if detail is MISSING:
        return False
    if isinstance(value, Where):
        return bool(value.predicate(detail))
    if isinstance(value, re.Pattern):
        same_kind = isinstance(detail, type(value.pattern))
        return same_kind and value.search(detail) is not None
    wanted = wanted_values(value)
    assert wanted is not None
    return detail in wanted


def check_hashable(keyword: str, value: Any) -> None:
    """
    Refuse a match value that the index could not look up.

    :raises UnhashableValue: naming the keyword.
    """
    plain = value.values if isinstance(value, OneOf) else (value,)
    for one in plain:
        one = one.value if isinstance(one, Exactly) else one
        try:
            hash(one)
        except TypeError as error:
            cure = "give a tuple or frozenset, or test it with Where(predicate)"
            raise UnhashableValue(keyword, one, cure) from error


def unhashable(keywords: Iterable[str], details: Iterable[Any]) -> UnhashableValue | None:
    """Give the error for the first of the details that cannot be looked up, if there is one."""
    for keyword, value in zip(keywords, details):
        try:
            hash(value)
        except TypeError:
            cure = "give a tuple or frozenset as the detail, or leave it to the event itself"
            return UnhashableValue(keyword, value, cure)
    return None


class Entry:
    """
    One spec in an index. Whoever keeps something by spec derives from it.

    `keywords` are those of the spec that are not wildcards, `wanted` their match values in the
    same order, `tests` those pairs that must be tested one by one.
    """

    __slots__ = ("id", "keywords", "tests", "wanted")

    id: int
    keywords: tuple[str, ...]
    wanted: tuple[Any, ...]
    tests: tuple[tuple[str, Any], ...]

    def set_spec(self, spec: Mapping[str, Any]) -> None:
        """
        Take a spec over: None is a wildcard and left out.

        :raises UnhashableValue: for a plain value that cannot be hashed.
        """
        for value in spec.values():
            if type(value) not in _SIMPLE:
                self._set_any_spec(spec)
                return
        self.tests = ()
        if len(spec) == 1:
            self.keywords = tuple(spec)
            self.wanted = tuple(spec.values())
        else:
            self.keywords = tuple(sorted(spec))
            self.wanted = tuple([spec[keyword] for keyword in self.keywords])

    def _set_any_spec(self, spec: Mapping[str, Any]) -> None:
        named = {key: value for key, value in spec.items() if value is not None}
        for keyword, value in named.items():
            check_hashable(keyword, value)
        keywords = tuple(sorted(named))
        self.keywords = keywords
        self.wanted = tuple([named[keyword] for keyword in keywords])
        self.tests = tuple(self._untabled(named))

    @staticmethod
    def _untabled(named: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Give the pairs that no table can answer: what is not exact, or exact too many times."""
        combinations = 1
        for keyword in sorted(named):
            values = wanted_values(named[keyword])
            if values is None or combinations * len(values) > MOST_COMBINATIONS:
                yield keyword, named[keyword]
            else:
                combinations *= len(values)

    @property
    def spec(self) -> dict[str, Any]:
        """The spec as it was given, without its wildcards."""
        return dict(zip(self.keywords, self.wanted))

    def table_keys(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Give the keywords of the group where it stands, and its keys in the group's table."""
        for value in self.wanted:
            if type(value) not in _SIMPLE:
                return self._any_table_keys()
        return self.keywords, [self.wanted]

    def _any_table_keys(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        tested = {keyword for keyword, _ in self.tests}
        pairs = [pair for pair in zip(self.keywords, self.wanted) if pair[0] not in tested]
        keys: list[tuple[Any, ...]] = [()]
        for _, value in pairs:
            keys = [(*key, one) for key in keys for one in wanted_values(value) or ()]
        return tuple(keyword for keyword, _ in pairs), keys


EntryT = TypeVar("EntryT", bound=Entry)
Details = tuple[Any, ...]
# What stands under one key of a group: an entry alone, or several by their ids.
Bucket = Union[EntryT, dict[int, EntryT]]  # noqa: UP007 - mypy takes no TypeVar in "|"
# Merged answers, by the ids of the buckets that they were merged from.
_Merged = dict[tuple[int, ...], tuple[list[Bucket[EntryT]], tuple[EntryT, ...]]]


class _Group(Generic[EntryT]):
    """The entries that name the same set of keywords, in a table by their wanted values."""

    __slots__ = ("keywords", "table", "take")

    def __init__(self, keywords: tuple[str, ...], positions: Mapping[str, int]) -> None:
        self.keywords = keywords
        self.table: dict[tuple[Any, ...], Bucket[EntryT]] = {}
        self.take = self._taker([positions[keyword] for keyword in keywords])

    @staticmethod
    def _taker(positions: Sequence[int]) -> Callable[[Details], tuple[Any, ...]]:
        """Give a function from the details to this group's key: their values, as a tuple."""
        if len(positions) > 1:
            return itemgetter(*positions)
        first = positions[0] if positions else 0
        return itemgetter(slice(first, first + len(positions)))

    def add(self, key: tuple[Any, ...], entry: EntryT) -> None:
        bucket = self.table.get(key)
        if bucket is None:
            self.table[key] = entry
        elif isinstance(bucket, dict):
            bucket[entry.id] = entry
        else:
            self.table[key] = {bucket.id: bucket, entry.id: entry}

    def remove(self, key: tuple[Any, ...], entry: EntryT) -> None:
        bucket = self.table[key]
        if isinstance(bucket, dict):
            del bucket[entry.id]
            if len(bucket) == 1:
                self.table[key] = next(iter(bucket.values()))
        else:
            del self.table[key]


class MatchIndex(Generic[EntryT]):
    """
    Finds, among entries with a spec each, those that details match.

    Details are given as a tuple with a value for each keyword of the index, in their order,
    `MISSING` for those that were left out. Searching never changes what the index holds, so
    that it does not grow with the values searched for.

    What grows with the number of entries is looked up, what does not (the distinct sets of
    keywords) is scanned.
    """

    def __init__(
        self,
        keywords: Iterable[str],
        order: Callable[[EntryT], Any],
        on_broken: Callable[[EntryT, Exception], EntryT],
    ) -> None:
        """
        :param order: the sort key of the entries that a search gives.
        :param on_broken: gives what stands in a search for an entry whose test raised.
        """
        self.keywords: tuple[str, ...] = tuple(keywords)
        self._order = order
        self._on_broken = on_broken
        self._groups: dict[tuple[str, ...], _Group[EntryT]] = {}
        self._scan: tuple[_Group[EntryT], ...] = ()
        self._merged: _Merged[EntryT] = {}

    def add(self, entry: EntryT) -> None:
        """Add an entry whose spec names only keywords of this index."""
        keywords, keys = entry.table_keys()
        group = self._groups.get(keywords)
        if group is None:
            positions = {keyword: at for at, keyword in enumerate(self.keywords)}
            group = self._groups[keywords] = _Group(keywords, positions)
            self._scan = tuple(self._groups.values())
        if entry.keywords == group.keywords:
            entry.keywords = group.keywords
        for key in keys:
            group.add(key, entry)
        self._forget()

    def remove(self, entry: EntryT) -> None:
        """Remove an entry that was added."""
        keywords, keys = entry.table_keys()
        group = self._groups[keywords]
        for key in keys:
            group.remove(key, entry)
        if not group.table:
            del self._groups[keywords]
            self._scan = tuple(self._groups.values())
        self._forget()

    def _forget(self) -> None:
        # A new dict, not an emptied one: a search that is under way keeps its answer to itself.
        self._merged = {}

    def find(self, details: Details) -> tuple[tuple[EntryT, ...], bool]:
        """
        Give the entries that match, in order, and whether equal details will find the same.

        They may not where anything was tested: a predicate may answer differently next time, and
        a pattern finds nothing in what merely equals a text.

        :raises TypeError: when a value cannot be hashed.
        """
        cache = self._merged
        found = []
        for group in self._scan:
            bucket = group.table.get(group.take(details))
            if bucket is not None:
                found.append(bucket)
        candidates = self._merge(found, cache)
        for entry in candidates:
            if entry.tests:
                return self._tested(candidates, details), False
        return candidates, True

    def _merge(self, found: list[Bucket[EntryT]], cache: _Merged[EntryT]) -> tuple[EntryT, ...]:
        """Give the entries of the buckets in order; the same buckets share one answer."""
        if len(found) == 1 and not isinstance(found[0], dict):
            return (found[0],)
        # The answer keeps its buckets alive, so that no other object can take over their ids.
        name = tuple(map(id, found))
        merged = cache.get(name)
        if merged is None:
            entries: list[EntryT] = []
            for bucket in found:
                entries.extend(bucket.values() if isinstance(bucket, dict) else (bucket,))
            merged = (found, tuple(sorted(entries, key=self._order)))
            if len(cache) >= MOST_MERGED:
                cache.clear()
            cache[name] = merged
        return merged[1]

    def _tested(self, candidates: tuple[EntryT, ...], details: Details) -> tuple[EntryT, ...]:
        """Put those of the candidates to the test that could not be looked up wholly."""
        given = dict(zip(self.keywords, details))
        passed: list[EntryT] = []
        for entry in candidates:
            try:
                if all(matches(value, given[keyword]) for keyword, value in entry.tests):
                    passed.append(entry)
            except Exception as error:
                passed.append(self._on_broken(entry, error))
        return tuple(passed)
