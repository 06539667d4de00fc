"""The program C{daemon URL}: starts a dispatcher, and prints the bytes of memory that it takes."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from tests.benchmarks.durable.ours import Ours


async def main(reactor: Any, url: str) -> None:
    """Measures when the dispatcher has looked for what there is to do."""
    ours = await Ours.open(url)
    await task.deferLater(reactor, 1.5, gc.collect)
    print(resident_bytes())
    await ours.close()


def resident_bytes() -> int:
    """Gives the memory of this process: what it has now, or at most, where that is not known."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    task.react(lambda reactor: ensureDeferred(main(reactor, sys.argv[1])))
