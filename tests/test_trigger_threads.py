"""Tasks of trigger sessions in real threads, on the real reactor."""

from __future__ import annotations

import threading
from typing import Any

from twisted.trial.unittest import TestCase

from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.triggers import TaskContext, TriggerManager, TriggerStorage

THREADS: list[int] = []


def fires(context: TaskContext) -> dict[str, Any]:
    """Fire from a thread, and wait for it there."""
    THREADS.append(threading.get_ident())
    fired = context.manager.fire("fired", {"n": 1})
    return {"was": fired.called}


def notes(context: TaskContext) -> None:
    """Note the thread."""
    THREADS.append(threading.get_ident())


class ThreadTests(TestCase):
    """Tasks whose runner is ``thread``."""

    timeout = 60

    async def test_fires(self) -> None:
        """A task in a thread fires, and knows when that is stored (T035, T235) (T067)."""
        THREADS.clear()
        store = open_store("sqlite://")
        dispatcher = DurableDispatcher(store)
        manager = TriggerManager(TriggerStorage("s", dispatcher))
        dispatcher.start()
        await dispatcher.when_ready()
        await manager.update_configuration(
            {
                "a": {"after": ["x"], "run": f"{__name__}:fires", "using": "thread"},
                "b": {"after": ["fired", "a"], "run": f"{__name__}:notes"},
            }
        )
        await manager.fire("x")
        await manager.join_all()

        statuses = {each.name: each.status for each in manager.storage}
        self.assertEqual(statuses, {"a#0": "finished", "b#0": "finished"})
        self.assertEqual(manager.storage["a#0"].metadata["result"], {"was": True})
        self.assertNotEqual(THREADS[0], threading.get_ident())
        self.assertEqual(THREADS[1], threading.get_ident())
        await dispatcher.stop()
        await store.close()
