"""Taking a configuration in: its faults, and its links with other sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted_dispatcher.errors import InvalidConfiguration
from twisted_dispatcher.triggers.configuration import TaskConfig, faults_of, task_from
from twisted_dispatcher.triggers.facts import Configure, Link
from twisted_dispatcher.triggers.hub import Hub, Types
from twisted_dispatcher.triggers.namespaces import abroad, name_faults
from twisted_dispatcher.triggers.running import runner_fault
from twisted_dispatcher.triggers.tasks import name_of_task, task_fault


async def configure(
    hub: Hub, uid: str, configuration: Mapping[str, Any], types: Types
) -> Configure:
    """
    Give the fact of a configuration, when other sessions know who waits for their triggers.

    :raises InvalidConfiguration: with all faults; no session has changed then.
    :raises NotEncodable: when it cannot be stored.
    """
    tasks = checked(hub, uid, configuration)
    latest: dict[str, str] = {}
    links = abroad(uid, tasks.values())
    if links:
        # So that what cannot be stored is told before anything is.
        hub.codec.encode({name: each.directives() for name, each in tasks.items()})
    for source, trigger, name in links:
        linked = await hub.change(source, Link(trigger, uid, name), types, create=True)
        if linked is not None and trigger in linked.session.latest:
            latest[name] = linked.session.latest[trigger]
    return Configure(tasks, latest, types)


def checked(hub: Hub, uid: str, configuration: Mapping[str, Any]) -> dict[str, TaskConfig]:
    """
    Give the tasks of a configuration.

    :raises InvalidConfiguration: with all faults.
    """
    given = _with_names(configuration)
    faults = faults_of(given, task_fault, lambda using: runner_fault(hub, using))
    faults += [] if faults else name_faults(uid, given)
    if faults:
        raise InvalidConfiguration(faults)
    return {name: task_from(name, directives) for name, directives in given.items()}


def _with_names(configuration: Any) -> Any:
    """Put names in the place of tasks that are given themselves."""
    if not isinstance(configuration, Mapping):
        return configuration
    return {
        name: {**each, "run": name_of_task(each["run"])}
        if isinstance(each, Mapping) and "run" in each
        else each
        for name, each in configuration.items()
    }
