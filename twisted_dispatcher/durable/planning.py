"""Finding out to whom an event goes, and writing it down for the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twisted_dispatcher.durable.codec import Codec
from twisted_dispatcher.matching import MISSING, unhashable
from twisted_dispatcher.records import NewDelivery, NewEvent
from twisted_dispatcher.registration.handlers import FailedMatch, Handler
from twisted_dispatcher.registration.registry import Registry


@attrs.frozen
class Plan:
    """
    To whom an event goes.

    :ivar handlers: all that match, in order.
    :ivar deliveries: those that are recorded; None where workers elsewhere find out.
    :ivar lane: what it is ordered by, or None.
    """

    handlers: tuple[Handler, ...]
    deliveries: tuple[NewDelivery, ...] | None
    lane: str | None


@attrs.frozen
class PlannedEvent:
    """An event that is about to be stored: itself, its handlers, and how it is written down."""

    event: Any
    handlers: tuple[Handler, ...]
    new: NewEvent


class Planner:
    """Plans the events of one dispatcher."""

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

    def write(self, event: Any, key: str, due: float, given: Mapping[str, Any]) -> PlannedEvent:
        """
        Plan an event and write it down.

        :raises NotEncodable, UnhashableValue: when that cannot be.
        """
        body = self._codec.encode(event)
        details = self._codec.encode(dict(given), "details")
        plan = self.plan(given)
        new = NewEvent(key, body, details, plan.lane, due, plan.deliveries)
        return PlannedEvent(event, plan.handlers, new)

    def plan(self, given: Mapping[str, Any]) -> Plan:
        """
        Plan an event with these details.

        :raises UnhashableValue: when a detail cannot be looked up.
        """
        lane = None
        if self._order_by is not None:
            lane = self._codec.lane_text([given.get(name, MISSING) for name in self._order_by])
        handlers = self._find(given)
        if not self._works:
            return Plan(handlers, None, lane)
        deliveries = tuple(
            NewDelivery(handler.name, handler.phase, self.rank(handler))
            for handler in handlers
            if handler.options.durable is not False and not isinstance(handler, FailedMatch)
        )
        return Plan(handlers, deliveries, lane)

    def rank(self, handler: Handler) -> int:
        """Give the position of a handler's phase."""
        return self._phases.index(handler.phase)

    def _find(self, given: Mapping[str, Any]) -> tuple[Handler, ...]:
        index = self._registry.index
        details = tuple(given.get(keyword, MISSING) for keyword in index.keywords)
        try:
            return index.find(details)[0]
        except TypeError:
            error = unhashable(index.keywords, details)
            if error is not None:
                raise error from None
            raise
