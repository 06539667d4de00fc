"""What the tests of trigger sessions share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests import trigger_tasks
from tests.durable import DurableTests
from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.triggers import (
    TaskInstance,
    TriggerManager,
    storage_backends,
    trigger_managers,
)

TASKS = "tests.trigger_tasks"


class SessionTests(DurableTests):
    """The base of tests of trigger sessions: a dispatcher, and managers of sessions."""

    def setUp(self) -> None:
        """Forget what tasks of other tests have done."""
        super().setUp()
        trigger_tasks.CALLS.clear()
        trigger_tasks.WAITING.clear()
        trigger_tasks.CONTEXTS.clear()
        self.dispatcher: DurableDispatcher | None = None

    def manager_of(
        self, uid: str, dispatcher: DurableDispatcher, kind: str = "default", **options: Any
    ) -> TriggerManager:
        """Give a manager of a session."""
        storage = storage_backends.get("default", uid, dispatcher)
        manager: TriggerManager = trigger_managers.get(kind, storage, **options)
        return manager

    async def manager(
        self, uid: str = "session", kind: str = "default", **tasks: Any
    ) -> TriggerManager:
        """Give a manager of a session with some tasks, on the dispatcher of the test."""
        if self.dispatcher is None:
            self.dispatcher = await self.started("kind")
        manager = self.manager_of(uid, self.dispatcher, kind)
        if tasks:
            await self.configure(manager, **tasks)
        return manager

    async def configure(self, manager: TriggerManager, **tasks: Any) -> None:
        """Add tasks; `run` is the name of something in `trigger_tasks`, by default `Repeat`."""
        await self.result(
            manager.update_configuration({name: self.task(each) for name, each in tasks.items()})
        )

    def task(self, directives: Any) -> dict[str, Any]:
        """Give the directives of a task; a list is its `after`."""
        if not isinstance(directives, Mapping):
            directives = {"after": directives}
        run = directives.get("run", "Repeat")
        if isinstance(run, str) and ":" not in run:
            run = f"{TASKS}:{run}"
        return {**directives, "run": run}

    async def fire(  # type: ignore[override]
        self, manager: TriggerManager, *triggers: str, **kwargs: Any
    ) -> list[str]:
        """Fire triggers, one after another; give the instances that are run for the last."""
        scheduled: list[TaskInstance] = []
        for trigger in triggers:
            scheduled = await self.result(manager.fire(trigger, kwargs or None))
        return [each.name for each in scheduled]

    async def all_of(self, manager: TriggerManager) -> dict[str, str]:
        """Wait until nothing goes on; give the status of every instance."""
        await self.result(manager.join_all())
        return {each.name: each.status for each in manager.storage}

    def calls(self) -> list[str]:
        """Give the instances whose tasks were called, in order."""
        return [name for name, _ in trigger_tasks.CALLS]
