"""The program C{groups URL COUNT SIZE}: accepts groups of events, each in one turn."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred, gatherResults

from tests.benchmarks.durable.ours import EVENT, Ours


async def main(reactor: Any, url: str, count: int, size: int) -> None:
    """Waits for each group before the next one is begun."""
    ours = await Ours.open(url)
    for _ in range(count):
        accepting = [ours.dispatcher.accept_event(EVENT, kind="unknown") for _ in range(size)]
        await gatherResults(accepting)
    await ours.close()
    print(count)


if __name__ == "__main__":
    _, url, count, size = sys.argv
    task.react(lambda reactor: ensureDeferred(main(reactor, url, int(count), int(size))))
