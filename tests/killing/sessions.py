"""
A daemon with trigger sessions that is there to be killed.

It configures and fires into every session until that was told, and runs what becomes ready. Users
who got no answer fire again, which is harmless here: what waits for `x` and `y` runs once.

Usage: ``python -m tests.killing.sessions URL JOURNAL SESSIONS``
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import cooperate, deferLater, react

from tests.killing.daemon import BETWEEN_LIVES, ClockAhead, open_carelessly, read_journal, say
from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.triggers import (
    FinalizingTriggerManager,
    TaskContext,
    TriggerStorage,
    install,
)

JOURNAL = "TRIGGER_SESSIONS_JOURNAL"
RUN = "tests.killing.sessions:work"
CONFIGURATION = {
    "join": {"after": ["x", "y"], "run": RUN},
    "each": {"after": [], "andEvery": "join", "run": RUN},
    "never": {"after": ["each"], "unless": ["x", "y"], "run": RUN},
    "end": {"after": ["sessionFinalized"], "run": RUN},
}
# So many users are there at once.
USERS = 5


def write(what: str, **facts: Any) -> None:
    """Note in the journal that something has happened, by a single call, and tell of it."""
    path = os.environ[JOURNAL]
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, json.dumps({"what": what, **facts}).encode() + b"\n")
    os.close(file)
    say(what)


async def work(context: TaskContext) -> dict[str, str]:
    """Take a moment, and note that the task was called."""
    from twisted.internet import reactor

    write("called", uid=context.storage_uid, instance=context.instance_name)
    await deferLater(reactor, 0.003)
    return {"by": context.instance_name}


def uid_of(number: int) -> str:
    """Give the uid of a session."""
    return f"session {number}"


async def live(reactor: Any, url: str, path: str, sessions: int, ahead: float) -> None:
    """Fire what was not fired yet, and work until nothing is left."""
    fired = {each.get("number") for each in read_journal(path)}
    os.environ[JOURNAL] = path
    store = open_carelessly(url)
    clock: Any = ClockAhead(reactor, ahead)
    dispatcher = DurableDispatcher(store, clock=clock)
    install(dispatcher)
    dispatcher.start()
    await dispatcher.when_ready()
    say("ready")

    async def use(number: int) -> None:
        manager = FinalizingTriggerManager(TriggerStorage(uid_of(number), dispatcher))
        await manager.update_configuration(CONFIGURATION)
        await manager.fire("x", {"n": number})
        await deferLater(reactor, 0.001)
        await manager.fire("y", {"n": number})
        write("fired", number=number)

    missing = (number for number in range(sessions) if number not in fired)
    for user in [
        cooperate(Deferred.fromCoroutine(use(number)) for number in missing) for _ in range(USERS)
    ]:
        await user.whenDone()
    while (await store.counts())["open"]:
        await deferLater(reactor, 0.02)
    await dispatcher.stop()
    await store.close()


def main(url: str, path: str, sessions: str) -> None:
    """Have a daemon born for every line on standard input, one after another."""
    Path(path).touch()
    for generation, _ in enumerate(sys.stdin):
        pid = os.fork()
        if not pid:
            say(f"born {os.getpid()}")
            react(_live, (url, path, int(sessions), generation * BETWEEN_LIVES))
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


def _live(reactor: Any, *given: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(live(reactor, *given))


if __name__ == "__main__":
    main(*sys.argv[1:])
