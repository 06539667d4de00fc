"""What is measured of our program from outside: its memory, and what it has the disk do."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contenders import MissingPeer
from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.durable.settled import fill_waiting
from tests.benchmarks.durable.speed import Scale
from tests.benchmarks.on_stores.children import answer_of
from tests.benchmarks.on_stores.places import SQLITE, Place
from tests.benchmarks.on_stores.turns import Rates
from tests.benchmarks.timing import Progress
from twisted_dispatcher import open_store

DAY = 86400.0
SIZES = (1, 100, 1000)


async def memory(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Measures a daemon whose store has very many deliveries that wait, and one with none."""
    empty, full = place.new_url(), place.new_url()
    store = open_store(full)
    await fill_waiting(store, scale.waiting, ascending(), time.time() + DAY)
    await store.close()
    progress(0.5)
    return {
        "none waiting": await answer_of("durable.daemon", empty) / 2**20,
        f"{scale.waiting:,} waiting": await answer_of("durable.daemon", full) / 2**20,
    }


async def fsyncs(place: Place, scale: Scale, progress: Progress) -> Rates:
    """Counts, by strace, how often a group of events has the disk synchronized.

    Raises MissingPeer where that cannot be counted: the files of a server are not ours to watch.
    """
    if place.store != SQLITE or shutil.which("strace") is None:
        raise MissingPeer(
            f"fsyncs per group, {place.title}: not measured (SQLite and strace only)"
        )
    counts = {}
    for done, size in enumerate(SIZES, 1):
        many = await count_syncs(place, scale.groups, size)
        none = await count_syncs(place, 0, size)
        counts[f"a group of {size:,}"] = (many - none) / scale.groups
        progress(done / len(SIZES))
    return counts


async def count_syncs(place: Place, groups: int, size: int) -> int:
    """Counts all calls of fsync and fdatasync of a program that accepts so many groups."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "calls")
        strace = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(log)]
        await answer_of("durable.groups", place.new_url(), groups, size, before=strace)
        return sum("sync(" in line for line in log.read_text().splitlines())
