"""The program C{sweeping URL OBJECTS}: sweeps so many objects twice, each with one event.

Prints objects per second, when all events are new and when all are known, and the most memory in
bytes that this process has had, where SQLite may keep no more than 2 MiB of pages: what it keeps
by default is bounded too, but takes a hundred thousand events to be full.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any
from unittest.mock import patch

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.on_stores.memory import peak_bytes
from tests.benchmarks.sources.ours import GROUP, Sources
from twisted_dispatcher.sources import event
from twisted_dispatcher.stores.sqlite import opening


class Order:
    """What is swept."""

    def __init__(self, number: int) -> None:
        self.number = number


def source(order: Order) -> Iterator[dict[str, Any]]:
    """Gives the event of an order."""
    yield event(GROUP, order.number, {"number": order.number})


async def main(reactor: Any, url: str, objects: int) -> None:
    """Sweeps, and prints."""
    with patch.object(opening, "CACHE_KIBIBYTES", 2048):
        ours = await Sources.open(url)
    ours.sources.register_source(
        sender=Order, source=source, objects=lambda: map(Order, range(objects))
    )
    first = await swept(ours, objects, new=objects)
    again = await swept(ours, objects, new=0)
    print(json.dumps({"first": first, "again": again, "peak": peak_bytes()}))
    await ours.close()


async def swept(ours: Sources, objects: int, new: int) -> float:
    """Sweeps once, and gives the objects per second.

    Raises WrongCalls unless so many events were new, and the handler was called once for each.
    """
    before = ours.handled
    began = perf_counter()
    report = await ours.sources.sweep()
    rate = objects / (perf_counter() - began)
    if ours.handled - before != new:
        raise WrongCalls(f"{ours.handled - before} of {new} new events were handled: {report}")
    return rate


if __name__ == "__main__":
    _, url, objects = sys.argv
    task.react(lambda reactor: ensureDeferred(main(reactor, url, int(objects))))
