"""
Specs as an index keeps them: what of them can be looked up, and what must be tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted_dispatcher.matching.values import check_hashable, wanted_values

# A spec of several OneOf values is indexed under every combination, up to this many.
MOST_COMBINATIONS = 1024
# Values of these types are what most specs consist of: hashable, and nothing but themselves.
_SIMPLE: Final = frozenset({str, int, bool, bytes, float})


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
