"""
The transitions that a configuration lists: classes, their names, or tables that vary a class.

A table names a class with ``use``, and says what is to be otherwise with it. So a sequence can get
a second reminder, or another deadline, without code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted_dispatcher.chains.naming import LeadsNowhere, named
from twisted_dispatcher.chains.spans import span_of
from twisted_dispatcher.chains.transition import Transition

_USE: Final = "use"
_NAME: Final = "name"


class BadEntry(Exception):
    """What is listed as a transition is none; the message says why."""


class Entries:
    """
    Makes classes of what is listed.

    A table that is listed twice is one class, so that a transition may leave several states.
    """

    def __init__(self) -> None:
        self._made: dict[str, type[Transition]] = {}

    def transition_of(self, entry: Any) -> type[Transition]:
        """
        Give the class that an entry stands for.

        :raises BadEntry: saying why it stands for none.
        """
        if isinstance(entry, Mapping):
            return self._varied(entry)
        found = self._named(entry) if isinstance(entry, str) else entry
        if isinstance(found, type) and issubclass(found, Transition):
            return found
        raise BadEntry(f"{entry!r} is no subclass of Transition: list the class, or its name")

    def _named(self, name: str) -> Any:
        try:
            return named(name)
        except LeadsNowhere as error:
            raise BadEntry(str(error)) from error

    def _varied(self, table: Mapping[str, Any]) -> type[Transition]:
        if not isinstance(table.get(_USE), (str, type)):
            raise BadEntry(
                f"a table names the class that it varies with {_USE!r}: {dict(table)!r}"
            )
        unknown = [str(key) for key in table if key not in _READERS and key not in (_USE, _NAME)]
        if unknown:
            raise BadEntry(
                f"a transition has no {', '.join(map(repr, sorted(unknown)))}: a table may give "
                f"{', '.join((_NAME, *_READERS))}"
            )
        written = json.dumps({key: repr(table[key]) for key in sorted(table)})
        if written not in self._made:
            self._made[written] = self._make(table)
        return self._made[written]

    def _make(self, table: Mapping[str, Any]) -> type[Transition]:
        base = self.transition_of(table[_USE])
        name = table.get(_NAME, base.__name__)
        if not (isinstance(name, str) and name):
            raise BadEntry(f"the name of a transition is a text, not {name!r}")
        own = {key: self._read(key, table[key]) for key in table if key in _READERS}
        return type(name, (base,), {**own, "__module__": base.__module__, "__doc__": base.__doc__})

    def _read(self, key: str, value: Any) -> Any:
        try:
            return _READERS[key](self, value)
        except ValueError as error:
            raise BadEntry(f"{key}: {error}") from error

    def _span(self, value: Any) -> Any:
        return span_of(value)

    def _as_it_is(self, value: Any) -> Any:
        return value

    def _signals(self, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


_READERS: Final[dict[str, Callable[[Entries, Any], Any]]] = {
    "final_state": Entries._as_it_is,
    "initial_context": Entries._as_it_is,
    "not_before": Entries._span,
    "give_up_after": Entries._span,
    "otherwise": Entries.transition_of,
    "wait_for": Entries._signals,
    "next_update": Entries._span,
}
