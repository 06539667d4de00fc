"""The program C{disk URL SLICES SAVES}: what the disk takes of a save(), which decides the ratios.

A model without sources is saved in autocommit, by turns with commits that wait for the disk and
with such as do not.  Prints milliseconds for each save.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from tests.benchmarks.django.names import LAZY, PLAIN, SYNCED
from tests.benchmarks.django.project import get_ready
from tests.benchmarks.django.saving import contenders, new_ones
from tests.benchmarks.on_stores.turns import Slice, rates_in_turn

# What has commits wait, or not, by the kind of database.
WAIT = {
    "sqlite": ("PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
    "postgresql": ("SET synchronous_commit = on", "SET synchronous_commit = off"),
}


def main(url: str, slices: int, saves: int) -> None:
    """Measures, and prints."""
    get_ready(url)
    from django.db import connection

    pieces = [
        Slice(name, saves, partial(saved, statement, saves))
        for name, statement in zip((SYNCED, LAZY), WAIT[connection.vendor])
    ]
    rates: Any = Deferred.fromCoroutine(rates_in_turn(pieces, slices)).result
    print(json.dumps({name: 1000 / rate for name, rate in rates.items()}))


async def saved(statement: str, saves: int) -> None:
    """Saves some objects, after a statement that says how commits are made."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
    for each in new_ones(contenders()[PLAIN], saves):
        each.save()


if __name__ == "__main__":
    _, url, slices, saves = sys.argv
    main(url, int(slices), int(saves))
