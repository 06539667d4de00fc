"""The program C{with_django URL EVENTS}: django-spark's way, on Django's ORM.

Prints events per second: new ones, half known, and all known.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.django.project import get_ready
from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.sources.ours import GROUP, declarations
from tests.benchmarks.sources.streams import MIXES, NEW, pieces


def main(url: str, events: int) -> None:
    """Handles the events in this process, as a command does that goes through all objects."""
    get_ready(url)
    from tests.benchmarks.django.spark import HANDLERS, process

    handled: list[object] = []
    HANDLERS.append((f"^{GROUP}", handled.append))
    known = pieces(NEW, ascending(), ())(events)
    process(declarations(known.keys))
    rates = {}
    for mix in MIXES:
        piece = pieces(mix, ascending(), known.keys)(events)
        handled.clear()
        began = perf_counter()
        process(declarations(piece.keys))
        rates[f"django-spark's way, {mix}"] = events / (perf_counter() - began)
        if len(handled) != len(piece.new):
            raise WrongCalls(f"{len(handled)} events were handled instead of {len(piece.new)}")
    print(json.dumps(rates))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
