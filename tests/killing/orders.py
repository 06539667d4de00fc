"""Chains that do all that chains can do, and what was promised to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from twisted_dispatcher import DurableDispatcher, HandlerOptions, RetryPolicy, current_delivery
from twisted_dispatcher.chains import DONE, NEW, Chain, ChainDispatcher, Transition

TYPE = "order"
# The states that every order comes to, one after another, and by which transitions.
STATES = ("paid", "packed", "sent", DONE)
NAMES = ("Pay", "Pack", "Send", "Close")
# Those whose callback may be called again, and the one whose callback is called exactly once.
CALLED = ("Pay", "Pack")
EFFECT = "sent_order"


class Refusal(Exception):
    """What callbacks and handlers fail with at times."""


class Pay(Transition):
    """Waits for the payment, which may come before the order is looked at."""

    final_state = "paid"
    wait_for = "payment"


class Pack(Transition):
    """Is valid at once."""

    final_state = "packed"

    def is_valid(self) -> bool:
        """Tell that it is."""
        return True


class Send(Transition):
    """Has an effect that must not be doubled."""

    final_state = "sent"
    guarantee = "exactly-once"

    def is_valid(self) -> bool:
        """Tell that it is."""
        return True

    def callback(self, transaction: Any) -> None:
        """Note down in the database that an order was sent."""
        order = self.resources["order"]
        transaction.execute(f"INSERT INTO {EFFECT} (number) VALUES ('{order}')")


class Close(Transition):
    """Ends the chain."""

    final_state = DONE

    def is_valid(self) -> bool:
        """Tell that it is."""
        return True


GRAPH: dict[str, list[type[Transition]]] = {
    NEW: [Pay],
    "paid": [Pack],
    "packed": [Send],
    "sent": [Close],
}


@attrs.frozen
class Call:
    """A call of a callback, or of the handler that watches."""

    order: str
    name: str
    key: str


class Orders:
    """The chains of orders, on a dispatcher, and the account that is kept of calls."""

    def __init__(
        self,
        dispatcher: DurableDispatcher,
        keep: Callable[[Call], object],
        clock: IReactorTime,
        seconds: float = 0.0,
        **options: Any,
    ) -> None:
        """
        :param keep: takes note of every call.
        :param seconds: how long a callback takes.
        """
        self._keep = keep
        self._clock = clock
        self._seconds = seconds
        config = {"chains": [{"chain_type": TYPE, "transitions": GRAPH}]}
        self.chains = ChainDispatcher(TYPE, config, "shop", dispatcher=dispatcher, **options)
        retry = RetryPolicy(max_attempts=1000, initial=0.01, factor=1, jitter=0)
        options_of_watch = HandlerOptions(name="watch", retry=retry)
        dispatcher.on(chain_type=TYPE, options=options_of_watch)(self.watch)

    async def callback(self, transition: Transition) -> None:
        """Take note of a call, and take some time."""
        order = transition.resources["order"]
        assert isinstance(order, str)
        self._keep(Call(order, transition.name, transition.idempotency_key))
        if self._seconds:
            await deferLater(self._clock, self._seconds)

    def watch(self, event: Any) -> None:
        """Take note of an event."""
        current = current_delivery()
        self._keep(Call(event["resources"]["order"], f"watch {event['state']}", current.key))

    async def place(self, order: str) -> Chain:
        """Have an order, and pay it; doing so again makes no difference."""
        chain = await self.chains.get_or_create_chain([("order", order)])
        if chain.state == NEW:
            await self.chains.signal(chain, "payment", order)
        return chain


def create_effect(execute: Callable[[str], object]) -> None:
    """Make the table of effects."""
    execute(f"CREATE TABLE IF NOT EXISTS {EFFECT} (number TEXT)")


def complaints(
    orders: Iterable[str], calls: Sequence[Call], query: Callable[[str], list[Any]]
) -> Iterator[str]:
    """
    Give what was promised and not kept, when every order is done.

    :param query: asks the database that the store is in.
    """
    wanted = sorted(orders)
    yield from _of_history(wanted, query)
    sent = sorted(number for (number,) in query(f"SELECT number FROM {EFFECT}"))
    if sent != wanted:
        yield f"sent: {sent[:20]}"
    yield from _of_calls(wanted, calls)
    yield from _of_events(query)


def _of_history(wanted: list[str], query: Callable[[str], list[Any]]) -> Iterator[str]:
    """No transition is lost or made twice, and each follows the one before."""
    made: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for chain, *row in query(
        "SELECT chain, version, previous, state, transition_name "
        "FROM twisted_dispatcher_chain_history ORDER BY chain, version"
    ):
        made[chain].append(tuple(row))
    before = (NEW, *STATES)
    expected = [
        (n + 1, before[n], state, name) for n, (state, name) in enumerate(zip(STATES, NAMES))
    ]
    if len(made) != len(wanted):
        yield f"{len(made)} chains for {len(wanted)} orders"
    for chain, rows in made.items():
        if rows != expected:
            yield f"history of {chain}: {rows}"
    left = query(
        "SELECT id, state, version FROM twisted_dispatcher_chain "
        f"WHERE state <> '{DONE}' OR version <> {len(STATES)} OR locked_until > 0"
    )
    if left:
        yield f"not at their end: {left[:5]}"


def _of_calls(wanted: list[str], calls: Sequence[Call]) -> Iterator[str]:
    """Every callback is called at least once, always with the same key; so is the handler."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        keys[call.order, call.name].add(call.key)
    expected = {
        (order, name)
        for order in wanted
        for name in (*CALLED, *(f"watch {state}" for state in STATES))
    }
    if set(keys) != expected:
        yield f"never called: {sorted(expected - set(keys))[:5]}"
        yield f"called in vain: {sorted(set(keys) - expected)[:5]}"
    changed = {place: each for place, each in keys.items() if len(each) > 1}
    if changed:
        yield f"keys that change: {list(changed.items())[:5]}"
    if len({key for each in keys.values() for key in each}) < len(keys):
        yield "two transitions have the same key"


def _of_events(query: Callable[[str], list[Any]]) -> Iterator[str]:
    """Every transition has its event, which was dispatched to the end."""
    found = query(
        "SELECT e.key, d.status FROM twisted_dispatcher_event e "
        "LEFT JOIN twisted_dispatcher_delivery d ON d.event_id = e.id"
    )
    rows = query(
        "SELECT c.id, h.version FROM twisted_dispatcher_chain_history h "
        "JOIN twisted_dispatcher_chain c ON c.number = h.chain"
    )
    wanted = sorted((f"chain/{chain_id}/{version}", "done") for chain_id, version in rows)
    if sorted(found) != wanted:
        yield f"events: {sorted(set(found) ^ set(wanted))[:5]}, {len(found)} of {len(wanted)}"
