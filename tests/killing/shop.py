"""An application that does all that handlers can do, and what was promised to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from twisted_dispatcher import DurableDispatcher, HandlerOptions, RetryPolicy, current_delivery

KEYWORDS = ("kind", "user")
# The handlers of orders, and of invoices, which follow from them; with the ranks of their phases.
ORDERED = {"check": 0, "flaky": 0, "book": 1, "notify": 1, "slow": 1, "close": 2}
INVOICED = {"send": 0}
RANKS = {**ORDERED, **INVOICED}
INVOICE = "invoice of "


class Refusal(Exception):
    """What handlers fail with at their first attempt."""


@attrs.frozen
class Call:
    """One call of a handler."""

    key: str
    handler: str
    attempt: int
    idempotency_key: str


class Shop:
    """The handlers, and the account that is kept of their calls."""

    def __init__(
        self, keep: Callable[[Call], object], clock: IReactorTime, seconds: float
    ) -> None:
        """
        :param keep: takes note of every call.
        :param seconds: how long it takes a handler that takes its time, and to the next attempt.
        """
        self._keep = keep
        self._clock = clock
        self._seconds = seconds

    def setup(self, dispatcher: DurableDispatcher) -> None:
        """Register the handlers."""
        retry = RetryPolicy(max_attempts=1000, initial=self._seconds, factor=1, jitter=0)
        handlers: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
            ("before", "check", self.check, {"retry": retry}),
            ("before", "flaky", self.flaky, {"retry": retry}),
            ("during", "book", self.book, {"retry": retry, "guarantee": "exactly-once"}),
            ("during", "notify", self.check, {"guarantee": "at-most-once"}),
            ("during", "slow", self.slow, {"retry": retry}),
            ("after", "close", self.check, {"retry": retry}),
            ("before", "send", self.check, {"retry": retry}),
        )
        for phase, name, handler, options in handlers:
            kind = "invoice" if name in INVOICED else "order"
            dispatcher.on(phase, kind=kind, options=HandlerOptions(name=name, **options))(handler)

    def note(self) -> Call:
        """Keep account of the call of a handler."""
        current = current_delivery()
        call = Call(current.key, current.handler, current.attempt, current.idempotency_key)
        self._keep(call)
        return call

    def check(self, event: str) -> None:
        """Succeed."""
        self.note()

    def flaky(self, event: str) -> None:
        """Fail at the first attempt."""
        if self.note().attempt == 1:
            raise Refusal

    async def slow(self, event: str) -> None:
        """Take some time."""
        self.note()
        await deferLater(self._clock, self._seconds)

    def book(self, event: str, transaction: Any) -> None:
        """Book an order, and accept its invoice; fail at the first attempt."""
        call = self.note()
        transaction.execute("CREATE TABLE IF NOT EXISTS booked (what TEXT)")
        transaction.execute(f"INSERT INTO booked (what) VALUES ('{event}')")
        transaction.accept_event(event, key=f"{INVOICE}{event}", kind="invoice")
        if call.attempt == 1:
            raise Refusal


def complaints(
    orders: Mapping[str, str],
    calls: Sequence[Call],
    query: Callable[[str], list[Any]],
    *,
    several: bool = False,
    was_late: bool = False,
) -> Iterator[str]:
    """
    Give what was promised and not kept, when everything is settled.

    :param orders: those that were accepted, in order, and whose they are: theirs is the lane.
    :param query: asks the database that the store is in.
    :param several: whether workers ran side by side. Then a phase, or the next event, may begin
        before a handler is called whose delivery was settled before that: at most once.
    :param was_late: whether a worker had lost its lease while it lived, so that it may have called
        handlers of which nobody waited for the end.
    """
    yield from _of_deliveries(orders, query)
    yield from _of_effects(orders, calls, query)
    if not was_late:
        waited_for = [call for call in calls if not several or call.handler != "notify"]
        yield from _of_phases(orders, waited_for)
        yield from _of_lanes(orders, waited_for)
    yield from _of_attempts(calls)


def _of_deliveries(orders: Mapping[str, str], query: Callable[[str], list[Any]]) -> Iterator[str]:
    """Nothing accepted is lost: every delivery of every order, and of its invoice, is done."""
    found = query(
        "SELECT e.key, d.handler, d.status FROM twisted_dispatcher_delivery d "
        "JOIN twisted_dispatcher_event e ON e.id = d.event_id"
    )
    wanted = {(key, handler, "done") for key in orders for handler in ORDERED}
    wanted |= {(INVOICE + key, handler, "done") for key in orders for handler in INVOICED}
    if wanted - set(found):
        yield f"lost: {sorted(wanted - set(found))[:5]}"
    if len(found) != len(wanted) or set(found) - wanted:
        yield f"too many deliveries: {sorted(set(found) - wanted)[:5]}, {len(found)} in all"


def _of_effects(
    orders: Mapping[str, str], calls: Sequence[Call], query: Callable[[str], list[Any]]
) -> Iterator[str]:
    """Exactly once, at least once, at most once."""
    booked = sorted(what for (what,) in query("SELECT what FROM booked"))
    if booked != sorted(orders):
        yield f"booked: {booked[:20]}"
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for call in calls:
        counts[call.key, call.handler] += 1
    for key in orders:
        never = [each for each in ORDERED if each != "notify" and not counts[key, each]]
        never += [each for each in INVOICED if not counts[INVOICE + key, each]]
        if never:
            yield f"never called for {key}: {never}"
        if counts[key, "notify"] > 1:
            yield f"notified {counts[key, 'notify']} times of {key}"


def _of_phases(orders: Mapping[str, str], calls: Sequence[Call]) -> Iterator[str]:
    """No handler is called after one of a later phase."""
    ranks: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        ranks[call.key].append(RANKS[call.handler])
    for key, each in ranks.items():
        if sorted(each) != each:
            yield f"phases of {key} not in order: {each}"


def _of_lanes(orders: Mapping[str, str], calls: Sequence[Call]) -> Iterator[str]:
    """An order is not begun before those of the same user that were accepted earlier are done."""
    places = {key: place for place, key in enumerate(orders)}
    lanes: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        if call.key in orders:
            lanes[orders[call.key]].append(places[call.key])
    for user, each in lanes.items():
        if sorted(each) != each:
            yield f"orders of {user} not in order: {each[:50]}"


def _of_attempts(calls: Sequence[Call]) -> Iterator[str]:
    """Attempts ascend, and all of a delivery have one idempotency key, which no other one has."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        numbers[call.key, call.handler].append(call.attempt)
        keys[call.key, call.handler].add(call.idempotency_key)
    for delivery, each in numbers.items():
        # A transaction that the store could not commit is tried again as it was.
        ascending = sorted(each) if delivery[1] == "book" else sorted(set(each))
        if ascending != each:
            yield f"attempts of {delivery}: {each}"
        if len(keys[delivery]) > 1:
            yield f"idempotency keys of {delivery}: {keys[delivery]}"
    if len({key for each in keys.values() for key in each}) < len(keys):
        yield "two deliveries have the same idempotency key"
