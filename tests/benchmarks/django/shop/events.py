"""What the application says of an order, and what it does then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twisted_dispatcher.sources import event


def of_order(order: Any) -> Iterator[dict[str, Any]]:
    """Says that an order was placed, as often as it is asked."""
    yield event("order_placed", order.pk, {"order": order})


def nothing_of_order(order: Any) -> Iterator[dict[str, Any]]:
    """Says nothing."""
    yield from ()


def handle(placed: Mapping[str, Any]) -> None:
    """Reads the order, which a real handler does before anything else."""
    if placed["context"]["order"].amount < 0:
        raise ValueError("nobody orders less than nothing")
