"""The program C{sweeping URL WHO ROWS}: all rows of a model through its source, twice.

WHO is C{ours}, the command process_event_sources, or C{spark}, which goes through the objects in
a loop.  Prints rows per second, when all events are new and when all are known, and the most
memory in bytes that this process has had.
"""

from __future__ import annotations

import json
import sys
from io import StringIO
from time import perf_counter

from django.core.management import call_command

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.django.project import get_ready
from tests.benchmarks.on_stores.memory import peak_bytes


def main(url: str, who: str, rows: int) -> None:
    """Sweeps, and prints."""
    get_ready(url, migrate=False)
    from tests.benchmarks.django.shop.models import SparkEvent
    from twisted_dispatcher.django.models import Event

    sweep, model = (ours, Event) if who == "ours" else (spark, SparkEvent)
    figures = {}
    for name in ("first", "again"):
        began = perf_counter()
        sweep()
        figures[name] = rows / (perf_counter() - began)
        if model.objects.count() != rows:
            raise WrongCalls(f"{model.objects.count()} events were recorded instead of {rows}")
    print(json.dumps({**figures, "peak": peak_bytes()}))


def ours() -> None:
    """Runs the command."""
    call_command("process_event_sources", "shop.Order", stdout=StringIO())


def spark() -> None:
    """Goes through all objects as the command of django-spark does."""
    from tests.benchmarks.django.shop.events import of_order
    from tests.benchmarks.django.shop.models import SparkOrder
    from tests.benchmarks.django.spark import process

    for order in SparkOrder.objects.all():
        process(of_order(order))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
