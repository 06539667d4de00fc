"""The program C{daemon URL}: starts a dispatcher, and prints the bytes of memory that it takes."""

from __future__ import annotations

import gc
import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from tests.benchmarks.durable.ours import Ours
from tests.benchmarks.on_stores.memory import resident_bytes


async def main(reactor: Any, url: str) -> None:
    """Measures when the dispatcher has looked for what there is to do."""
    ours = await Ours.open(url)
    await task.deferLater(reactor, 1.5, gc.collect)
    print(resident_bytes())
    await ours.close()


if __name__ == "__main__":
    task.react(lambda reactor: ensureDeferred(main(reactor, sys.argv[1])))
