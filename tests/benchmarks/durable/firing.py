"""The program C{firing URL EVENTS BEGIN}: fires events, by a hundred callers, from a time on.

It prints when it began and ended, in seconds since the epoch.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from tests.benchmarks.durable.keys import ascending
from tests.benchmarks.durable.ours import Ours

CALLERS = 100


async def main(reactor: Any, url: str, events: int, begin: float) -> None:
    """Fires when everything has been done once, and the time has come."""
    ours = await Ours.open(url)
    keys = ascending()
    await ours.fire(max(CALLERS, events // 4), CALLERS, keys)
    await task.deferLater(reactor, max(0.0, begin - time.time()), lambda: None)
    began = time.time()
    await ours.fire(events, CALLERS, keys)
    print(json.dumps([began, time.time()]))
    await ours.close()


if __name__ == "__main__":
    _, url, events, begin = sys.argv
    task.react(lambda reactor: ensureDeferred(main(reactor, url, int(events), float(begin))))
