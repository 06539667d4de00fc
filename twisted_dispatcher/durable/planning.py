"""Finding out to whom an event goes, and writing down what is known of it by its details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.matching import MISSING, unhashable
from twisted_dispatcher.records import NewDelivery
from twisted_dispatcher.registration.handlers import FailedMatch, Handler
from twisted_dispatcher.registration.registry import Registry

# So many plans are kept; when there are more, all are dropped.
MOST_KEPT: Final = 1024
# A plan is kept if its details are written in so many characters at most.
LONGEST_KEPT: Final = 1000


@attrs.frozen
class Plan:
    """
    To whom the events with some details go.

    :ivar handlers: all that match, in order.
    :ivar details: the details, as the codec writes them.
    :ivar deliveries: those that are recorded; None where workers elsewhere find out.
    :ivar lane: what the events are ordered by, or None.
    :ivar beside: the handlers that are no deliveries, each with the rank of its phase, in order.
    :ivar failed: the handlers that are not called because their predicates raised.
    """

    handlers: tuple[Handler, ...]
    details: str
    deliveries: tuple[NewDelivery, ...] | None
    lane: str | None
    beside: tuple[tuple[int, Handler], ...]
    failed: tuple[Handler, ...]


class Planner:
    """
    Plans the events of one dispatcher.

    Most events have the same few details over and over, and these are mostly texts. So the plans
    of details that are nothing but texts are kept, unless a pattern or a predicate was involved,
    and dropped as a whole on any change.
    """

    def __init__(
        self,
        registry: Registry,
        phases: tuple[str, ...],
        order_by: tuple[str, ...] | None,
        codec: Codec,
        works: bool,
    ) -> None:
        """:param works: whether the handlers are registered here; else events stay unplanned."""
        self._registry = registry
        self._phases = phases
        self._order_by = order_by
        self._codec = codec
        self._works = works
        self._kept: dict[tuple[str, ...], Plan] = {}

    def forget(self) -> None:
        """Drop what is known. Any thread may call it at any moment."""
        # A new dict, not an emptied one: who is just planning keeps that plan to itself.
        self._kept = {}

    def kept(self, given: Mapping[str, Any]) -> Plan | None:
        """Give the plan for these details if it is known; they are known to be good then."""
        plan = self._kept.get((*given, *given.values())) if self._kept else None
        if plan is not None:
            for value in given.values():
                # What merely equals a text may not be written as one.
                if type(value) is not str:
                    return None
        return plan

    def plan(self, given: Mapping[str, Any], details: str | None = None) -> Plan:
        """
        Plan an event with these details.

        :param details: as the codec has written them, if it has.
        :raises NotEncodable, UnhashableValue: when a detail cannot be written, or looked up.
        """
        kept = self._kept
        if details is None:
            details = self._codec.encode(dict(given), "details")
        lane = None
        if self._order_by is not None:
            lane = self._codec.lane_text([given.get(name, MISSING) for name in self._order_by])
        is_plain = self._is_plain(given)
        handlers, is_steady = self._find(given, is_plain)
        plan = self._plan_for(handlers, details, lane)
        if is_steady and is_plain and len(details) <= LONGEST_KEPT:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            key = (*given, *given.values())
            kept[key] = plan
        return plan

    def _is_plain(self, given: Mapping[str, Any]) -> bool:
        """Tell whether all keywords are allowed, and all values nothing but texts."""
        allowed = self._registry.index.keywords
        return all(type(value) is str and name in allowed for name, value in given.items())

    def _plan_for(self, handlers: tuple[Handler, ...], details: str, lane: str | None) -> Plan:
        called = [each for each in handlers if not isinstance(each, FailedMatch)]
        failed = [each for each in handlers if isinstance(each, FailedMatch)]
        deliveries = None
        if self._works:
            deliveries = tuple(
                NewDelivery(handler.name, handler.phase, self._rank(handler))
                for handler in called
                if handler.options.durable is not False
            )
        beside = tuple(
            (self._rank(handler), handler)
            for handler in called
            if handler.options.durable is False
        )
        return Plan(handlers, details, deliveries, lane, beside, tuple(failed))

    def _rank(self, handler: Handler) -> int:
        """Give the position of a handler's phase."""
        return self._phases.index(handler.phase)

    def _find(self, given: Mapping[str, Any], texts: bool) -> tuple[tuple[Handler, ...], bool]:
        index = self._registry.index
        details = tuple(given.get(keyword, MISSING) for keyword in index.keywords)
        try:
            return index.find(details, texts)
        except TypeError:
            error = unhashable(index.keywords, details)
            if error is not None:
                raise error from None
            raise
