"""
An index over match specs: finds those that are subsets of the details of an event.

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

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar, Union

from twisted_dispatcher.matching.entries import Entry
from twisted_dispatcher.matching.values import Where, matches

# Searches that met the same groups' entries share one merged answer; at most so many are kept.
MOST_MERGED = 1024

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

    def find(self, details: Details, texts: bool = False) -> tuple[tuple[EntryT, ...], bool]:
        """
        Give the entries that match, in order, and whether equal details will find the same.

        They may not where anything was tested: a predicate may answer differently next time, and
        a pattern finds nothing in what merely equals a text.

        :param texts: whether everything that is there is a text, here and wherever the answer
            will be used again; so that patterns give the same answer.
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
                return self._tested(candidates, details), texts and not _asks(candidates)
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


def _asks(entries: Iterable[Entry]) -> bool:
    """Tell whether a predicate is among what is tested."""
    return any(isinstance(value, Where) for entry in entries for _, value in entry.tests)
