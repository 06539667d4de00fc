"""
A process that fires into a session which others fire into as well, and helps with the work.

Usage: ``python -m tests.killing.sharing URL FIRES``
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import react

from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.triggers import TriggerManager, TriggerStorage, install


async def share(reactor: Any, url: str, fires: str) -> None:
    """Fire by many managers at once, and work until the session is quiet."""
    store = open_store(url)
    dispatcher = DurableDispatcher(store)
    install(dispatcher)
    dispatcher.start()
    await dispatcher.when_ready()
    managers = [TriggerManager(TriggerStorage("shared", dispatcher)) for _ in range(int(fires))]
    await gatherResults([each.fire("x", {"n": n}) for n, each in enumerate(managers)])
    await managers[0].join_all()
    await dispatcher.stop()
    await store.close()


if __name__ == "__main__":
    react(share, sys.argv[1:])
