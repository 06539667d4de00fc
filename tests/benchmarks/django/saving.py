"""The program C{saving URL RUN WAY SLICES SAVES}: what save() costs with a source and without.

All take turns: a model without sources, one whose source says nothing, one whose source gives an
event, and django-spark's way; with new objects, and with objects whose event is known.  WAY says
what a transaction is.  Prints saves per second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.django.names import (
    ATOMIC,
    AUTOCOMMIT,
    HUNDRED,
    KNOWN,
    NEW,
    PLAIN,
    QUIET,
    SOURCE,
    SPARK,
)
from tests.benchmarks.django.project import get_ready
from tests.benchmarks.on_stores.turns import Slice, rates_in_turn

Transaction = Callable[[], AbstractContextManager[object]]


def main(url: str, run: str, way: str, slices: int, saves: int) -> None:
    """Measures, and prints."""
    get_ready(url, run)
    from django.db import transaction

    ways: dict[str, tuple[Transaction, int]] = {
        AUTOCOMMIT: (nullcontext, 1),
        ATOMIC: (transaction.atomic, 1),
        HUNDRED: (transaction.atomic, 100),
    }
    begin, at_once = ways[way]
    pieces = []
    for who, model in contenders().items():
        known = [model(customer="Ada") for _ in range(saves)]
        save_all(known, transaction.atomic, 100)
        for what, some in (
            (NEW, partial(new_ones, model, saves)),
            (KNOWN, partial(changed, known)),
        ):
            work = partial(saved, some, begin, at_once)
            pieces.append(Slice(f"{who}, {what}", saves, work))
    rates = Deferred.fromCoroutine(rates_in_turn(pieces, slices))
    print(json.dumps(rates.result))
    check((slices + 2) * saves)


def contenders() -> dict[str, Any]:
    """Gives the models."""
    from tests.benchmarks.django.shop.models import Order, PlainOrder, QuietOrder, SparkOrder

    return {PLAIN: PlainOrder, QUIET: QuietOrder, SOURCE: Order, SPARK: SparkOrder}


def new_ones(model: Any, count: int) -> list[Any]:
    """Gives objects that are in no table yet."""
    return [model(customer="Ada", amount=number) for number in range(count)]


def changed(objects: list[Any]) -> list[Any]:
    """Changes objects that are in their table."""
    for each in objects:
        each.amount += 1
    return objects


async def saved(some: Callable[[], list[Any]], begin: Transaction, at_once: int) -> None:
    """Saves some objects."""
    save_all(some(), begin, at_once)


def save_all(objects: Sequence[Any], begin: Transaction, at_once: int) -> None:
    """Saves objects, so many in a transaction."""
    remaining = iter(objects)
    while some := list(islice(remaining, at_once)):
        with begin():
            for each in some:
                each.save()


def check(expected: int) -> None:
    """Raises WrongCalls unless ours and the peer have recorded one event for each new object."""
    from tests.benchmarks.django.shop.models import SparkEvent
    from twisted_dispatcher.django.models import Event

    for who, model in (("ours", Event), ("the peer", SparkEvent)):
        if model.objects.count() != expected:
            raise WrongCalls(f"{who} recorded {model.objects.count()} events, not {expected}")


if __name__ == "__main__":
    _, url, run, way, slices, saves = sys.argv
    main(url, run, way, int(slices), int(saves))
