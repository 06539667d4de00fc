"""
Trigger sessions: "after these have happened, in any order, perhaps weeks apart, run this".

::

    storage = storage_backends.get("default", "applicant:123", dispatcher)
    manager = trigger_managers.get("default", storage)
    await manager.update_configuration(
        {"t_score": {"after": ["page1", "page2"], "run": "survey.tasks:Score"}}
    )
    await manager.fire("page1", {"answers": [1, 2]})
"""

from twisted_dispatcher.triggers.checking import Finding, check
from twisted_dispatcher.triggers.configuration import Configuration, TaskConfig
from twisted_dispatcher.triggers.context import TaskContext
from twisted_dispatcher.triggers.drawing import graph
from twisted_dispatcher.triggers.files import load_configuration
from twisted_dispatcher.triggers.finalizing import FinalizingTriggerManager
from twisted_dispatcher.triggers.instances import TaskInstance
from twisted_dispatcher.triggers.listing import expire_sessions, forget_session, list_sessions
from twisted_dispatcher.triggers.logs import with_context
from twisted_dispatcher.triggers.manager import TriggerManager
from twisted_dispatcher.triggers.registries import (
    storage_backends,
    task_runners,
    trigger_managers,
)
from twisted_dispatcher.triggers.running import install
from twisted_dispatcher.triggers.storage import TriggerStorage
from twisted_dispatcher.triggers.tasks import Retry, Skip, StatusChange, TriggerTask

__all__ = [
    "Configuration",
    "FinalizingTriggerManager",
    "Finding",
    "Retry",
    "Skip",
    "StatusChange",
    "TaskConfig",
    "TaskContext",
    "TaskInstance",
    "TriggerManager",
    "TriggerStorage",
    "TriggerTask",
    "check",
    "expire_sessions",
    "forget_session",
    "graph",
    "install",
    "list_sessions",
    "load_configuration",
    "storage_backends",
    "task_runners",
    "trigger_managers",
    "with_context",
]

# As the entry points say; so it holds also where the package runs without being installed.
trigger_managers.register("default", TriggerManager)
trigger_managers.register("finalizing", FinalizingTriggerManager)
storage_backends.register("default", TriggerStorage)
